//! Label keys of pods that become part of the selectors beside them.

use api::{Text, Value, value};

/// Merges what a pod's labels say into the selectors of its affinity and its spread.
pub(super) fn merge_keys(pod: &mut Value) {
    let is_concerned = |field: &str| pod.at(&["spec", field]).is_some();
    if !is_concerned("affinity") && !is_concerned("topologySpreadConstraints") {
        return;
    }
    let labels = match pod.at(&["metadata", "labels"]) {
        Some(labels) => labels.clone(),
        None => return,
    };
    for side in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = pod.at_mut(&["spec", "affinity", side]) else {
            continue;
        };
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for weighted in list(affinity.get_mut(preferred)) {
            if let Some(term) = weighted.get_mut("podAffinityTerm") {
                merge(term, &labels);
            }
        }
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        for term in list(affinity.get_mut(required)) {
            merge(term, &labels);
        }
    }
    for constraint in list(pod.at_mut(&["spec", "topologySpreadConstraints"])) {
        merge(constraint, &labels);
    }
}

fn list(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_array_mut).into_iter().flatten()
}

/// Merges into one selector; without a selector nothing is selected, and stays so.
fn merge(term: &mut Value, labels: &Value) {
    let mut more = Vec::new();
    for (keys, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        let keys = term.get(keys).and_then(Value::as_array);
        for key in keys.into_iter().flatten() {
            let Some(value) = key.as_str().and_then(|key| labels.get(key)) else {
                continue;
            };
            let (key, value, operator) = (key.clone(), value.clone(), Text::from(operator));
            more.push(value!({"key": (key), "operator": (operator), "values": [(value)]}));
        }
    }
    if more.is_empty() {
        return;
    }
    let Some(selector) = term.get_mut("labelSelector") else {
        return;
    };
    let place = selector.make_object().entry("matchExpressions");
    match place {
        Value::Array(known) => known.append(&mut more),
        _ => *place = more.into(),
    }
}
