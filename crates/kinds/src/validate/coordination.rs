//! What is wrong with leases.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/coordination/validation/validation.go.

use api::names::validate;

use super::{Check, Findings, Subject};

/// How candidates may be chosen.
const STRATEGIES: &[&str] = &["OldestEmulationVersion"];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("Lease", "") => Some(lease),
        _ => None,
    }
}

fn lease(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    let seconds = spec.child("leaseDurationSeconds");
    if seconds.int().is_some_and(|seconds| seconds <= 0) {
        found.invalid(&seconds, "must be greater than 0");
    }
    let count = spec.child("leaseTransitions");
    if count.int().is_some_and(|count| count < 0) {
        found.invalid(&count, "must be greater than or equal to 0");
    }
    let strategy = spec.child("strategy");
    if strategy.is_set() {
        // Upstream names the field twice.
        let place = super::Place::new(strategy.value(), strategy.path().child("strategy"));
        if strategy.text().contains('/') {
            found.each_invalid(&place, validate::qualified_name(strategy.text()));
        } else if !STRATEGIES.contains(&strategy.text()) {
            found.not_supported(&place, STRATEGIES);
        }
    }
    let preferred = spec.child("preferredHolder");
    if !preferred.text().is_empty() && strategy.text().is_empty() {
        let why = "may only be specified if `strategy` is defined";
        found.forbidden(&preferred, why);
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(spec: &str, expected: &[&str]) {
        let object = format!(r#"{{"spec":{spec}}}"#);
        let of = ("coordination.k8s.io", "Lease", "");
        check_table(of, &object, None, expected);
    }

    #[test]
    fn leases_last() {
        check(r#"{"leaseDurationSeconds":1,"leaseTransitions":0}"#, &[]);
        check(
            r#"{"leaseDurationSeconds":0,"leaseTransitions":-1,"preferredHolder":"a"}"#,
            &[
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
                "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
            ],
        );
        check(
            r#"{"strategy":"x"}"#,
            &[
                r#"spec.strategy.strategy: Unsupported value: "x": supported values: "OldestEmulationVersion""#,
            ],
        );
        check(r#"{"strategy":"a.b/c"}"#, &[]);
    }
}
