//! What is wrong with replication controllers.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error};

use crate::validate::{Findings, Place, Subject, labels, numbers, texts};

/// What counts pods in a status, in the order in which it is checked.
const COUNTS: [&str; 5] = [
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
];

pub(super) fn controller(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    let selector = spec.child("selector");
    if selector.len() == 0 {
        found.required(&selector, "");
    }
    let template = spec.child("template");
    if template.is_set() {
        let metadata = template.child("metadata");
        let labels = metadata.child("labels");
        if selector.len() > 0 && !labels::covers(&labels, &selector) {
            not_selected(&labels, found);
        }
        super::template(&template, &old_spec.child("template"), found);
        runs_forever(&template, "ReplicationController is not Supported", found);
    } else {
        found.required(&template, "");
    }
    // These rules are declared upstream, and declared ones come last.
    let replicas = spec.child("replicas");
    if !replicas.is_set() {
        found.required(&replicas, "");
    }
    numbers::non_negative(&replicas, found);
    numbers::non_negative(&spec.child("minReadySeconds"), found);
}

/// Says that a selector does not select its own template, whose labels these are.
pub(crate) fn not_selected(labels: &Place<'_>, found: &mut Findings) {
    let shown = labels.value().cloned().unwrap_or(Value::Null);
    let why = "`selector` does not match template `labels`";
    found.push(Error::invalid(labels.path(), &shown, why));
}

/// Checks that the pods of a template run until they are deleted.
pub(crate) fn runs_forever(template: &Place<'_>, tail: &str, found: &mut Findings) {
    let spec = template.child("spec");
    texts::choice(&spec.child("restartPolicy"), &["Always"], found);
    let deadline = spec.child("activeDeadlineSeconds");
    if deadline.is_set() {
        found.forbidden(&deadline, &format!("activeDeadlineSeconds in {tail}"));
    }
}

pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    labels::finalizers(&root, found);
    let status = root.child("status");
    for field in COUNTS {
        numbers::non_negative(&status.child(field), found);
    }
    counts_fit(&status, found);
}

/// Some pods are not more than all.
pub(crate) fn counts_fit(status: &Place<'_>, found: &mut Findings) {
    const WHY: &str = "cannot be greater than status.replicas";
    for field in &COUNTS[1..4] {
        not_more(status, field, "replicas", WHY, found);
    }
    let why = "cannot be greater than readyReplicas";
    not_more(status, "availableReplicas", "readyReplicas", why, found);
}

/// One count of a status is not more than another.
pub(crate) fn not_more(
    status: &Place<'_>,
    part: &str,
    whole: &str,
    why: &str,
    found: &mut Findings,
) {
    let count = |field: &str| status.int_of(field).unwrap_or(0);
    if count(part) > count(whole) {
        found.invalid_number(&status.child(part), why);
    }
}
