//! What the server sets on pods.

use api::{Value, time};
use schema::Occasion;

use super::{labels, resources};

/// Annotations that named AppArmor profiles before there was a field for them.
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// How long the path of an AppArmor profile may be.
const PROFILE_LENGTH_MAX: usize = 4095;

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Sets what a new pod begins with; its status holds the phase already.
pub(super) fn begin(pod: &mut Value, occasion: Occasion<'_>) {
    say_gated(pod, occasion);
    labels::merge_keys(pod);
    take_profiles(pod);
    resources::fill_pod(pod);
    let class = resources::quality(pod);
    pod.set_at(&["status", "qosClass"], class.into());
}

/// A pod with gates says that it waits for them.
fn say_gated(pod: &mut Value, occasion: Occasion<'_>) {
    let gates = pod.at(&["spec", "schedulingGates"]);
    if gates
        .and_then(Value::as_array)
        .is_none_or(<[Value]>::is_empty)
    {
        return;
    }
    let mut condition = Value::object();
    for (name, text) in [
        ("type", "PodScheduled"),
        ("status", "False"),
        ("reason", "SchedulingGated"),
        (
            "message",
            "Scheduling is blocked due to non-empty scheduling gates",
        ),
    ] {
        condition.set_at(&[name], text.into());
    }
    condition.set_at(&["lastTransitionTime"], time::to_value(occasion.now));
    pod.set_at(&["status", "conditions"], vec![condition].into());
}

/// Keeps the resources of the whole pod for clients that do not know the field.
pub(super) fn keep_resources(pod: &mut Value, old: &Value) {
    let path = ["spec", "resources"];
    if pod.at(&path).is_none()
        && let Some(resources) = old.at(&path)
    {
        pod.set_at(&path, resources.clone());
    }
}

/// Keeps what a writer of the status may not know of.
pub(super) fn keep_status(pod: &mut Value, old: &Value) {
    for field in [
        "qosClass",
        "resourceClaimStatuses",
        "extendedResourceClaimStatus",
        "nodeAllocatableResourceClaimStatuses",
        "observedGeneration",
    ] {
        let path = ["status", field];
        if pod.at(&path).is_none()
            && let Some(value) = old.at(&path)
        {
            pod.set_at(&path, value.clone());
        }
    }
    let path = ["metadata", "ownerReferences"];
    match old.at(&path) {
        Some(owners) => pod.set_at(&path, owners.clone()),
        None => {
            pod.remove_at(&path);
        }
    }
    keep_observed_generations(pod, old);
}

/// Conditions keep the generation of the pod that they are about; there may be several of a type.
fn keep_observed_generations(pod: &mut Value, old: &Value) {
    let before = old.at(&["status", "conditions"]).and_then(Value::as_array);
    let mut before: Vec<&Value> = before.unwrap_or_default().iter().collect();
    let conditions = pod.at_mut(&["status", "conditions"]);
    let conditions = conditions.and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        let same = before
            .iter()
            .position(|other| other.get("type") == condition.get("type"));
        let generation = same.and_then(|at| before.remove(at).get("observedGeneration"));
        if let Some(generation) = generation
            && condition.get("observedGeneration").is_none()
        {
            condition.set_at(&["observedGeneration"], generation.clone());
        }
    }
}

/// Takes the profiles that annotations name into the fields of containers that have none.
fn take_profiles(pod: &mut Value) {
    let Some(annotations) = pod.at(&["metadata", "annotations"]) else {
        return;
    };
    let named: Vec<(String, Value)> = annotations
        .as_object()
        .into_iter()
        .flat_map(|all| all.iter())
        .filter_map(|(key, value)| {
            let container = key.strip_prefix(APP_ARMOR)?;
            Some((container.to_owned(), profile(value.as_str()?)?))
        })
        .collect();
    if named.is_empty() || pod.str_at(&["spec", "os", "name"]) == Some("windows") {
        return;
    }
    let whole = pod.at(&["spec", "securityContext", "appArmorProfile"]);
    let whole = whole.cloned();
    for list in CONTAINERS {
        let containers = pod.at_mut(&["spec", list]).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let name = container.str_at(&["name"]).unwrap_or_default();
            let Some((_, profile)) = named.iter().find(|(of, _)| of == name) else {
                continue;
            };
            let path = ["securityContext", "appArmorProfile"];
            if container.at(&path).is_none() && whole.as_ref() != Some(profile) {
                container.set_at(&path, profile.clone());
            }
        }
    }
}

/// Returns the profile that an annotation names.
fn profile(annotation: &str) -> Option<Value> {
    let mut made = Value::object();
    let kind = match annotation {
        "unconfined" => "Unconfined",
        "runtime/default" => "RuntimeDefault",
        _ => "Localhost",
    };
    made.set_at(&["type"], kind.into());
    if kind == "Localhost" {
        let path = annotation.strip_prefix("localhost/")?;
        if path.is_empty() || path.trim() != path || path.len() > PROFILE_LENGTH_MAX {
            return None;
        }
        made.set_at(&["localhostProfile"], path.into());
    }
    Some(made)
}
