//! What is wrong with the wishes of a pod where to run.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error, names::validate};

use super::rules::Rules;
use crate::validate::{
    Findings, Place, Seen,
    labels::{self, SelectorRules},
    numbers, texts,
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// What a taint does to pods that do not tolerate it.
pub(crate) const TAINT_EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks near what, and far from what, a pod wants to run.
pub(super) fn affinity(affinity: &Place<'_>, rules: Rules, found: &mut Findings) {
    if !affinity.is_set() {
        return;
    }
    let nodes = affinity.child("nodeAffinity");
    let required = nodes.child(REQUIRED);
    if required.is_set() {
        node_selector(&required, rules.leave_node_values(), found);
    }
    preferred_nodes(&nodes.child(PREFERRED), found);
    for field in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.child(field);
        for term in pods.child(REQUIRED).items() {
            pod_term(&term, rules.affinity_values(), found);
        }
        for weighted in pods.child(PREFERRED).items() {
            weight(&weighted, found);
            pod_term(
                &weighted.child("podAffinityTerm"),
                rules.affinity_values(),
                found,
            );
        }
    }
}

fn weight(weighted: &Place<'_>, found: &mut Findings) {
    let weight = weighted.child("weight");
    if !(1..=100).contains(&weight.int().unwrap_or(0)) {
        found.invalid_number(&weight, "must be in the range 1-100");
    }
}

fn preferred_nodes(list: &Place<'_>, found: &mut Findings) {
    for weighted in list.items() {
        weight(&weighted, found);
        // Any value is let pass: there may be only one node.
        node_term(&weighted.child("preference"), true, found);
    }
}

/// Checks a selector of nodes.
pub(crate) fn node_selector(selector: &Place<'_>, any_values: bool, found: &mut Findings) {
    let terms = selector.child("nodeSelectorTerms");
    if terms.len() == 0 {
        return found.required(&terms, "must have at least one node selector term");
    }
    for term in terms.items() {
        node_term(&term, any_values, found);
    }
}

/// Checks one of the terms of a selector of nodes.
pub(crate) fn node_term(term: &Place<'_>, any_values: bool, found: &mut Findings) {
    for one in term.child("matchExpressions").items() {
        node_requirement(&one, any_values, found);
    }
    for one in term.child("matchFields").items() {
        node_field(&one, found);
    }
}

fn node_requirement(one: &Place<'_>, any_values: bool, found: &mut Findings) {
    let (operator, values) = (one.child("operator"), one.child("values"));
    match operator.text() {
        "In" | "NotIn" => {
            if values.len() == 0 {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                found.required(&values, why);
            }
        }
        "Exists" | "DoesNotExist" => {
            if values.len() > 0 {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                found.forbidden(&values, why);
            }
        }
        "Gt" | "Lt" => {
            if values.len() != 1 {
                let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                found.required(&values, why);
            }
        }
        _ => found.invalid_text(&operator, "not a valid selector operator"),
    }
    labels::key(&one.child("key"), found);
    if !any_values {
        for value in values.items() {
            labels::value(&value, found);
        }
    }
}

fn node_field(one: &Place<'_>, found: &mut Findings) {
    let (operator, values) = (one.child("operator"), one.child("values"));
    match operator.text() {
        "In" | "NotIn" => {
            if values.len() != 1 {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                found.required(&values, why);
            }
        }
        _ => found.invalid_text(&operator, "not a valid selector operator"),
    }
    let key = one.child("key");
    if key.text() == "metadata.name" {
        for value in values.items() {
            texts::subdomain(&value, found);
        }
    } else {
        found.invalid_text(&key, "not a valid field selector key");
    }
}

fn pod_term(term: &Place<'_>, rules: SelectorRules, found: &mut Findings) {
    labels::selector(&term.child("labelSelector"), rules, found);
    labels::selector(&term.child("namespaceSelector"), rules, found);
    for namespace in term.list_of("namespaces") {
        // Upstream does not say which of the namespaces it is.
        let place = term.child("namespace");
        texts::label(&Place::new(Some(namespace), *place.path()), found);
    }
    label_keys(term, found);
    let key = term.child("topologyKey");
    texts::require(&key, "can not be empty", found);
    labels::key(&key, found);
}

