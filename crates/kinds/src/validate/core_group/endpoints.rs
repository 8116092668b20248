//! What is wrong with Endpoints.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go
//! (`ValidateEndpoints`), pkg/registry/core/endpoint/strategy.go.

use api::names::validate;

use super::services::PROTOCOLS;
use crate::validate::{Findings, Place, Subject, addresses, changes, numbers, texts};

/// Checks endpoints; what was there may stay.
pub(super) fn endpoints(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let subsets = root.child("subsets");
    let before = old.child("subsets");
    if subject.old.is_some() && changes::same(subsets.value(), before.value()) {
        return;
    }
    for subset in subsets.items() {
        let (ready, other) = (subset.child("addresses"), subset.child("notReadyAddresses"));
        if ready.len() == 0 && other.len() == 0 {
            found.required(&subset, "must specify `addresses` or `notReadyAddresses`");
        }
        for one in ready.items() {
            address(&one, found);
        }
        for one in other.items() {
            address(&one, found);
        }
        let ports = subset.child("ports");
        for one in ports.items() {
            port(&one, ports.len() > 1, found);
        }
    }
}

fn address(one: &Place<'_>, found: &mut Findings) {
    let address = one.child("ip");
    addresses::legacy(address.path(), address.text(), found);
    let (host, node) = (one.child("hostname"), one.child("nodeName"));
    if !host.text().is_empty() {
        texts::label(&host, found);
    }
    if node.is_set() {
        texts::subdomain(&node, found);
    }
    addresses::endpoint(address.path(), address.text(), found);
}

fn port(port: &Place<'_>, is_named: bool, found: &mut Findings) {
    let name = port.child("name");
    if !name.text().is_empty() {
        texts::label(&name, found);
    } else if is_named {
        found.required(&name, "");
    }
    numbers::port(&port.child("port"), found);
    texts::required_choice(&port.child("protocol"), PROTOCOLS, found);
    let protocol = port.child("appProtocol");
    if protocol.is_set() {
        found.each_invalid(&protocol, validate::qualified_name(protocol.text()));
    }
}
