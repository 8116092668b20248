//! The protected groups: a definition in `*.k8s.io` or `*.kubernetes.io` says who approved it.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apihelpers/helpers.go.

use api::{
    Value,
    field::{Error, Path},
    meta::Meta,
};

use super::status::{Condition, Is};

const ANNOTATION: &str = "api-approved.kubernetes.io";
const WHERE: &str = "https://github.com/kubernetes/enhancements/pull/1111";

/// What the annotation says.
enum Approval {
    Missing,
    Approved,
    Bypassed,
    Invalid,
}

fn is_protected(object: &Value) -> bool {
    let group = object.str_at(&["spec", "group"]).unwrap_or_default();
    let is_under = |domain: &str| {
        group
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    is_under("k8s.io") || is_under("kubernetes.io")
}

fn approval(object: &Value) -> Approval {
    let text = Meta::of(object).annotation(ANNOTATION);
    match text {
        None | Some("") => Approval::Missing,
        Some(text) if text.starts_with("unapproved") => Approval::Bypassed,
        Some(text) => match text.split_once("://") {
            Some((scheme, rest))
                if !scheme.is_empty() && !rest.starts_with('/') && !rest.is_empty() =>
            {
                Approval::Approved
            }
            _ => Approval::Invalid,
        },
    }
}

/// Returns what is wrong; a definition that was so before is left alone.
pub(crate) fn wrong(object: &Value, old: Option<&Value>) -> Option<Error> {
    if !is_protected(object) {
        return None;
    }
    let annotations = Path::new("metadata");
    let annotations = annotations.child("annotations");
    let path = annotations.key(ANNOTATION);
    match approval(object) {
        Approval::Approved | Approval::Bypassed => None,
        Approval::Missing => {
            if old.is_some_and(|old| matches!(approval(old), Approval::Missing)) {
                return None;
            }
            Some(Error::required(&path, missing()))
        }
        Approval::Invalid => {
            let text = Meta::of(object).annotation(ANNOTATION).unwrap_or_default();
            if old.is_some_and(|old| Meta::of(old).annotation(ANNOTATION) == Some(text)) {
                return None;
            }
            Some(Error::invalid(&path, text, invalid()))
        }
    }
}

fn missing() -> String {
    format!(r#"protected groups must have approval annotation "{ANNOTATION}", see {WHERE}"#)
}

fn invalid() -> String {
    format!(
        r#"protected groups must have approval annotation "{ANNOTATION}" with either a URL or a reason starting with "unapproved", see {WHERE}"#
    )
}

/// Returns the condition of a definition in a protected group.
pub(crate) fn condition(object: &Value) -> Option<Condition> {
    if !is_protected(object) {
        return None;
    }
    let text = Meta::of(object).annotation(ANNOTATION).unwrap_or_default();
    let (is, reason, message) = match approval(object) {
        Approval::Approved => (
            Is::True,
            "ApprovedAnnotation",
            format!("approved in {text}"),
        ),
        Approval::Bypassed => (
            Is::False,
            "UnapprovedAnnotation",
            format!("not approved: {}", api::quote::quote(text)),
        ),
        Approval::Missing => (Is::False, "MissingAnnotation", missing()),
        Approval::Invalid => (Is::False, "InvalidAnnotation", invalid()),
    };
    Some(Condition {
        kind: "KubernetesAPIApprovalPolicyConformant",
        is,
        reason,
        message,
    })
}
