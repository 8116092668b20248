//! What is wrong with disruption budgets.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/policy/validation/validation.go,
//! pkg/registry/policy/poddisruptionbudget/strategy.go.

use api::field::Error;

use super::{
    Check, Findings, Subject, conditions, gostruct,
    labels::{self, SelectorRules},
    numbers, texts,
};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("PodDisruptionBudget", "") => Some(budget),
        ("PodDisruptionBudget", "status") => Some(status),
        _ => None,
    }
}

fn budget(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, before) = (root.child("spec"), old.child("spec"));
    let (min, max) = (spec.child("minAvailable"), spec.child("maxUnavailable"));
    if min.is_set() && max.is_set() {
        let shown = gostruct::shown(&spec, "PodDisruptionBudgetSpec");
        let why = "minAvailable and maxUnavailable cannot be both set";
        found.push(Error::invalid(spec.path(), shown, why));
    }
    for bound in [&min, &max] {
        numbers::count_or_percent(bound, found);
        numbers::at_most_all(bound, found);
    }
    let mut odd = Findings::default();
    if subject.old.is_some() {
        labels::selector(&before.child("selector"), SelectorRules::Strict, &mut odd);
    }
    let rules = match odd.is_empty() {
        true => SelectorRules::Strict,
        false => SelectorRules::AnyValues,
    };
    labels::selector(&spec.child("selector"), rules, found);
    let policy = spec.child("unhealthyPodEvictionPolicy");
    texts::optional_choice(&policy, &["AlwaysAllow", "IfHealthyBudget"], found);
}

fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    conditions::check(&status.child("conditions"), found);
    for name in [
        "disruptionsAllowed",
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
    ] {
        numbers::non_negative(&status.child(name), found);
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(object: &str, expected: &[&str]) {
        let of = ("policy", "PodDisruptionBudget", "");
        check_table(of, object, None, expected);
    }

    #[test]
    fn budgets_have_one_bound() {
        check(r#"{"spec":{"minAvailable":1}}"#, &[]);
        check(
            r#"{"spec":{"minAvailable":1,"maxUnavailable":"101%"}}"#,
            &[
                r#"spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"101%","UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set"#,
                r#"spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%"#,
            ],
        );
        check(
            r#"{"spec":{"minAvailable":-1,"unhealthyPodEvictionPolicy":"x"}}"#,
            &[
                "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0",
                r#"spec.unhealthyPodEvictionPolicy: Unsupported value: "x": supported values: "AlwaysAllow", "IfHealthyBudget""#,
            ],
        );
    }
}
