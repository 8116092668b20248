//! What is wrong with the containers of a pod.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error};

use super::{environment, mounts, probes, resources, security, spec::Frame};
use crate::validate::{Findings, Place, Seen, numbers, texts};

/// Protocols of ports.
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const NEEDS_POLICY: &str = "must specify restartPolicy when restart rules are used";
const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

/// What ephemeral containers may not have.
const NOT_EPHEMERAL: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// Checks the containers that make the pod.
pub(super) fn regular(list: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    if list.len() == 0 {
        return found.required(list, "");
    }
    let mut names = Seen::new();
    for (container, value) in list.items().zip(list.list()) {
        all(&container, frame, found);
        if !names.insert(value.str_at(&["name"]).unwrap_or_default()) {
            duplicate_name(&container, found);
        }
        if container.has("lifecycle") {
            probes::lifecycle(&container, frame, found);
        }
        probes::probes(&container, frame, found);
        restart_policy(&container, found);
    }
    host_ports(list, list.list(), found);
}

/// Checks the containers that run before.
pub(super) fn initial(
    list: &Place<'_>,
    regular: &[Value],
    frame: &Frame<'_>,
    found: &mut Findings,
) {
    if list.len() == 0 {
        return;
    }
    let mut names = Seen::new();
    for container in regular {
        names.insert(container.str_at(&["name"]).unwrap_or_default());
    }
    for (at, (container, value)) in list.items().zip(list.list()).enumerate() {
        all(&container, frame, found);
        if container.has("restartPolicy") {
            restart_policy(&container, found);
        } else if !container.list_of("restartPolicyRules").is_empty() {
            found.required(&container.child("restartPolicy"), NEEDS_POLICY);
        }
        let name = value.str_at(&["name"]).unwrap_or_default();
        if names.has(name) {
            duplicate_name(&container, found);
        } else if !name.is_empty() {
            names.insert(name);
        }
        // They run one after the other, so that each has the ports for itself. Upstream counts
        // from zero each time.
        host_ports(list, &list.list()[at..=at], found);
        let is_sidecar = is_sidecar(value);
        if is_sidecar {
            if container.has("lifecycle") {
                probes::lifecycle(&container, frame, found);
            }
            probes::probes(&container, frame, found);
        } else {
            for field in [
                "lifecycle",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
            ] {
                let place = container.child(field);
                if place.is_set() {
                    let why = "may not be set for init containers without restartPolicy=Always";
                    found.forbidden(&place, why);
                }
            }
            if !frame.rules.leave_plain_restarts() {
                for policy in container.child("resizePolicy").items() {
                    let restart = policy.child("restartPolicy");
                    if restart.text() == "RestartContainer" {
                        let why =
                            "must not be set to 'RestartContainer' for non-sidecar initContainers";
                        found.invalid(&restart, why);
                    }
                }
            }
        }
    }
}

/// Whether an initial container goes on running beside the others.
pub(super) fn is_sidecar(container: &Value) -> bool {
    container.str_at(&["restartPolicy"]) == Some("Always")
}

/// Checks the containers that were added to look into the pod.
pub(super) fn ephemeral(
    list: &Place<'_>,
    regular: &[Value],
    initial: &[Value],
    frame: &Frame<'_>,
    found: &mut Findings,
) {
    if list.len() == 0 {
        return;
    }
    let mut names = Seen::new();
    for container in regular.iter().chain(initial) {
        names.insert(container.str_at(&["name"]).unwrap_or_default());
    }
    let is_other = |name: &str| {
        let mut others = regular.iter().chain(initial);
        others.any(|other| other.str_at(&["name"]).unwrap_or_default() == name)
    };
    for (container, value) in list.items().zip(list.list()) {
        all(&container, frame, found);
        padded_image(&container, found);
        if !names.insert(value.str_at(&["name"]).unwrap_or_default()) {
            duplicate_name(&container, found);
        }
        let target = container.child("targetContainerName");
        if !target.text().is_empty() && !is_other(target.text()) {
            found.not_found(&target);
        }
        for field in NOT_EPHEMERAL {
            let is_set = match container.get(field) {
                Some(Value::Object(fields)) if field == "resources" => !fields.is_empty(),
                other => other.is_some(),
            };
            if is_set {
                let place = container.child(field);
                found.forbidden(&place, "cannot be set for an Ephemeral Container");
            }
        }
        for mount in container.child("volumeMounts").items() {
            for field in ["subPath", "subPathExpr"] {
                if !mount.text_of(field).is_empty() {
                    let why = "cannot be set for an Ephemeral Container";
                    found.forbidden(&mount.child(field), why);
                }
            }
        }
    }
}

fn duplicate_name(container: &Place<'_>, found: &mut Findings) {
    let name = container.child("name");
    found.push(Error::duplicate(name.path(), name.text()));
}

