//! What the server itself sets on an object before it is checked.
//!
//! Which parts a client may not set is data; what stands there instead at first is said here.

use api::{Text, Value, time};
use schema::Occasion;

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
            let class = quality(object);
            object.set_at(&["status", "qosClass"], class.into());
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

/// Returns a pod's quality of service: what its containers ask for and may use at most.
fn quality(pod: &Value) -> &'static str {
    let sides = ["requests", "limits"];
    let of = |container: &Value, side: &str, resource: &str| {
        let given = container.at(&["resources", side, resource])?;
        let quantity = api::Quantity::from_value(given).ok()?;
        (!quantity.is_zero()).then_some(quantity)
    };
    let mut containers: Vec<&Value> = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| pod.at(&["spec", list])?.as_array())
        .flatten()
        .collect();
    // Resources of the whole pod count instead of those of its containers.
    if let Some(spec) = pod
        .get("spec")
        .filter(|spec| spec.get("resources").is_some())
    {
        containers = vec![spec];
    }
    let resources = ["cpu", "memory"];
    let mut asks = containers.iter().flat_map(|container| {
        sides.into_iter().flat_map(move |side| {
            let one = move |resource| of(container, side, resource);
            resources.into_iter().filter_map(one)
        })
    });
    if asks.next().is_none() {
        return "BestEffort";
    }
    let is_fixed = |container: &&Value| {
        resources.into_iter().all(|resource| {
            let limit = of(container, "limits", resource);
            let request = of(container, "requests", resource).or_else(|| limit.clone());
            match (request, limit) {
                (Some(request), Some(limit)) => request.compare(&limit).is_eq(),
                _ => false,
            }
        })
    };
    match containers.iter().all(is_fixed) {
        true => "Guaranteed",
        false => "Burstable",
    }
}

/// Keeps the conditions that only the approval door may change.
fn keep_decisions(object: &mut Value, old: &Value) {
    let is_decision =
        |condition: &Value| matches!(condition.str_at(&["type"]), Some("Approved" | "Denied"));
    let list = |value: &Value| {
        let found = value
            .at(&["status", "conditions"])
            .and_then(Value::as_array);
        found.unwrap_or_default().to_vec()
    };
    let mut conditions: Vec<Value> = list(old).into_iter().filter(is_decision).collect();
    conditions.extend(list(object).into_iter().filter(|one| !is_decision(one)));
    if !conditions.is_empty() {
        object.set_at(&["status", "conditions"], conditions.into());
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
