//! The status of a definition: which names it got, and what is said of it.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/controller/status/naming_controller.go.

use api::{Value, quote::quote, time, value};
use base::WallTime;

use super::{approval, names::Taken};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    True,
    False,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: &'static str,
    pub(crate) is: Is,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

fn conditions(status: &Value) -> &[Value] {
    let found = status.get("conditions");
    found.and_then(Value::as_array).unwrap_or_default()
}

/// Returns whether a condition of a definition is true.
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    object
        .get("status")
        .is_some_and(|status| says(status, kind))
}

/// Returns whether a condition in a status is true.
pub(crate) fn says(status: &Value, kind: &str) -> bool {
    conditions(status).iter().any(|condition| {
        condition.str_at(&["type"]) == Some(kind) && condition.str_at(&["status"]) == Some("True")
    })
}

/// Sets a condition of a definition; its time moves only when its status does.
pub(crate) fn set(object: &mut Value, condition: Condition, now: WallTime) {
    put(object.make_object().entry("status"), condition, now);
}

/// Sets a condition in a status. Without `observedGeneration`: its feature gate
/// (`CRDObservedGenerationTracking`) is off by default in 1.37.
fn put(status: &mut Value, condition: Condition, now: WallTime) {
    let is = match condition.is {
        Is::True => "True",
        Is::False => "False",
    };
    let list = status.make_object().entry("conditions");
    if !matches!(list, Value::Array(_)) {
        *list = Value::Array(Vec::new());
    }
    let Value::Array(list) = list else {
        return;
    };
    let known = list
        .iter_mut()
        .find(|one| one.str_at(&["type"]) == Some(condition.kind));
    let mut since = time::to_value(now);
    if let Some(known) = &known
        && known.str_at(&["status"]) == Some(is)
        && let Some(time) = known.get("lastTransitionTime")
    {
        since = time.clone();
    }
    let made = value!({
        "type": (condition.kind),
        "status": (is),
        "lastTransitionTime": (since),
        "reason": (condition.reason),
        "message": (Value::string(condition.message)),
    });
    match known {
        Some(known) => *known = made,
        None => list.push(made),
    }
}

