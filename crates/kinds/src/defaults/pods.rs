//! Pods, pod templates and everything in them.
//!
//! Source: pkg/apis/core/v1/defaults.go.

use api::{Value, value};
use schema::Occasion;

use super::{Fields, Given, Rule, Table, copy_missing, images, items};

/// What containers get, be they ephemeral or not.
const CONTAINER: [Rule; 3] = [
    Rule::Call(pull_policy_of_image),
    Rule::Set(
        "terminationMessagePath",
        Given::Text("/dev/termination-log"),
    ),
    Rule::Set("terminationMessagePolicy", Given::Text("File")),
];

/// Files of volumes may be read by all and written by their owner: 0644.
const MODE: [Rule; 1] = [Rule::Set("defaultMode", Given::Int(0o644))];

pub(super) const TABLE: Table = &[
    ("core.v1.Pod", &[Rule::Call(pod)]),
    (
        "core.v1.PodSpec",
        &[
            Rule::Call(service_account),
            Rule::Set("dnsPolicy", Given::Text("ClusterFirst")),
            Rule::Set("restartPolicy", Given::Text("Always")),
            Rule::Set("securityContext", Given::Empty),
            Rule::Set("terminationGracePeriodSeconds", Given::Int(30)),
            Rule::Set("schedulerName", Given::Text("default-scheduler")),
            Rule::Round("overhead"),
        ],
    ),
    (
        "core.v1.PodStatus",
        &[Rule::Call(addresses), Rule::Round("allocatedResources")],
    ),
    (
        "core.v1.ContainerStatus",
        &[Rule::Round("allocatedResources")],
    ),
    ("core.v1.Container", &CONTAINER),
    ("core.v1.EphemeralContainer", &CONTAINER),
    (
        "core.v1.ResourceRequirements",
        &[Rule::Round("limits"), Rule::Round("requests")],
    ),
    (
        "core.v1.Probe",
        &[
            Rule::Set("timeoutSeconds", Given::Int(1)),
            Rule::Set("periodSeconds", Given::Int(10)),
            Rule::Set("successThreshold", Given::Int(1)),
            Rule::Set("failureThreshold", Given::Int(3)),
        ],
    ),
    (
        "core.v1.HTTPGetAction",
        &[
            Rule::Set("path", Given::Text("/")),
            Rule::Set("scheme", Given::Text("HTTP")),
        ],
    ),
    (
        "core.v1.ObjectFieldSelector",
        &[Rule::Set("apiVersion", Given::Text("v1"))],
    ),
    ("core.v1.Volume", &[Rule::Call(volume)]),
    ("core.v1.ImageVolumeSource", &[Rule::Call(pull_policy)]),
    ("core.v1.SecretVolumeSource", &MODE),
    ("core.v1.ConfigMapVolumeSource", &MODE),
    ("core.v1.DownwardAPIVolumeSource", &MODE),
    ("core.v1.ProjectedVolumeSource", &MODE),
    (
        "core.v1.ServiceAccountTokenProjection",
        &[Rule::Set("expirationSeconds", Given::Int(3600))],
    ),
    (
        "core.v1.HostPathVolumeSource",
        &[Rule::Set("type", Given::Text(""))],
    ),
];

/// What a pod gets, but a template does not.
fn pod(pod: &mut Fields<'_>, _: Occasion<'_>) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let grace = spec.get("terminationGracePeriodSeconds");
    if grace.and_then(Value::as_int).is_some_and(|grace| grace < 0) {
        spec.insert("terminationGracePeriodSeconds", Value::Int(1));
    }
    for list in ["containers", "initContainers"] {
        for container in items(spec.get_mut(list)) {
            ask_for_limits(container);
        }
    }
    if !spec.contains("enableServiceLinks") {
        spec.insert("enableServiceLinks", Value::Bool(true));
    }
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        for list in ["containers", "initContainers"] {
            for container in items(spec.get_mut(list)) {
                share_ports(container);
            }
        }
    }
}

/// Who limits a resource and does not say how much of it is needed, needs as much.
fn ask_for_limits(container: &mut Value) {
    let Some(resources) = container.get_mut("resources") else {
        return;
    };
    let limits = resources.get("limits").and_then(Value::as_object);
    if let Some(limits) = limits.filter(|limits| !limits.is_empty()).cloned() {
        copy_missing(resources.make_object().entry("requests"), Some(&limits));
    }
}

/// On the host's network a container's ports are the host's.
fn share_ports(container: &mut Value) {
    for port in items(container.get_mut("ports")) {
        let own = port.get("containerPort").cloned();
        if let Some(own) = own
            && port.get("hostPort").is_none()
        {
            port.set_at(&["hostPort"], own);
        }
    }
}

/// Keeps the old name of a field like the new one, which wins.
fn service_account(spec: &mut Fields<'_>, _: Occasion<'_>) {
    if spec.text("serviceAccountName").is_empty() {
        match spec.get("serviceAccount").cloned() {
            Some(name) => spec.set("serviceAccountName", name),
            None => return,
        }
    }
    if spec.text("serviceAccount") != spec.text("serviceAccountName") {
        let name = spec.get("serviceAccountName").cloned().unwrap_or_default();
        spec.set("serviceAccount", name);
    }
}

/// Keeps the one address and the list of addresses alike; the one address wins.
fn addresses(status: &mut Fields<'_>, _: Occasion<'_>) {
    let first = status
        .get("podIPs")
        .and_then(|list| list.as_array()?.first()?.str_at(&["ip"]));
    let first = first.unwrap_or_default();
    let own = status.text("podIP");
    if own == first {
        return;
    }
    if own.is_empty() {
        let first = Value::from(first);
        status.set("podIP", first);
    } else {
        let own = Value::from(own);
        status.set("podIPs", value!([{"ip": (own)}]));
    }
}

fn pull_policy_of_image(container: &mut Fields<'_>, _: Occasion<'_>) {
    if container.text("imagePullPolicy").is_empty() {
        let policy = images::pull_policy(container.text("image"));
        container.set("imagePullPolicy", policy.into());
    }
}

fn pull_policy(source: &mut Fields<'_>, _: Occasion<'_>) {
    if source.text("pullPolicy").is_empty() {
        let policy = images::pull_policy(source.text("reference"));
        source.set("pullPolicy", policy.into());
    }
}

/// A volume that does not say what it is, is an empty directory.
fn volume(volume: &mut Fields<'_>, _: Occasion<'_>) {
    if volume.object.iter().all(|(name, _)| name == "name") {
        volume.set("emptyDir", Value::object());
    }
}
