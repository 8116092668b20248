//! What controllers may say of workloads.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/apps/validation/validation.go.

use api::field::Error;

use crate::validate::{Findings, Place, Subject, labels, numbers, pods::controllers::not_more};

const OF_ALL: &str = "cannot be greater than status.replicas";

pub(super) fn deployment(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    labels::finalizers(&root, found);
    let status = root.child("status");
    counts(
        &status,
        &[
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
            "collisionCount",
        ],
        found,
    );
    for part in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        not_more(&status, part, "replicas", OF_ALL, found);
    }
    available(&status, "cannot be greater than readyReplicas", found);
    collisions(subject, &status, found);
}

pub(super) fn replica_set(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    labels::finalizers(&root, found);
    let status = root.child("status");
    counts(
        &status,
        &[
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
            "terminatingReplicas",
        ],
        found,
    );
    for part in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        not_more(&status, part, "replicas", OF_ALL, found);
    }
    available(&status, "cannot be greater than readyReplicas", found);
}

pub(super) fn stateful_set(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    counts(
        &status,
        &[
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
            "observedGeneration",
            "collisionCount",
        ],
        found,
    );
    for part in [
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
    ] {
        not_more(&status, part, "replicas", OF_ALL, found);
    }
    available(
        &status,
        "cannot be greater than status.readyReplicas",
        found,
    );
    labels::finalizers(&root, found);
    collisions(subject, &status, found);
}

pub(super) fn daemon_set(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    labels::finalizers(&root, found);
    let status = root.child("status");
    counts(
        &status,
        &[
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ],
        found,
    );
    collisions(subject, &status, found);
}

fn counts(status: &Place<'_>, fields: &[&str], found: &mut Findings) {
    for field in fields {
        numbers::non_negative(&status.child(field), found);
    }
}

fn available(status: &Place<'_>, why: &str, found: &mut Findings) {
    not_more(status, "availableReplicas", "readyReplicas", why, found);
}

/// Collisions of names are only counted up.
fn collisions(subject: &Subject<'_>, status: &Place<'_>, found: &mut Findings) {
    let old_root = subject.old_root();
    let old = old_root.child("status").int_of("collisionCount");
    let count = status.child("collisionCount");
    let is_less = old.is_some_and(|old| count.int().is_none_or(|count| count < old));
    if is_less {
        let number = count.int().unwrap_or(0);
        found.push(Error::invalid(
            count.path(),
            number,
            "cannot be decremented",
        ));
    }
}
