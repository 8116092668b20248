//! What the server itself sets on an object before it is checked.
//!
//! Which parts a client may not set is data; what stands there instead at first is said here.
//!
//! Source: `PrepareForCreate` and `PrepareForUpdate` in k8s.io/kubernetes v1.37.1,
//! pkg/registry/*/*/strategy.go.

mod labels;
mod pods;
mod resources;
mod volumes;
mod workloads;

pub(crate) use resources::{quality, together};

use api::{Text, Value, time};
use schema::Occasion;

use crate::defaults::set_name_label;

/// Paths that are not the client's to set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owned {
    /// On create.
    pub(crate) create: Vec<Text>,
    /// On update, by the door: empty for the main resource, or a subresource.
    pub(crate) update: Vec<(Text, Vec<Text>)>,
}

/// Puts the server's own parts into an object that is about to be written.
pub(crate) fn prepare(
    owned: &Owned,
    kind: &str,
    occasion: Occasion<'_>,
    object: &mut Value,
    old: Option<&Value>,
) {
    let Some(old) = old else {
        for path in &owned.create {
            let path: Vec<&str> = path.split('.').collect();
            object.remove_at(&path);
        }
        first_status(kind, occasion, object);
        begin(kind, occasion, object);
        return;
    };
    let door = occasion.subresource;
    if let Some((_, paths)) = owned.update.iter().find(|(name, _)| name == door) {
        for path in paths {
            let path: Vec<&str> = path.split('.').collect();
            restore(object, old, &path);
        }
    }
    if kind == "CertificateSigningRequest" {
        match door {
            "approval" => restore(object, old, &["status", "certificate"]),
            "status" => keep_decisions(object, old),
            _ => {}
        }
    }
    stamp_conditions(kind, occasion, object, old);
    go_on(kind, occasion, object, old);
}

/// Sets what a kind has from its beginning, besides its status.
fn begin(kind: &str, occasion: Occasion<'_>, object: &mut Value) {
    match kind {
        "Pod" => pods::begin(object, occasion),
        "CertificateSigningRequest" => name_asker(object, occasion),
        "Job" => {
            workloads::select_own_pods(object);
            workloads::take_labels(object);
        }
        "DaemonSet" => workloads::number_template(object, None),
        "PersistentVolumeClaim" => volumes::begin_claim(object),
        "Namespace" => {
            // The name may have been made only now.
            if let Some(metadata) = object.get_mut("metadata") {
                set_name_label(metadata);
            }
        }
        "ServiceAccount" => keep_names_of_secrets(object),
        "Node" => {
            object.remove_at(&["spec", "configSource"]);
        }
        "EndpointSlice" => drop_topology(object, None),
        // It never changes, and so is always the first.
        "PriorityClass" => object.set_at(&["metadata", "generation"], Value::Int(1)),
        // It is counted only from the first change on.
        "CSIDriver" => {
            object.remove_at(&["metadata", "generation"]);
        }
        _ => {}
    }
}

/// Sets what a kind keeps or loses when it changes, besides what belongs to another door.
fn go_on(kind: &str, occasion: Occasion<'_>, object: &mut Value, old: &Value) {
    match (kind, occasion.subresource) {
        ("Pod", "") => pods::keep_resources(object, old),
        ("Pod", "resize") => {
            pods::keep_resources(object, old);
            resources::fill_pod(object);
        }
        ("Pod", "status") => pods::keep_status(object, old),
        ("Job", "") => workloads::take_labels(object),
        ("DaemonSet", _) => workloads::number_template(object, Some(old)),
        ("PersistentVolume", "status") => volumes::stamp_phase(object, old, occasion),
        ("PersistentVolumeClaim", "") => volumes::update_claim(object, old),
        ("ServiceAccount", "") => keep_names_of_secrets(object),
        ("Node", "") => drop_new(object, old, &["spec", "configSource"]),
        ("Node", "status") => drop_new(object, old, &["status", "config"]),
        ("EndpointSlice", "") => drop_topology(object, Some(old)),
        _ => {}
    }
}

/// Drops what nobody may begin to use.
fn drop_new(object: &mut Value, old: &Value, path: &[&str]) {
    if old.at(path).is_none() {
        object.remove_at(path);
    }
}

/// Of the secrets of a service account only the names are kept.
fn keep_names_of_secrets(account: &mut Value) {
    let secrets = account.get_mut("secrets").and_then(Value::as_array_mut);
    for secret in secrets.into_iter().flatten() {
        if let Value::Object(secret) = secret {
            secret.retain(|field, _| field == "name");
        }
    }
}

