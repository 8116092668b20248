//! Where errands lead, given what is seen on the way.

use api::{Value, json};
use schema::way::{Errand, Security, Sight, Step};

use super::{Named, all, is_global};

const POD: &str = r#"{"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","ports":[{"containerPort":8080}]}]},"status":{"podIP":"10.1.2.3"}}"#;
const TWO: &str = r#"{"metadata":{"name":"p"},"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"c"},{"name":"d"}]}}"#;
const NODE: &str = r#"{"status":{"addresses":[{"type":"InternalIP","address":"10.9.9.9"},{"type":"Hostname","address":"host"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":7}}}}"#;
const BARE: &str = r#"{"status":{"addresses":[{"type":"Other","address":"x"}]}}"#;
const SERVICE: &str = r#"{"spec":{"ports":[{"name":"web","port":80}]}}"#;
const SLICE: &str = r#"{"ports":[{"name":"web","port":8080}],"endpoints":[
    {"addresses":["10.0.0.1"]},
    {"addresses":["10.0.0.2"],"targetRef":{"kind":"Pod"},"conditions":{"ready":false}},
    {"addresses":["10.0.0.3"],"targetRef":{"kind":"Pod"}}]}"#;

/// Asks `PLURAL/NAME/SUBRESOURCE[/REST][?QUERY]`, shows what was seen, and tells what comes next.
#[track_caller]
fn check(line: &str, seen: &[&str], expected: &str) {
    let (path, query) = line.split_once('?').unwrap_or((line, ""));
    let mut parts = path.splitn(4, '/');
    let mut part = || parts.next().unwrap_or_default();
    let (plural, name, subresource, rest) = (part(), part(), part(), part());
    let rest = match rest {
        "" => String::new(),
        rest => format!("/{rest}"),
    };
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query: Vec<(String, String)> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let errand = Errand {
        namespace: "ns",
        name,
        rest: &rest,
        query: &query,
    };
    let seen: Vec<Vec<Value>> = seen
        .iter()
        .map(|text| vec![json::read(text.as_bytes()).expect("it is JSON").value])
        .collect();
    let ways = all();
    let (_, _, way) = ways
        .iter()
        .find(|(of, door, _)| (*of, *door) == (plural, subresource))
        .expect("there is a way");
    let found = match way.next(&errand, &seen) {
        Ok(Step::Nothing) => "nothing".to_owned(),
        Ok(Step::Look(Sight::Object {
            resource,
            namespace,
            name,
        })) => {
            format!("look {} {namespace}/{name}", resource.1)
        }
        Ok(Step::Look(Sight::Labelled {
            resource,
            namespace,
            label,
        })) => {
            format!("look {} {namespace} {}={}", resource.1, label.0, label.1)
        }
        Ok(Step::Look(sight)) => format!("{sight:?}"),
        Ok(Step::Go(target)) => {
            let port = target
                .port
                .map_or_else(String::new, |port| format!(":{port}"));
            let query = target.query.map(|query| {
                let pairs: Vec<String> = query.iter().map(|(a, b)| format!("{a}={b}")).collect();
                format!("?{}", pairs.join("&"))
            });
            format!(
                "{:?} {:?} {}{port}{}{}",
                target.manner,
                target.security,
                target.host,
                target.path,
                query.unwrap_or_default()
            )
        }
        Err(status) => format!("{} {}", status.code, status.message),
    };
    assert_eq!(found, expected, "{line}");
}

#[test]
fn logs_come_from_the_kubelet() {
    check("pods/p/log", &[], "look pods ns/p");
    check("pods/p/log", &[POD], "look nodes /n");
    check(
        "pods/p/log?follow=true&tailLines=5&previous=0",
        &[POD, NODE],
        "Text Node host:7/containerLogs/ns/p/c?follow=true&stream=All&tailLines=5",
    );
    check("pods/p/log?container=d", &[TWO], "nothing");
    check(
        "pods/p/log",
        &[TWO],
        "400 a container name must be specified for pod p, choose one of: [i c d]",
    );
    check(
        "pods/p/log?container=x",
        &[TWO],
        "400 container x is not valid for pod p",
    );
    check(
        "pods/p/log?limitBytes=0",
        &[],
        r#"422 PodLogOptions "p" is invalid: limitBytes: Invalid value: 0: must be greater than 0"#,
    );
    check(
        "pods/p/log",
        &[POD, BARE],
        "500 no preferred addresses found; known addresses: [{Other x}]",
    );
}

#[test]
fn streams_go_through_the_kubelet() {
    check(
        "pods/p/exec",
        &[TWO],
        "400 a container name must be specified for pod p, choose one of: [i c d]",
    );
    check(
        "pods/p/attach?container=c",
        &[TWO],
        "400 pod p does not have a host assigned",
    );
    check(
        "pods/p/exec?command=sh&command=-c&stdin=true&stderr=false",
        &[POD, NODE],
        "Stream Node host:7/exec/ns/p/c?command=sh&command=-c&input=1&output=1",
    );
    check(
        "pods/p/attach?tty=1",
        &[POD, NODE],
        "Stream Node host:7/attach/ns/p/c?error=1&output=1&tty=1",
    );
    check(
        "pods/p/portforward?ports=80&ports=81",
        &[POD, NODE],
        "Stream Node host:7/portForward/ns/p?port=80,81",
    );
}

#[test]
fn proxies_lead_to_addresses() {
    check("pods/p/proxy", &[POD], "Proxy Plain 10.1.2.3:8080/");
    check(
        "pods/https:p:9/proxy/a/b",
        &[POD],
        "Proxy Tls 10.1.2.3:9/a/b",
    );
    check(
        "pods/ftp:p:9/proxy",
        &[POD],
        r#"400 invalid pod request "ftp:p:9""#,
    );
    check("pods/p/proxy", &[TWO], "400 address not allowed");
    check("nodes/n/proxy/x", &[], "look nodes /n");
    check("nodes/n/proxy/x", &[NODE], "Proxy Node host:7/x");
    check("nodes/n:7/proxy/x", &[NODE], "Proxy Node host:7/x");
    check("nodes/https:n:8/proxy/x", &[NODE], "Proxy Tls host:8/x");
    let here = NODE.replace("host", "127.0.0.1");
    check("nodes/n/proxy/x", &[&here], "400 address not allowed");
    check(
        "services/s/proxy",
        &[],
        "look endpointslices ns kubernetes.io/service-name=s",
    );
    check("services/s:80/proxy", &[], "look services ns/s");
    check(
        "services/s:80/proxy",
        &[SERVICE],
        "look endpointslices ns kubernetes.io/service-name=s",
    );
    check(
        "services/s:80/proxy/x",
        &[SERVICE, SLICE],
        "Proxy Plain 10.0.0.3:8080/x",
    );
    check(
        "services/s:web/proxy/x",
        &[SLICE],
        "Proxy Plain 10.0.0.3:8080/x",
    );
    check(
        "services/s:81/proxy",
        &[SERVICE],
        r#"503 no service port 81 found for service "s""#,
    );
    check(
        "services/s/proxy",
        &[SLICE],
        r#"503 no endpoints available for service "s""#,
    );
}

#[test]
fn takes_names_apart() {
    let check = |id: &str, expected: Option<(Security, &str, &str)>| {
        let found = Named::parse(id).map(|named| (named.security, named.name, named.port));
        assert_eq!(found, expected, "{id}");
    };
    check("a", Some((Security::Plain, "a", "")));
    check("a:1", Some((Security::Plain, "a", "1")));
    check("https:a:x", Some((Security::Tls, "a", "x")));
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
