//! Ways to what runs on a node: logs, streams and proxies, as far as the server can tell where they
//! would lead. It reaches no node yet; where there is none, it fails as upstream does.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/{pod/strategy,node/strategy}.go,
//! pkg/registry/core/service/storage/storage.go.

use std::net::IpAddr;

use api::{
    Meta, Reason, Status, Value,
    field::{self, Error, Path},
    quote::quote,
};

use super::Asked;
use crate::{Answer, Call, faults, render};

/// `pods/log`.
pub(super) async fn log(asked: &Asked<'_>, call: &Call) -> Result<Answer, Status> {
    let name = call.path.name.as_str();
    check_log_options(call, name)?;
    let (_, pod) = asked
        .object(("", "pods"), &call.path.namespace, name)
        .await?;
    check_container(call, &pod)?;
    if node_of(&pod).is_empty() {
        // A pod that is nowhere has written nothing.
        let mut answer = http::Response::new(crate::Body::default());
        *answer.status_mut() = http::StatusCode::NO_CONTENT;
        return Ok(Answer::Http(answer));
    }
    Err(no_way(asked, &pod).await)
}

/// `pods/exec` and `pods/attach`.
pub(super) async fn stream(asked: &Asked<'_>, call: &Call) -> Result<Answer, Status> {
    let name = call.path.name.as_str();
    let (_, pod) = asked
        .object(("", "pods"), &call.path.namespace, name)
        .await?;
    check_container(call, &pod)?;
    Err(no_way(asked, &pod).await)
}

/// `pods/portforward`.
pub(super) async fn port_forward(asked: &Asked<'_>, call: &Call) -> Result<Answer, Status> {
    let name = call.path.name.as_str();
    let (_, pod) = asked
        .object(("", "pods"), &call.path.namespace, name)
        .await?;
    Err(no_way(asked, &pod).await)
}

/// `pods/proxy`.
pub(super) async fn pod_proxy(asked: &Asked<'_>, call: &Call) -> Result<Answer, Status> {
    let id = call.path.name.as_str();
    let name = target(id)
        .ok_or_else(|| Status::bad_request(format!("invalid pod request {}", quote(id))))?;
    let (_, pod) = asked
        .object(("", "pods"), &call.path.namespace, name.0)
        .await?;
    let address = pod.str_at(&["status", "podIP"]).unwrap_or_default();
    if !address
        .parse()
        .is_ok_and(|address: IpAddr| is_global(address))
    {
        return Err(Status::bad_request("address not allowed"));
    }
    Err(unreachable(address))
}

/// `services/proxy`.
pub(super) async fn service_proxy(asked: &Asked<'_>, call: &Call) -> Result<Answer, Status> {
    let id = call.path.name.as_str();
    let (name, port) = target(id)
        .ok_or_else(|| Status::bad_request(format!("invalid service request {}", quote(id))))?;
    let namespace = call.path.namespace.as_str();
    if let Ok(number) = port.parse::<i64>() {
        let (_, service) = asked.object(("", "services"), namespace, name).await?;
        let ports = service.at(&["spec", "ports"]).and_then(Value::as_array);
        let mut ports = ports.unwrap_or_default().iter();
        if !ports.any(|port| port.get("port").and_then(Value::as_int) == Some(number)) {
            return Err(Status::unavailable(format!(
                "no service port {number} found for service {}",
                quote(name)
            )));
        }
    }
    match endpoint_of(asked, namespace, name).await? {
        Some(address) => Err(unreachable(&address)),
        None => Err(Status::unavailable(format!(
            "no endpoints available for service {}",
            quote(name)
        ))),
    }
}

/// `nodes/proxy`.
pub(super) async fn node_proxy(asked: &Asked<'_>, call: &Call) -> Result<Answer, Status> {
    let id = call.path.name.as_str();
    let name = target(id)
        .ok_or_else(|| Status::bad_request(format!("invalid node request {}", quote(id))))?;
    let (_, node) = asked.object(("", "nodes"), "", name.0).await?;
    Err(no_kubelet(&node))
}

/// Takes `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT` apart.
fn target(id: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = id.split(':').collect();
    match parts.as_slice() {
        [name] => Some((*name, "")),
        [name, port] => Some((*name, *port)),
        ["" | "http" | "https", name, port] => Some((*name, *port)),
        _ => None,
    }
    .filter(|(name, _)| !name.is_empty())
}

fn is_global(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !is_link_local
}

fn node_of(pod: &Value) -> &str {
    pod.str_at(&["spec", "nodeName"]).unwrap_or_default()
}

