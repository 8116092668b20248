//! What is wrong with requests for certificates.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/certificates/validation/validation.go.

use super::{Check, Findings, Place, Subject};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("CertificateSigningRequest", "status") => Some(decisions),
        _ => None,
    }
}

/// Whether a request is approved is said through its own subresource, which has its own rights.
fn decisions(subject: &Subject<'_>, found: &mut Findings) {
    if subject.old.is_none() {
        return;
    }
    let (root, old) = (subject.root(), subject.old_root());
    let (status, old_status) = (root.child("status"), old.child("status"));
    let (conditions, old_conditions) = (status.child("conditions"), old_status.child("conditions"));
    let count = |conditions: &Place<'_>, kind: &str| {
        let is_kind = |one: &&api::Value| one.str_at(&["type"]) == Some(kind);
        conditions.list().iter().filter(is_kind).count()
    };
    for kind in ["Approved", "Denied"] {
        if count(&conditions, kind) > count(&old_conditions, kind) {
            let why = format!("updates may not add a condition of type \"{kind}\"");
            found.forbidden(&conditions, &why);
        }
    }
}
