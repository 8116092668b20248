//! Warnings about ingresses, network policies and slices of endpoints.

use super::{Warnings, addresses};
use crate::validate::Subject;

const CLASS: &str = "kubernetes.io/ingress.class";

/// Which side of a rule names its peers in which field.
const SIDES: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

/// Warns of the annotation that became a field.
pub(super) fn ingress(subject: &Subject<'_>, warnings: &mut Warnings) {
    let is_there = |path: &[&str]| {
        subject
            .object
            .at(path)
            .is_some_and(|value| !value.is_null())
    };
    if subject.old.is_none()
        && is_there(&["metadata", "annotations", CLASS])
        && !is_there(&["spec", "ingressClassName"])
    {
        warnings.push(format!(
            "annotation \"{CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"
        ));
    }
}

/// Warns of networks that are not written as they should be.
pub(super) fn policy(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    let spec = root.child("spec");
    for (side, peers) in SIDES {
        for rule in spec.child(side).items() {
            for peer in rule.child(peers).items() {
                let block = peer.child("ipBlock");
                addresses::network(&block.child("cidr"), warnings);
                for part in block.child("except").items() {
                    addresses::network(&part, warnings);
                }
            }
        }
    }
}

/// Warns of odd addresses, unless a controller wrote them.
pub(super) fn slice(subject: &Subject<'_>, warnings: &mut Warnings) {
    let root = subject.root();
    if subject.old.is_none() && root.child("addressType").text() == "FQDN" {
        warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
    }
    let metadata = root.child("metadata");
    let labels = metadata.child("labels");
    let manager = labels.key("endpointslice.kubernetes.io/managed-by");
    let controllers = [
        "endpointslice-controller.k8s.io",
        "endpointslicemirroring-controller.k8s.io",
    ];
    if controllers.contains(&manager.text()) {
        return;
    }
    for endpoint in root.child("endpoints").items() {
        for address in endpoint.child("addresses").items() {
            addresses::address(&address, warnings);
        }
    }
}