/// Returns why there is no way to what runs in a pod.
async fn no_way(asked: &Asked<'_>, pod: &Value) -> Status {
    let node = node_of(pod);
    if node.is_empty() {
        let name = Meta::of(pod).name();
        return Status::bad_request(format!("pod {name} does not have a host assigned"));
    }
    match asked.object(("", "nodes"), "", node).await {
        Ok((_, node)) => no_kubelet(&node),
        Err(status) => status,
    }
}

/// Returns why there is no way to the kubelet of a node.
fn no_kubelet(node: &Value) -> Status {
    let addresses = node.at(&["status", "addresses"]).and_then(Value::as_array);
    let mut addresses = addresses.unwrap_or_default().iter();
    match addresses.find_map(|one| one.str_at(&["address"])) {
        Some(address) => unreachable(address),
        None => {
            let text = "no preferred addresses found; known addresses: []";
            Status::new(500, Reason::Unknown, text)
        }
    }
}

/// Requests are not passed on yet.
fn unreachable(address: &str) -> Status {
    Status::new(
        501,
        Reason::Unknown,
        format!("this server does not pass requests on yet (to {address})"),
    )
}

fn check_container(call: &Call, pod: &Value) -> Result<(), Status> {
    let name = Meta::of(pod).name();
    let of = |list: &str| {
        let found = pod.at(&["spec", list]).and_then(Value::as_array);
        let names = found.unwrap_or_default().iter();
        names
            .map(|one| one.str_at(&["name"]).unwrap_or_default())
            .collect::<Vec<&str>>()
    };
    let wanted = call.query.get("container").unwrap_or_default();
    let all = [
        of("initContainers"),
        of("containers"),
        of("ephemeralContainers"),
    ]
    .concat();
    if !wanted.is_empty() {
        return match all.contains(&wanted) {
            true => Ok(()),
            false => Err(Status::bad_request(format!(
                "container {wanted} is not valid for pod {name}"
            ))),
        };
    }
    match of("containers").len() {
        1 => Ok(()),
        0 => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}"
        ))),
        _ => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// Source: pkg/apis/core/validation, `ValidatePodLogOptions`.
fn check_log_options(call: &Call, name: &str) -> Result<(), Status> {
    let number = |name: &str| call.query.get(name)?.parse::<i64>().ok();
    let mut errors = Vec::new();
    let rules = [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ];
    for (option, least, why) in rules {
        if let Some(value) = number(option).filter(|value| *value < least) {
            errors.push(Error::invalid(&Path::new(option), value, why));
        }
    }
    if call.query.get("sinceSeconds").is_some() && call.query.get("sinceTime").is_some() {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        errors.push(Error::forbidden(&Path::ROOT, why));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(
        "",
        "PodLogOptions",
        name,
        field::causes(&errors),
    ))
}

/// Returns the address of a pod behind a Service.
async fn endpoint_of(
    asked: &Asked<'_>,
    namespace: &str,
    name: &str,
) -> Result<Option<String>, Status> {
    let resource = asked.find("discovery.k8s.io", "endpointslices")?;
    let view = resource.served.collection.view().await;
    let view = view.map_err(|error| faults::read(&error))?;
    for (place, slice) in &view.objects {
        let is_within = place
            .split_once('/')
            .is_some_and(|(within, _)| within == namespace);
        if !is_within || slice.label("kubernetes.io/service-name") != Some(name) {
            continue;
        }
        let slice = render::parse(&slice.bytes)?;
        let endpoints = slice.get("endpoints").and_then(Value::as_array);
        for endpoint in endpoints.unwrap_or_default() {
            // Only addresses of pods are passed on to.
            let is_pod = endpoint.str_at(&["targetRef", "kind"]) == Some("Pod");
            let is_ready = endpoint
                .at(&["conditions", "ready"])
                .and_then(Value::as_bool);
            let address = endpoint.get("addresses").and_then(Value::as_array);
            let address = address.and_then(|addresses| addresses.first()?.as_str());
            if let Some(address) = address.filter(|_| is_pod && is_ready != Some(false)) {
                return Ok(Some(address.to_owned()));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{is_global, target};

    #[test]
    fn takes_targets_apart() {
        let check =
            |id: &str, expected: Option<(&str, &str)>| assert_eq!(target(id), expected, "{id}");
        check("a", Some(("a", "")));
        check("a:1", Some(("a", "1")));
        check("https:a:x", Some(("a", "x")));
        check("ftp:a:x", None);
        check(":1", None);
    }

    #[test]
    fn passes_on_to_addresses_of_pods_only() {
        let check = |text: &str| is_global(text.parse().expect("an address"));
        let found = [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
            "fd00::1",
            "fe80::1",
        ]
        .map(check);
        assert_eq!(found, [true, false, false, false, true, false]);
    }
}
