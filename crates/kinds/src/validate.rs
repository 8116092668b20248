//! What is wrong with a built-in object beyond its shape.
//!
//! This is the part without which controllers could be led astray: a workload whose selector does
//! not select its own pods would make pods without end. The rest of upstream's validation comes
//! with the issue on API depth.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/apps/validation/validation.go.

use api::{
    Value,
    field::{self, Error, Path},
    selector::LabelSelector,
    status::Cause,
};

/// Checks one object.
pub(crate) type Check = fn(&Value, Option<&Value>, &mut Vec<Error>);

/// Returns the check of a kind, if it has one.
pub(crate) fn of(group: &str, kind: &str) -> Option<Check> {
    match (group, kind) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => Some(workload),
        _ => None,
    }
}

/// Returns the check of what comes through a kind's status, if it has one.
pub(crate) fn of_status(group: &str, kind: &str) -> Option<Check> {
    match (group, kind) {
        ("certificates.k8s.io", "CertificateSigningRequest") => Some(decisions),
        _ => None,
    }
}

/// Returns what a check finds, as causes.
pub(crate) fn causes(check: Check, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Vec::new();
    check(object, old, &mut errors);
    field::causes(&errors)
}

fn workload(object: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
    let spec = Path::new("spec");
    let replicas = object.at(&["spec", "replicas"]).and_then(Value::as_int);
    if let Some(replicas) = replicas.filter(|replicas| *replicas < 0) {
        let path = spec.child("replicas");
        errors.push(Error::invalid(
            &path,
            &Value::Int(replicas),
            "must be greater than or equal to 0",
        ));
    }
    let selector = object.at(&["spec", "selector"]);
    let path = spec.child("selector");
    if let Some(old) = old
        && old.at(&["spec", "selector"]) != selector
    {
        let shown = selector.cloned().unwrap_or_default();
        errors.push(Error::invalid(&path, &shown, "field is immutable"));
        return;
    }
    let Some(selector) = selector.filter(|selector| !selector.is_null()) else {
        errors.push(Error::required(&path, ""));
        return;
    };
    let labels = object.at(&["spec", "template", "metadata", "labels"]);
    let selects =
        LabelSelector::from_value(Some(selector)).is_ok_and(|parsed| parsed.matches_value(labels));
    if !selects {
        let template = spec.child("template");
        let metadata = template.child("metadata");
        let path = metadata.child("labels");
        let shown = labels.cloned().unwrap_or_default();
        errors.push(Error::invalid(
            &path,
            &shown,
            "`selector` does not match template `labels`",
        ));
    }
}

/// Whether a request is approved is said through its own subresource, which has its own rights.
///
/// Source: pkg/apis/certificates/validation/validation.go.
fn decisions(object: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
    let Some(old) = old else {
        return;
    };
    let count = |object: &Value, kind: &str| {
        let conditions = object.at(&["status", "conditions"]);
        let conditions = conditions.and_then(Value::as_array).unwrap_or_default();
        let of_kind = |one: &&Value| one.str_at(&["type"]) == Some(kind);
        conditions.iter().filter(of_kind).count()
    };
    for kind in ["Approved", "Denied"] {
        if count(object, kind) > count(old, kind) {
            let status = Path::new("status");
            let path = status.child("conditions");
            let why = format!("updates may not add a condition of type \"{kind}\"");
            errors.push(Error::forbidden(&path, why));
        }
    }
}

#[cfg(test)]
mod tests {
    use api::json;

    #[track_caller]
    fn check(object: &str, old: Option<&str>, expected: &[&str]) {
        let read = |text: &str| json::read(text.as_bytes()).expect("it is JSON").value;
        let check = super::of("apps", "Deployment").expect("it has a check");
        let causes = super::causes(check, &read(object), old.map(read).as_ref());
        let found: Vec<String> = causes.into_iter().map(|cause| cause.field).collect();
        assert_eq!(found, expected);
    }

    const GOOD: &str = r#"{"spec":{"replicas":1,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b","c":"d"}}}}}"#;
    const STRAY: &str = r#"{"spec":{"replicas":-1,"selector":{"matchLabels":{"a":"x"}},"template":{"metadata":{"labels":{"a":"b"}}}}}"#;

    #[test]
    fn a_selector_selects_its_own_template() {
        check(GOOD, None, &[]);
        check(
            STRAY,
            None,
            &["spec.replicas", "spec.template.metadata.labels"],
        );
        check(r#"{"spec":{}}"#, None, &["spec.selector"]);
    }

    #[test]
    fn a_selector_never_changes() {
        check(GOOD, Some(GOOD), &[]);
        check(STRAY, Some(GOOD), &["spec.replicas", "spec.selector"]);
    }
}
