//! Warnings about pods and templates of pods.

use std::net::IpAddr;

use api::{Quantity, Value, names::validate, quote::quote};

use super::{Warnings, node::old_label, paths, workloads};
use crate::validate::{Place, Seen, Subject};

/// Annotations that no longer do anything.
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

/// Volumes that no longer work: the field, what warnings call it, and since when.
const OLD_VOLUMES: [(&str, &str, &str); 9] = [
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "gitRepo",
        "gitRepo",
        "deprecated in v1.11, and disabled by default in v1.33+",
    ),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "flocker",
        "flocker",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "quobyte",
        "quobyte",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    (
        "cephfs",
        "cephfs",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
    (
        "rbd",
        "rbd",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
];

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";
const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Looks over a new pod.
pub(super) fn pod(subject: &Subject<'_>, warnings: &mut Warnings) {
    if subject.old.is_some() {
        return;
    }
    let why = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended";
    workloads::name(subject, why, warnings);
    let root = subject.root();
    spec_and_metadata(&root, true, warnings);
}

/// Looks over a template.
pub(super) fn template(template: &Place<'_>, warnings: &mut Warnings) {
    spec_and_metadata(template, false, warnings);
}

/// Looks over the addresses in a status.
pub(super) fn addresses(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let status = root.child("status");
    for list in ["podIPs", "hostIPs"] {
        for one in status.child(list).items() {
            address(&one.child("ip"), warnings);
        }
    }
}

fn spec_and_metadata(pod: &Place<'_>, is_pod: bool, warnings: &mut Warnings) {
    let (spec, metadata) = (pod.child("spec"), pod.child("metadata"));
    let annotations = metadata.child("annotations");
    for (key, place) in spec.child("nodeSelector").entries() {
        if let Some(why) = old_label(key) {
            warnings.at(&place, why);
        }
    }
    nodes(&spec.child("affinity"), warnings);
    for constraint in spec.child("topologySpreadConstraints").items() {
        let key = constraint.child("topologyKey");
        if let Some(why) = old_label(key.text()) {
            warnings.at(&key, format_args!("{} is {why}", key.text()));
        }
        let selector = constraint.child("labelSelector");
        if !selector.is_set() {
            warnings.at(&selector, NO_SELECTOR);
        }
    }
    for (key, why) in OLD_ANNOTATIONS {
        let annotation = annotations.key(key);
        if annotation.is_set() {
            warnings.at(&annotation, why);
        }
    }
    volumes(&spec.child("volumes"), warnings);
    twice(&spec.child("hostAliases"), "ip", warnings);
    let secrets = spec.child("imagePullSecrets");
    twice(&secrets, "name", warnings);
    for secret in secrets.items() {
        let name = secret.child("name");
        if name.text().is_empty() {
            warnings.at(&name, "invalid empty name \"\"");
        }
    }
    fractions(&spec.child("overhead"), warnings);
    let context = spec.child("securityContext");
    let annotation = annotations.key(SECCOMP_OF_POD);
    if annotation.is_set() && !context.has("seccompProfile") {
        warnings.at(&annotation, SECCOMP);
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for one in spec.child(list).items() {
            container(&one, &annotations, (!is_pod).then_some(&context), warnings);
        }
    }
    ports(&spec, warnings);
    let grace = spec.child("terminationGracePeriodSeconds");
    if grace.int().is_some_and(|seconds| seconds < 0) {
        let why = "must be >= 0; negative values are invalid and will be treated as 1";
        warnings.at(&grace, why);
    }
    pods(&spec.child("affinity"), warnings);
    let config = spec.child("dnsConfig");
    for server in config.child("nameservers").items() {
        address(&server, warnings);
    }
    for alias in spec.child("hostAliases").items() {
        address(&alias.child("ip"), warnings);
    }
}

fn nodes(affinity: &Place<'_>, warnings: &mut Warnings) {
    let nodes = affinity.child("nodeAffinity");
    let required = nodes.child(REQUIRED);
    for term in required.child("nodeSelectorTerms").items() {
        node_term(&term, false, warnings);
    }
    for weighted in nodes.child(PREFERRED).items() {
        node_term(&weighted.child("preference"), true, warnings);
    }
}

/// Looks over one of the terms of a selector of nodes.
pub(super) fn node_term(term: &Place<'_>, with_values: bool, warnings: &mut Warnings) {
    for expression in term.child("matchExpressions").items() {
        let key = expression.child("key");
        if let Some(why) = old_label(key.text()) {
            warnings.at(&key, format_args!("{} is {why}", key.text()));
        }
        if !with_values {
            continue;
        }
        for value in expression.child("values").items() {
            for why in validate::label_value(value.text()) {
                warnings.at(&value, format_args!("{} is invalid, {why}", value.text()));
            }
        }
    }
}

fn pods(affinity: &Place<'_>, warnings: &mut Warnings) {
    for field in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.child(field);
        let mut check = |term: &Place<'_>| {
            let selector = term.child("labelSelector");
            if !selector.is_set() {
                warnings.at(&selector, NO_SELECTOR);
            }
        };
        for term in pods.child(REQUIRED).items() {
            check(&term);
        }
        for weighted in pods.child(PREFERRED).items() {
            check(&weighted.child("podAffinityTerm"));
        }
    }
}

