//! What is wrong with namespaces.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go (`ValidateNamespace`
//! and its updates).

use api::{
    field::{Error, Path},
    names::validate,
};

use crate::validate::{Findings, Subject};

const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Checks a namespace: what holds it.
pub(super) fn namespace(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    let finalizers = spec.child("finalizers");
    for finalizer in finalizers.items() {
        finalizer_name(finalizers.path(), finalizer.text(), found);
    }
}

/// Checks what shall still hold a namespace.
pub(super) fn finalize(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    for finalizer in spec.child("finalizers").items() {
        finalizer_name(finalizer.path(), finalizer.text(), found);
    }
}

fn finalizer_name(path: &Path<'_>, name: &str, found: &mut Findings) {
    for why in validate::qualified_name(name) {
        found.push(Error::invalid(path, name, why));
    }
    if !name.contains('/') && !STANDARD.contains(&name) {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        found.push(Error::invalid(path, name, why));
    }
}

/// A namespace is on its way out exactly if it is being deleted.
pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let (metadata, status) = (root.child("metadata"), root.child("status"));
    let is_leaving = metadata.child("deletionTimestamp").is_set();
    let (wanted, when) = match is_leaving {
        true => ("Terminating", "is not empty"),
        false => ("Active", "is empty"),
    };
    let phase = status.child("phase").text();
    if phase != wanted {
        let path = status.path().child("Phase");
        let why = format!("may only be '{wanted}' if `deletionTimestamp` {when}");
        found.push(Error::invalid(&path, phase, why));
    }
}
