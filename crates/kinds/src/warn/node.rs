//! Warnings about runtime classes, and about labels of nodes wherever they are named.
//!
//! Source: pkg/api/node/util.go.

use super::Warnings;
use crate::validate::{Place, Subject};

/// Labels of nodes that have other names now.
const OLD_LABELS: [(&str, &str); 8] = [
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

/// Returns what is to be said of a label, if it has another name now.
pub(super) fn old_label(label: &str) -> Option<&'static str> {
    let known = OLD_LABELS.iter().find(|(old, _)| *old == label);
    known.map(|(_, why)| *why)
}

/// Looks over the nodes on which a runtime class runs.
pub(super) fn runtime_class(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let scheduling = root.child("scheduling");
    let selector = scheduling.child("nodeSelector");
    for (label, _) in selector.entries() {
        if let Some(why) = old_label(label) {
            warnings.at(&selector, why);
        }
    }
}

/// Looks over a selector of nodes by their labels.
pub(super) fn selector(selector: &Place<'_>, warnings: &mut Warnings) {
    for expression in selector.child("matchExpressions").items() {
        let key = expression.child("key");
        if let Some(why) = old_label(key.text()) {
            warnings.at(&key, format_args!("{} is {why}", key.text()));
        }
    }
    let labels = selector.child("matchLabels");
    for (label, _) in labels.entries() {
        if let Some(why) = old_label(label) {
            warnings.at(&labels.child(label), why);
        }
    }
}
