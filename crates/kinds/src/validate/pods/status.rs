//! What a kubelet may say of a pod.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go and
//! pkg/api/v1/pod/util.go.

use std::net::IpAddr;

use api::{Value, field::Error};

use super::{annotations, gostruct, rules::Rules, updates::immutable_text};
use crate::validate::{Findings, Place, Seen, Subject, labels, numbers, texts};

/// Conditions whose types are not looked at.
const OWN_CONDITIONS: [&str; 3] = ["PodScheduled", "Ready", "Initialized"];

/// Lists of the statuses of containers, and the containers that they are about.
const LISTS: [(&str, &str); 3] = [
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", ""),
];

/// Checks a status.
pub(super) fn check(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    let (metadata, old_metadata) = (root.child("metadata"), old.child("metadata"));
    let old_annotations = old_metadata.child("annotations");
    let rules = Rules::pod().since(&old_spec, &old_annotations);
    let annotations = metadata.child("annotations");
    annotations::changes(&annotations, &old_annotations, &spec, rules, found);
    let (status, old_status) = (root.child("status"), old.child("status"));
    conditions(&status.child("conditions"), found);
    nominated_node(&status, &old_status, &old_spec, found);
    let generation = status.child("observedGeneration");
    if generation.int().is_some_and(|number| number < 0) {
        found.invalid(&generation, "must be a non-negative integer");
    }
    immutable_text(
        &status.child("qosClass"),
        old_status.text_of("qosClass"),
        found,
    );
    if !all_may_restart(&old_spec) {
        for (list, containers) in LISTS {
            transitions(
                &status.child(list),
                old_status.list_of(list),
                &old_spec,
                containers,
                found,
            );
        }
    } else {
        let list = "ephemeralContainerStatuses";
        transitions(
            &status.child(list),
            old_status.list_of(list),
            &old_spec,
            "",
            found,
        );
    }
    claims(&status, &spec, found);
    extended_claims(&status.child("extendedResourceClaimStatus"), &spec, found);
    addresses(&status, &old_status, found);
    for (list, _) in LISTS {
        users(&status.child(list), spec.child("os").text_of("name"), found);
    }
    for (list, containers) in LISTS {
        allocated(&status, list, spec.list_of(containers), found);
    }
}

fn conditions(list: &Place<'_>, found: &mut Findings) {
    for condition in list.items() {
        let generation = condition.child("observedGeneration");
        if generation.int().is_some_and(|number| number < 0) {
            found.invalid(&generation, "must be a non-negative integer");
        }
        if !OWN_CONDITIONS.contains(&condition.text_of("type")) {
            let called = condition.child("Type");
            let kind = Place::new(condition.get("type"), *called.path());
            texts::qualified(&kind, found);
        }
    }
}

fn nominated_node(status: &Place<'_>, old: &Place<'_>, old_spec: &Place<'_>, found: &mut Findings) {
    let node = status.child("nominatedNodeName");
    if node.text().is_empty() || node.text() == old.text_of("nominatedNodeName") {
        return;
    }
    texts::subdomain(&node, found);
    if !old_spec.text_of("nodeName").is_empty() {
        let why = "may not be set on pods that are already bound to a node";
        found.forbidden(&node, why);
    }
}

/// Whether some container may start all of them again.
fn all_may_restart(spec: &Place<'_>) -> bool {
    let starts_all = |container: &Value| {
        let rules = container
            .get("restartPolicyRules")
            .and_then(Value::as_array);
        let mut rules = rules.unwrap_or_default().iter();
        rules.any(|rule| rule.str_at(&["action"]) == Some("RestartAllContainers"))
    };
    let lists = ["initContainers", "containers"];
    lists
        .iter()
        .any(|list| spec.list_of(list).iter().any(starts_all))
}

/// Containers that ended and are not started again stay ended.
fn transitions(
    list: &Place<'_>,
    old: &[Value],
    spec: &Place<'_>,
    containers: &str,
    found: &mut Findings,
) {
    let name = |one: &Value| one.str_at(&["name"]).unwrap_or_default().to_owned();
    for (at, before) in old.iter().enumerate() {
        let Some(end) = before.at(&["state", "terminated"]) else {
            continue;
        };
        let own = name(before);
        let is_up = |one: &&Value| {
            name(one) == own && one.at(&["state", "terminated"]).is_none_or(Value::is_null)
        };
        let Some(_) = list.list().iter().find(is_up) else {
            continue;
        };
        let code = end.get("exitCode").and_then(Value::as_int).unwrap_or(0);
        let container = spec.list_of(containers).iter().find(|one| name(one) == own);
        if container.is_some_and(|container| restarts(container, spec, code)) {
            continue;
        }
        let path = list.path().index(at);
        let why = "may not be transitioned to non-terminated state";
        found.push(Error::forbidden(&path.child("state"), why));
    }
}

