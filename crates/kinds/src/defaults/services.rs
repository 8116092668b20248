//! Services and endpoints. Addresses and families are allocated elsewhere.
//!
//! Source: pkg/apis/core/v1/defaults.go, pkg/apis/discovery/v1/defaults.go.

use api::{Value, value};
use schema::Occasion;

use super::{Fields, Given, Rule, Table, items};

/// How long a client stays with its endpoint: three hours.
const AFFINITY_SECONDS: i64 = 10_800;

const TCP: Rule = Rule::Set("protocol", Given::Text("TCP"));

pub(super) const TABLE: Table = &[
    ("core.v1.Service", &[Rule::Call(say_mode)]),
    ("core.v1.ServiceSpec", &[Rule::Call(service)]),
    ("core.v1.ServicePort", &[TCP, Rule::Call(target_own_port)]),
    ("core.v1.EndpointPort", &[TCP]),
    (
        "discovery.v1.EndpointPort",
        &[Rule::Set("name", Given::Text("")), TCP],
    ),
];

fn service(spec: &mut Fields<'_>, _: Occasion<'_>) {
    spec.fill("sessionAffinity", Given::Text("None"));
    match spec.text("sessionAffinity") {
        "None" => spec.remove("sessionAffinityConfig"),
        "ClientIP" => {
            let config = spec.get("sessionAffinityConfig");
            let given = config.and_then(|config| config.at(&["clientIP", "timeoutSeconds"]));
            if given.is_none() {
                spec.set(
                    "sessionAffinityConfig",
                    value!({"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}),
                );
            }
        }
        _ => {}
    }
    spec.fill("type", Given::Text("ClusterIP"));
    let (is_balancer, is_node_port, is_cluster_ip) = match spec.text("type") {
        "LoadBalancer" => (true, false, false),
        "NodePort" => (false, true, false),
        "ClusterIP" => (false, false, true),
        _ => (false, false, false),
    };
    let is_outside = is_balancer || is_node_port || is_cluster_ip && spec.has_items("externalIPs");
    if is_outside {
        spec.fill("externalTrafficPolicy", Given::Text("Cluster"));
    }
    if is_balancer || is_node_port || is_cluster_ip {
        spec.fill("internalTrafficPolicy", Given::Text("Cluster"));
    }
    if is_balancer {
        spec.fill("allocateLoadBalancerNodePorts", Given::Flag(true));
    }
}

/// A port whose target is not given, or zero, leads to the same port.
fn target_own_port(port: &mut Fields<'_>, _: Occasion<'_>) {
    if port.is_open("targetPort")
        && let Some(own) = port.get("port").cloned()
    {
        port.set("targetPort", own);
    }
}

/// A load balancer's addresses are virtual ones unless it says otherwise.
fn say_mode(service: &mut Fields<'_>, _: Occasion<'_>) {
    let kind = service.get("spec").and_then(|spec| spec.str_at(&["type"]));
    if kind != Some("LoadBalancer") {
        return;
    }
    let Some(status) = service.get_mut("status") else {
        return;
    };
    for ingress in items(status.at_mut(&["loadBalancer", "ingress"])) {
        let has_address = ingress.str_at(&["ip"]).is_some_and(|ip| !ip.is_empty());
        if has_address && ingress.get("ipMode").is_none() {
            ingress.set_at(&["ipMode"], Value::from("VIP"));
        }
    }
}
