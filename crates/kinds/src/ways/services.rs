//! Ways to the pods behind a Service.

use api::{Status, Value, quote::quote};
use schema::way::{Errand, Manner, Sight, Step, Target, Way};

use super::{Named, path_of};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// `services/proxy`
#[derive(Debug)]
pub(super) struct ServiceProxy;

impl Way for ServiceProxy {
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        let id = errand.name;
        let named = Named::parse(id)
            .ok_or_else(|| Status::bad_request(format!("invalid service request {}", quote(id))))?;
        let name = named.name;
        let slices = Step::Look(Sight::Labelled {
            resource: ("discovery.k8s.io", "endpointslices"),
            namespace: errand.namespace.to_owned(),
            label: (SERVICE_NAME, name.to_owned()),
        });
        // A number is one of the Service's own ports, behind which a name stands.
        let (port, slices) = match (named.port.parse::<i64>(), seen) {
            (Ok(_), []) => {
                return Ok(Step::Look(Sight::Object {
                    resource: ("", "services"),
                    namespace: errand.namespace.to_owned(),
                    name: name.to_owned(),
                }));
            }
            (Ok(number), [service, rest @ ..]) => {
                let port = service
                    .first()
                    .and_then(|service| port_name(service, number));
                let missing = || {
                    let name = quote(name);
                    Status::unavailable(format!(
                        "no service port {number} found for service {name}"
                    ))
                };
                let port = port.ok_or_else(missing)?;
                match rest.first() {
                    Some(found) => (port, found),
                    None => return Ok(slices),
                }
            }
            (Err(_), [found, ..]) => (named.port, found),
            (Err(_), []) => return Ok(slices),
        };
        let Some((host, port)) = slices
            .iter()
            .find_map(|slice| endpoint(slice, port, Backend::Pod))
        else {
            let text = format!("no endpoints available for service {}", quote(name));
            return Err(Status::unavailable(text));
        };
        Ok(Step::Go(Target {
            security: named.security,
            host,
            port: Some(port),
            path: path_of(errand.rest),
            query: None,
            manner: Manner::Proxy,
        }))
    }
}

/// Where a Service is answered for that the server itself calls: webhooks stand behind Services.
/// The name says `https:NAME:PORT`. Unlike a proxy's target it may be any endpoint that is ready.
///
/// Upstream's server dials the cluster's address of the Service, which needs a proxy on its
/// machine; endpoints (its `--enable-aggregator-routing`) need none.
#[derive(Debug)]
pub(super) struct ServiceCall;

impl Way for ServiceCall {
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        let id = errand.name;
        let named = Named::parse(id)
            .ok_or_else(|| Status::bad_request(format!("invalid service request {}", quote(id))))?;
        let name = named.name;
        let number = named.port.parse::<i64>().unwrap_or(443);
        let Some(service) = seen.first() else {
            return Ok(Step::Look(Sight::Object {
                resource: ("", "services"),
                namespace: errand.namespace.to_owned(),
                name: name.to_owned(),
            }));
        };
        let service = service.first();
        let text = |path: &[&str]| service.and_then(|service| service.str_at(path));
        let go = |host: String, port: u16| {
            Ok(Step::Go(Target {
                security: named.security,
                host,
                port: Some(port),
                path: path_of(errand.rest),
                query: None,
                manner: Manner::Proxy,
            }))
        };
        if text(&["spec", "type"]) == Some("ExternalName") {
            let host = text(&["spec", "externalName"]).unwrap_or_default();
            return go(host.to_owned(), u16::try_from(number).unwrap_or(443));
        }
        let Some(port) = service.and_then(|service| port_name(service, number)) else {
            let name = quote(name);
            let text = format!("no service port {number} found for service {name}");
            return Err(Status::unavailable(text));
        };
        let Some(slices) = seen.get(1) else {
            return Ok(Step::Look(Sight::Labelled {
                resource: ("discovery.k8s.io", "endpointslices"),
                namespace: errand.namespace.to_owned(),
                label: (SERVICE_NAME, name.to_owned()),
            }));
        };
        let mut found = slices.iter();
        match found.find_map(|slice| endpoint(slice, port, Backend::Any)) {
            Some((host, port)) => go(host, port),
            None => Err(Status::unavailable(format!(
                "no endpoints available for service {}",
                quote(name)
            ))),
        }
    }
}

/// Which endpoints count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    /// Only pods: what users are passed on to.
    Pod,
    /// Whatever is ready.
    Any,
}

fn port_name(service: &Value, number: i64) -> Option<&str> {
    let ports = service.at(&["spec", "ports"]).and_then(Value::as_array)?;
    let is_meant = |port: &&Value| port.get("port").and_then(Value::as_int) == Some(number);
    let port = ports.iter().find(is_meant)?;
    Some(port.str_at(&["name"]).unwrap_or_default())
}

/// Returns the address of an endpoint that is ready, and its port of this name.
fn endpoint(slice: &Value, port: &str, backend: Backend) -> Option<(String, u16)> {
    let ports = slice.get("ports").and_then(Value::as_array)?;
    let is_meant = |one: &&Value| one.str_at(&["name"]).unwrap_or_default() == port;
    let number = ports.iter().find(is_meant)?.get("port")?.as_int()?;
    let number = u16::try_from(number).ok()?;
    let endpoints = slice.get("endpoints").and_then(Value::as_array)?;
    endpoints.iter().find_map(|endpoint| {
        let is_pod = endpoint.str_at(&["targetRef", "kind"]) == Some("Pod");
        let is_meant = is_pod || backend == Backend::Any;
        let ready = endpoint.at(&["conditions", "ready"]);
        let is_ready = ready.and_then(Value::as_bool) != Some(false);
        let address = endpoint.get("addresses")?.as_array()?.first()?.as_str()?;
        (is_meant && is_ready).then(|| (address.to_owned(), number))
    })
}
