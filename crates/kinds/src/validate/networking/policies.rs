//! What is wrong with network policies.

use api::{Value, field::Error, names::validate};

use crate::validate::{
    Findings, Place, Subject, addresses,
    labels::{self, SelectorRules},
    texts,
};

const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
const TYPES: &[&str] = &["Ingress", "Egress"];
const SIDES: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

/// Checks a network policy.
pub(super) fn policy(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, before) = (root.child("spec"), old.child("spec"));
    let mut odd = Findings::default();
    let pods = before.child("podSelector");
    labels::selector(&pods, SelectorRules::Strict, &mut odd);
    let rules = match odd.is_empty() {
        true => SelectorRules::Strict,
        false => SelectorRules::AnyValues,
    };
    let rules = Rules {
        selectors: rules,
        known: networks(&before),
    };
    labels::selector(&spec.child("podSelector"), rules.selectors, found);
    for (side, peers) in SIDES {
        for rule in spec.child(side).items() {
            for one in rule.child("ports").items() {
                port(&one, found);
            }
            for one in rule.child(peers).items() {
                peer(&one, &rules, found);
            }
        }
    }
    let types = spec.child("policyTypes");
    if types.len() > TYPES.len() {
        found.invalid(&types, "may not specify more than two policyTypes");
    } else {
        for one in types.items() {
            texts::choice(&one, TYPES, found);
        }
    }
    // Here upstream's tags begin; they do not look at what stays.
    if subject.old.is_some() && spec.is_same(&before) {
        return;
    }
    for (side, peers) in SIDES {
        for rule in spec.child(side).items() {
            for peer in rule.child(peers).items() {
                let block = peer.child("ipBlock");
                if block.is_set() {
                    texts::require(&block.child("cidr"), "", found);
                }
            }
        }
    }
}

/// What a policy may hold because it stood there already.
struct Rules<'a> {
    selectors: SelectorRules,
    known: Vec<&'a str>,
}

/// Returns all networks that a policy names.
fn networks<'a>(spec: &Place<'a>) -> Vec<&'a str> {
    let list = |value: &'a Value, name: &str| {
        let list = value.get(name).and_then(Value::as_array);
        list.unwrap_or_default().iter()
    };
    let mut known = Vec::new();
    let Some(spec) = spec.value() else {
        return known;
    };
    for (side, peers) in SIDES {
        for peer in list(spec, side).flat_map(|rule| list(rule, peers)) {
            let Some(block) = peer.get("ipBlock") else {
                continue;
            };
            known.extend(block.str_at(&["cidr"]));
            known.extend(list(block, "except").filter_map(Value::as_str));
        }
    }
    known
}

fn port(port: &Place<'_>, found: &mut Findings) {
    texts::optional_choice(&port.child("protocol"), PROTOCOLS, found);
    let (first, last) = (port.child("port"), port.child("endPort"));
    match first.value() {
        Some(Value::Int(number)) => {
            found.each_invalid(&first, validate::port_number(*number));
            if let Some(end) = last.int() {
                if end < *number {
                    found.invalid(&last, "must be greater than or equal to `port`");
                }
                found.each_invalid(&last, validate::port_number(end));
            }
        }
        Some(_) => {
            if last.is_set() {
                found.invalid(&last, "may not be specified when `port` is non-numeric");
            }
            found.each_invalid(&first, validate::port_name(first.text()));
        }
        None if last.is_set() => {
            found.invalid(&last, "may not be specified when `port` is not specified");
        }
        None => {}
    }
}

fn peer(peer: &Place<'_>, rules: &Rules<'_>, found: &mut Findings) {
    let block = peer.child("ipBlock");
    let mut count = 0;
    for name in ["podSelector", "namespaceSelector"] {
        let selector = peer.child(name);
        if selector.is_set() {
            count += 1;
            labels::selector(&selector, rules.selectors, found);
        }
    }
    if block.is_set() {
        count += 1;
        check_block(&block, rules, found);
    }
    if count == 0 {
        found.required(peer, "must specify a peer");
    } else if count > 1 && block.is_set() {
        found.forbidden(peer, "may not specify both ipBlock and another peer");
    }
}

fn check_block(block: &Place<'_>, rules: &Rules<'_>, found: &mut Findings) {
    let whole = block.child("cidr");
    let network = |place: &Place<'_>, found: &mut Findings| {
        if !rules.known.contains(&place.text()) {
            addresses::legacy_network(place.path(), place.text(), found);
        }
        addresses::Network::sloppy(place.text())
    };
    if whole.text().is_empty() {
        return;
    }
    let Some(cidr) = network(&whole, found) else {
        return;
    };
    for part in block.child("except").items() {
        if let Some(except) = network(&part, found)
            && !cidr.has_within(except)
        {
            let why = "must be a strict subset of `cidr`";
            found.push(Error::invalid(part.path(), part.text(), why));
        }
    }
}
