//! Subresources that change their object in a way of their own.

use std::sync::Arc;

use api::{
    Reason, Status, Value,
    field::{self, Error, Path},
    names::validate,
};
use schema::{Fold, View};

/// Returns how a subresource works, by its name: these names mean the same wherever they occur.
pub(crate) fn of(name: &str) -> Option<View> {
    let fold: Arc<dyn Fold> = match name {
        "binding" => Arc::new(Binding),
        // A namespace's own finalizers, and nothing else.
        "finalize" => Arc::new(Part {
            path: &["spec", "finalizers"],
            metadata: &METADATA,
        }),
        "approval" => Arc::new(Part {
            path: &["status", "conditions"],
            metadata: &METADATA,
        }),
        "ephemeralcontainers" => Arc::new(Part {
            path: &["spec", "ephemeralContainers"],
            metadata: &[],
        }),
        "resize" => Arc::new(Resize),
        _ => return None,
    };
    Some(View::Fold(fold))
}

/// What clients may write in the metadata of an object that is there.
const METADATA: [&str; 4] = ["annotations", "labels", "finalizers", "ownerReferences"];

/// Shows the whole object, and takes one part of what it is given.
struct Part {
    path: &'static [&'static str],
    /// Fields of the metadata that go through this door, too.
    metadata: &'static [&'static str],
}

impl Fold for Part {
    fn show(&self, object: &Value) -> Result<Value, Status> {
        Ok(object.clone())
    }

    fn apply(&self, object: &mut Value, body: &Value) -> Result<(), Status> {
        take(object, body, self.path);
        for field in self.metadata {
            take(object, body, &["metadata", field]);
        }
        Ok(())
    }
}

/// Makes what is at `path` what it is in `body`: something or nothing.
fn take(object: &mut Value, body: &Value, path: &[&str]) {
    match body.at(path) {
        Some(part) => object.set_at(path, part.clone()),
        None => {
            object.remove_at(path);
        }
    }
}

/// Binds a pod to a node, once.
struct Binding;

impl Fold for Binding {
    fn show(&self, object: &Value) -> Result<Value, Status> {
        Ok(object.clone())
    }

    fn apply(&self, pod: &mut Value, binding: &Value) -> Result<(), Status> {
        check_target(pod, binding)?;
        let name = pod.str_at(&["metadata", "name"]).unwrap_or_default();
        let conflict = |why: String| Status::conflict("", "pods/binding", name, &why);
        if pod.at(&["metadata", "deletionTimestamp"]).is_some() {
            return Err(conflict(format!(
                "pod {name} is being deleted, cannot be assigned to a host"
            )));
        }
        match pod.str_at(&["spec", "nodeName"]).unwrap_or_default() {
            "" => {}
            node => {
                return Err(conflict(format!(
                    "pod {name} is already assigned to node {node:?}"
                )));
            }
        }
        let gates = pod.at(&["spec", "schedulingGates"]);
        if gates
            .and_then(Value::as_array)
            .is_some_and(|gates| !gates.is_empty())
        {
            return Err(conflict(format!(
                "pod {name} has non-empty .spec.schedulingGates"
            )));
        }
        let node = binding.str_at(&["target", "name"]).unwrap_or_default();
        pod.set_at(&["spec", "nodeName"], node.into());
        pod.remove_at(&["status", "nominatedNodeName"]);
        for map in ["annotations", "labels"] {
            let given = binding.at(&["metadata", map]).and_then(Value::as_object);
            for (key, value) in given.into_iter().flat_map(|given| given.iter()) {
                pod.set_at(&["metadata", map, key], value.clone());
            }
        }
        set_scheduled(pod);
        Ok(())
    }
}