/// What holds of all containers.
fn all(container: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    texts::required_label(&container.child("name"), found);
    texts::require(&container.child("image"), "", found);
    let policy = container.child("terminationMessagePolicy");
    texts::required_choice(&policy, &["File", "FallbackToLogsOnError"], found);
    ports(&container.child("ports"), found);
    environment::variables(&container.child("env"), found);
    environment::sources(&container.child("envFrom"), found);
    mounts::mounts(container, &frame.volumes, found);
    mounts::devices(container, &frame.volumes, found);
    pull_policy(&container.child("imagePullPolicy"), found);
    resources::of_container(&container.child("resources"), frame, found);
    resize_policy(&container.child("resizePolicy"), frame, found);
    security::of_container(&container.child("securityContext"), frame, found);
}

/// Checks when an image is pulled.
pub(super) fn pull_policy(place: &Place<'_>, found: &mut Findings) {
    texts::required_choice(place, &PULL_POLICIES, found);
}

/// Checks that the image of a pod's container has no space around it; templates may.
pub(super) fn padded_image(container: &Place<'_>, found: &mut Findings) {
    let image = container.child("image");
    if image.text().trim() != image.text() {
        found.invalid(&image, "must not have leading or trailing whitespace");
    }
}

fn ports(list: &Place<'_>, found: &mut Findings) {
    let mut names = Seen::new();
    for (port, value) in list.items().zip(list.list()) {
        let name = port.child("name");
        if !name.text().is_empty() {
            let before = found.len();
            texts::fits(&name, api::names::validate::port_name, found);
            let is_right = found.len() == before;
            if is_right && !names.insert(value.str_at(&["name"]).unwrap_or_default()) {
                found.duplicate(&name);
            }
        }
        let own = port.child("containerPort");
        if own.int().unwrap_or(0) == 0 {
            found.required(&own, "");
        } else {
            numbers::port(&own, found);
        }
        let host = port.child("hostPort");
        if host.int().unwrap_or(0) != 0 {
            numbers::port(&host, found);
        }
        texts::required_choice(&port.child("protocol"), &PROTOCOLS, found);
    }
}

/// Containers that run together may not want the same port of the host.
fn host_ports(list: &Place<'_>, containers: &[Value], found: &mut Findings) {
    let ports = |container: &Value| -> usize {
        let ports = container.get("ports").and_then(Value::as_array);
        let of_host = |port: &&Value| port.get("hostPort").is_some();
        ports.map_or(0, |ports| ports.iter().filter(of_host).count())
    };
    if containers.iter().map(ports).sum::<usize>() < 2 {
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    for (at, container) in containers.iter().enumerate() {
        let path = list.path().index(at);
        let container = Place::new(Some(container), path);
        for port in container.child("ports").items() {
            let number = port.int_of("hostPort").unwrap_or(0);
            if number == 0 {
                continue;
            }
            let (protocol, ip) = (port.text_of("protocol"), port.text_of("hostIP"));
            let key = format!("{protocol}/{ip}/{number}");
            if seen.contains(&key) {
                let place = port.child("hostPort");
                found.push(Error::duplicate(place.path(), key.as_str()));
            } else {
                seen.insert(key);
            }
        }
    }
}

/// What changes of resources mean for a running container.
fn resize_policy(list: &Place<'_>, frame: &Frame<'_>, found: &mut Findings) {
    let mut names = Seen::new();
    for (policy, value) in list.items().zip(list.list()) {
        let name = value.str_at(&["resourceName"]).unwrap_or_default();
        if !names.insert(name) {
            found.push(Error::duplicate(policy.path(), name));
        }
        // The path of these errors is upstream's: that of the list.
        let resource = Place::new(policy.get("resourceName"), *list.path());
        texts::required_choice(&resource, &["cpu", "memory"], found);
        let restart = Place::new(policy.get("restartPolicy"), *list.path());
        texts::required_choice(&restart, &["NotRequired", "RestartContainer"], found);
        if frame.restart_policy == "Never" && restart.text() != "NotRequired" {
            let why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            found.invalid_text(&restart, why);
        }
    }
}

/// When a container is started again, where it does not leave that to its pod.
fn restart_policy(container: &Place<'_>, found: &mut Findings) {
    let (policy, rules) = (
        container.child("restartPolicy"),
        container.child("restartPolicyRules"),
    );
    if !policy.is_set() {
        if rules.len() == 0 {
            return;
        }
        found.required(&policy, NEEDS_POLICY);
    } else {
        texts::choice(&policy, &["Always", "Never", "OnFailure"], found);
    }
    if rules.len() > 20 {
        found.push(Error::too_many(rules.path(), rules.len(), 20));
    }
    for rule in rules.items() {
        let action = rule.child("action");
        texts::choice(&action, &["Restart", "RestartAllContainers"], found);
        let codes = rule.child("exitCodes");
        if !codes.is_set() {
            found.required(&codes, "must be specified");
            continue;
        }
        texts::choice(&codes.child("operator"), &["In", "NotIn"], found);
        let values = codes.child("values");
        if values.len() > 255 {
            found.push(Error::too_many(values.path(), values.len(), 255));
        }
    }
}
