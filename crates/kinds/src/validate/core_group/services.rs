//! What is wrong with Services.
//!
//! Addresses and node ports are given before this looks; what cannot be had was refused there.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go (`validateService`,
//! `ValidateServiceUpdate`, `ValidateLoadBalancerStatus`), pkg/api/service/warnings.go.

use api::{
    Value,
    field::{Error, Path},
    names::validate,
    value,
};

use crate::validate::{Findings, Place, Subject, addresses, labels, numbers, texts};

/// The longest time in seconds for which a client stays with its endpoint.
const AFFINITY_SECONDS_MAX: i64 = 86_400;

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";
const NEVER_CHANGES: &str = "may not change once set";

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const FAMILIES: &[&str] = &["IPv4", "IPv6"];
const FAMILY_POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];
const POLICIES: &[&str] = &["Cluster", "Local"];
const DISTRIBUTIONS: &[&str] = &["PreferClose", "PreferSameZone", "PreferSameNode"];
pub(in crate::validate) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// Checks a Service.
pub(super) fn service(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old_root) = (subject.root(), subject.old_root());
    let (spec, old) = (root.child("spec"), old_root.child("spec"));
    if subject.old.is_some() {
        changed_addresses(&spec, &old, found);
        changed_families(&spec, &old, found);
        let class = spec.child("loadBalancerClass");
        let (is_balanced, was_balanced) = (is_balanced(&spec), is_balanced(&old));
        let same_class = class.is_same(&old.child("loadBalancerClass"));
        if is_balanced && was_balanced && !same_class {
            found.invalid(&class, NEVER_CHANGES);
        }
        balancer_class(&spec, found);
        let port = spec.child("healthCheckNodePort");
        if needs_health_port(&spec)
            && needs_health_port(&old)
            && port.int() != old.child("healthCheckNodePort").int()
        {
            found.forbidden(&port, "field is immutable");
        }
    }
    let metadata = root.child("metadata");
    let annotations = metadata.child("annotations");
    let (mode, hints) = (annotations.key(MODE), annotations.key(HINTS));
    if mode.is_set() && hints.is_set() && !mode.is_same(&hints) {
        let why = format!("must match annotations[{HINTS}] when both are specified");
        found.invalid(&mode, why);
    }
    kind(&spec, found);
    ports(&spec, found);
    labels::labels(&spec.child("selector"), found);
    affinity(&spec, found);
    cluster_addresses(&spec, &old, found);
    let before = old.child("externalIPs");
    for address in spec.child("externalIPs").items() {
        let is_kept = before.list().iter().any(|one| Some(one) == address.value());
        if is_kept || addresses::legacy(address.path(), address.text(), found) {
            addresses::endpoint(address.path(), address.text(), found);
        }
    }
    texts::required_choice(&spec.child("type"), TYPES, found);
    port_numbers(&spec, found);
    source_ranges(&spec, &old, &annotations, &old_root, found);
    let allocates = spec.child("allocateLoadBalancerNodePorts");
    match (is_balanced(&spec), allocates.is_set()) {
        (false, true) => found.forbidden(&allocates, ONLY_BALANCED),
        (true, false) => {
            let path = Path::new("allocateLoadBalancerNodePorts");
            found.push(Error::required(&path, ""));
        }
        _ => {}
    }
    balancer_class(&spec, found);
    traffic(&spec, found);
}

fn is_kind(spec: &Place<'_>, kind: &str) -> bool {
    spec.child("type").text() == kind
}

fn is_balanced(spec: &Place<'_>) -> bool {
    is_kind(spec, "LoadBalancer")
}

fn is_headless(spec: &Place<'_>) -> bool {
    let addresses = spec.child("clusterIPs");
    matches!(addresses.list(), [one] if one.as_str() == Some("None"))
}

fn needs_health_port(spec: &Place<'_>) -> bool {
    is_balanced(spec) && spec.child("externalTrafficPolicy").text() == "Local"
}

/// Whether clients outside the cluster are meant.
fn is_exposed(spec: &Place<'_>) -> bool {
    match spec.child("type").text() {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => spec.child("externalIPs").len() > 0,
        _ => false,
    }
}

