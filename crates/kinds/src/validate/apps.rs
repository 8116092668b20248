//! What is wrong with workloads.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/apps/validation/validation.go.

use api::{Value, field::Error, selector::LabelSelector};

use super::{Check, Findings, Subject};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet", "") => Some(workload),
        _ => None,
    }
}

fn workload(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    let replicas = spec.child("replicas");
    if replicas.int().is_some_and(|replicas| replicas < 0) {
        found.invalid(&replicas, "must be greater than or equal to 0");
    }
    let selector = spec.child("selector");
    if subject.old.is_some() && !selector.is_same(&old_spec.child("selector")) {
        found.invalid(&selector, "field is immutable");
        return;
    }
    if !selector.is_set() {
        found.required(&selector, "");
        return;
    }
    let template = spec.child("template");
    let metadata = template.child("metadata");
    let labels = metadata.child("labels");
    let selects = LabelSelector::from_value(selector.value())
        .is_ok_and(|parsed| parsed.matches_value(labels.value()));
    if !selects {
        let empty = Value::object();
        let shown = labels.value().unwrap_or(&empty);
        let why = "`selector` does not match template `labels`";
        found.push(Error::invalid(labels.path(), shown, why));
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(object: &str, old: Option<&str>, expected: &[&str]) {
        check_table(("apps", "Deployment", ""), object, old, expected);
    }

    const GOOD: &str = r#"{"spec":{"replicas":1,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b","c":"d"}}}}}"#;
    const STRAY: &str = r#"{"spec":{"replicas":-1,"selector":{"matchLabels":{"a":"x"}},"template":{"metadata":{"labels":{"a":"b"}}}}}"#;

    #[test]
    fn a_selector_selects_its_own_template() {
        check(GOOD, None, &[]);
        check(
            STRAY,
            None,
            &[
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                r#"spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`"#,
            ],
        );
        check(r#"{"spec":{}}"#, None, &["spec.selector: Required value"]);
    }

    #[test]
    fn a_selector_never_changes() {
        check(GOOD, Some(GOOD), &[]);
        check(
            STRAY,
            Some(GOOD),
            &[
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                r#"spec.selector: Invalid value: {"matchLabels":{"a":"x"}}: field is immutable"#,
            ],
        );
    }
}
