//! What is wrong with runtime classes.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/node/validation/validation.go and the `+k8s:` rules
//! of node/v1, which come last; pkg/api/node/util.go.

use api::{Value, field::Error, names::validate};

use super::{Check, Findings, Place, Subject, changes, gostruct, labels, pods, texts};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("RuntimeClass", "") => Some(class),
        _ => None,
    }
}

fn class(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let handler = root.child("handler");
    let is_moved = subject.old.is_some() && !handler.is_same(&old.child("handler"));
    // What upstream's tags say too is said by them, at the end.
    if is_moved && !handler.text().is_empty() {
        texts::label(&handler, found);
    }
    let overhead = root.child("overhead");
    if overhead.is_set() {
        pods::overhead(
            &Place::new(overhead.get("podFixed"), *overhead.path()),
            found,
        );
    }
    scheduling(&root.child("scheduling"), found);
    if is_moved {
        // Upstream's tag shows nothing here.
        let why = changes::IMMUTABLE;
        found.push(Error::invalid(handler.path(), &Value::Null, why));
    }
    if subject.old.is_none() || is_moved {
        if !texts::require(&handler, "", found) {
            return;
        }
        if !is_moved {
            texts::fits(&handler, validate::dns1123_label, found);
        }
    }
}

fn scheduling(scheduling: &Place<'_>, found: &mut Findings) {
    if !scheduling.is_set() {
        return;
    }
    labels::labels(&scheduling.child("nodeSelector"), found);
    let tolerations = scheduling.child("tolerations");
    pods::tolerations(&tolerations, found);
    let same = |one: &Value, other: &Value| {
        let part = |value: &Value, name| value.str_at(&[name]).unwrap_or_default().to_owned();
        ["key", "operator", "value", "effect"]
            .into_iter()
            .all(|name| part(one, name) == part(other, name))
    };
    for (index, toleration) in tolerations.items().enumerate() {
        let value = &tolerations.list()[index];
        let mut before = tolerations.list()[..index].iter();
        if before.any(|other| same(value, other)) {
            let shown = gostruct::shown(&toleration, "Toleration");
            found.push(Error::duplicate(toleration.path(), shown));
        }
    }
}
