//! What is wrong with roles and who has them.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/rbac/validation/validation.go and the `+k8s:` rules
//! of rbac/v1, which come last.

use api::{Value, field::Error, names::validate};

use super::{
    Check, Findings, Place, Subject, changes, gostruct,
    labels::{self, SelectorRules},
    texts,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("Role", "") => Some(|subject, found| role(subject, true, found)),
        ("ClusterRole", "") => Some(|subject, found| role(subject, false, found)),
        ("RoleBinding", "") => Some(|subject, found| binding(subject, true, found)),
        ("ClusterRoleBinding", "") => Some(|subject, found| binding(subject, false, found)),
        _ => None,
    }
}

fn role(subject: &Subject<'_>, is_namespaced: bool, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (rules, before) = (root.child("rules"), old.child("rules"));
    for one in rules.items() {
        rule(&one, is_namespaced, found);
    }
    let aggregation = root.child("aggregationRule");
    if !is_namespaced && aggregation.is_set() {
        aggregated(&aggregation, &old.child("aggregationRule"), found);
    }
    // Rules that stay as they are, are looked at by hand only, in other words.
    let why = match subject.old.is_some() && rules.is_same(&before) {
        true => "verbs must contain at least one value",
        false => "",
    };
    for one in rules.items() {
        if one.child("verbs").len() == 0 {
            found.required(&one.child("verbs"), why);
        }
    }
}

fn rule(rule: &Place<'_>, is_namespaced: bool, found: &mut Findings) {
    let paths = rule.child("nonResourceURLs");
    let has = |name: &str| rule.child(name).len() > 0;
    if paths.len() > 0 {
        if is_namespaced {
            let why = "namespaced rules cannot apply to non-resource URLs";
            found.invalid(&paths, why);
        }
        if has("apiGroups") || has("resources") || has("resourceNames") {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            found.invalid(&paths, why);
        }
        return;
    }
    if !has("apiGroups") {
        let why = "resource rules must supply at least one api group";
        found.required(&rule.child("apiGroups"), why);
    }
    if !has("resources") {
        let why = "resource rules must supply at least one resource";
        found.required(&rule.child("resources"), why);
    }
}

fn aggregated(aggregation: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let selectors = aggregation.child("clusterRoleSelectors");
    if selectors.len() == 0 {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        found.required(&selectors, why);
    }
    let before = old.child("clusterRoleSelectors");
    let was_odd = before.items().any(|selector| {
        let mut odd = Findings::default();
        labels::selector(&selector, SelectorRules::Strict, &mut odd);
        !odd.is_empty()
    });
    let rules = match was_odd {
        true => SelectorRules::AnyValues,
        false => SelectorRules::Strict,
    };
    for selector in selectors.items() {
        labels::selector(&selector, rules, found);
        if labels::parse(&selector).is_none() {
            // Upstream shows what became of the selector: nothing.
            found.push(Error::invalid(
                selector.path(),
                &Value::Null,
                "invalid label selector.",
            ));
        }
    }
}

fn binding(subject: &Subject<'_>, is_namespaced: bool, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let role = root.child("roleRef");
    texts::choice(&role.child("apiGroup"), &[GROUP], found);
    let kinds: &[&str] = match is_namespaced {
        true => &["Role", "ClusterRole"],
        false => &["ClusterRole"],
    };
    texts::choice(&role.child("kind"), kinds, found);
    let name = role.child("name");
    texts::fits(&name, validate::path_segment_name, found);
    let before = old.child("roleRef");
    let same = |part| role.child(part).text() == before.child(part).text();
    let is_changed = subject.old.is_some() && !["apiGroup", "kind", "name"].into_iter().all(same);
    if is_changed {
        texts::require(&name, "", found);
    }
    let subjects = root.child("subjects");
    for one in subjects.items() {
        who(&one, is_namespaced, found);
    }
    if is_changed {
        let shown = gostruct::shown(&role, "RoleRef");
        found.push(Error::invalid(role.path(), shown, changes::IMMUTABLE));
    }
    for one in subjects.items() {
        if one.child("name").text().is_empty() {
            found.required(&one.child("name"), "");
        }
    }
    if !is_changed {
        texts::require(&name, "", found);
    }
}

fn who(subject: &Place<'_>, is_namespaced: bool, found: &mut Findings) {
    let (kind, group, name) = (
        subject.child("kind"),
        subject.child("apiGroup"),
        subject.child("name"),
    );
    match kind.text() {
        "ServiceAccount" => {
            if !name.text().is_empty() {
                texts::subdomain(&name, found);
            }
            texts::choice(&group, &[""], found);
            if !is_namespaced {
                texts::require(&subject.child("namespace"), "", found);
            }
        }
        "User" | "Group" => {
            texts::choice(&group, &[GROUP], found);
        }
        _ => found.not_supported(&kind, &["ServiceAccount", "User", "Group"]),
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(kind: &str, object: &str, old: Option<&str>, expected: &[&str]) {
        check_table(
            ("rbac.authorization.k8s.io", kind, ""),
            object,
            old,
            expected,
        );
    }

    #[test]
    fn rules_are_of_resources_or_paths() {
        check(
            "ClusterRole",
            r#"{"rules":[{"nonResourceURLs":["/x"],"verbs":["get"]}]}"#,
            None,
            &[],
        );
        check(
            "Role",
            r#"{"rules":[{},{"nonResourceURLs":["/x"],"verbs":["get"]}]}"#,
            None,
            &[
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
                r#"rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#,
                "rules[0].verbs: Required value",
            ],
        );
    }

    #[test]
    fn the_role_of_a_binding_stays() {
        let binding = |name: &str| {
            format!(
                r#"{{"roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"{name}"}},"subjects":[{{"kind":"User","name":"u","apiGroup":"x"}}]}}"#
            )
        };
        check(
            "RoleBinding",
            &binding("b"),
            Some(&binding("a")),
            &[
                r#"subjects[0].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io""#,
                r#"roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: field is immutable"#,
            ],
        );
    }
}