/// Whether a container that ended with this code is started again.
fn restarts(container: &Value, spec: &Place<'_>, code: i64) -> bool {
    let Some(policy) = container.str_at(&["restartPolicy"]) else {
        return by_policy(spec.text_of("restartPolicy"), code);
    };
    let rules = container
        .get("restartPolicyRules")
        .and_then(Value::as_array);
    for rule in rules.unwrap_or_default() {
        let values = rule.at(&["exitCodes", "values"]).and_then(Value::as_array);
        let is_listed = values.unwrap_or_default().contains(&Value::Int(code));
        let holds = match rule.str_at(&["exitCodes", "operator"]) {
            Some("In") => is_listed,
            Some("NotIn") => !is_listed,
            _ => false,
        };
        if holds && rule.str_at(&["action"]) == Some("Restart") {
            return true;
        }
    }
    by_policy(policy, code)
}

fn by_policy(policy: &str, code: i64) -> bool {
    match policy {
        "Always" => true,
        "OnFailure" => code != 0,
        _ => false,
    }
}

fn claims(status: &Place<'_>, spec: &Place<'_>, found: &mut Findings) {
    let list = status.child("resourceClaimStatuses");
    let mut seen = Seen::new();
    for (claim, value) in list.items().zip(list.list()) {
        let name = claim.child("name");
        let text = value.str_at(&["name"]).unwrap_or_default();
        let is_it = |one: &Value| one.str_at(&["name"]).unwrap_or_default() == text;
        if !spec.list_of("resourceClaims").iter().any(is_it) {
            let why = "must match the name of an entry in `spec.resourceClaims`";
            found.invalid_text(&name, why);
        }
        if !seen.insert(text) {
            found.push(Error::duplicate(name.path(), text));
        }
        let made = claim.child("resourceClaimName");
        if made.is_set() {
            texts::subdomain(&made, found);
        }
    }
}

fn extended_claims(status: &Place<'_>, spec: &Place<'_>, found: &mut Findings) {
    if !status.is_set() {
        return;
    }
    let mappings = status.child("requestMappings");
    if mappings.len() == 0 {
        found.required(&mappings, "at least one request mapping is required");
    }
    let mut seen: Vec<&Value> = Vec::new();
    for (mapping, value) in mappings.items().zip(mappings.list()) {
        let (container, resource) = (
            mapping.child("containerName"),
            mapping.child("resourceName"),
        );
        let is_it = |one: &&Value| one.str_at(&["name"]) == Some(container.text());
        let mut containers = ["initContainers", "containers"]
            .into_iter()
            .flat_map(|list| spec.list_of(list));
        match containers.find(is_it) {
            None => {
                let why = "must match the name of an entry in spec.initContainers.name or spec.containers.name";
                found.invalid_text(&container, why);
            }
            Some(own)
                if own
                    .at(&["resources", "requests", resource.text()])
                    .is_none() =>
            {
                let why = "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests";
                found.invalid_text(&resource, why);
            }
            Some(_) => {}
        }
        // The path is upstream's: beside the mappings.
        let beside = status.child("requestName");
        texts::label(
            &Place::new(mapping.get("requestName"), *beside.path()),
            found,
        );
        if seen.contains(&value) {
            for field in ["containerName", "resourceName", "requestName"] {
                let place = mapping.child(field);
                found.push(Error::duplicate(place.path(), place.text()));
            }
        }
        seen.push(value);
    }
    texts::required_subdomain(&status.child("resourceClaimName"), found);
}

/// Addresses are right, and at most one of each family.
fn addresses(status: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let (pod, pods) = (status.text_of("podIP"), status.child("podIPs"));
    each_address(&pods, old.list_of("podIPs"), found);
    let first = pods
        .list()
        .first()
        .map(|one| one.str_at(&["ip"]).unwrap_or_default());
    if pod.is_empty() == first.is_some() {
        let shown = gostruct::shown_list(&pods, "PodIP");
        let why = "podIP and podIPs must either both be set or both be unset";
        found.push(Error::invalid(pods.path(), shown, why));
    } else if first.is_some_and(|first| first != pod) {
        let own = pods.index(0);
        found.invalid_text(&own.child("ip"), "must be equal to `podIP`");
    }
    let hosts = status.child("hostIPs");
    if hosts.len() == 0 {
        return;
    }
    let first = hosts.index(0);
    let ip = first.child("ip");
    if ip.text() != status.text_of("hostIP") {
        found.invalid_text(&ip, "must be equal to `hostIP`");
    }
    each_address(&hosts, old.list_of("hostIPs"), found);
}