fn volumes(list: &Place<'_>, warnings: &mut Warnings) {
    for volume in list.items() {
        for (field, called, why) in OLD_VOLUMES {
            if volume.has(field) {
                warnings.at(&volume.child(called), why);
            }
        }
        let ephemeral = volume.child("ephemeral");
        let template = ephemeral.child("volumeClaimTemplate");
        claim(&template.child("spec"), warnings);
    }
    paths::volumes(list, warnings);
}

/// Looks over what a claim asks for.
pub(super) fn claim(spec: &Place<'_>, warnings: &mut Warnings) {
    let resources = spec.child("resources");
    for side in ["requests", "limits"] {
        let list = resources.child(side);
        fraction(&list.key("storage"), warnings);
    }
}

/// Says that a text stands twice in a list.
fn twice(list: &Place<'_>, field: &str, warnings: &mut Warnings) {
    let mut seen = Seen::new();
    for (item, value) in list.items().zip(list.list()) {
        let text = value.str_at(&[field]).unwrap_or_default();
        if !seen.insert(text) {
            let why = format!("duplicate {field} {}", quote(text));
            warnings.at(&item.child(field), why);
        }
    }
}

fn fractions(list: &Place<'_>, warnings: &mut Warnings) {
    for name in ["memory", "ephemeral-storage"] {
        fraction(&list.key(name), warnings);
    }
}

/// Says that bytes are not counted in parts.
fn fraction(place: &Place<'_>, warnings: &mut Warnings) {
    let amount = place
        .value()
        .and_then(|amount| Quantity::from_value(amount).ok());
    if let Some(amount) = amount.filter(|amount| amount.milli_value() % 1000 != 0) {
        let shown = quote(&amount.to_string());
        let why = format!("fractional byte value {shown} is invalid, must be an integer");
        warnings.at(place, why);
    }
}

fn container(
    container: &Place<'_>,
    annotations: &Place<'_>,
    template: Option<&Place<'_>>,
    warnings: &mut Warnings,
) {
    let context = container.child("securityContext");
    let name = container.text_of("name");
    if annotations.len() > 0 {
        let key = format!("{SECCOMP_OF_CONTAINER}{name}");
        let annotation = annotations.key(&key);
        if annotation.is_set() && !context.has("seccompProfile") {
            warnings.at(&annotation, SECCOMP);
        }
        let key = format!("{APP_ARMOR}{name}");
        let annotation = annotations.key(&key);
        let is_said =
            |pod: &Place<'_>| is_profile(&pod.child("appArmorProfile"), annotation.text());
        if let Some(pod) = template
            && annotation.is_set()
            && !context.has("appArmorProfile")
            && !is_said(pod)
        {
            let why = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            warnings.at(&annotation, why);
        }
    }
    let resources = container.child("resources");
    for name in ["memory", "ephemeral-storage"] {
        for side in ["limits", "requests"] {
            let list = resources.child(side);
            fraction(&list.key(name), warnings);
        }
    }
    variables(&container.child("env"), warnings);
}

