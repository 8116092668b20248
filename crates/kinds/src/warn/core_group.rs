//! Warnings about services, endpoints, nodes, volumes, claims, quotas, secrets and accounts.
//!
//! Source: pkg/api/service/warnings.go, pkg/api/persistentvolume/util.go,
//! pkg/api/persistentvolumeclaim/util.go and the strategies of the core group.

use api::Value;

use super::{Warnings, addresses, pods};
use crate::validate::{Place, Subject, decoded, quantities};

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const OLD_CLASS: &str = "deprecated since v1.8; use \"storageClassName\" attribute instead";

/// Annotations of the past.
const ANNOTATIONS: [(&str, &str); 2] = [
    (CLASS, OLD_CLASS),
    (
        "volume.beta.kubernetes.io/mount-options",
        "deprecated since v1.31; use \"mountOptions\" attribute instead",
    ),
];

/// Kinds of volumes of the past: field, name in the warning, and since when.
const GONE: [(&str, &str, &str); 6] = [
    (
        "cephfs",
        "cephfs",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "deprecated in v1.11, non-functional in v1.16+",
    ),
    (
        "scaleIO",
        "scaleIO",
        "deprecated in v1.16, non-functional in v1.22+",
    ),
    (
        "storageos",
        "storageOS",
        "deprecated in v1.22, non-functional in v1.25+",
    ),
    (
        "glusterfs",
        "glusterfs",
        "deprecated in v1.25, non-functional in v1.26+",
    ),
    (
        "rbd",
        "rbd",
        "deprecated in v1.28, non-functional in v1.31+",
    ),
];

