//! What is wrong with runtime classes.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/node/validation/validation.go and the `+k8s:` rules
//! of node/v1, which come last; pkg/api/node/util.go.

use api::{Value, field::Error, names::validate};

use super::{Check, Findings, Place, Subject, Warn, changes, gostruct, labels, texts};

/// Labels of nodes that are on their way out, and what upstream says of them.
pub(crate) const DEPRECATED_LABELS: [(&str, &str); 8] = [
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    (
        "node-role.kubernetes.io/master",
        "use \"node-role.kubernetes.io/control-plane\" instead",
    ),
];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("RuntimeClass", "") => Some(class),
        _ => None,
    }
}

/// Returns what warns of an object of a kind behind a door.
pub(super) fn warns(kind: &str, door: &str) -> Option<Warn> {
    match (kind, door) {
        ("RuntimeClass", "") => Some(warn),
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

fn warn(subject: &Subject<'_>, warnings: &mut Vec<String>) {
    let root = subject.root();
    let scheduling = root.child("scheduling");
    for (label, _) in scheduling.child("nodeSelector").entries() {
        let known = DEPRECATED_LABELS.iter().find(|(name, _)| *name == label);
        if let Some((_, why)) = known {
            warnings.push(format!("scheduling.nodeSelector: {why}"));
        }
    }
}
