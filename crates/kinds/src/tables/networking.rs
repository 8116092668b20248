//! The groups `networking.k8s.io` and `discovery.k8s.io`.

use schema::Cell;

use super::{
    Cells, NONE, Row, core_group,
    human::{selector, some},
    text, text_or,
};

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "EndpointSlice" => endpoint_slice,
        "Ingress" => ingress,
        "IngressClass" => ingress_class,
        "IPAddress" => ip_address,
        "NetworkPolicy" => network_policy,
        "ServiceCIDR" => service_cidr,
        _ => return None,
    })
}

fn endpoint_slice(row: Row<'_>) -> Vec<Cell> {
    let port = |port: Row<'_>| match port.at(&["port"]) {
        Some(number) => number.int(&[]).to_string(),
        None => port
            .at(&["name"])
            .map_or("*", |name| name.text(&[]))
            .to_owned(),
    };
    let ports: Vec<String> = row.items(&["ports"]).map(port).collect();
    let addresses: Vec<String> = row
        .items(&["endpoints"])
        .flat_map(|endpoint| endpoint.texts(&["addresses"]))
        .map(str::to_owned)
        .collect();
    vec![
        row.name(),
        row.text(&["addressType"]).into(),
        text(some(&ports)),
        text(some(&addresses)),
        row.age(),
    ]
}

fn ingress(row: Row<'_>) -> Vec<Cell> {
    let ports = match row.count(&["spec", "tls"]) {
        0 => "80",
        _ => "80, 443",
    };
    vec![
        row.name(),
        text_or(row.text(&["spec", "ingressClassName"]), NONE),
        text(hosts(row)),
        text(core_group::load_balancer(row)),
        ports.into(),
        row.age(),
    ]
}

/// Returns the first hosts. Upstream counts what is left over by rules, hosts or not.
fn hosts(row: Row<'_>) -> String {
    const SHOWN: usize = 3;
    let rules = row.items(&["spec", "rules"]);
    let all = rules.len();
    let mut shown = Vec::new();
    let mut more = false;
    for rule in rules {
        more |= shown.len() == SHOWN;
        let host = rule.text(&["host"]);
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match shown.join(",") {
        _ if shown.is_empty() => "*".to_owned(),
        hosts if more => format!("{hosts} + {} more...", all - SHOWN),
        hosts => hosts,
    }
}

fn ingress_class(row: Row<'_>) -> Vec<Cell> {
    let mut name = row.text(&["metadata", "name"]).to_owned();
    if row.annotation("ingressclass.kubernetes.io/is-default-class") == "true" {
        name.push_str(" (default)");
    }
    let parameters = row.at(&["spec", "parameters"]).map(|parameters| {
        let (kind, name) = (parameters.text(&["kind"]), parameters.text(&["name"]));
        match parameters.at(&["apiGroup"]) {
            Some(group) => format!("{kind}.{}/{name}", group.text(&[])),
            None => format!("{kind}/{name}"),
        }
    });
    vec![
        text(name),
        row.text(&["spec", "controller"]).into(),
        text(parameters.unwrap_or_else(|| NONE.to_owned())),
        row.age(),
    ]
}

fn ip_address(row: Row<'_>) -> Vec<Cell> {
    let parent = row.at(&["spec", "parentRef"]).map(|parent| {
        let mut place = parent.text(&["resource"]).to_owned();
        for (sign, field) in [(".", "group"), ("/", "namespace")] {
            match parent.text(&[field]) {
                "" => {}
                word => place.push_str(&format!("{sign}{word}")),
            }
        }
        format!("{}/{}", place.to_lowercase(), parent.text(&["name"]))
    });
    vec![row.name(), text(parent.unwrap_or_else(|| NONE.to_owned()))]
}

fn network_policy(row: Row<'_>) -> Vec<Cell> {
    let pods = selector(row, &["spec", "podSelector"]);
    vec![row.name(), text(pods), row.age()]
}

fn service_cidr(row: Row<'_>) -> Vec<Cell> {
    let ranges = row.texts(&["spec", "cidrs"]).join(",");
    vec![row.name(), text(ranges), row.age()]
}
