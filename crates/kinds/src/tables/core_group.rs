//! The core group, pods and events apart.

use std::collections::BTreeSet;

use api::Value;
use schema::Cell;

use super::{
    Cells, NONE, Row, UNKNOWN, UNSET, events,
    human::{access_modes, containers, labels},
    plain, pods, text, text_or,
};

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "ComponentStatus" => component_status,
        "ConfigMap" => config_map,
        "Endpoints" => endpoints,
        "Event" => events::event,
        "LimitRange" => plain,
        "Namespace" => namespace,
        "Node" => node,
        "PersistentVolume" => volume,
        "PersistentVolumeClaim" => claim,
        "Pod" => pods::pod,
        "PodTemplate" => pod_template,
        "ReplicationController" => replication_controller,
        "ResourceQuota" => quota,
        "Secret" => secret,
        "Service" => service,
        "ServiceAccount" => service_account,
        _ => return None,
    })
}

fn component_status(row: Row<'_>) -> Vec<Cell> {
    let healthy = row.condition(&["conditions"], "Healthy");
    let status = match healthy.map(|condition| condition.text(&["status"])) {
        None => "Unknown",
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
    };
    let said = |field: &str| healthy.map_or("", |condition| condition.text(&[field]));
    let (message, error) = (said("message"), said("error"));
    vec![row.name(), status.into(), message.into(), error.into()]
}

fn config_map(row: Row<'_>) -> Vec<Cell> {
    let entries = row.count(&["data"]) + row.count(&["binaryData"]);
    vec![row.name(), entries.into(), row.age()]
}

fn endpoints(row: Row<'_>) -> Vec<Cell> {
    const SHOWN: usize = 3;
    let mut all = Vec::new();
    for subset in row.items(&["subsets"]) {
        let addresses = || subset.items(&["addresses"]).map(|one| one.text(&["ip"]));
        if subset.count(&["ports"]) == 0 {
            all.extend(addresses().map(str::to_owned));
        }
        for port in subset.items(&["ports"]) {
            let port = port.int(&["port"]);
            all.extend(addresses().map(|address| match address.contains(':') {
                true => format!("[{address}]:{port}"),
                false => format!("{address}:{port}"),
            }));
        }
    }
    let shown = all[..all.len().min(SHOWN)].join(",");
    let shown = match all.len().checked_sub(SHOWN) {
        _ if row.count(&["subsets"]) == 0 => NONE.to_owned(),
        None | Some(0) => shown,
        Some(more) => format!("{shown} + {more} more..."),
    };
    vec![row.name(), text(shown), row.age()]
}

fn namespace(row: Row<'_>) -> Vec<Cell> {
    vec![row.name(), row.text(&["status", "phase"]).into(), row.age()]
}

fn node(row: Row<'_>) -> Vec<Cell> {
    // Of two conditions of one type the last one counts.
    let mut conditions = row.items(&["status", "conditions"]).rev();
    let ready = conditions.find(|condition| condition.text(&["type"]) == "Ready");
    let mut status = match ready.map(|condition| condition.text(&["status"])) {
        None => "Unknown".to_owned(),
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
    };
    if row.flag(&["spec", "unschedulable"]) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let mut addresses = row.items(&["status", "addresses"]);
        let found = addresses.find(|address| address.text(&["type"]) == kind);
        found.map_or(NONE, |address| address.text(&["address"]))
    };
    let info = |field: &str| row.text(&["status", "nodeInfo", field]);
    let kernel = info("kernelVersion");
    let kernel = if kernel.is_empty() { UNKNOWN } else { kernel };
    let kernel = match info("architecture") {
        "" => kernel.to_owned(),
        architecture => format!("{kernel} ({architecture})"),
    };
    vec![
        row.name(),
        text(status),
        text_or(&roles(row), NONE),
        row.age(),
        info("kubeletVersion").into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        text_or(info("osImage"), UNKNOWN),
        text(kernel),
        text_or(info("containerRuntimeVersion"), UNKNOWN),
    ]
}

/// Returns a node's roles, which two sorts of labels name.
fn roles(row: Row<'_>) -> String {
    let labels = row.pairs(&["metadata", "labels"]);
    let roles: BTreeSet<&str> = labels
        .into_iter()
        .filter_map(|(name, value)| match name {
            "kubernetes.io/role" => Some(value),
            name => name.strip_prefix("node-role.kubernetes.io/"),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

/// Returns the storage class, which an old annotation may name instead.
fn storage_class<'a>(row: Row<'a>) -> &'a str {
    let annotation = row.at(&[
        "metadata",
        "annotations",
        "volume.beta.kubernetes.io/storage-class",
    ]);
    match annotation {
        Some(class) => class.text(&[]),
        None => row.text(&["spec", "storageClassName"]),
    }
}

fn phase<'a>(row: Row<'a>) -> &'a str {
    if row.is_leaving() {
        return "Terminating";
    }
    row.text(&["status", "phase"])
}

