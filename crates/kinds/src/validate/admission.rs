//! What is wrong with webhook configurations and admission policies, as far as it can be said
//! without compiling their expressions.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/admissionregistration/validation/validation.go and
//! the rules of its types.

mod policies;
mod webhooks;

use api::{field::Error, names::validate as names};

use super::{
    Check, Findings, Place, Subject,
    labels::{self, SelectorRules},
    texts,
};

/// Names that end like this belong to configurations that are read from files.
pub(crate) const STATIC_SUFFIX: &str = ".static.k8s.io";

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
const REINVOCATION_POLICIES: [&str; 2] = ["IfNeeded", "Never"];

/// How many match conditions there are at most.
const CONDITIONS_MAX: usize = 64;

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration", "") => {
            Some(webhooks::configuration)
        }
        ("ValidatingAdmissionPolicy", "") => Some(policies::validating),
        ("ValidatingAdmissionPolicy", "status") => Some(policies::status),
        ("MutatingAdmissionPolicy", "") => Some(policies::mutating),
        ("ValidatingAdmissionPolicyBinding", "") => Some(policies::validating_binding),
        ("MutatingAdmissionPolicyBinding", "") => Some(policies::mutating_binding),
        _ => None,
    }
}

/// New objects may not have the names of those that are read from files.
fn static_name(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    if subject.old.is_none() && name.text().ends_with(STATIC_SUFFIX) {
        let detail = format!(
            "names ending with \"{STATIC_SUFFIX}\" are reserved for static manifest-based configurations and cannot be managed via the API"
        );
        found.invalid(&name, detail);
    }
}

fn has(list: &Place<'_>, text: &str) -> bool {
    list.list().iter().any(|one| one.as_str() == Some(text))
}

/// A list that must have items; a star has no company, which is called `others`.
fn starred(list: &Place<'_>, others: &str, found: &mut Findings) {
    if list.len() == 0 {
        found.required(list, "");
    }
    if list.len() > 1 && has(list, "*") {
        let detail = format!("if '*' is present, must not specify other {others}");
        found.invalid(list, detail);
    }
}

/// A rule: which operations on which resources.
fn rule(rule: &Place<'_>, found: &mut Findings) {
    let operations = rule.child("operations");
    starred(&operations, "operations", found);
    for operation in operations.items() {
        texts::choice(&operation, &OPERATIONS, found);
    }
    starred(&rule.child("apiGroups"), "API groups", found);
    let versions = rule.child("apiVersions");
    starred(&versions, "API versions", found);
    for version in versions.items() {
        texts::require(&version, "", found);
    }
    resources(&rule.child("resources"), found);
    let scopes = ["*", "Cluster", "Namespaced"];
    texts::optional_choice(&rule.child("scope"), &scopes, found);
}

fn resources(list: &Place<'_>, found: &mut Findings) {
    if list.len() == 0 {
        found.required(list, "");
    }
    let mut lone_resource = false;
    for (index, place) in list.items().enumerate() {
        let text = place.text();
        if !texts::require(&place, "", found) {
            continue;
        }
        let Some((resource, sub)) = text.split_once('/') else {
            // Only the last one counts, as upstream has it.
            lone_resource = text != "*";
            continue;
        };
        let earlier = || {
            let earlier = list.list()[..index].iter();
            earlier.filter_map(|one| one.as_str()?.split_once('/'))
        };
        if earlier().any(|(before, sub)| before == resource && sub == "*") {
            let detail = format!("if '{resource}/*' is present, must not specify {text}");
            found.invalid(&place, detail);
        }
        if earlier().any(|(resource, before)| before == sub && resource == "*") {
            let detail = format!("if '*/{sub}' is present, must not specify {text}");
            found.invalid(&place, detail);
        }
    }
    if list.len() > 1 && has(list, "*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        found.invalid(list, detail);
    }
    if has(list, "*") && lone_resource {
        let detail = "if '*' is present, must not specify other resources without subresources";
        found.invalid(list, detail);
    }
}

/// The conditions under which a request matters at all.
fn match_conditions(list: &Place<'_>, found: &mut Findings) {
    if list.len() > CONDITIONS_MAX {
        let error = Error::too_many(list.path(), list.len(), CONDITIONS_MAX);
        found.push(error);
    }
    for (index, condition) in list.items().enumerate() {
        let expression = condition.child("expression");
        if expression.text().trim().is_empty() {
            found.required(&expression, "");
        }
        let name = condition.child("name");
        if texts::require(&name, "", found) {
            texts::qualified(&name, found);
            let mut earlier = list.list()[..index].iter();
            if earlier.any(|one| one.str_at(&["name"]) == name.str()) {
                found.duplicate(&name);
            }
        }
    }
}

fn selector(place: &Place<'_>, rules: SelectorRules, found: &mut Findings) {
    labels::selector(place, rules, found);
}

/// A path segment that names an object.
fn object_name(place: &Place<'_>, found: &mut Findings) {
    texts::fits(place, names::path_segment_name, found);
}

#[cfg(test)]
mod tests;