/// Checks the keys of labels whose values are those of the pod itself. The server has put them
/// into the selector before.
fn label_keys(term: &Place<'_>, found: &mut Findings) {
    let (same, other) = (
        term.child("matchLabelKeys"),
        term.child("mismatchLabelKeys"),
    );
    if same.len() == 0 && other.len() == 0 {
        return;
    }
    let selector = term.child("labelSelector");
    for keys in [&same, &other] {
        if keys.len() > 0 && !selector.is_set() {
            found.forbidden(keys, "must not be specified when labelSelector is not set");
            continue;
        }
        for key in keys.items() {
            labels::key(&key, found);
        }
    }
    if selector.is_set() {
        let mut seen = Seen::new();
        let labels = selector.get("matchLabels").and_then(Value::as_object);
        for (key, _) in labels.into_iter().flat_map(api::Object::iter) {
            seen.insert(key);
        }
        for expression in selector.list_of("matchExpressions") {
            let key = expression.str_at(&["key"]).unwrap_or_default();
            let at = same
                .list()
                .iter()
                .rposition(|one| one.as_str() == Some(key));
            if let Some(at) = at
                && seen.has(key)
            {
                let path = term.path().index(at);
                let why = "exists in both matchLabelKeys and labelSelector";
                found.push(Error::invalid(&path, key, why));
            }
            seen.insert(key);
        }
    }
    for key in same.items() {
        if other.list().iter().any(|one| Some(one) == key.value()) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            found.invalid(&key, why);
        }
    }
}

/// Checks how pods are spread.
pub(super) fn spread(list: &Place<'_>, rules: Rules, found: &mut Findings) {
    for (at, constraint) in list.items().enumerate() {
        let skew = constraint.child("maxSkew");
        if skew.int().unwrap_or(0) <= 0 {
            found.invalid_number(&skew, numbers::NOT_POSITIVE);
        }
        let key = constraint.child("topologyKey");
        texts::require(&key, "can not be empty", found);
        let action = constraint.child("whenUnsatisfiable");
        texts::choice(&action, &["DoNotSchedule", "ScheduleAnyway"], found);
        let is_same = |other: &Value| {
            ["topologyKey", "whenUnsatisfiable"]
                .into_iter()
                .all(|field| {
                    other.str_at(&[field]).unwrap_or_default() == constraint.text_of(field)
                })
        };
        if list.list()[at + 1..].iter().any(is_same) {
            let place = constraint.child("{topologyKey, whenUnsatisfiable}");
            let shown = format!("{{{}, {}}}", key.text(), action.text());
            found.push(Error::duplicate(place.path(), shown.as_str()));
        }
        domains(&constraint, found);
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            texts::optional_choice(&constraint.child(field), &["Honor", "Ignore"], found);
        }
        if rules.leave_spread_keys() {
            old_label_keys(&constraint, found);
        } else {
            label_keys(&constraint, found);
        }
        if !rules.leave_spread_selectors() {
            let selector = constraint.child("labelSelector");
            labels::selector(&selector, SelectorRules::Strict, found);
        }
    }
}

fn domains(constraint: &Place<'_>, found: &mut Findings) {
    let domains = constraint.child("minDomains");
    if !domains.is_set() {
        return;
    }
    numbers::positive(&domains, found);
    let action = constraint.text_of("whenUnsatisfiable");
    if action != "DoNotSchedule" {
        let why =
            format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        found.invalid(&domains, why);
    }
}

