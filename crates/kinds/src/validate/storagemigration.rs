//! What is wrong with migrations of stored versions.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/storagemigration/validation/validation.go.

use api::{field::Error, names::validate as names};

use super::{Check, Findings, Place, Subject, conditions, gostruct, tags::same};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("StorageVersionMigration", "") => Some(migration),
        ("StorageVersionMigration", "status") => Some(status),
        _ => None,
    }
}

fn migration(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let spec = root.child("spec");
    let target = spec.child("resource");
    let resource = target.child("resource");
    if resource.text().is_empty() {
        found.required(&resource, "resource is required to be set");
    } else {
        joined(&resource, names::dns1035_label(resource.text()), found);
    }
    let group = target.child("group");
    if !group.text().is_empty() {
        joined(&group, names::dns1123_subdomain(group.text()), found);
    }
    if subject.old.is_some() && !same(&spec, &old.child("spec")) {
        let shown = gostruct::shown(&spec, "StorageVersionMigrationSpec");
        found.push(Error::invalid(spec.path(), shown, "field is immutable"));
    }
}

fn joined(place: &Place<'_>, details: Vec<String>, found: &mut Findings) {
    if !details.is_empty() {
        found.invalid(place, details.join(","));
    }
}

fn status(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (status, old_status) = (root.child("status"), old.child("status"));
    let revision = status.child("resourceVersion");
    let text = revision.text();
    if !text.is_empty() && !is_revision(text) {
        let detail = format!("resource version is not well formed: {text}");
        found.invalid(&revision, detail);
    }
    let conditions = status.child("conditions");
    conditions::check(&conditions, found);
    let old_revision = old_status.child("resourceVersion");
    if !old_revision.text().is_empty() && old_revision.text() != text {
        found.push(Error::invalid(revision.path(), text, "field is immutable"));
    }
    let old_conditions = old_status.child("conditions");
    if is_true(&conditions, "Succeeded") && is_true(&conditions, "Failed") {
        let detail = "Both success and failed conditions cannot be true at the same time";
        found.invalid(&conditions, detail);
    }
    for (kind, detail) in [
        (
            "Succeeded",
            "Success condition cannot be set to false once it is true",
        ),
        (
            "Failed",
            "Failed condition cannot be set to false once it is true",
        ),
    ] {
        if is_true(&old_conditions, kind) && !is_true(&conditions, kind) {
            found.invalid(&conditions, detail);
        }
    }
}

fn is_revision(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the first condition of a kind is true.
fn is_true(conditions: &Place<'_>, kind: &str) -> bool {
    let mut all = conditions.list().iter();
    let first = all.find(|one| one.str_at(&["type"]) == Some(kind));
    first.is_some_and(|one| one.str_at(&["status"]) == Some("True"))
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(door: &str, object: &str, old: Option<&str>, expected: &[&str]) {
        let of = ("storagemigration.k8s.io", "StorageVersionMigration", door);
        check_table(of, object, old, expected);
    }

    #[test]
    fn what_is_migrated_is_named_and_stays() {
        let good = r#"{"spec":{"resource":{"group":"a.b","resource":"things"}}}"#;
        check("", good, None, &[]);
        check(
            "",
            r#"{"spec":{"resource":{"group":"a.b"}}}"#,
            Some(good),
            &[
                "spec.resource.resource: Required value: resource is required to be set",
                r#"spec: Invalid value: {"Resource":{"group":"a.b"}}: field is immutable"#,
            ],
        );
    }

    #[test]
    fn an_end_is_an_end() {
        let with = |kind: &str, status: &str| {
            format!(
                r#"{{"status":{{"resourceVersion":"5","conditions":[{{"type":"{kind}","status":"{status}","reason":"R","lastTransitionTime":"2026-01-01T00:00:00Z"}}]}}}}"#
            )
        };
        let done = with("Succeeded", "True");
        check("status", &done, Some("{}"), &[]);
        let shown = r#"[{"type":"Succeeded","status":"False","reason":"R","lastTransitionTime":"2026-01-01T00:00:00Z"}]"#;
        check(
            "status",
            &with("Succeeded", "False"),
            Some(&done),
            &[&format!(
                "status.conditions: Invalid value: {shown}: Success condition cannot be set to false once it is true"
            )],
        );
        check(
            "status",
            r#"{"status":{"resourceVersion":"05"}}"#,
            Some(r#"{"status":{"resourceVersion":"5"}}"#),
            &[
                r#"status.resourceVersion: Invalid value: "05": resource version is not well formed: 05"#,
                r#"status.resourceVersion: Invalid value: "05": field is immutable"#,
            ],
        );
    }
}