fn each_address(list: &Place<'_>, old: &[Value], found: &mut Findings) {
    for address in list.items() {
        let ip = address.get("ip");
        if !old.iter().any(|old| old.get("ip") == ip) {
            texts::ip_of_old(&Place::new(ip, *address.path()), found);
        }
    }
    if list.len() < 2 {
        return;
    }
    let parsed: Vec<Option<IpAddr>> = list
        .list()
        .iter()
        .map(|one| one.str_at(&["ip"])?.parse().ok())
        .collect();
    let has = |is_it: fn(&IpAddr) -> bool| parsed.iter().flatten().any(is_it);
    let is_dual = has(IpAddr::is_ipv4) && has(IpAddr::is_ipv6);
    if let Some(at) = parsed.iter().position(Option::is_none) {
        let one = list.index(at);
        let why = format!(
            "failed to check for dual stack with error:invalid IP[{at}]: {}",
            one.text_of("ip")
        );
        found.push(Error::internal(list.path(), why));
    }
    let is_whole = parsed.iter().all(Option::is_some);
    if !is_dual || !is_whole || list.len() > 2 {
        let shown = gostruct::shown_list(list, "PodIP");
        let why = "may specify no more than one IP for each IP family";
        found.push(Error::invalid(list.path(), shown, why));
    }
}

fn users(list: &Place<'_>, os: &str, found: &mut Findings) {
    for status in list.items() {
        let user = status.child("user");
        let linux = user.child("linux");
        if !linux.is_set() {
            continue;
        }
        match os {
            "windows" => found.forbidden(&linux, "cannot be set for a windows pod"),
            "" | "linux" => {
                let id = linux.child("uid");
                numbers::within(&id, 0, i64::from(u32::MAX), found);
                numbers::within(&linux.child("gid"), 0, i64::from(i32::MAX), found);
                for group in linux.child("supplementalGroups").items() {
                    numbers::within(&group, 0, i64::from(i32::MAX), found);
                }
            }
            _ => {}
        }
    }
}

/// What a container was given is what it asked for.
fn allocated(status: &Place<'_>, list: &str, containers: &[Value], found: &mut Findings) {
    let is_ephemeral = list == "ephemeralContainerStatuses";
    for one in status.child(list).items() {
        let given = one.child("allocatedResourcesStatus");
        if is_ephemeral {
            if given.len() > 0 {
                found.forbidden(&given, "must not be specified in container status");
            }
            continue;
        }
        let is_it = |container: &&Value| container.str_at(&["name"]) == Some(one.text_of("name"));
        let container = containers.iter().find(is_it);
        for resource in given.items() {
            if let Some(container) = container {
                asked_for(&resource, container, status, found);
            }
            healths(&resource, found);
        }
    }
}

fn asked_for(resource: &Place<'_>, container: &Value, status: &Place<'_>, found: &mut Findings) {
    let name = resource.child("name");
    let text = name.text();
    let Some(claim) = text.strip_prefix("claim:") else {
        if container.at(&["resources", "requests", text]).is_none() {
            found.invalid_text(&name, "must match one of the container's resource requests");
        }
        return;
    };
    let claims = container
        .at(&["resources", "claims"])
        .and_then(Value::as_array);
    let is_it = |one: &Value| {
        let text = |field| one.str_at(&[field]).unwrap_or_default();
        match text("request") {
            "" => claim == text("name"),
            request => claim.split_once('/') == Some((text("name"), request)),
        }
    };
    if claims.unwrap_or_default().iter().any(is_it) || is_extended(claim, container, status) {
        return;
    }
    let why = "must match one of the container's resource claims as 'claim:<claimName>/<requestName>' when container.resources.claims[*].request is set or 'claim:<claimName>' when it is empty";
    found.invalid_text(&name, why);
}

/// Whether a claim was made for extended resources of a container.
fn is_extended(claim: &str, container: &Value, status: &Place<'_>) -> bool {
    let extended = status.child("extendedResourceClaimStatus");
    let Some((claim, request)) = claim.split_once('/') else {
        return false;
    };
    if !extended.is_set() || claim.is_empty() || claim != extended.text_of("resourceClaimName") {
        return false;
    }
    let mut mappings = extended.list_of("requestMappings").iter();
    mappings.any(|mapping| {
        let text = |field| mapping.str_at(&[field]).unwrap_or_default();
        let asked = container.at(&["resources", "requests", text("resourceName")]);
        let asked = asked.and_then(|asked| api::Quantity::from_value(asked).ok());
        text("requestName") == request
            && Some(text("containerName")) == container.str_at(&["name"])
            && asked.is_some_and(|asked| !asked.is_zero())
    })
}

fn healths(resource: &Place<'_>, found: &mut Findings) {
    let list = resource.child("resources");
    let mut seen = Seen::new();
    for (one, value) in list.items().zip(list.list()) {
        texts::choice(
            &one.child("health"),
            &["Healthy", "Unhealthy", "Unknown"],
            found,
        );
        if !seen.insert(value.str_at(&["resourceID"]).unwrap_or_default()) {
            let id = one.child("resourceID");
            found.push(Error::duplicate(id.path(), id.text()));
        }
    }
}