/// The rule before keys were put into selectors: no key stands in both.
fn old_label_keys(constraint: &Place<'_>, found: &mut Findings) {
    let keys = constraint.child("matchLabelKeys");
    if keys.len() == 0 {
        return;
    }
    let selector = constraint.child("labelSelector");
    if !selector.is_set() {
        found.forbidden(&keys, "must not be specified when labelSelector is not set");
    }
    for key in keys.items() {
        labels::key(&key, found);
        let expressions = selector.list_of("matchExpressions");
        let is_it = |one: &Value| one.str_at(&["key"]) == Some(key.text());
        if selector.child("matchLabels").has(key.text()) || expressions.iter().any(is_it) {
            found.invalid(&key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}

/// Checks which taints of nodes a pod tolerates.
pub(super) fn tolerations(list: &Place<'_>, rules: Rules, found: &mut Findings) {
    for toleration in list.items() {
        let key = toleration.child("key");
        let (operator, effect) = (toleration.child("operator"), toleration.child("effect"));
        if key.text().is_empty() {
            if operator.text() != "Exists" {
                let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                found.invalid_text(&operator, why);
            }
        } else {
            labels::key(&key, found);
        }
        if toleration.has("tolerationSeconds") && effect.text() != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            found.invalid_text(&effect, why);
        }
        let value = toleration.text_of("value");
        match operator.text() {
            "" | "Equal" => {
                let wrong = validate::label_value(value);
                if !wrong.is_empty() {
                    found.push(Error::invalid(operator.path(), value, wrong.join(";")));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let why = "value must be empty when `operator` is 'Exists'";
                    found.push(Error::invalid(operator.path(), value, why));
                }
            }
            "Lt" | "Gt" if rules.leave_comparing_tolerations() => {
                bound(&toleration.child("value"), found);
            }
            "Lt" | "Gt" => found.not_supported(&operator, &["Equal", "Exists", "Lt", "Gt"]),
            _ => found.not_supported(&operator, &["Equal", "Exists"]),
        }
        if !effect.text().is_empty() {
            texts::choice(&effect, &TAINT_EFFECTS, found);
        }
    }
}

/// The value of a toleration that compares is a number.
fn bound(value: &Place<'_>, found: &mut Findings) {
    if value.text().parse::<i64>().is_err() {
        let text = api::quote::quote(value.text());
        let why = format!("strconv.ParseInt: parsing {text}: invalid syntax");
        found.invalid_text(value, why);
    }
}

/// Checks that tolerations are only added; how long they hold may change.
pub(super) fn added_tolerations(
    list: &Place<'_>,
    old: &[Value],
    rules: Rules,
    found: &mut Findings,
) {
    let is_kept = |old: &Value| {
        let same = |new: &Value| {
            ["key", "operator", "value", "effect"]
                .into_iter()
                .all(|field| new.get(field) == old.get(field))
        };
        list.list().iter().any(same)
    };
    if !old.iter().all(is_kept) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        return found.forbidden(list, why);
    }
    tolerations(list, rules, found);
}

/// Whether the selectors of an affinity to pods are wrong.
pub(super) fn has_bad_affinity(spec: &Place<'_>) -> bool {
    let mut found = Findings::default();
    let affinity = spec.child("affinity");
    for field in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.child(field);
        for term in pods.child(REQUIRED).items() {
            selectors(&term, &mut found);
        }
        for weighted in pods.child(PREFERRED).items() {
            selectors(&weighted.child("podAffinityTerm"), &mut found);
        }
    }
    !found.is_empty()
}

fn selectors(term: &Place<'_>, found: &mut Findings) {
    labels::selector(&term.child("labelSelector"), SelectorRules::Strict, found);
    labels::selector(
        &term.child("namespaceSelector"),
        SelectorRules::Strict,
        found,
    );
}

/// Whether a required selector of nodes has values that are none of labels.
pub(super) fn has_bad_node_values(spec: &Place<'_>) -> bool {
    let affinity = spec.child("affinity");
    let nodes = affinity.child("nodeAffinity");
    let required = nodes.child(REQUIRED);
    let terms = required.child("nodeSelectorTerms");
    terms.items().any(|term| labels::has_bad_value(&term))
}

/// Whether the selector of a spread is wrong.
pub(super) fn has_bad_spread_selector(spec: &Place<'_>) -> bool {
    let mut found = Findings::default();
    for constraint in spec.child("topologySpreadConstraints").items() {
        let selector = constraint.child("labelSelector");
        labels::selector(&selector, SelectorRules::Strict, &mut found);
    }
    !found.is_empty()
}

/// Whether the keys of a spread are wrong.
pub(super) fn has_bad_spread_keys(spec: &Place<'_>) -> bool {
    let mut found = Findings::default();
    for constraint in spec.child("topologySpreadConstraints").items() {
        label_keys(&constraint, &mut found);
    }
    !found.is_empty()
}

/// Whether a toleration compares numbers.
pub(super) fn has_comparing_toleration(spec: &Place<'_>) -> bool {
    let compares = |one: &Value| matches!(one.str_at(&["operator"]), Some("Lt" | "Gt"));
    spec.list_of("tolerations").iter().any(compares)
}
