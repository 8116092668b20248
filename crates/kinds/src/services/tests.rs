//! Services and what they get: a line for the Service, one for what it becomes.

use std::{cell::RefCell, collections::BTreeSet};

use api::{Value, json};
use schema::{Allot, Claim, Ledger};

use super::Services;

/// A ledger over a set, whose chance is always the first.
struct Taken {
    ranges: Vec<Value>,
    held: RefCell<BTreeSet<Claim>>,
    is_dry: bool,
}

impl Ledger for Taken {
    fn ranges(&self) -> &[Value] {
        &self.ranges
    }

    fn take(&mut self, claim: Claim) -> bool {
        self.held.get_mut().insert(claim)
    }

    fn below(&mut self, _bound: u64) -> u64 {
        0
    }

    fn is_dry(&self) -> bool {
        self.is_dry
    }
}

fn read(text: &str) -> Value {
    json::read(text.as_bytes()).expect("it is JSON").value
}

fn write(value: &Value) -> String {
    let mut bytes = Vec::new();
    json::write(value, &mut bytes);
    String::from_utf8(bytes).expect("it is text")
}

/// Lets a Service take what it needs where `10.0.0.5`, port 30005 and `fd00::5` are taken.
fn allot(cidrs: &[&str], is_dry: bool, spec: &str, old: Option<&str>) -> String {
    let networks = cidrs
        .iter()
        .map(|one| one.parse().expect("it is a network"));
    let services = Services::new(networks.collect(), 30_000..=30_063);
    let cidrs: Vec<String> = cidrs.iter().map(|one| format!("{one:?}")).collect();
    let range = format!(r#"{{"spec":{{"cidrs":[{}]}}}}"#, cidrs.join(","));
    let object = |spec: &str| read(&format!(r#"{{"metadata":{{"name":"s"}},"spec":{spec}}}"#));
    let old = old.map(object);
    let mut held: BTreeSet<Claim> = [
        Claim::Address("10.0.0.5".parse().expect("an address")),
        Claim::Address("fd00::5".parse().expect("an address")),
        Claim::Port(30_005),
    ]
    .into();
    held.extend(old.iter().flat_map(|old| services.held(old)));
    let mut ledger = Taken {
        ranges: vec![read(&range)],
        held: RefCell::new(held),
        is_dry,
    };
    let mut service = object(spec);
    match services.allot(&mut service, old.as_ref(), &mut ledger) {
        Ok(()) => write(service.get("spec").expect("it has one")),
        Err(status) => format!("{} {}", status.code, status.message),
    }
}

#[track_caller]
fn check(spec: &str, old: Option<&str>, expected: &str) {
    assert_eq!(
        allot(&["10.0.0.0/24"], false, spec, old),
        expected,
        "{spec}"
    );
}

#[track_caller]
fn check_dual(spec: &str, old: Option<&str>, expected: &str) {
    let cidrs = ["10.0.0.0/24", "fd00::/112"];
    assert_eq!(allot(&cidrs, false, spec, old), expected, "{spec}");
}

const ONE: &str = r#"{"type":"ClusterIP","clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}"#;
const NODE: &str = r#"{"type":"NodePort","clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"ports":[{"name":"a","port":1,"protocol":"TCP","nodePort":30040}]}"#;
const BOTH: &str = r#"{"type":"ClusterIP","clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9","fd00::9"],"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"]}"#;

#[test]
fn a_new_service_gets_an_address() {
    check(
        r#"{"type":"ClusterIP"}"#,
        None,
        r#"{"type":"ClusterIP","ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"clusterIP":"10.0.0.17","clusterIPs":["10.0.0.17"]}"#,
    );
    check(
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.6"}"#,
        None,
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.6","clusterIPs":["10.0.0.6"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}"#,
    );
    check(
        r#"{"type":"ClusterIP","clusterIP":"None"}"#,
        None,
        r#"{"type":"ClusterIP","clusterIP":"None","clusterIPs":["None"],"ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv4","IPv6"]}"#,
    );
    check(
        r#"{"type":"ClusterIP","clusterIP":"None","selector":{"a":"b"}}"#,
        None,
        r#"{"type":"ClusterIP","clusterIP":"None","selector":{"a":"b"},"clusterIPs":["None"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}"#,
    );
    check(
        r#"{"type":"ExternalName","internalTrafficPolicy":"Cluster"}"#,
        None,
        r#"{"type":"ExternalName"}"#,
    );
}

#[test]
fn an_address_that_cannot_be_had_is_refused() {
    let refused = |spec: &str, why: &str| {
        check(spec, None, &format!("422 Service \"s\" is invalid: {why}"));
    };
    refused(
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.5"}"#,
        r#"spec.clusterIPs: Invalid value: ["10.0.0.5"]: failed to allocate IP 10.0.0.5: provided IP is already allocated"#,
    );
    refused(
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.255"}"#,
        r#"spec.clusterIPs: Invalid value: ["10.0.0.255"]: failed to allocate IP 10.0.0.255: the provided network does not match the current range"#,
    );
    refused(
        r#"{"type":"ClusterIP","clusterIP":"fd00::1"}"#,
        r#"spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster"#,
    );
    refused(
        r#"{"type":"ClusterIP","clusterIP":"zzz"}"#,
        r#"spec.clusterIPs[0]: Invalid value: "zzz": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#,
    );
    refused(
        r#"{"type":"ClusterIP","clusterIPs":["10.0.0.7"]}"#,
        r#"spec.clusterIPs: Invalid value: ["10.0.0.7"]: must be empty when `clusterIP` is not specified"#,
    );
    refused(
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.7","clusterIPs":["10.0.0.8"]}"#,
        r#"spec.clusterIPs: Invalid value: ["10.0.0.8"]: first value must match `clusterIP`"#,
    );
}

#[test]
fn families_that_cannot_be_had_are_refused() {
    let refused = |spec: &str, why: &str| {
        check(spec, None, &format!("422 Service \"s\" is invalid: {why}"));
    };
    refused(
        r#"{"type":"ClusterIP","ipFamilies":["IPv6"]}"#,
        r#"spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster"#,
    );
    refused(
        r#"{"type":"ClusterIP","ipFamilyPolicy":"RequireDualStack"}"#,
        r#"spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services"#,
    );
    refused(
        r#"{"type":"ClusterIP","ipFamilies":["IPv4","IPv4"]}"#,
        r#"spec.ipFamilies[1]: Duplicate value: "IPv4""#,
    );
    refused(
        r#"{"type":"ClusterIP","ipFamilies":["IPv4","IPv6"]}"#,
        r#"spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"#,
    );
    refused(
        r#"{"type":"ClusterIP","ipFamilyPolicy":"Foo"}"#,
        r#"spec.ipFamilyPolicy: Unsupported value: "Foo": supported values: "PreferDualStack", "RequireDualStack", "SingleStack""#,
    );
}

#[test]
fn node_ports_are_given_and_refused() {
    check(
        r#"{"type":"NodePort","clusterIP":"None","selector":{"a":"b"},"ports":[{"port":1},{"port":2,"nodePort":30007},{"port":1,"protocol":"UDP"}]}"#,
        None,
        r#"{"type":"NodePort","clusterIP":"None","selector":{"a":"b"},"ports":[{"port":1,"nodePort":30016},{"port":2,"nodePort":30007},{"port":1,"protocol":"UDP","nodePort":30016}],"clusterIPs":["None"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}"#,
    );
    check(
        r#"{"type":"NodePort","ports":[{"port":1,"nodePort":30005}]}"#,
        None,
        r#"422 Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 30005: provided port is already allocated"#,
    );
    check(
        r#"{"type":"NodePort","ports":[{"port":1,"nodePort":80}]}"#,
        None,
        r#"422 Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-30063"#,
    );
    check(
        r#"{"type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":30005}"#,
        None,
        "500 Internal error occurred: failed to allocate requested HealthCheck NodePort 30005: provided port is already allocated",
    );
    check(
        r#"{"type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"externalTrafficPolicy":"Local","ports":[{"port":1}]}"#,
        None,
        r#"{"type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"externalTrafficPolicy":"Local","ports":[{"port":1}],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"clusterIP":"10.0.0.17","clusterIPs":["10.0.0.17"],"healthCheckNodePort":30016}"#,
    );
}

#[test]
fn an_update_keeps_what_was_given() {
    check(
        r#"{"type":"NodePort","ports":[{"name":"a","port":1,"protocol":"TCP"}]}"#,
        Some(NODE),
        r#"{"type":"NodePort","ports":[{"name":"a","port":1,"protocol":"TCP","nodePort":30040}],"clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"]}"#,
    );
    check(
        r#"{"type":"NodePort","clusterIP":"10.0.0.9","ports":[{"name":"a","port":1,"nodePort":30005}]}"#,
        Some(NODE),
        r#"422 Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 30005: provided port is already allocated"#,
    );
    check(
        r#"{"type":"NodePort","clusterIP":"10.0.0.9","ports":[{"port":1,"protocol":"TCP","nodePort":30040},{"port":2,"protocol":"TCP","nodePort":30040}]}"#,
        Some(NODE),
        "500 duplicate nodePort: {TCP 30040}",
    );
}

#[test]
fn a_change_of_type_takes_and_wipes() {
    let named = NODE.replacen("NodePort", "ClusterIP", 1);
    check(
        &named,
        Some(NODE),
        &named.replace(r#","nodePort":30040"#, ""),
    );
    check(
        &ONE.replacen("ClusterIP", "ExternalName", 1),
        Some(ONE),
        r#"{"type":"ExternalName"}"#,
    );
    check(
        r#"{"type":"ClusterIP"}"#,
        Some(r#"{"type":"ExternalName"}"#),
        r#"{"type":"ClusterIP","ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"clusterIP":"10.0.0.17","clusterIPs":["10.0.0.17"]}"#,
    );
}

#[test]
fn two_families_come_and_go() {
    check_dual(
        r#"{"type":"ClusterIP","ipFamilyPolicy":"RequireDualStack"}"#,
        None,
        r#"{"type":"ClusterIP","ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv4","IPv6"],"clusterIP":"10.0.0.17","clusterIPs":["10.0.0.17","fd00::101"]}"#,
    );
    check_dual(
        &ONE.replace("SingleStack", "PreferDualStack"),
        Some(ONE),
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9","fd00::101"],"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"]}"#,
    );
    check_dual(
        &BOTH.replace("PreferDualStack", "SingleStack"),
        Some(BOTH),
        ONE,
    );
    check_dual(
        r#"{"type":"ClusterIP","clusterIP":"10.0.0.9","clusterIPs":["10.0.0.9"],"ipFamilyPolicy":"RequireDualStack","ipFamilies":["IPv4","IPv6"]}"#,
        Some(BOTH),
        r#"422 Service "s" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be 'SingleStack' to release the secondary cluster IP"#,
    );
    // A cluster that has become single-stack leaves it alone.
    check(BOTH, Some(BOTH), BOTH);
    check_dual(
        r#"{"type":"ClusterIP","clusterIP":"fd00::6"}"#,
        None,
        r#"{"type":"ClusterIP","clusterIP":"fd00::6","clusterIPs":["fd00::6"],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv6"]}"#,
    );
}

#[test]
fn a_dry_run_shows_what_upstream_shows() {
    let dry = |spec: &str| allot(&["10.0.0.0/24"], true, spec, None);
    assert_eq!(
        dry(r#"{"type":"NodePort","ports":[{"port":1}]}"#),
        r#"{"type":"NodePort","ports":[{"port":1,"nodePort":32769}],"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv4"],"clusterIP":"10.0.0.0","clusterIPs":["10.0.0.0"]}"#
    );
    assert!(dry(r#"{"type":"ClusterIP","clusterIP":"10.0.0.5"}"#).starts_with('{'));
    assert_eq!(
        dry(r#"{"type":"ClusterIP","clusterIP":"10.1.0.5"}"#),
        r#"422 Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.1.0.5"]: failed to allocate IP 10.1.0.5: the provided IP (10.1.0.5) is not in the valid range. The range of valid IPs is 10.0.0.0/24"#
    );
}

#[test]
fn a_full_range_says_so() {
    let spec = r#"{"type":"ClusterIP"}"#;
    let found = allot(&["10.0.0.4/30"], false, spec, None);
    // .5 is taken, .6 is not.
    assert!(found.contains("10.0.0.6"), "{found}");
    let old = r#"{"type":"ClusterIP","clusterIP":"10.0.0.6","clusterIPs":["10.0.0.6"]}"#;
    let full = r#"{"type":"ClusterIP","ipFamilies":["IPv4"]}"#;
    let services = Services::new(vec!["10.0.0.4/30".parse().expect("a network")], 1..=2);
    let mut ledger = Taken {
        ranges: vec![read(r#"{"spec":{"cidrs":["10.0.0.4/30"]}}"#)],
        held: RefCell::new(
            services
                .held(&read(&format!(r#"{{"spec":{old}}}"#)))
                .into_iter()
                .collect(),
        ),
        is_dry: false,
    };
    ledger.take(Claim::Address("10.0.0.5".parse().expect("an address")));
    let mut service = read(&format!(r#"{{"metadata":{{"name":"s"}},"spec":{full}}}"#));
    let refused = services.allot(&mut service, None, &mut ledger);
    assert_eq!(
        refused.expect_err("it is full").message,
        "Internal error occurred: failed to allocate a serviceIP for Service \"s\": range is full"
    );
}

#[test]
fn deeds_name_their_holder() {
    let services = Services::new(
        vec!["10.0.0.0/24".parse().expect("a network")],
        Services::NODE_PORTS,
    );
    let service = read(
        r#"{"metadata":{"name":"s","namespace":"n"},"spec":{"type":"NodePort","clusterIPs":["10.0.0.1"],"ports":[{"nodePort":30001}]}}"#,
    );
    let held = services.held(&service);
    let deeds: Vec<Value> = held
        .iter()
        .filter_map(|claim| services.deed(*claim, &service))
        .collect();
    assert_eq!(deeds.len(), 1, "ports have none");
    assert_eq!(services.claim_of(&deeds[0]), Some(held[0]));
    assert_eq!(services.holder_of(&deeds[0]).as_deref(), Some("n/s"));
    let foreign = read(
        r#"{"metadata":{"name":"10.0.0.1"},"spec":{"parentRef":{"resource":"services","namespace":"n","name":"s"}}}"#,
    );
    assert_eq!(services.holder_of(&foreign), None);
}
