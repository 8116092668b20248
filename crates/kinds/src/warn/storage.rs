//! Warnings about classes, drivers and capacities of storage.
//!
//! Source: pkg/api/storage/util.go and pkg/registry/storage/csidriver/strategy.go.

use super::{Warnings, node};
use crate::validate::Subject;

const TOKENS_IN_ATTRIBUTES: &str = "is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";

/// Looks over the nodes from which a class of storage can be reached.
pub(super) fn class(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    for topology in root.child("allowedTopologies").items() {
        for expression in topology.child("matchLabelExpressions").items() {
            let key = expression.child("key");
            if let Some(why) = node::old_label(key.text()) {
                warnings.at(&key, why);
            }
        }
    }
}

/// Looks over the nodes that have a capacity.
pub(super) fn capacity(subject: &Subject<'_>, warnings: &mut Warnings) {
    node::selector(&subject.root().child("nodeTopology"), warnings);
}

/// Says that a driver gets tokens where they may be logged, when it begins to ask for them.
pub(super) fn driver(subject: &Subject<'_>, warnings: &mut Warnings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, before) = (root.child("spec"), old.child("spec"));
    let tokens = spec.child("tokenRequests");
    let is_news = subject.old.is_none() || !tokens.is_same(&before.child("tokenRequests"));
    let secrets = spec.child("serviceAccountTokenInSecrets");
    if is_news && tokens.len() > 0 && !secrets.is_set() {
        warnings.push(format!("{} {TOKENS_IN_ATTRIBUTES}", secrets.path()));
    }
}
