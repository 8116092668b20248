//! Ways into pods: logs and streams through the kubelet of their node, proxies to their address.

use std::net::IpAddr;

use api::{
    Meta, Status, Value,
    field::{self, Error, Path},
    quote::quote,
    time,
};
use schema::way::{Errand, Manner, Security, Sight, Step, Target, Way};

use super::{Named, is_global, nodes, path_of};

/// `pods/log`
#[derive(Debug)]
pub(super) struct Log;

/// `pods/exec` and `pods/attach`
#[derive(Debug)]
pub(super) enum Stream {
    /// Runs something in a container.
    Exec,
    /// Joins what runs in a container.
    Attach,
}

/// `pods/portforward`
#[derive(Debug)]
pub(super) struct PortForward;

/// `pods/proxy`
#[derive(Debug)]
pub(super) struct PodProxy;

impl Way for Log {
    fn methods(&self) -> &'static [&'static str] {
        &["GET"]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        check_log_options(errand)?;
        let Some(pod) = at(seen, 0) else {
            return Ok(look_at(errand, errand.name));
        };
        let container = container(errand, pod)?;
        let node = node_of(pod);
        if node.is_empty() {
            // A pod that is nowhere has written nothing.
            return Ok(Step::Nothing);
        }
        let Some(node) = at(seen, 1) else {
            return Ok(nodes::look_at(node));
        };
        let path = format!(
            "/containerLogs/{}/{}/{container}",
            errand.namespace, errand.name
        );
        through(node, path, log_query(errand), Manner::Text)
    }
}

impl Way for Stream {
    fn methods(&self) -> &'static [&'static str] {
        &["GET", "POST"]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        let Some(pod) = at(seen, 0) else {
            return Ok(look_at(errand, errand.name));
        };
        let container = container(errand, pod)?;
        let Some(node) = at(seen, 1) else {
            return Ok(nodes::look_at(host_of(pod)?));
        };
        let mut query = Vec::new();
        let streams = [
            ("stdin", "input"),
            ("stdout", "output"),
            ("stderr", "error"),
            ("tty", "tty"),
        ];
        for (option, named) in streams {
            // What is not said of output is on.
            let is_on = match (option, errand.option(option)) {
                ("stdout" | "stderr", None) => true,
                _ => errand.is_on(option),
            };
            if is_on {
                query.push((named.to_owned(), "1".to_owned()));
            }
        }
        let verb = match self {
            Self::Attach => "attach",
            Self::Exec => {
                let command = errand.options("command");
                query.extend(command.map(|word| ("command".to_owned(), word.to_owned())));
                "exec"
            }
        };
        let path = format!("/{verb}/{}/{}/{container}", errand.namespace, errand.name);
        query.sort_by(|a, b| a.0.cmp(&b.0));
        through(node, path, query, Manner::Stream)
    }
}

impl Way for PortForward {
    fn methods(&self) -> &'static [&'static str] {
        &["GET", "POST"]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        let Some(pod) = at(seen, 0) else {
            return Ok(look_at(errand, errand.name));
        };
        let Some(node) = at(seen, 1) else {
            return Ok(nodes::look_at(host_of(pod)?));
        };
        let ports: Vec<&str> = errand.options("ports").collect();
        let query = match ports.is_empty() {
            true => Vec::new(),
            false => vec![("port".to_owned(), ports.join(","))],
        };
        let path = format!("/portForward/{}/{}", errand.namespace, errand.name);
        through(node, path, query, Manner::Stream)
    }
}

impl Way for PodProxy {
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }

    fn next(&self, errand: &Errand<'_>, seen: &[Vec<Value>]) -> Result<Step, Status> {
        let id = errand.name;
        let named = Named::parse(id)
            .ok_or_else(|| Status::bad_request(format!("invalid pod request {}", quote(id))))?;
        let Some(pod) = at(seen, 0) else {
            return Ok(look_at(errand, named.name));
        };
        let address = pod.str_at(&["status", "podIP"]).unwrap_or_default();
        let parsed = address.parse::<IpAddr>();
        if !parsed.is_ok_and(is_global) {
            return Err(Status::bad_request("address not allowed"));
        }
        let port = match named.port {
            "" => first_port(pod),
            text => {
                let invalid = || Status::bad_request(format!("invalid pod request {}", quote(id)));
                Some(text.parse().map_err(|_| invalid())?)
            }
        };
        Ok(Step::Go(Target {
            security: named.security,
            host: address.to_owned(),
            port,
            path: path_of(errand.rest),
            query: None,
            manner: Manner::Proxy,
        }))
    }
}

fn at(seen: &[Vec<Value>], place: usize) -> Option<&Value> {
    seen.get(place).and_then(|found| found.first())
}

