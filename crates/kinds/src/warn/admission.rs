//! Warnings about webhooks and policies of admission.
//!
//! Source: pkg/apis/admissionregistration/validation/{static_suffix,warnings}.go and
//! pkg/kubeapiserver/admission/exclusion/resources.go.

use super::Warnings;
use crate::validate::{Place, STATIC_SUFFIX, Subject};

/// What webhooks are never asked of: questions, without whose answers nothing works.
const EXCLUDED: [(&str, &str); 6] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
];

/// Looks over webhooks.
pub(super) fn webhooks(subject: &Subject<'_>, warnings: &mut Warnings) {
    name(subject, warnings);
    let root = subject.root();
    for webhook in root.child("webhooks").items() {
        for rule in webhook.child("rules").items() {
            in_vain(&rule, warnings);
        }
    }
}

/// Says that a name is kept for what lies in files; a new object of such a name is refused.
pub(super) fn name(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    if subject.old.is_some() && name.text().ends_with(STATIC_SUFFIX) {
        let why = format_args!(
            "names ending with \"{STATIC_SUFFIX}\" are reserved for static manifest-based configurations and cannot be managed via the API"
        );
        warnings.at(&name, why);
    }
}

/// Says which resources a rule names in vain; what it means by `*` it knows itself.
fn in_vain(rule: &Place<'_>, warnings: &mut Warnings) {
    let texts = |name: &str| -> Vec<String> {
        let list = rule.list_of(name).iter();
        list.filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let (groups, resources) = (texts("apiGroups"), texts("resources"));
    let is_any = |list: &[String]| list.iter().any(|text| text == "*");
    if is_any(&groups) || is_any(&resources) {
        return;
    }
    let mut told: Vec<(&str, &str)> = Vec::new();
    for group in &groups {
        for resource in &resources {
            let named = (group.as_str(), resource.as_str());
            if EXCLUDED.contains(&named) && !told.contains(&named) {
                told.push(named);
                warnings.at(
                    rule,
                    format_args!("{resource}.{group} is excluded from admission webhooks; this rule will have no effect"),
                );
            }
        }
    }
}
