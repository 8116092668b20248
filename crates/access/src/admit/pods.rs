//! What every pod tolerates for a while.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/defaulttolerationseconds.

use api::{Value, value};

use super::{Refusal, Request, list_at};

/// How long a pod stays on a node that is not ready or cannot be reached.
const SECONDS: i64 = 300;
const TAINTS: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];

pub(super) fn default_tolerations(
    request: &Request<'_>,
    object: &mut Value,
) -> Result<(), Refusal> {
    if !request.writes("", "pods") {
        return Ok(());
    }
    let tolerations = object
        .at(&["spec", "tolerations"])
        .and_then(Value::as_array);
    let tolerations = tolerations.unwrap_or_default();
    let missing = TAINTS.into_iter().filter(|taint| {
        !tolerations.iter().any(|one| {
            let text = |name| one.str_at(&[name]).unwrap_or_default();
            let key = text("key");
            (key == *taint || key.is_empty()) && matches!(text("effect"), "NoExecute" | "")
        })
    });
    let missing: Vec<Value> = missing
        .map(|taint| {
            value!({
                "key": (taint), "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": (SECONDS)
            })
        })
        .collect();
    if !missing.is_empty() {
        list_at(object, &["spec", "tolerations"]).extend(missing);
    }
    Ok(())
}