fn look_at(errand: &Errand<'_>, name: &str) -> Step {
    Step::Look(Sight::Object {
        resource: ("", "pods"),
        namespace: errand.namespace.to_owned(),
        name: name.to_owned(),
    })
}

fn through(
    node: &Value,
    path: String,
    query: Vec<(String, String)>,
    manner: Manner,
) -> Result<Step, Status> {
    let (host, port) = nodes::kubelet(node)?;
    Ok(Step::Go(Target {
        security: Security::Node,
        host,
        port: Some(port),
        path,
        query: Some(query),
        manner,
    }))
}

fn node_of(pod: &Value) -> &str {
    pod.str_at(&["spec", "nodeName"]).unwrap_or_default()
}

/// Returns the node of a pod.
///
/// # Errors
/// 400 for a pod that is nowhere yet.
fn host_of(pod: &Value) -> Result<&str, Status> {
    match node_of(pod) {
        "" => {
            let name = Meta::of(pod).name();
            let text = format!("pod {name} does not have a host assigned");
            Err(Status::bad_request(text))
        }
        node => Ok(node),
    }
}

fn first_port(pod: &Value) -> Option<u16> {
    let containers = pod.at(&["spec", "containers"]).and_then(Value::as_array);
    containers.unwrap_or_default().iter().find_map(|one| {
        let ports = one.get("ports")?.as_array()?;
        let port = ports.first()?.get("containerPort")?.as_int()?;
        u16::try_from(port).ok()
    })
}

/// Returns the container that is meant.
///
/// # Errors
/// 400 where none or no known one is.
fn container<'a>(errand: &Errand<'a>, pod: &'a Value) -> Result<&'a str, Status> {
    let name = Meta::of(pod).name();
    let of = |list: &str| {
        let found = pod.at(&["spec", list]).and_then(Value::as_array);
        let names = found.unwrap_or_default().iter();
        names
            .map(|one| one.str_at(&["name"]).unwrap_or_default())
            .collect::<Vec<&str>>()
    };
    let wanted = errand.option("container").unwrap_or_default();
    let own = of("containers");
    let all = [of("initContainers"), own.clone(), of("ephemeralContainers")].concat();
    if !wanted.is_empty() {
        return match all.contains(&wanted) {
            true => Ok(wanted),
            false => Err(Status::bad_request(format!(
                "container {wanted} is not valid for pod {name}"
            ))),
        };
    }
    match own.as_slice() {
        [one] => Ok(one),
        [] => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}"
        ))),
        _ => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// Source: pkg/apis/core/validation, `ValidatePodLogOptions`.
fn check_log_options(errand: &Errand<'_>) -> Result<(), Status> {
    let mut errors = Vec::new();
    let rules = [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ];
    for (option, least, why) in rules {
        let value = errand.option(option).and_then(|text| text.parse().ok());
        if let Some(value) = value.filter(|value: &i64| *value < least) {
            errors.push(Error::invalid(&Path::new(option), value, why));
        }
    }
    if errand.option("sinceSeconds").is_some() && errand.option("sinceTime").is_some() {
        let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        errors.push(Error::forbidden(&Path::new(""), why));
    }
    if let Some(stream) = errand.option("stream") {
        let path = Path::new("stream");
        if !["All", "Stdout", "Stderr"].contains(&stream) {
            let known = ["All", "Stderr", "Stdout"];
            errors.push(Error::not_supported(&path, stream, &known));
        } else if stream != "All" && errand.option("tailLines").is_some() {
            let why = "`tailLines` and specific `stream` are mutually exclusive for now";
            errors.push(Error::forbidden(&Path::new(""), why));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let causes = field::causes(&errors);
    Err(Status::invalid("", "PodLogOptions", errand.name, causes))
}

/// Returns what a kubelet is asked for, in the order in which Go writes a query.
fn log_query(errand: &Errand<'_>) -> Vec<(String, String)> {
    let mut query = Vec::new();
    for flag in ["follow", "previous", "timestamps"] {
        if errand.is_on(flag) {
            query.push((flag.to_owned(), "true".to_owned()));
        }
    }
    for number in ["sinceSeconds", "tailLines", "limitBytes"] {
        if let Some(value) = errand
            .option(number)
            .filter(|text| text.parse::<i64>().is_ok())
        {
            query.push((number.to_owned(), value.to_owned()));
        }
    }
    if let Some(Ok(since)) = errand.option("sinceTime").map(time::parse) {
        query.push(("sinceTime".to_owned(), time::format(since)));
    }
    let stream = errand.option("stream").unwrap_or("All");
    query.push(("stream".to_owned(), stream.to_owned()));
    query.sort();
    query
}
