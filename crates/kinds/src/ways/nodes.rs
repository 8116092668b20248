//! Ways to nodes, and through a node's kubelet.

use api::{Reason, Status, Value, quote::quote};
use schema::way::{Errand, Manner, Security, Sight, Step, Target, Way};

use super::{Named, is_global, path_of};

/// Where a kubelet listens unless its node says otherwise.
const KUBELET_PORT: u16 = 10_250;

/// Which address of a node is taken, best first (`--kubelet-preferred-address-types`).
const PREFERRED: [&str; 5] = [
    "Hostname",
    "InternalDNS",
    "InternalIP",
    "ExternalDNS",
    "ExternalIP",
];

/// `nodes/proxy`
#[derive(Debug)]
pub(super) struct NodeProxy;

impl Way for NodeProxy {
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        let id = errand.name;
        let named = Named::parse(id)
            .ok_or_else(|| Status::bad_request(format!("invalid node request {}", quote(id))))?;
        let Some(node) = seen.first().and_then(|found| found.first()) else {
            return Ok(look_at(named.name));
        };
        let (host, kubelet_port) = kubelet(node)?;
        if host.parse().is_ok_and(|address| !is_global(address)) {
            return Err(Status::bad_request("address not allowed"));
        }
        let is_kubelet = named.port.is_empty() || named.port.parse() == Ok(kubelet_port);
        let (security, port) = match (is_kubelet, named.port.parse()) {
            (false, Ok(port)) => (named.security, port),
            (false, Err(_)) => {
                let text = format!("invalid node request {}", quote(id));
                return Err(Status::bad_request(text));
            }
            (true, _) => (Security::Node, kubelet_port),
        };
        Ok(Step::Go(Target {
            security,
            host,
            port: Some(port),
            path: path_of(errand.rest),
            query: None,
            manner: Manner::Proxy,
        }))
    }
}

/// Asks for a node.
pub(super) fn look_at(name: &str) -> Step {
    Step::Look(Sight::Object {
        resource: ("", "nodes"),
        namespace: String::new(),
        name: name.to_owned(),
    })
}

/// Returns where the kubelet of a node listens.
///
/// # Errors
/// 500 for a node without an address.
pub(super) fn kubelet(node: &Value) -> Result<(String, u16), Status> {
    let addresses = node.at(&["status", "addresses"]).and_then(Value::as_array);
    let addresses = addresses.unwrap_or_default();
    let of_type = |wanted: &&str| {
        let mut found = addresses.iter();
        let one = found.find(|one| one.str_at(&["type"]) == Some(*wanted))?;
        one.str_at(&["address"]).map(str::to_owned)
    };
    let Some(host) = PREFERRED.iter().find_map(of_type) else {
        let known: Vec<String> = addresses.iter().map(shown).collect();
        let text = format!(
            "no preferred addresses found; known addresses: [{}]",
            known.join(" ")
        );
        return Err(Status::new(500, Reason::Unknown, text));
    };
    let path = ["status", "daemonEndpoints", "kubeletEndpoint", "Port"];
    let port = node.at(&path).and_then(Value::as_int);
    let port = port.and_then(|port| u16::try_from(port).ok());
    Ok((host, port.filter(|port| *port > 0).unwrap_or(KUBELET_PORT)))
}

/// Returns an address as Go prints it.
fn shown(address: &Value) -> String {
    let part = |name: &str| address.str_at(&[name]).unwrap_or_default();
    format!("{{{} {}}}", part("type"), part("address"))
}
