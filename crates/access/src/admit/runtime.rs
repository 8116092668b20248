//! What a pod's runtime class adds to it.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/runtimeclass.

use api::{Object, Quantity, Value, quote::quote};

use super::{Around, Refusal, Request, list_at, read};
use crate::world::Resource;

const MISMATCH: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

pub(super) fn change(
    request: &Request<'_>,
    object: &mut Value,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    if !request.creates("", "pods") {
        return Ok(());
    }
    let Some(class) = class_of(request, object, around)? else {
        return Ok(());
    };
    if let Some(overhead) = overhead_of(&class) {
        let given = object.at(&["spec", "overhead"]).and_then(Value::as_object);
        if given.is_some_and(|given| !given.is_empty() && !same(given, overhead)) {
            return Err(request.forbidden(object, MISMATCH));
        }
        let overhead = Value::Object(overhead.clone());
        object.set_at(&["spec", "overhead"], overhead);
    }
    let selector = class.at(&["scheduling", "nodeSelector"]);
    for (key, value) in selector
        .and_then(Value::as_object)
        .map(Object::fields)
        .unwrap_or_default()
    {
        let path = ["spec", "nodeSelector", key.as_str()];
        let given = object.at(&path);
        if let Some(given) = given.filter(|given| *given != value) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let why = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                text(value),
                text(given)
            );
            return Err(request.forbidden(object, why));
        }
        object.set_at(&path, value.clone());
    }
    if let Some(Value::Array(added)) = class.at(&["scheduling", "tolerations"])
        && !added.is_empty()
    {
        let tolerations = list_at(object, &["spec", "tolerations"]);
        tolerations.extend(added.iter().cloned());
        *tolerations = merged(tolerations);
    }
    Ok(())
}

pub(super) fn check(
    request: &Request<'_>,
    object: &Value,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    if !request.creates("", "pods") {
        return Ok(());
    }
    let class = class_of(request, object, around)?;
    let given = object.at(&["spec", "overhead"]).and_then(Value::as_object);
    match (class.as_ref().and_then(overhead_of), given) {
        (Some(overhead), given) => {
            let nothing = Object::default();
            if same(given.unwrap_or(&nothing), overhead) {
                return Ok(());
            }
            Err(request.forbidden(object, MISMATCH))
        }
        (None, Some(_)) => {
            let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
            Err(request.forbidden(object, why))
        }
        (None, None) => Ok(()),
    }
}

fn class_of(
    request: &Request<'_>,
    pod: &Value,
    around: &Around<'_>,
) -> Result<Option<Value>, Refusal> {
    let Some(name) = pod.str_at(&["spec", "runtimeClassName"]) else {
        return Ok(None);
    };
    let found = around.world.get(Resource::RUNTIME_CLASSES, "", name);
    let found = found.ok_or_else(|| {
        let why = format!("pod rejected: RuntimeClass {} not found", quote(name));
        request.forbidden(pod, why)
    })?;
    Ok(Some(read(&found)))
}

fn overhead_of(class: &Value) -> Option<&Object> {
    let overhead = class
        .get("overhead")
        .filter(|overhead| !overhead.is_null())?;
    overhead.get("podFixed").and_then(Value::as_object)
}

/// Returns whether two lists of amounts are the same, whatever their form.
fn same(a: &Object, b: &Object) -> bool {
    let amount = |value: &Value| Quantity::from_value(value).ok();
    a.len() == b.len()
        && a.iter().all(|(name, value)| {
            b.get(name)
                .is_some_and(|other| amount(value) == amount(other))
        })
}

/// Leaves out tolerations that another one makes needless; of equal ones the first stays.
fn merged(all: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for (place, one) in all.iter().enumerate() {
        let before = kept.iter().any(|other| is_wider(other, one));
        let after = all[place + 1..]
            .iter()
            .any(|other| other != one && is_wider(other, one));
        if !before && !after {
            kept.push(one.clone());
        }
    }
    kept
}

/// Returns whether whatever `one` tolerates `wide` tolerates too.
fn is_wider(wide: &Value, one: &Value) -> bool {
    if wide == one {
        return true;
    }
    let text = |value: &Value, name: &str| value.str_at(&[name]).unwrap_or_default().to_owned();
    let seconds = |value: &Value| value.get("tolerationSeconds").and_then(Value::as_int);
    let exists = text(wide, "operator") == "Exists";
    let every_key = text(wide, "key").is_empty() && exists;
    if text(one, "key") != text(wide, "key") && !every_key {
        return false;
    }
    let effect = text(wide, "effect");
    if text(one, "effect") != effect && !effect.is_empty() {
        return false;
    }
    if effect == "NoExecute"
        && let Some(limit) = seconds(wide)
        && seconds(one).is_none_or(|seconds| seconds > limit)
    {
        return false;
    }
    match text(wide, "operator").as_str() {
        "Exists" => true,
        "Equal" | "" => {
            text(one, "operator") == "Equal" && text(one, "value") == text(wide, "value")
        }
        _ => false,
    }
}