/// Drops what can no longer be written of endpoints, unless they are what they were.
fn drop_topology(slice: &mut Value, old: Option<&Value>) {
    const HOST: &str = "kubernetes.io/hostname";
    let of = |slice: &Value| slice.get("endpoints").cloned().unwrap_or_default();
    let before = old.map(of);
    if before.as_ref() == Some(&of(slice)) {
        return;
    }
    let known = |node: &str| {
        let endpoints = before.as_ref().and_then(Value::as_array);
        let mut endpoints = endpoints.unwrap_or_default().iter();
        endpoints.any(|one| one.str_at(&["deprecatedTopology", HOST]) == Some(node))
    };
    let endpoints = slice.get_mut("endpoints").and_then(Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten() {
        let Some(topology) = endpoint.remove_at(&["deprecatedTopology"]) else {
            continue;
        };
        if let Some(node) = topology.str_at(&[HOST])
            && endpoint.get("nodeName").is_none()
            && known(node)
        {
            endpoint.set_at(&["nodeName"], node.into());
        }
    }
}

/// Makes a part what it was.
fn restore(object: &mut Value, old: &Value, path: &[&str]) {
    match old.at(path) {
        Some(value) => object.set_at(path, value.clone()),
        None => {
            object.remove_at(path);
        }
    }
}

/// Sets the status with which an object begins.
fn first_status(kind: &str, occasion: Occasion<'_>, object: &mut Value) {
    match kind {
        "Pod" => {
            object.set_at(&["status", "phase"], "Pending".into());
        }
        "PersistentVolume" => {
            object.set_at(&["status", "phase"], "Pending".into());
            let since = time::to_value(occasion.now);
            object.set_at(&["status", "lastPhaseTransitionTime"], since);
        }
        "PersistentVolumeClaim" => {
            object.set_at(&["status", "phase"], "Pending".into());
        }
        "Namespace" => {
            object.set_at(&["status", "phase"], "Active".into());
            let mut finalizers = match object.remove_at(&["spec", "finalizers"]) {
                Some(Value::Array(finalizers)) => finalizers,
                _ => Vec::new(),
            };
            let own = Value::from("kubernetes");
            if !finalizers.contains(&own) {
                finalizers.push(own);
            }
            object.set_at(&["spec", "finalizers"], finalizers.into());
        }
        _ => {}
    }
}

/// Keeps what the conditions say that only the approval door may change. Where there are more or
/// fewer of them than before, they stay as they were sent, for validation to refuse.
fn keep_decisions(object: &mut Value, old: &Value) {
    const CONDITIONS: [&str; 2] = ["status", "conditions"];
    for decision in ["Approved", "Denied"] {
        let is_it = |condition: &&Value| condition.str_at(&["type"]) == Some(decision);
        let before = old.at(&CONDITIONS).and_then(Value::as_array);
        let before: Vec<&Value> = before.unwrap_or_default().iter().filter(is_it).collect();
        let now = object.at_mut(&CONDITIONS).and_then(Value::as_array_mut);
        let now = now.into_iter().flatten();
        let now: Vec<&mut Value> = now
            .filter(|one| one.str_at(&["type"]) == Some(decision))
            .collect();
        if now.len() == before.len() {
            for (now, before) in now.into_iter().zip(before) {
                now.clone_from(before);
            }
        }
    }
}

/// Writes into a request for a certificate who makes it, whatever it says itself.
fn name_asker(object: &mut Value, occasion: Occasion<'_>) {
    let asker = occasion.asker;
    let texts = |texts: &[Text]| {
        let texts = texts.iter().cloned().map(Value::String);
        Value::Array(texts.collect())
    };
    let spec = object.make_object().entry("spec").make_object();
    for name in ["username", "uid", "groups", "extra"] {
        spec.remove(name);
    }
    if !asker.name.is_empty() {
        spec.insert("username", Value::from(asker.name));
    }
    if !asker.uid.is_empty() {
        spec.insert("uid", Value::from(asker.uid));
    }
    if !asker.groups.is_empty() {
        spec.insert("groups", texts(asker.groups));
    }
    if !asker.extra.is_empty() {
        let extra = asker.extra.iter();
        let extra = extra.map(|(name, values)| (name.clone(), texts(values)));
        spec.insert("extra", Value::Object(extra.collect()));
    }
}

/// Says since when conditions hold, where the client did not.
fn stamp_conditions(kind: &str, occasion: Occasion<'_>, object: &mut Value, old: &Value) {
    let is_stamped = matches!(
        (kind, occasion.subresource),
        ("CertificateSigningRequest", "approval" | "status") | ("Pod", "binding")
    );
    if !is_stamped {
        return;
    }
    let before = old.at(&["status", "conditions"]).and_then(Value::as_array);
    let before = before.unwrap_or_default();
    let now = time::to_value(occasion.now);
    let conditions = object.at_mut(&["status", "conditions"]);
    let conditions = conditions.and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        let is_open = |field: &str| condition.get(field).is_none_or(Value::is_null);
        let (update, transition) = (is_open("lastUpdateTime"), is_open("lastTransitionTime"));
        if transition {
            let same = before.iter().find(|other| {
                ["type", "status"]
                    .into_iter()
                    .all(|field| other.get(field) == condition.get(field))
            });
            let since = same.and_then(|other| other.get("lastTransitionTime"));
            let since = since.filter(|since| !since.is_null()).unwrap_or(&now);
            condition.set_at(&["lastTransitionTime"], since.clone());
        }
        if update && kind == "CertificateSigningRequest" {
            condition.set_at(&["lastUpdateTime"], now.clone());
        }
    }
}

#[cfg(test)]
mod tests;