/// What a type wants and what it excludes.
fn kind(spec: &Place<'_>, found: &mut Findings) {
    let (ports, addresses) = (spec.child("ports"), spec.child("clusterIPs"));
    let (kind, is_headless) = (spec.child("type").text(), is_headless(spec));
    if ports.len() == 0 && !is_headless && kind != "ExternalName" {
        found.required(&ports, "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless => {
            let why = format!("may not be set to 'None' for {kind} services");
            found.invalid(&addresses.index(0), why);
        }
        "ExternalName" => {
            let why = "may not be set for ExternalName services";
            for name in ["clusterIPs", "ipFamilies"] {
                if spec.child(name).len() > 0 {
                    found.forbidden(&spec.child(name), why);
                }
            }
            if spec.child("ipFamilyPolicy").is_set() {
                found.forbidden(&spec.child("ipFamilyPolicy"), why);
            }
            let name = spec.child("externalName");
            let text = name.text();
            match text.strip_suffix('.').unwrap_or(text) {
                "" => found.required(&name, ""),
                text => {
                    for why in validate::dns1123_subdomain(text) {
                        found.push(Error::invalid(name.path(), text, why));
                    }
                }
            }
        }
        _ => {}
    }
}

fn ports(spec: &Place<'_>, found: &mut Findings) {
    let ports = spec.child("ports");
    let is_many = ports.len() > 1;
    for (index, port) in ports.items().enumerate() {
        let name = port.child("name");
        match name.text() {
            "" if is_many => found.required(&name, ""),
            "" => {}
            text => {
                found.each_invalid(&name, validate::dns1123_label(text));
                let mut before = ports.list()[..index].iter();
                if before.any(|other| other.str_at(&["name"]) == Some(text)) {
                    found.duplicate(&name);
                }
            }
        }
        numbers::port(&port.child("port"), found);
        texts::required_choice(&port.child("protocol"), PROTOCOLS, found);
        numbers::port_or_name(&port.child("targetPort"), found);
        let protocol = port.child("appProtocol");
        if protocol.is_set() {
            found.each_invalid(&protocol, validate::qualified_name(protocol.text()));
        }
    }
}

