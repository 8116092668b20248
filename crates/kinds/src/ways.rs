//! Where the subresources of pods, services and nodes lead that are answered by a node: logs,
//! streams and proxies.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/registry/core/{pod,node}/strategy.go,
//! pkg/registry/core/service/storage/storage.go, pkg/kubelet/client/kubelet_client.go.

mod nodes;
mod pods;
mod services;

use std::{net::IpAddr, sync::Arc};

use schema::{Security, way::Way};

use nodes::NodeProxy;
use pods::{Log, PodProxy, PortForward, Stream};
use services::{ServiceCall, ServiceProxy};

/// Plural and subresource (of the core group) with the way that answers there.
pub(crate) fn all() -> Vec<(&'static str, &'static str, Arc<dyn Way>)> {
    vec![
        ("pods", "log", Arc::new(Log)),
        ("pods", "exec", Arc::new(Stream::Exec)),
        ("pods", "attach", Arc::new(Stream::Attach)),
        ("pods", "portforward", Arc::new(PortForward)),
        ("pods", "proxy", Arc::new(PodProxy)),
        ("services", "proxy", Arc::new(ServiceProxy)),
        ("nodes", "proxy", Arc::new(NodeProxy)),
    ]
}

/// Returns the way from a Service to what answers for it, for calls of the server's own: webhooks.
#[must_use]
pub fn service_call() -> Arc<dyn Way> {
    Arc::new(ServiceCall)
}

/// `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    security: Security,
    name: &'a str,
    port: &'a str,
}

impl<'a> Named<'a> {
    fn parse(id: &'a str) -> Option<Self> {
        let parts: Vec<&str> = id.split(':').collect();
        let (scheme, name, port) = match *parts.as_slice() {
            [name] => ("", name, ""),
            [name, port] => ("", name, port),
            [scheme, name, port] => (scheme, name, port),
            _ => return None,
        };
        let security = match scheme {
            "" | "http" => Security::Plain,
            "https" => Security::Tls,
            _ => return None,
        };
        (!name.is_empty()).then_some(Self {
            security,
            name,
            port,
        })
    }
}

/// Returns whether an address may lead anywhere but to this machine.
fn is_global(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !is_link_local
}

/// Returns the path to ask for: what follows the subresource, or the root.
fn path_of(rest: &str) -> String {
    if rest.is_empty() { "/" } else { rest }.to_owned()
}

#[cfg(test)]
mod tests;
