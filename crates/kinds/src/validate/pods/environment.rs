//! What is wrong with the environment of a container, and with references to fields of the pod.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go,
//! pkg/apis/core/pods/helpers.go and pkg/fieldpath.

use api::{
    field::Error,
    names::validate::{self, NameRule},
};

use crate::validate::{Findings, Place, quantities, texts};

/// Fields of the pod that an environment may hold.
const FIELDS_OF_ENVIRONMENTS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fields of the pod that a file may hold.
const FIELDS_OF_VOLUMES: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Fields of the pod that have a name for references.
const FIELDS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Resources of a container that a reference may name; huge pages come besides.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Units in which bytes are counted.
const UNITS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Checks the variables of an environment.
pub(super) fn variables(list: &Place<'_>, found: &mut Findings) {
    for variable in list.items() {
        let name = variable.child("name");
        if texts::require(&name, "", found) {
            texts::fits(&name, validate::environment_name, found);
        }
        let source = variable.child("valueFrom");
        if source.is_set() {
            let has_value = !variable.text_of("value").is_empty();
            value_from(&source, has_value, found);
        }
    }
}

fn value_from(source: &Place<'_>, has_value: bool, found: &mut Findings) {
    let mut count = 0;
    for (field, check) in [
        (
            "fieldRef",
            field_of_environment as fn(&Place<'_>, &mut Findings),
        ),
        ("resourceFieldRef", resource_of_environment),
        ("configMapKeyRef", key_of_object),
        ("secretKeyRef", key_of_object),
        ("fileKeyRef", key_of_file),
    ] {
        let part = source.child(field);
        if part.is_set() {
            count += 1;
            check(&part, found);
        }
    }
    let why = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        }
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    found.push(Error::invalid(source.path(), "", why));
}

/// Checks what an environment takes in whole.
pub(super) fn sources(list: &Place<'_>, found: &mut Findings) {
    for source in list.items() {
        let prefix = source.child("prefix");
        if !prefix.text().is_empty() {
            texts::fits(&prefix, validate::environment_name, found);
        }
        let mut count = 0;
        for field in ["configMapRef", "secretRef"] {
            let part = source.child(field);
            if part.is_set() {
                count += 1;
                let name = part.child("name");
                if texts::require(&name, "", found) {
                    let sentences = NameRule::Subdomain.check_prefix(name.text());
                    found.each_invalid(&name, sentences);
                }
            }
        }
        // Upstream does not say which of the sources it is.
        let why = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        found.push(Error::invalid(list.path(), "", why));
    }
}

fn key_of_object(part: &Place<'_>, found: &mut Findings) {
    texts::subdomain(&part.child("name"), found);
    let key = part.child("key");
    if texts::require(&key, "", found) {
        texts::fits(&key, validate::config_map_key, found);
    }
}

fn key_of_file(part: &Place<'_>, found: &mut Findings) {
    let key = part.child("key");
    if texts::require(&key, "", found) {
        texts::fits(&key, validate::environment_name, found);
    }
    texts::required_label(&part.child("volumeName"), found);
    let path = part.child("path");
    if texts::require(&path, "", found) {
        texts::no_backsteps(&path, found);
    }
}

fn field_of_environment(part: &Place<'_>, found: &mut Findings) {
    field(part, &FIELDS_OF_ENVIRONMENTS, found);
}

/// Checks a reference to a field of the pod whose value a file holds.
pub(super) fn field_of_volume(part: &Place<'_>, found: &mut Findings) {
    field(part, &FIELDS_OF_VOLUMES, found);
}

fn field(part: &Place<'_>, known: &[&str], found: &mut Findings) {
    let (version, place) = (part.child("apiVersion"), part.child("fieldPath"));
    if !texts::require(&version, "", found) || !texts::require(&place, "", found) {
        return;
    }
    let path = place.text();
    let subscripted = subscript(path);
    let unknown = if version.text() == "v1" {
        match subscripted {
            Some(("metadata.annotations" | "metadata.labels", _)) => None,
            Some(_) => Some(format!("field label does not support subscript: {path}")),
            None if FIELDS.contains(&path) || path == "spec.host" => None,
            None => Some(format!("field label not supported: {path}")),
        }
    } else {
        Some(format!("unsupported pod version: {}", version.text()))
    };
    if let Some(why) = unknown {
        return found.invalid(&place, format!("error converting fieldPath: {why}"));
    }
    match subscripted {
        // The path of these errors is upstream's: that of the reference.
        Some(("metadata.annotations", key)) => qualified(part, &key.to_lowercase(), found),
        Some((_, key)) => qualified(part, key, found),
        None => {
            let path = if path == "spec.host" {
                "spec.nodeName"
            } else {
                path
            };
            if !known.contains(&path) {
                found.push(Error::not_supported(place.path(), path, known));
            }
        }
    }
}

fn qualified(part: &Place<'_>, key: &str, found: &mut Findings) {
    for sentence in validate::qualified_name(key) {
        found.push(Error::invalid(part.path(), key, sentence));
    }
}

/// Parts `metadata.labels['key']` into the field and the key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (field, key) = path.strip_suffix("']")?.split_once("['")?;
    (!field.is_empty()).then_some((field, key))
}

fn resource_of_environment(part: &Place<'_>, found: &mut Findings) {
    resource(part, found);
}

/// Checks a reference to a resource of a container whose amount a file holds.
pub(super) fn resource_of_volume(part: &Place<'_>, found: &mut Findings) {
    if part.text_of("containerName").is_empty() {
        found.required(&part.child("containerName"), "");
        divisor(part, found);
    } else {
        resource(part, found);
    }
}

fn resource(part: &Place<'_>, found: &mut Findings) {
    let name = part.child("resource");
    let is_known = RESOURCES.contains(&name.text()) || is_huge_pages(name.text());
    if texts::require(&name, "", found) && !is_known {
        found.not_supported(&name, &RESOURCES);
    }
    divisor(part, found);
}

fn is_huge_pages(resource: &str) -> bool {
    resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-")
}

/// An amount is counted in units that fit the resource.
fn divisor(part: &Place<'_>, found: &mut Findings) {
    let place = part.child("divisor");
    let Some(amount) = quantities::of(&place).filter(|amount| !amount.is_zero()) else {
        return;
    };
    let resource = part.text_of("resource");
    let bytes = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
    let (units, listed, called) = match resource {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"][..], "1m and 1", "cpu"),
        "limits.memory" | "requests.memory" => (&UNITS[..], bytes, "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (&UNITS[..], bytes, "local ephemeral storage")
        }
        other if is_huge_pages(other) => (&UNITS[..], bytes, "hugepages"),
        _ => return,
    };
    if !units.contains(&amount.to_string().as_str()) {
        let why =
            format!("only divisor's values {listed} are supported with the {called} resource");
        found.push(Error::invalid(place.path(), resource, why));
    }
}
