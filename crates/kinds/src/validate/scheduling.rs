//! What is wrong with priority classes.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/scheduling/validation/validation.go,
//! pkg/apis/scheduling/v1/helpers.go.

use super::{Check, Findings, Place, Subject, changes, texts};

const PRIORITY_MAX: i64 = 1_000_000_000;
const RESERVED: &str = "system-";

/// The classes of the system, and how much they are worth.
const SYSTEM: [(&str, i64); 2] = [
    ("system-node-critical", 2_000_001_000),
    ("system-cluster-critical", 2_000_000_000),
];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("PriorityClass", "") => Some(class),
        _ => None,
    }
}

fn class(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (value, policy) = (root.child("value"), root.child("preemptionPolicy"));
    let amount = |root: &Place<'_>| root.child("value").int().unwrap_or(0);
    if subject.old.is_some() {
        if amount(&root) != amount(&old) {
            found.forbidden(&value, "may not be changed in an update.");
        }
        changes::immutable(&policy, &old.child("preemptionPolicy"), found);
        return;
    }
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    if name.text().starts_with(RESERVED) {
        let is_default = root.child("globalDefault").is_true();
        if let Some(why) = not_of_system(name.text(), amount(&root), is_default) {
            let why = format!(
                "priority class names with '{RESERVED}' prefix are reserved for system use only. error: {why}"
            );
            found.forbidden(&name, &why);
        }
    } else if amount(&root) > PRIORITY_MAX {
        let why = format!("maximum allowed value of a user defined priority is {PRIORITY_MAX}");
        found.forbidden(&value, &why);
    }
    if policy.is_set() {
        texts::required_choice(&policy, &["PreemptLowerPriority", "Never"], found);
    }
}

fn not_of_system(name: &str, value: i64, is_default: bool) -> Option<String> {
    let Some((_, worth)) = SYSTEM.iter().find(|(known, _)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if *worth != value {
        return Some(format!("value of {name} PriorityClass must be {worth}"));
    }
    is_default.then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(object: &str, old: Option<&str>, expected: &[&str]) {
        let of = ("scheduling.k8s.io", "PriorityClass", "");
        check_table(of, object, old, expected);
    }

    #[test]
    fn the_system_has_its_own() {
        check(r#"{"metadata":{"name":"a"},"value":5}"#, None, &[]);
        check(
            r#"{"metadata":{"name":"a"},"value":2000000000,"preemptionPolicy":"x"}"#,
            None,
            &[
                "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
                r#"preemptionPolicy: Unsupported value: "x": supported values: "PreemptLowerPriority", "Never""#,
            ],
        );
        let why = "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ";
        for (object, error) in [
            (
                r#"{"metadata":{"name":"system-a"}}"#,
                "system-a is not a known system priority class",
            ),
            (
                r#"{"metadata":{"name":"system-node-critical"}}"#,
                "value of system-node-critical PriorityClass must be 2000001000",
            ),
            (
                r#"{"metadata":{"name":"system-node-critical"},"value":2000001000,"globalDefault":true}"#,
                "globalDefault of system-node-critical PriorityClass must be false",
            ),
        ] {
            check(object, None, &[&format!("{why}{error}")]);
        }
    }

    #[test]
    fn what_a_class_is_worth_stays() {
        check(
            r#"{"value":1,"preemptionPolicy":"Never"}"#,
            Some(r#"{"value":2}"#),
            &[
                "value: Forbidden: may not be changed in an update.",
                r#"preemptionPolicy: Invalid value: "Never": field is immutable"#,
            ],
        );
    }
}
