//! What is wrong with nodes.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go (`ValidateNode`,
//! `ValidateNodeUpdate`), pkg/registry/core/node/strategy.go.

use api::{
    Value,
    field::{Error, Path},
    names::validate,
};

use crate::validate::{Findings, Place, Subject, addresses, gostruct, labels, quantities, texts};

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
const RANGES_MOVED: &str = "node updates may not change podCIDR except from \"\" to valid";

/// Checks a node.
pub(super) fn node(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let (spec, status) = (root.child("spec"), root.child("status"));
    taints(&spec, found);
    resources(&status, found);
    let swap = status.child("nodeInfo");
    let swap = swap.child("swap");
    let capacity = swap.child("capacity");
    if let Some(bytes) = capacity.int().filter(|bytes| *bytes <= 0) {
        let metadata = Path::new("metadata");
        let swap = metadata.child("nodeSwapStatus");
        let why = "must be greater than zero";
        found.push(Error::invalid(&swap.child("capacity"), bytes, why));
    }
    features(&status, found);
    ranges(&spec.child("podCIDRs"), found);
    if subject.old.is_some() {
        changed(subject, found);
    }
}

/// Checks what an update of a node, or of its status, does.
pub(super) fn changed(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, status) = (root.child("spec"), root.child("status"));
    let old = old.child("spec");
    resources(&status, found);
    features(&status, found);
    let list = status.child("addresses");
    for (index, address) in list.items().enumerate() {
        if list.list()[..index]
            .iter()
            .any(|one| Some(one) == address.value())
        {
            let shown = gostruct::shown(&address, "NodeAddress");
            found.push(Error::duplicate(address.path(), shown));
        }
    }
    let (ranges, before) = (spec.child("podCIDRs"), old.child("podCIDRs"));
    if before.len() > 0 {
        let moved = match before.len() == ranges.len() {
            true => before.list().iter().zip(ranges.list()),
            false => [Value::Null].iter().zip(&[Value::Bool(true)]),
        };
        for _ in moved.filter(|(before, now)| before != now) {
            found.forbidden(&ranges, RANGES_MOVED);
        }
    }
    let provider = spec.child("providerID");
    let before = old.child("providerID").text();
    let why = match provider.text() {
        now if before.is_empty() || now == before => None,
        "" => Some("field cannot be cleared once set"),
        _ => Some("field cannot be modified once set"),
    };
    if let Some(why) = why {
        found.push(Error::invalid(provider.path(), &Value::Null, why));
    }
    taints(&spec, found);
    let external = spec.child("externalID");
    if external.text() != old.child("externalID").text() {
        found.forbidden(&external, "may not be updated");
    }
}

/// Upstream says that taints stand in the metadata.
fn taints(spec: &Place<'_>, found: &mut Findings) {
    let metadata = Path::new("metadata");
    let path = metadata.child("taints");
    let taints = spec.child("taints");
    let same = |one: &Value, other: &Value| {
        let part = |value: &Value, name| value.str_at(&[name]).unwrap_or_default().to_owned();
        ["key", "effect"]
            .into_iter()
            .all(|name| part(one, name) == part(other, name))
    };
    for (index, taint) in taints.list().iter().enumerate() {
        let path = path.index(index);
        let place = Place::new(Some(taint), path);
        labels::key(&place.child("key"), found);
        let value = place.child("value");
        let why = validate::label_value(value.text());
        if !why.is_empty() {
            found.invalid_text(&value, why.join(";"));
        }
        texts::required_choice(&place.child("effect"), EFFECTS, found);
        if taints.list()[..index]
            .iter()
            .any(|other| same(taint, other))
        {
            let mut error = Error::duplicate(&path, gostruct::shown(&place, "Taint"));
            "taints must be unique by key and effect pair".clone_into(&mut error.detail);
            found.push(error);
        }
    }
}

fn resources(status: &Place<'_>, found: &mut Findings) {
    for name in ["capacity", "allocatable"] {
        let amounts = status.child(name);
        for (resource, amount) in amounts.entries() {
            // Upstream prints these as fields, not as keys.
            let path = amounts.path().child(resource);
            quantities::amount_of(resource, &Place::new(amount.value(), path), found);
        }
    }
}

fn features(status: &Place<'_>, found: &mut Findings) {
    let features = status.child("declaredFeatures");
    let mut before: Option<&str> = None;
    for feature in features.items() {
        let name = feature.text();
        match before {
            Some(before) if before == name => found.duplicate(&feature),
            Some(before) if before > name => {
                found.invalid_text(&feature, "list must be sorted alphabetically");
            }
            _ => {}
        }
        let why = if name.len() > validate::SUBDOMAIN_LEN_MAX {
            validate::max_len_error(validate::SUBDOMAIN_LEN_MAX)
        } else if is_feature(name) {
            String::new()
        } else {
            "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes".to_owned()
        };
        if !why.is_empty() {
            let name = api::quote::quote(name);
            found.invalid_text(&feature, format!("invalid feature name {name}: {why}"));
        }
        before = Some(name);
    }
}

fn is_feature(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    name.starts_with(|letter: char| letter.is_ascii_uppercase()) && name.split('/').all(is_part)
}

/// One range of addresses for each family, at most.
fn ranges(ranges: &Place<'_>, found: &mut Findings) {
    for range in ranges.items() {
        addresses::legacy_network(range.path(), range.text(), found);
    }
    let families: Option<Vec<&str>> = ranges
        .items()
        .map(|range| addresses::Network::sloppy(range.text()).map(addresses::Network::family))
        .collect();
    let Some(families) = families else {
        if ranges.len() > 1 {
            unreadable(ranges, found);
        }
        return;
    };
    let is_dual = families.contains(&"IPv4") && families.contains(&"IPv6");
    if families.len() > 1 && (!is_dual || families.len() > 2) {
        let why = "may specify no more than one CIDR for each IP family";
        found.invalid(ranges, why);
    }
}

fn unreadable(ranges: &Place<'_>, found: &mut Findings) {
    let is_bad = |range: &Place<'_>| addresses::Network::sloppy(range.text()).is_none();
    let bad = ranges.items().enumerate().find(|(_, range)| is_bad(range));
    if let Some((index, range)) = bad {
        let text = range.text();
        let why = format!(
            "invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[{index}]: <nil> (invalid CIDR address: {text})"
        );
        found.push(Error::internal(ranges.path(), why));
        found.invalid(
            ranges,
            "may specify no more than one CIDR for each IP family",
        );
    }
}