fn affinity(spec: &Place<'_>, found: &mut Findings) {
    let (affinity, config) = (
        spec.child("sessionAffinity"),
        spec.child("sessionAffinityConfig"),
    );
    texts::required_choice(&affinity, &["ClientIP", "None"], found);
    match affinity.text() {
        "ClientIP" => {
            let client = config.child("clientIP");
            let seconds = client.child("timeoutSeconds");
            let wanted = [&config, &client, &seconds];
            if let Some(missing) = wanted.into_iter().find(|place| !place.is_set()) {
                found.required(missing, "when session affinity type is ClientIP");
            } else if !(1..=AFFINITY_SECONDS_MAX).contains(&seconds.int().unwrap_or(0)) {
                let why = format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}");
                found.invalid(&seconds, why);
            }
        }
        "None" if config.is_set() => {
            found.forbidden(&config, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

fn cluster_addresses(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    if is_kind(spec, "ExternalName") {
        return;
    }
    let (first, all) = (spec.child("clusterIP").text(), spec.child("clusterIPs"));
    match (first, all.list().first().and_then(Value::as_str)) {
        ("", None) => {}
        ("", Some(_)) => found.invalid(&all, "must be empty when `clusterIP` is not specified"),
        (_, None) => found.required(&all, ""),
        (first, Some(other)) if first != other => {
            found.invalid(&all, "first value must match `clusterIP`");
        }
        _ => {}
    }
    let families = spec.child("ipFamilies");
    for (index, family) in families.items().enumerate() {
        if !FAMILIES.contains(&family.text()) {
            found.not_supported(&family, FAMILIES);
        }
        let before = &families.list()[..index];
        if before.iter().any(|one| Some(one) == family.value()) {
            found.duplicate(&family);
        }
    }
    let policy = spec.child("ipFamilyPolicy");
    if policy.is_set() && !FAMILY_POLICIES.contains(&policy.text()) {
        found.not_supported(&policy, FAMILY_POLICIES);
    }
    let before = old.child("clusterIPs");
    let mut is_readable = true;
    for (index, address) in all.items().enumerate() {
        if index == 0 && address.text() == "None" {
            if all.len() > 1 {
                is_readable = false;
                found.invalid(&all, "'None' must be the first and only value");
            }
            continue;
        }
        let is_kept = before.list().iter().any(|one| Some(one) == address.value());
        is_readable &= is_kept || addresses::legacy(address.path(), address.text(), found);
    }
    if all.len() > 2 {
        found.invalid(&all, "may only hold up to 2 values");
    }
    if !is_readable {
        return;
    }
    let family = |address: &Value| addresses::family(address.as_str().unwrap_or_default());
    if let [one, rest @ ..] = all.list()
        && !rest.is_empty()
        && rest.iter().all(|other| family(other) == family(one))
    {
        let why = "may specify no more than one IP for each IP family";
        found.invalid(&all, why);
    }
    if is_headless(spec) {
        return;
    }
    for (index, (address, wanted)) in all.items().zip(families.items()).enumerate() {
        let wanted = wanted.text();
        if FAMILIES.contains(&wanted) && address.value().and_then(family) != Some(wanted) {
            let why = format!("expected an {wanted} value as indicated by `ipFamilies[{index}]`");
            found.invalid(&address, why);
        }
    }
}

fn port_numbers(spec: &Place<'_>, found: &mut Findings) {
    let ports = spec.child("ports");
    let node_port = |port: &Value| port.get("nodePort").and_then(Value::as_int).unwrap_or(0);
    if is_kind(spec, "ClusterIP") {
        for port in ports.items() {
            if port.value().map(node_port) != Some(0) {
                let why = "may not be used when `type` is 'ClusterIP'";
                found.forbidden(&port.child("nodePort"), why);
            }
        }
    }
    let same = |one: &Value, other: &Value, name| {
        one.get("protocol") == other.get("protocol") && one.get(name) == other.get(name)
    };
    for (index, port) in ports.items().enumerate() {
        let mut before = ports.list()[..index].iter();
        let value = &ports.list()[index];
        if node_port(value) != 0 && before.any(|other| same(value, other, "nodePort")) {
            found.duplicate(&port.child("nodePort"));
        }
    }
    for (index, port) in ports.items().enumerate() {
        let mut before = ports.list()[..index].iter();
        let value = &ports.list()[index];
        if before.any(|other| same(value, other, "port")) {
            let number = port.child("port").int().unwrap_or(0);
            let shown = value!({
                "Name": "", "Protocol": (port.child("protocol").text()), "AppProtocol": null,
                "Port": (number), "TargetPort": 0, "NodePort": 0
            });
            found.push(Error::duplicate(port.path(), &shown));
        }
    }
}

fn source_ranges(
    spec: &Place<'_>,
    old: &Place<'_>,
    annotations: &Place<'_>,
    old_root: &Place<'_>,
    found: &mut Findings,
) {
    let (ranges, before) = (
        spec.child("loadBalancerSourceRanges"),
        old.child("loadBalancerSourceRanges"),
    );
    let is_balanced = is_balanced(spec);
    let annotation = annotations.key(SOURCE_RANGES);
    if ranges.len() > 0 {
        let path = spec.path().child("LoadBalancerSourceRanges");
        if !is_balanced {
            found.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        for (index, range) in ranges.items().enumerate() {
            let range = range.text().trim();
            let same = |one: &Value| one.as_str().is_some_and(|one| one.trim() == range);
            if !before.list().iter().any(same) {
                addresses::legacy_network(&path.index(index), range, found);
            }
        }
    } else if let Some(text) = annotation.str() {
        if !is_balanced {
            found.forbidden(&annotation, ONLY_BALANCED);
        }
        let before = old_root.value();
        let before = before.and_then(|old| old.str_at(&["metadata", "annotations", SOURCE_RANGES]));
        if before != Some(text) && !text.trim().is_empty() {
            for range in text.trim().split(',') {
                addresses::legacy_network(annotation.path(), range.trim(), found);
            }
        }
    }
}

fn balancer_class(spec: &Place<'_>, found: &mut Findings) {
    let class = spec.child("loadBalancerClass");
    match (class.is_set(), is_balanced(spec)) {
        (true, true) => found.each_invalid(&class, validate::qualified_name(class.text())),
        (true, false) => found.forbidden(&class, ONLY_BALANCED),
        _ => {}
    }
}

fn traffic(spec: &Place<'_>, found: &mut Findings) {
    let external = spec.child("externalTrafficPolicy");
    if is_exposed(spec) {
        texts::required_choice(&external, POLICIES, found);
    } else if !external.text().is_empty() {
        found.invalid(
            &external,
            "may only be set for externally-accessible services",
        );
    }
    let port = spec.child("healthCheckNodePort");
    match (needs_health_port(spec), port.int().unwrap_or(0)) {
        (false, 0) => {}
        (false, _) => found.invalid(
            &port,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
        (true, 0) => found.required(&port, ""),
        (true, number) => found.each_invalid(&port, validate::port_number(number)),
    }
    let internal = spec.child("internalTrafficPolicy");
    if internal.is_set() {
        if !POLICIES.contains(&internal.text()) {
            found.not_supported(&internal, POLICIES);
        }
    } else if matches!(
        spec.child("type").text(),
        "NodePort" | "LoadBalancer" | "ClusterIP"
    ) {
        found.required(&internal, "");
    }
    let distribution = spec.child("trafficDistribution");
    if distribution.is_set() && !DISTRIBUTIONS.contains(&distribution.text()) {
        found.not_supported(&distribution, DISTRIBUTIONS);
    }
}

/// Whether one of both has no address of the cluster, so that nothing is kept.
fn is_outside(spec: &Place<'_>, old: &Place<'_>) -> bool {
    is_kind(spec, "ExternalName") || is_kind(old, "ExternalName")
}

/// The first address stays, the second may come and go.
fn changed_addresses(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    if is_outside(spec, old) || is_headless(spec) && is_headless(old) {
        return;
    }
    let (now, before) = (spec.child("clusterIPs"), old.child("clusterIPs"));
    let mut refuse = |index: usize, why: &str| {
        found.push(Error::invalid(&now.path().index(index), now.shown(), why));
    };
    let moved = |index: usize| now.list().get(index) != before.list().get(index);
    if now.len() == before.len() {
        for index in (0..now.len()).filter(|index| moved(*index)) {
            refuse(index, NEVER_CHANGES);
        }
        return;
    }
    let is_less = before.len() > now.len();
    if is_less && now.len() == 0 {
        refuse(0, "primary clusterIP can not be unset");
    }
    if before.len() > 0 && now.len() > 0 && moved(0) {
        refuse(0, NEVER_CHANGES);
    }
    released(spec, &now, is_less, "clusterIP", found);
}

fn released(spec: &Place<'_>, list: &Place<'_>, is_less: bool, what: &str, found: &mut Findings) {
    let policy = spec.child("ipFamilyPolicy");
    if is_less && list.len() == 1 && policy.text() != "SingleStack" {
        let why = format!("must be set to 'SingleStack' when releasing the secondary {what}");
        found.invalid(&policy, why);
    }
}

/// The first family stays, the second may come and go.
fn changed_families(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let is_headless = (is_headless(spec), is_headless(old));
    if is_outside(spec, old) || is_headless != (false, false) {
        return;
    }
    let (now, before) = (spec.child("ipFamilies"), old.child("ipFamilies"));
    let addresses = spec.child("clusterIPs");
    let path = now.path().index(0);
    let moved = |index: usize| now.list().get(index) != before.list().get(index);
    let mut refuse = |shown: &Place<'_>, why: &str| {
        found.push(Error::invalid(&path, shown.shown(), why));
    };
    if now.len() == before.len() {
        for _ in (0..now.len()).filter(|index| moved(*index)) {
            refuse(&now, NEVER_CHANGES);
        }
        return;
    }
    let is_less = before.len() > now.len();
    if is_less && addresses.len() == 0 {
        refuse(&now, "primary ipFamily can not be unset");
    }
    if before.len() > 0 && now.len() > 0 && moved(0) {
        // Upstream shows the addresses here.
        refuse(&addresses, NEVER_CHANGES);
    }
    released(spec, &now, is_less, "ipFamily", found);
}

/// Checks what a load balancer says of itself.
pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let status = root.child("status");
    let balancer = status.child("loadBalancer");
    let points = balancer.child("ingress");
    let spec = root.child("spec");
    if !is_balanced(&spec) && points.len() > 0 {
        found.forbidden(
            &points,
            "may only be used when `spec.type` is 'LoadBalancer'",
        );
        return;
    }
    let before = old.value();
    let before = before.and_then(|old| old.at(&["status", "loadBalancer", "ingress"]));
    for point in points.items() {
        entry(&point, before, found);
        let (mode, address) = (point.child("ipMode"), point.child("ip").text());
        match (mode.is_set(), address) {
            (false, "") => {}
            (false, _) => found.required(&mode, "must be specified when `ip` is set"),
            (true, "") => found.forbidden(&mode, "may not be specified when `ip` is not set"),
            (true, _) if matches!(mode.text(), "VIP" | "Proxy") => {}
            (true, _) => found.not_supported(&mode, &["Proxy", "VIP"]),
        }
        hostname(&point, found);
    }
}

/// Checks the address where a load balancer listens; those that were there stay.
pub(in crate::validate) fn entry(point: &Place<'_>, before: Option<&Value>, found: &mut Findings) {
    let address = point.child("ip");
    let mut before = before.and_then(Value::as_array).unwrap_or_default().iter();
    if !address.text().is_empty() && !before.any(|one| one.get("ip") == address.value()) {
        addresses::legacy(address.path(), address.text(), found);
    }
}

/// Checks the name under which a load balancer listens.
pub(in crate::validate) fn hostname(point: &Place<'_>, found: &mut Findings) {
    let name = point.child("hostname");
    let text = name.text();
    if !text.is_empty() {
        found.each_invalid(&name, validate::dns1123_subdomain(text));
        if addresses::sloppy(text).is_some() {
            found.invalid(&name, "must be a DNS name, not an IP address");
        }
    }
}