fn volume(row: Row<'_>) -> Vec<Cell> {
    let claim = row.at(&["spec", "claimRef"]).map(|claim| {
        let (namespace, name) = (claim.text(&["namespace"]), claim.text(&["name"]));
        format!("{namespace}/{name}")
    });
    vec![
        row.name(),
        text_or(row.text(&["spec", "capacity", "storage"]), "0"),
        text(access_modes(row, &["spec", "accessModes"])),
        row.text(&["spec", "persistentVolumeReclaimPolicy"]).into(),
        phase(row).into(),
        text(claim.unwrap_or_default()),
        storage_class(row).into(),
        text_or(row.text(&["spec", "volumeAttributesClassName"]), UNSET),
        row.text(&["status", "reason"]).into(),
        row.age(),
        text_or(row.text(&["spec", "volumeMode"]), UNSET),
    ]
}

fn claim(row: Row<'_>) -> Vec<Cell> {
    let name = row.text(&["spec", "volumeName"]);
    let (mut capacity, mut modes) = ("", String::new());
    if !name.is_empty() {
        modes = access_modes(row, &["status", "accessModes"]);
        capacity = row.text(&["status", "capacity", "storage"]);
        if capacity.is_empty() {
            capacity = "0";
        }
    }
    vec![
        row.name(),
        phase(row).into(),
        name.into(),
        capacity.into(),
        text(modes),
        storage_class(row).into(),
        text_or(row.text(&["spec", "volumeAttributesClassName"]), UNSET),
        row.age(),
        text_or(row.text(&["spec", "volumeMode"]), UNSET),
    ]
}

fn pod_template(row: Row<'_>) -> Vec<Cell> {
    let (names, images) = containers(row, &["template", "spec", "containers"]);
    let labels = labels(&row.pairs(&["template", "metadata", "labels"]));
    vec![row.name(), text(names), text(images), text(labels)]
}

fn replication_controller(row: Row<'_>) -> Vec<Cell> {
    let (names, images) = containers(row, &["spec", "template", "spec", "containers"]);
    vec![
        row.name(),
        row.int(&["spec", "replicas"]).into(),
        row.int(&["status", "replicas"]).into(),
        row.int(&["status", "readyReplicas"]).into(),
        row.age(),
        text(names),
        text(images),
        text(labels(&row.pairs(&["spec", "selector"]))),
    ]
}

fn quota(row: Row<'_>) -> Vec<Cell> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in row.pairs(&["status", "hard"]) {
        let used = match row.text(&["status", "used", resource]) {
            "" => "0",
            used => used,
        };
        let side = if resource.starts_with("limits.") {
            &mut limits
        } else {
            &mut requests
        };
        side.push(format!("{resource}: {used}/{hard}"));
    }
    let (requests, limits) = (requests.join(", "), limits.join(", "));
    vec![row.name(), text(requests), text(limits), row.age()]
}

fn secret(row: Row<'_>) -> Vec<Cell> {
    let entries = row.count(&["data"]);
    vec![
        row.name(),
        row.text(&["type"]).into(),
        entries.into(),
        row.age(),
    ]
}

fn service_account(row: Row<'_>) -> Vec<Cell> {
    vec![row.name(), row.age()]
}

fn service(row: Row<'_>) -> Vec<Cell> {
    let ports: Vec<String> = row
        .items(&["spec", "ports"])
        .map(|port| {
            let (number, protocol) = (port.int(&["port"]), port.text(&["protocol"]));
            match port.int(&["nodePort"]) {
                node @ 1.. => format!("{number}:{node}/{protocol}"),
                _ => format!("{number}/{protocol}"),
            }
        })
        .collect();
    let address = row.items(&["spec", "clusterIPs"]).next();
    vec![
        row.name(),
        row.text(&["spec", "type"]).into(),
        Value::from(address.map_or(NONE, |address| address.text(&[]))),
        text(external_address(row)),
        text_or(&ports.join(","), NONE),
        row.age(),
        text(labels(&row.pairs(&["spec", "selector"]))),
    ]
}

fn external_address(row: Row<'_>) -> String {
    let own = row.texts(&["spec", "externalIPs"]);
    let own_or = |other: &str| match own.is_empty() {
        true => other.to_owned(),
        false => own.join(","),
    };
    match row.text(&["spec", "type"]) {
        "ClusterIP" | "NodePort" => own_or(NONE),
        "LoadBalancer" => match load_balancer(row) {
            given if given.is_empty() => own_or("<pending>"),
            given if own.is_empty() => given,
            given => format!("{given},{}", own.join(",")),
        },
        "ExternalName" => row.text(&["spec", "externalName"]).to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// Returns the addresses under which a load balancer answers, sorted.
pub(super) fn load_balancer(row: Row<'_>) -> String {
    let ingress = row.items(&["status", "loadBalancer", "ingress"]);
    let addresses: BTreeSet<&str> = ingress
        .map(|one| match one.text(&["ip"]) {
            "" => one.text(&["hostname"]),
            address => address,
        })
        .filter(|address| !address.is_empty())
        .collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}