/// Returns the status that a definition should have.
///
/// Pure: the same definition and the same taken names give the same answer, times aside.
pub(crate) fn decide(object: &Value, taken: &Taken<'_>, now: WallTime) -> Value {
    let mut decided = object.get("status").cloned().unwrap_or_default();
    let wanted = object.at(&["spec", "names"]).cloned().unwrap_or_default();
    let mut accepted = object
        .at(&["status", "acceptedNames"])
        .cloned()
        .unwrap_or_default();
    // Of several conflicts the last one is told, in upstream's order.
    let mut conflict: Option<(&'static str, String)> = None;
    let take = |name: &str, accepted: &mut Value| {
        let text = wanted.str_at(&[name]).unwrap_or_default();
        let is_ours = accepted.str_at(&[name]) == Some(text);
        let is_used = || match name {
            "kind" | "listKind" => taken.has_kind(text),
            _ => taken.has_resource(text),
        };
        if !is_ours && is_used() {
            return Some(format!("{} is already in use", quote(text)));
        }
        accepted.set_at(&[name], Value::from(text));
        None
    };
    if let Some(message) = take("plural", &mut accepted) {
        conflict = Some(("PluralConflict", message));
    }
    if let Some(message) = take("singular", &mut accepted) {
        conflict = Some(("SingularConflict", message));
    }
    let ours = texts(&accepted, "shortNames");
    let clashes: Vec<String> = texts(&wanted, "shortNames")
        .into_iter()
        .filter(|name| !ours.contains(name) && taken.has_resource(name))
        .map(|name| format!("{} is already in use", quote(&name)))
        .collect();
    match clashes.as_slice() {
        [] => copy(&wanted, &mut accepted, "shortNames"),
        [one] => conflict = Some(("ShortNamesConflict", one.clone())),
        many => conflict = Some(("ShortNamesConflict", format!("[{}]", many.join(", ")))),
    }
    if let Some(message) = take("kind", &mut accepted) {
        conflict = Some(("KindConflict", message));
    }
    if let Some(message) = take("listKind", &mut accepted) {
        conflict = Some(("ListKindConflict", message));
    }
    copy(&wanted, &mut accepted, "categories");
    decided.set_at(&["acceptedNames"], accepted);

    let was_established = is_true(object, "Established");
    let (names, established) = match conflict {
        None => (
            (Is::True, "NoConflicts", "no conflicts found".to_owned()),
            Some((
                Is::True,
                "InitialNamesAccepted",
                "the initial names have been accepted",
            )),
        ),
        Some((reason, message)) => (
            (Is::False, reason, message),
            // What was established stays so, under the names it had.
            (!was_established).then_some((Is::False, "NotAccepted", "not all names are accepted")),
        ),
    };
    let mut say = |kind, (is, reason, message): (Is, &'static str, String)| {
        let condition = Condition {
            kind,
            is,
            reason,
            message,
        };
        put(&mut decided, condition, now);
    };
    say("NamesAccepted", names);
    if let Some((is, reason, message)) = established {
        say("Established", (is, reason, message.to_owned()));
    }
    if let Some(condition) = approval::condition(object) {
        put(&mut decided, condition, now);
    }
    decided
}

pub(crate) fn texts(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array);
    let texts = list.unwrap_or_default().iter();
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn copy(from: &Value, to: &mut Value, name: &str) {
    match from.get(name) {
        Some(value) => to.set_at(&[name], value.clone()),
        None => {
            to.make_object().remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::{Text, Value, value};
    use base::WallTime;
    use expect_test::{Expect, expect};

    use super::{conditions, decide, is_true};
    use crate::crds::names::{Name, Names};

    #[track_caller]
    fn check(resources: &[&str], kinds: &[&str], status: Value, expected: &Expect) {
        let object = value!({
            "metadata": {"generation": 3},
            "spec": {"group": "example.com", "names": {"plural": "foos", "singular": "foo",
                "kind": "Foo", "listKind": "FooList", "shortNames": ["f", "fo"]}},
            "status": (status),
        });
        let resources = resources.iter().map(|name| Name::Resource(Text::new(name)));
        let kinds = kinds.iter().map(|name| Name::Kind(Text::new(name)));
        let taken: Vec<Name> = resources.chain(kinds).collect();
        let names = Names::default();
        names.hold("example.com", "others.example.com", &[], &taken);
        let decide = |object: &Value, seconds| {
            names.look("example.com", "foos.example.com", |taken| {
                decide(object, taken, WallTime::from_secs(seconds))
            })
        };
        let decided = decide(&object, 0);
        let lines: Vec<String> = conditions(&decided)
            .iter()
            .map(|one| {
                let text = |name| one.str_at(&[name]).unwrap_or_default().to_owned();
                format!(
                    "{}={} {}: {}",
                    text("type"),
                    text("status"),
                    text("reason"),
                    text("message")
                )
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
        let mut object = object;
        object.set_at(&["status"], decided.clone());
        assert_eq!(
            decide(&object, 9),
            decided,
            "deciding again changes nothing"
        );
    }

    #[test]
    fn accepts_what_nobody_has() {
        check(
            &["bars"],
            &["Bar"],
            value!({}),
            &expect![[r#"
            NamesAccepted=True NoConflicts: no conflicts found
            Established=True InitialNamesAccepted: the initial names have been accepted"#]],
        );
    }

    #[test]
    fn refuses_what_is_taken() {
        check(
            &["foos"],
            &[],
            value!({}),
            &expect![[r#"
            NamesAccepted=False PluralConflict: "foos" is already in use
            Established=False NotAccepted: not all names are accepted"#]],
        );
        check(
            &["f", "fo"],
            &[],
            value!({}),
            &expect![[r#"
            NamesAccepted=False ShortNamesConflict: ["f" is already in use, "fo" is already in use]
            Established=False NotAccepted: not all names are accepted"#]],
        );
        check(
            &[],
            &["Foo"],
            value!({}),
            &expect![[r#"
            NamesAccepted=False KindConflict: "Foo" is already in use
            Established=False NotAccepted: not all names are accepted"#]],
        );
    }

    #[test]
    fn what_is_established_stays_so() {
        let status = value!({
            "acceptedNames": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
            "conditions": [{"type": "Established", "status": "True"}],
        });
        let object = value!({"status": (status.clone())});
        assert!(is_true(&object, "Established"));
        check(
            &["f"],
            &[],
            status,
            &expect![[r#"
            Established=True : 
            NamesAccepted=False ShortNamesConflict: "f" is already in use"#]],
        );
    }
}
