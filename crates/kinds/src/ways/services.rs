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
        let Some((host, port)) = slices.iter().find_map(|slice| endpoint(slice, port)) else {
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

fn port_name(service: &Value, number: i64) -> Option<&str> {
    let ports = service.at(&["spec", "ports"]).and_then(Value::as_array)?;
    let is_meant = |port: &&Value| port.get("port").and_then(Value::as_int) == Some(number);
    let port = ports.iter().find(is_meant)?;
    Some(port.str_at(&["name"]).unwrap_or_default())
}

/// Returns the address of a pod that is ready, and its port of this name.
fn endpoint(slice: &Value, port: &str) -> Option<(String, u16)> {
    let ports = slice.get("ports").and_then(Value::as_array)?;
    let is_meant = |one: &&Value| one.str_at(&["name"]).unwrap_or_default() == port;
    let number = ports.iter().find(is_meant)?.get("port")?.as_int()?;
    let number = u16::try_from(number).ok()?;
    let endpoints = slice.get("endpoints").and_then(Value::as_array)?;
    endpoints.iter().find_map(|endpoint| {
        // Only addresses of pods are passed on to.
        let is_pod = endpoint.str_at(&["targetRef", "kind"]) == Some("Pod");
        let ready = endpoint.at(&["conditions", "ready"]);
        let is_ready = ready.and_then(Value::as_bool) != Some(false);
        let address = endpoint.get("addresses")?.as_array()?.first()?.as_str()?;
        (is_pod && is_ready).then(|| (address.to_owned(), number))
    })
}
