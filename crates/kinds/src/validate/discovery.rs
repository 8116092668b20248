//! What is wrong with slices of endpoints.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/discovery/validation/validation.go and the `+k8s:`
//! rules of discovery/v1, which come last; pkg/registry/discovery/endpointslice/strategy.go.

use api::{
    Value,
    field::{Error, Path},
    names::validate,
};

use super::{Check, Findings, Place, Subject, addresses, changes, core_group, labels, texts};

const ENDPOINTS_MAX: usize = 1_000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const TOPOLOGY_MAX: usize = 16;
const HINTS_MAX: usize = 8;
const TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("EndpointSlice", "") => Some(slice),
        _ => None,
    }
}

fn slice(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (kind, before) = (root.child("addressType"), old.child("addressType"));
    let (ports, endpoints) = (root.child("ports"), root.child("endpoints"));
    let is_moved = subject.old.is_some() && !kind.is_same(&before);
    if is_moved && !kind.text().is_empty() {
        texts::choice(&kind, TYPES, found);
    }
    check_ports(&ports, found);
    let was = old.child("endpoints");
    let is_kept = subject.old.is_some() && changes::same(endpoints.value(), was.value());
    if !is_kept {
        if endpoints.len() > ENDPOINTS_MAX {
            let count = endpoints.len();
            found.push(Error::too_many(endpoints.path(), count, ENDPOINTS_MAX));
        } else {
            for endpoint in endpoints.items() {
                check_endpoint(&endpoint, kind.text(), found);
            }
        }
    }
    // Here upstream's tags begin.
    if subject.old.is_none() {
        texts::required_choice(&kind, TYPES, found);
    } else if is_moved {
        texts::require(&kind, "", found);
        // Upstream's tag shows nothing here.
        found.push(Error::invalid(
            kind.path(),
            &Value::Null,
            changes::IMMUTABLE,
        ));
    }
    for endpoint in endpoints.items().filter(|_| !is_kept) {
        let addresses = endpoint.child("addresses");
        match addresses.len() {
            0 => found.required(&addresses, ""),
            count if count > ADDRESSES_MAX => {
                let error = Error::too_many(addresses.path(), count, ADDRESSES_MAX);
                found.push(error);
            }
            _ => {}
        }
    }
}

fn check_ports(ports: &Place<'_>, found: &mut Findings) {
    if ports.len() > PORTS_MAX {
        return found.push(Error::too_many(ports.path(), ports.len(), PORTS_MAX));
    }
    let name_of = |port: &Value| port.str_at(&["name"]).unwrap_or_default().to_owned();
    for (index, port) in ports.items().enumerate() {
        let name = port.child("name");
        if !name.text().is_empty() {
            texts::label(&name, found);
        }
        let mut before = ports.list()[..index].iter();
        if before.any(|other| name_of(other) == name.text()) {
            found.push(Error::duplicate(name.path(), name.text()));
        }
        let protocol = port.child("protocol");
        if !protocol.is_set() {
            found.required(&protocol, "");
        } else {
            texts::choice(&protocol, core_group::PROTOCOLS, found);
        }
        let protocol = port.child("appProtocol");
        if protocol.is_set() {
            texts::qualified(&protocol, found);
        }
    }
}

fn check_endpoint(endpoint: &Place<'_>, kind: &str, found: &mut Findings) {
    let all = endpoint.child("addresses");
    for address in all.items() {
        let (path, text) = (address.path(), address.text());
        let is_right = match kind {
            "IPv4" => addresses::legacy(path, text, found),
            "IPv6" => addresses::strict(path, text, found),
            "FQDN" => {
                full_name(path, text, found);
                false
            }
            _ => false,
        };
        if is_right {
            if addresses::family(text) != Some(kind) {
                let why = format!("must be an {kind} address");
                found.push(Error::invalid(all.path(), text, why));
            }
            addresses::endpoint(path, text, found);
        }
    }
    let (node, host) = (endpoint.child("nodeName"), endpoint.child("hostname"));
    if node.is_set() {
        texts::subdomain(&node, found);
    }
    let topology = endpoint.child("deprecatedTopology");
    if topology.len() > TOPOLOGY_MAX {
        let count = topology.len();
        found.push(Error::too_many(topology.path(), count, TOPOLOGY_MAX));
    }
    labels::labels(&topology, found);
    if host.is_set() {
        texts::label(&host, found);
    }
    let hints = endpoint.child("hints");
    if check_hints(&hints.child("forZones"), validate::label_value, found) {
        check_hints(&hints.child("forNodes"), validate::dns1123_subdomain, found);
    }
}

/// Checks hints; says whether there are not too many.
fn check_hints(hints: &Place<'_>, rule: fn(&str) -> Vec<String>, found: &mut Findings) -> bool {
    if hints.len() > HINTS_MAX {
        found.push(Error::too_many(hints.path(), hints.len(), HINTS_MAX));
        return false;
    }
    for (index, hint) in hints.items().enumerate() {
        let name = hint.child("name");
        let mut before = hints.list()[..index].iter();
        if before.any(|other| other.str_at(&["name"]).unwrap_or_default() == name.text()) {
            found.push(Error::duplicate(name.path(), name.text()));
        }
        texts::fits(&name, rule, found);
    }
    true
}

/// Checks a name of DNS with at least two labels.
fn full_name(path: &Path<'_>, name: &str, found: &mut Findings) {
    if name.is_empty() {
        return found.push(Error::required(path, ""));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut refuse = |text: &str, why: String| found.push(Error::invalid(path, text, why));
    let why = validate::dns1123_subdomain(name);
    if !why.is_empty() {
        return refuse(name, why.join(","));
    }
    if !name.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        return refuse(name, why.to_owned());
    }
    let bad = |label: &str| {
        let why = validate::dns1123_label(label);
        (!why.is_empty()).then(|| (label.to_owned(), why.join(",")))
    };
    if let Some((label, why)) = name.split('.').find_map(bad) {
        refuse(&label, why);
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(object: &str, old: Option<&str>, expected: &[&str]) {
        check_table(
            ("discovery.k8s.io", "EndpointSlice", ""),
            object,
            old,
            expected,
        );
    }

    const GOOD: &str = r#"{"addressType":"IPv4","endpoints":[{"addresses":["10.1.1.1"]}]}"#;

    #[test]
    fn addresses_are_of_their_family() {
        check(GOOD, None, &[]);
        check(
            r#"{"addressType":"IPv6","endpoints":[{"addresses":["10.1.1.1"]},{"addresses":[]}]}"#,
            None,
            &[
                r#"endpoints[0].addresses: Invalid value: "10.1.1.1": must be an IPv6 address"#,
                "endpoints[1].addresses: Required value",
            ],
        );
        check(
            r#"{"addressType":"FQDN","endpoints":[{"addresses":["a"]}]}"#,
            None,
            &[
                r#"endpoints[0].addresses[0]: Invalid value: "a": should be a domain with at least two segments separated by dots"#,
            ],
        );
    }

    #[test]
    fn the_family_stays() {
        check(
            r#"{"addressType":"FQDN","endpoints":[{"addresses":["10.1.1.1"]}]}"#,
            Some(GOOD),
            &["addressType: Invalid value: null: field is immutable"],
        );
    }
}
