//! What is wrong with addresses of Services and the ranges they come from.

use api::{Value, field::Error, names::validate};

use crate::validate::{Findings, Place, Subject, addresses, changes, gostruct, texts};

/// Checks an address; its name is the address.
pub(super) fn address(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let metadata = root.child("metadata");
    let name = metadata.child("name");
    if !name.text().is_empty() {
        addresses::strict(name.path(), name.text(), found);
    }
    let (spec, before) = (root.child("spec"), old.child("spec"));
    let parent = spec.child("parentRef");
    let before = before.child("parentRef");
    let is_changed = subject.old.is_some() && !parent.is_same(&before);
    let (resource, owner) = (parent.child("resource"), parent.child("name"));
    if parent.is_set() {
        let group = parent.child("group");
        if !group.text().is_empty() {
            texts::subdomain(&group, found);
        }
        for part in [&resource, &owner] {
            if is_changed {
                texts::require(part, "", found);
            }
            texts::fits(part, validate::path_segment_name, found);
        }
        let namespace = parent.child("namespace");
        texts::fits(&namespace, validate::path_segment_name, found);
    }
    // Here upstream's tags begin.
    if !parent.is_set() {
        found.required(&parent, "");
    }
    if is_changed {
        // Upstream's tag shows nothing here.
        found.push(Error::invalid(
            parent.path(),
            &Value::Null,
            changes::IMMUTABLE,
        ));
    } else if parent.is_set() && subject.old.is_none() {
        texts::require(&resource, "", found);
        texts::require(&owner, "", found);
    }
}

/// Checks a range; a second one of the other family may be added later.
pub(super) fn range(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, before) = (root.child("spec"), old.child("spec"));
    if subject.old.is_none() {
        return cidrs(&spec, found);
    }
    let (now, before) = (spec.child("cidrs"), before.child("cidrs"));
    let moved = |index: usize| now.list().get(index) != before.list().get(index);
    match (before.len(), now.len()) {
        (old, new) if old == new => {
            for index in (0..new).filter(|index| moved(*index)) {
                found.invalid(&now.index(index), changes::IMMUTABLE);
            }
        }
        (1, 2) => {
            if moved(0) {
                found.invalid(&now.index(0), changes::IMMUTABLE);
            }
            cidrs(&spec, found);
        }
        _ => found.invalid(&now, changes::IMMUTABLE),
    }
}

fn cidrs(spec: &Place<'_>, found: &mut Findings) {
    let cidrs = spec.child("cidrs");
    match cidrs.len() {
        0 => return found.required(&cidrs, "at least one CIDR required"),
        1 | 2 => {}
        _ => {
            let shown = gostruct::shown(spec, "ServiceCIDRSpec");
            let why = "may only hold up to 2 values";
            return found.push(Error::invalid(cidrs.path(), shown, why));
        }
    }
    for cidr in cidrs.items() {
        addresses::strict_network(cidr.path(), cidr.text(), found);
    }
    let family = |index: usize| {
        let network = addresses::Network::sloppy(cidrs.index(index).text())?;
        Some(network.family())
    };
    if cidrs.len() == 2 && family(0).is_some() && family(0) == family(1) {
        let why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        found.invalid(&cidrs, why);
    }
}
