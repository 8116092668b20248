//! What is wrong with API services.
//!
//! Source: k8s.io/kube-aggregator v0.37.1, pkg/apis/apiregistration/validation/validation.go.

use api::{field::Error, names::validate as names, quote::quote};

use super::{Check, Findings, Place, Subject};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("APIService", "") => Some(service),
        ("APIService", "status") => Some(status),
        _ => None,
    }
}

fn service(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let (group, version) = (spec.child("group"), spec.child("version"));
    let name = metadata.child("name");
    let wanted = [version.text(), ".", group.text()];
    let is_other = !name.text().is_empty() && name.text() != wanted.concat();
    if is_other && names::path_segment_name(name.text()).is_empty() {
        let wanted = quote(&wanted.concat());
        let detail = format!("must be `spec.version+\".\"+spec.group`: {wanted}");
        found.invalid(&name, detail);
    }
    if group.text().is_empty() && version.text() != "v1" {
        let detail = "only v1 may have an empty group and it better be legacy kube";
        found.required(&group, detail);
    }
    if !group.text().is_empty() {
        found.each_invalid_text(&group, names::dns1123_subdomain(group.text()));
    }
    for detail in names::dns1035_label(version.text()) {
        found.push(Error::invalid(version.path(), version.text(), detail));
    }
    for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1_000)] {
        let place = spec.child(field);
        let given = place.int().unwrap_or(0);
        if given <= 0 || given > most {
            let detail = format!("must be positive and less than {most}");
            found.push(Error::invalid(place.path(), given, detail));
        }
    }
    let bundle = spec.child("caBundle");
    let bundle_bytes = decoded_len(bundle.text());
    let insecure = spec.child("insecureSkipTLSVerify");
    let target = spec.child("service");
    if !target.is_set() {
        if bundle_bytes > 0 {
            let shown = format!("{bundle_bytes} bytes");
            let detail = "local APIServices may not have a caBundle";
            found.push(Error::invalid(bundle.path(), &shown, detail));
        }
        if insecure.is_true() {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            found.invalid(&insecure, detail);
        }
        return;
    }
    backend(&target, found);
    if insecure.is_true() && bundle_bytes > 0 {
        found.invalid(&insecure, "may not be true if caBundle is present");
    }
}

fn backend(target: &Place<'_>, found: &mut Findings) {
    for field in ["namespace", "name"] {
        let place = target.child(field);
        if place.text().is_empty() {
            found.required(&place, "");
        }
    }
    let port = target.child("port");
    let given = port.int().unwrap_or(0);
    let details = names::port_number(given);
    if !details.is_empty() {
        let detail = format!("port is not valid: {}", details.join(", "));
        found.push(Error::invalid(port.path(), given, detail));
    }
}

/// How many bytes a text in base 64 stands for.
fn decoded_len(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    for condition in status.child("conditions").items() {
        let place = condition.child("status");
        let known = ["True", "False", "Unknown"];
        if !known.contains(&place.text()) {
            found.not_supported(&place, &known);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(door: &str, object: &str, expected: &[&str]) {
        let of = ("apiregistration.k8s.io", "APIService", door);
        check_table(of, object, None, expected);
    }

    #[test]
    fn a_service_is_named_after_what_it_serves() {
        check(
            "",
            r#"{"metadata":{"name":"v1.a.b"},"spec":{"group":"a.b","version":"v1","groupPriorityMinimum":1,"versionPriority":1,"service":{"name":"n","namespace":"s","port":443}}}"#,
            &[],
        );
        check(
            "",
            r#"{"metadata":{"name":"x"},"spec":{"version":"v2","groupPriorityMinimum":20001,"insecureSkipTLSVerify":true,"caBundle":"YWI="}}"#,
            &[
                r#"metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v2.""#,
                "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
                "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
                "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
                r#"spec.caBundle: Invalid value: "2 bytes": local APIServices may not have a caBundle"#,
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ],
        );
    }

    #[test]
    fn services_lie_somewhere_and_conditions_are_known() {
        check(
            "",
            r#"{"metadata":{"name":"v1.a"},"spec":{"group":"a","version":"v1","groupPriorityMinimum":1,"versionPriority":1,"service":{"port":0},"insecureSkipTLSVerify":true,"caBundle":"YWI="}}"#,
            &[
                "spec.service.namespace: Required value",
                "spec.service.name: Required value",
                "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
                "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
            ],
        );
        check(
            "status",
            r#"{"status":{"conditions":[{"status":"x"}]}}"#,
            &[
                r#"status.conditions[0].status: Unsupported value: "x": supported values: "True", "False", "Unknown""#,
            ],
        );
    }
}