/// Warns of what a Service says in vain, or soon.
pub(super) fn service(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let annotations = metadata.child("annotations");
    let mut say = |text: String| warnings.push(text);
    if annotations.key(HINTS).is_set() {
        say(format!(
            "annotation {HINTS} is deprecated, please use {MODE} instead"
        ));
    }
    let first = spec.child("clusterIP").text();
    if !first.is_empty() && first != "None" {
        for address in spec.child("clusterIPs").items() {
            addresses::address(&address, warnings);
        }
    }
    let kind = spec.child("type").text();
    let external = spec.child("externalIPs");
    let is_headless = kind == "ClusterIP" && first == "None";
    let mut say = |text: &str| warnings.push(text.to_owned());
    if is_headless {
        if !spec.child("loadBalancerIP").text().is_empty() {
            say("spec.loadBalancerIP is ignored for headless services");
        }
        if external.len() > 0 {
            say("spec.externalIPs is ignored for headless services");
        }
        if spec.child("sessionAffinity").text() != "None" {
            say("spec.SessionAffinity is ignored for headless services");
        }
    }
    for address in external.items() {
        addresses::address(&address, warnings);
    }
    let mut say = |text: &str| warnings.push(text.to_owned());
    if external.len() > 0 && !is_headless && kind != "ExternalName" {
        say("spec.externalIPs is deprecated and may no longer be implemented in some clusters");
    }
    addresses::address(&spec.child("loadBalancerIP"), warnings);
    for range in spec.child("loadBalancerSourceRanges").items() {
        addresses::network(&range, warnings);
    }
    let mut say = |text: &str| warnings.push(text.to_owned());
    if kind == "ExternalName" && external.len() > 0 {
        say(r#"spec.externalIPs is ignored when spec.type is "ExternalName""#);
    }
    if kind != "ExternalName" && !spec.child("externalName").text().is_empty() {
        say(r#"spec.externalName is ignored when spec.type is not "ExternalName""#);
    }
    if spec.child("trafficDistribution").text() == "PreferClose" {
        say(r#"spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone""#);
    }
}

/// Warns of odd addresses where a load balancer listens.
pub(super) fn balancer(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let status = root.child("status");
    let balancer = status.child("loadBalancer");
    for point in balancer.child("ingress").items() {
        // Upstream names the entry here, not its address.
        let address = point.value().and_then(|point| point.get("ip"));
        addresses::address(&Place::new(address, *point.path()), warnings);
    }
}

/// Warns of odd addresses, unless the controller wrote them.
pub(super) fn endpoints(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let metadata = root.child("metadata");
    let manager = metadata.child("labels");
    let manager = manager.key("endpoints.kubernetes.io/managed-by");
    if manager.text() == "endpoint-controller" {
        return;
    }
    for subset in root.child("subsets").items() {
        for name in ["addresses", "notReadyAddresses"] {
            for one in subset.child(name).items() {
                addresses::address(&one.child("ip"), warnings);
            }
        }
    }
}

/// Warns of fields of the past.
pub(super) fn node(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let spec = root.child("spec");
    if !spec.child("externalID").text().is_empty() {
        let text = "spec.externalID: this field is deprecated, and is unused by Kubernetes";
        warnings.push(text.to_owned());
    }
    for range in spec.child("podCIDRs").items() {
        addresses::network(&range, warnings);
    }
}

/// Warns of what no longer works.
pub(super) fn volume(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let annotations = metadata.child("annotations");
    for (name, why) in ANNOTATIONS {
        let annotation = annotations.key(name);
        if annotation.is_set() {
            warnings.push(format!("{}: {why}", annotation.path()));
        }
    }
    let policy = spec.child("persistentVolumeReclaimPolicy");
    if policy.text() == "Recycle" {
        warnings.push(format!("{}: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.", policy.path()));
    }
    let affinity = spec.child("nodeAffinity");
    let required = affinity.child("required");
    for term in required.child("nodeSelectorTerms").items() {
        pods::node_term(&term, false, warnings);
    }
    for (kind, name, why) in GONE {
        if spec.child(kind).is_set() {
            warnings.push(format!("{}: {why}", spec.path().child(name)));
        }
    }
}

/// Warns of amounts that are no whole bytes, and of the annotation of the past.
pub(super) fn claim(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let metadata = root.child("metadata");
    let annotations = metadata.child("annotations");
    let class = annotations.key(CLASS);
    if class.is_set() {
        warnings.at(&class, OLD_CLASS);
    }
    pods::claim(&root.child("spec"), warnings);
}

/// Warns of quotas that ask for more than they limit.
pub(super) fn quota(subject: &Subject<'_>, warnings: &mut Warnings) {
    if subject.old.is_some() {
        return;
    }
    let root = subject.root();
    let spec = root.child("spec");
    let hard = spec.child("hard");
    for name in ["cpu", "memory", "storage", "ephemeral-storage"] {
        let plain = matches!(name, "cpu" | "memory").then(|| name.to_owned());
        let asked = [Some(format!("requests.{name}")), plain];
        let asked = asked.into_iter().flatten().find_map(|name| {
            let amount = quantities::of(&hard.key(&name))?;
            Some((name, amount))
        });
        let limited = format!("limits.{name}");
        let limit = quantities::of(&hard.key(&limited));
        if let (Some((asked, amount)), Some(limit)) = (asked, limit)
            && amount.compare(&limit).is_gt()
        {
            warnings.push(format!(
                "ResourceQuota {asked} ({amount}) should be less than {limited} ({limit})"
            ));
        }
    }
}

/// Warns of a pair of TLS that holds no certificate or no key; upstream reads them whole.
pub(super) fn secret(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    if root.child("type").text() != "kubernetes.io/tls" {
        return;
    }
    let data = root.child("data");
    let holds = |key: &str| {
        let text = decoded(data.key(key).text());
        text.windows(11).any(|bytes| bytes == b"-----BEGIN ")
    };
    if !holds("tls.crt") {
        warnings.push("tls: failed to find any PEM data in certificate input".to_owned());
    } else if !holds("tls.key") {
        warnings.push("tls: failed to find any PEM data in key input".to_owned());
    }
}

/// Warns of an annotation of accounts that is on its way out, when it is set.
pub(super) fn account(subject: &Subject<'_>, warnings: &mut Warnings) {
    const NAME: &str = "kubernetes.io/enforce-mountable-secrets";
    let path = ["metadata", "annotations", NAME];
    let is_set = |object: &Value| object.at(&path).is_some();
    if is_set(subject.object) && !subject.old.is_some_and(is_set) {
        warnings.push(format!("metadata.annotations[{NAME}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"));
    }
}