/// Checks what a binding says; upstream answers 500, as nobody translates its errors.
fn check_target(pod: &Value, binding: &Value) -> Result<(), Status> {
    let text = |path: &[&str]| binding.str_at(path).unwrap_or_default();
    if Some(text(&["metadata", "name"])) != pod.str_at(&["metadata", "name"]) {
        return Err(Status::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let mut errors = Vec::new();
    let kind = text(&["target", "kind"]);
    let root = Path::new("target");
    if !matches!(kind, "" | "Node") {
        let path = root.child("kind");
        errors.push(Error::not_supported(&path, kind, &["Node", "<empty>"]));
    }
    let (name, place) = (text(&["target", "name"]), root.child("name"));
    if name.is_empty() {
        errors.push(Error::required(&place, ""));
    }
    let wrong = (!name.is_empty()).then(|| validate::dns1123_subdomain(name));
    for why in wrong.unwrap_or_default() {
        errors.push(Error::invalid(&place, name, why));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::new(500, Reason::Unknown, field::aggregate(&errors)))
}

/// Says that a pod has its place; since when, the server adds.
fn set_scheduled(pod: &mut Value) {
    let mut scheduled = Value::object();
    scheduled.set_at(&["type"], "PodScheduled".into());
    scheduled.set_at(&["status"], "True".into());
    let mut conditions = match pod.remove_at(&["status", "conditions"]) {
        Some(Value::Array(conditions)) => conditions,
        _ => Vec::new(),
    };
    let known = conditions
        .iter_mut()
        .find(|condition| condition.str_at(&["type"]) == Some("PodScheduled"));
    match known {
        Some(known) if known.str_at(&["status"]) == Some("True") => {}
        Some(known) => *known = scheduled,
        None => conditions.push(scheduled),
    }
    pod.set_at(&["status", "conditions"], conditions.into());
}

/// Changes what a pod's containers may use.
struct Resize;

impl Fold for Resize {
    fn show(&self, object: &Value) -> Result<Value, Status> {
        Ok(object.clone())
    }

    /// Takes resources and resize policies of containers that stand in the same places; other
    /// containers than the pod has, or none, are taken as they are, for validation to refuse.
    fn apply(&self, pod: &mut Value, body: &Value) -> Result<(), Status> {
        if let Some(resources) = body.at(&["spec", "resources"]) {
            pod.set_at(&["spec", "resources"], resources.clone());
        }
        for list in ["containers", "initContainers"] {
            let path = ["spec", list];
            let wanted = body.at(&path).and_then(Value::as_array).unwrap_or_default();
            let own = pod.at_mut(&path).and_then(Value::as_array_mut);
            let Some(own) = own.filter(|own| is_same(own, wanted)) else {
                match wanted {
                    [] => drop(pod.remove_at(&path)),
                    _ => pod.set_at(&path, wanted.to_vec().into()),
                }
                continue;
            };
            for (own, wanted) in own.iter_mut().zip(wanted) {
                for field in ["resources", "resizePolicy"] {
                    match wanted.get(field) {
                        Some(value) => own.set_at(&[field], value.clone()),
                        None => {
                            own.remove_at(&[field]);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_same(own: &[Value], wanted: &[Value]) -> bool {
    let names = |containers: &[Value]| -> Vec<String> {
        let names = containers.iter();
        names
            .map(|one| one.str_at(&["name"]).unwrap_or_default().to_owned())
            .collect()
    };
    names(own) == names(wanted)
}

#[cfg(test)]
mod tests {
    use api::{Value, json};
    use schema::View;

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    /// Applies a body through a subresource; the answer is the object or the refusal's message.
    #[track_caller]
    fn check(name: &str, object: &str, body: &str, expected: &str) {
        let Some(View::Fold(fold)) = super::of(name) else {
            panic!("{name} is no fold");
        };
        let mut object = read(object);
        match fold.apply(&mut object, &read(body)) {
            Ok(()) => assert_eq!(object, read(expected), "{object:?}"),
            Err(status) => assert_eq!(status.message, expected),
        }
    }

    #[test]
    fn binds_a_pod_once() {
        let body = r#"{"metadata":{"name":"p","labels":{"zone":"z"}},"target":{"name":"n1"}}"#;
        check(
            "binding",
            r#"{"metadata":{"name":"p"},"spec":{},"status":{"nominatedNodeName":"n2"}}"#,
            body,
            r#"{"metadata":{"name":"p","labels":{"zone":"z"}},"spec":{"nodeName":"n1"},
                "status":{"conditions":[{"type":"PodScheduled","status":"True"}]}}"#,
        );
        check(
            "binding",
            r#"{"metadata":{"name":"p"},"spec":{}}"#,
            r#"{"metadata":{"name":"p"},"target":{"kind":"Foo"}}"#,
            r#"[target.kind: Unsupported value: "Foo": supported values: "Node", "<empty>", target.name: Required value]"#,
        );
        let refused = "Operation cannot be fulfilled on pods/binding \"p\": ";
        check(
            "binding",
            r#"{"metadata":{"name":"p"},"spec":{"nodeName":"n0"}}"#,
            body,
            &format!("{refused}pod p is already assigned to node \"n0\""),
        );
        check(
            "binding",
            r#"{"metadata":{"name":"p","deletionTimestamp":"x"},"spec":{}}"#,
            body,
            &format!("{refused}pod p is being deleted, cannot be assigned to a host"),
        );
        check(
            "binding",
            r#"{"metadata":{"name":"p"},"spec":{"schedulingGates":[{"name":"g"}]}}"#,
            body,
            &format!("{refused}pod p has non-empty .spec.schedulingGates"),
        );
    }

    #[test]
    fn takes_only_the_part_that_is_its_own() {
        check(
            "finalize",
            r#"{"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Terminating"}}"#,
            r#"{"spec":{},"status":{"phase":"Active"}}"#,
            r#"{"spec":{},"status":{"phase":"Terminating"}}"#,
        );
        check(
            "approval",
            r#"{"metadata":{"labels":{"a":"b"},"uid":"u"},"spec":{},"status":{"certificate":"c"}}"#,
            r#"{"metadata":{"annotations":{"x":"y"},"uid":"v"},"status":{"conditions":[{"type":"Denied"}]}}"#,
            r#"{"metadata":{"uid":"u","annotations":{"x":"y"}},"spec":{},
                "status":{"certificate":"c","conditions":[{"type":"Denied"}]}}"#,
        );
        check(
            "ephemeralcontainers",
            r#"{"metadata":{"labels":{"a":"b"}},"spec":{}}"#,
            r#"{"metadata":{},"spec":{"ephemeralContainers":[{"name":"e"}],"nodeName":"n"}}"#,
            r#"{"metadata":{"labels":{"a":"b"}},"spec":{"ephemeralContainers":[{"name":"e"}]}}"#,
        );
        check(
            "resize",
            r#"{"spec":{"containers":[{"name":"a","image":"i"}]}}"#,
            r#"{"spec":{"containers":[{"name":"a","image":"j","resources":{"limits":{"cpu":"1"}}}]}}"#,
            r#"{"spec":{"containers":[{"name":"a","image":"i","resources":{"limits":{"cpu":"1"}}}]}}"#,
        );
    }
}