/// Whether a profile is the one that an annotation names.
fn is_profile(profile: &Place<'_>, annotation: &str) -> bool {
    match profile.text_of("type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => annotation == "runtime/default",
        "Localhost" => {
            annotation.strip_prefix("localhost/") == Some(profile.text_of("localhostProfile"))
        }
        _ => false,
    }
}

/// Says that a variable hides another of its name, unless it takes in its value.
fn variables(list: &Place<'_>, warnings: &mut Warnings) {
    if list.len() < 2 {
        return;
    }
    let mut seen = Seen::new();
    for (variable, value) in list.items().zip(list.list()) {
        let name = value.str_at(&["name"]).unwrap_or_default();
        if seen.insert(name) {
            continue;
        }
        let own = variable.text_of("value");
        let reference = format!("$({name})");
        if variable.has("valueFrom") || own == reference || !own.contains(&reference) {
            let why = format!(
                "hides previous definition of {}, which may be dropped when using apply",
                quote(name)
            );
            warnings.at(&variable, why);
        }
    }
}

/// One port of a pod and where it stands.
struct Port<'a> {
    path: String,
    value: &'a Value,
}

impl Port<'_> {
    fn number(&self, field: &str) -> i64 {
        self.value.get(field).and_then(Value::as_int).unwrap_or(0)
    }

    fn text(&self, field: &str) -> &str {
        self.value.str_at(&[field]).unwrap_or_default()
    }
}

/// Says that ports are the same, or cannot be told apart.
fn ports(spec: &Place<'_>, warnings: &mut Warnings) {
    let mut all: Vec<Port<'_>> = Vec::new();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let list = spec.child(list);
        for (container, value) in list.items().zip(list.list()) {
            let ports = container.child("ports");
            let values = value
                .get("ports")
                .and_then(Value::as_array)
                .unwrap_or_default();
            for (port, value) in ports.items().zip(values) {
                all.push(Port {
                    path: port.path().to_string(),
                    value,
                });
            }
        }
    }
    for (at, port) in all.iter().enumerate() {
        if !port.text("hostIP").is_empty() && port.number("hostPort") == 0 {
            warnings.push(format!(
                "{}: hostIP set without hostPort: {{Name:{} HostPort:0 ContainerPort:{} Protocol:{} HostIP:{}}}",
                port.path,
                port.text("name"),
                port.number("containerPort"),
                port.text("protocol"),
                port.text("hostIP")
            ));
        }
        for other in &all[..at] {
            let is_same = port.number("containerPort") == other.number("containerPort")
                && port.text("protocol") == other.text("protocol");
            if let Some(why) = is_same.then(|| clash(port, other)).flatten() {
                warnings.push(format!("{}: {why} with {}", port.path, other.path));
            }
        }
    }
    for (at, port) in all.iter().enumerate() {
        let name = port.text("name");
        let first = all[..at]
            .iter()
            .find(|other| !name.is_empty() && other.text("name") == name);
        if let Some(first) = first {
            warnings.push(format!(
                "{}: duplicate port name {} with {}, services and probes that select ports by name will use {}",
                port.path,
                quote(name),
                first.path,
                first.path
            ));
        }
    }
}

fn clash(port: &Port<'_>, other: &Port<'_>) -> Option<&'static str> {
    let (ip, other_ip) = (port.text("hostIP"), other.text("hostIP"));
    let (host, other_host) = (port.number("hostPort"), other.number("hostPort"));
    if ip == other_ip && host == other_host {
        Some("duplicate port definition")
    } else if host == 0 || other_host == 0 {
        Some("overlapping port definition")
    } else if host == other_host && ip.is_empty() != other_ip.is_empty() {
        Some("dangerously ambiguous port definition")
    } else {
        None
    }
}

/// Says that an address has a better form.
fn address(place: &Place<'_>, warnings: &mut Warnings) {
    let text = place.text();
    let Ok(IpAddr::V6(address)) = text.parse() else {
        return;
    };
    let canonical = address.to_string();
    if address.to_ipv4_mapped().is_none() && canonical != text {
        let why = format!(
            "IPv6 address {} should be in RFC 5952 canonical format ({})",
            quote(text),
            quote(&canonical)
        );
        warnings.at(place, why);
    }
}
