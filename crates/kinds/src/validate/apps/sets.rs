//! What is wrong with stateful sets and daemon sets.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/apps/validation/validation.go.

use api::{Value, field::Error, value};

use super::{strict_selector, unknown_strategy};
use crate::validate::{
    Findings, Place, Subject, changes,
    core_group::{self, ClaimRules},
    gostruct,
    labels::{self, SelectorRules},
    numbers,
    pods::{
        self,
        controllers::{not_selected, runs_forever},
    },
    texts,
};

/// What may not change of a stateful set, in the order in which it is checked.
const FIXED: [&str; 4] = [
    "selector",
    "volumeClaimTemplates",
    "serviceName",
    "podManagementPolicy",
];

pub(super) fn stateful_set(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    if subject.old.is_none() {
        return stateful_spec(&spec, &old_spec, Way::New, found);
    }
    // A template that was wrong before may stay so.
    let mut before = Findings::default();
    stateful_spec(&old_spec, &old_spec, Way::Changed, &mut before);
    let way = if before.is_empty() {
        Way::Changed
    } else {
        Way::WrongBefore
    };
    stateful_spec(&spec, &old_spec, way, found);
    for field in FIXED {
        let place = spec.child(field);
        if field == "volumeClaimTemplates" {
            claims_stay(&place, &old_spec, found);
        } else {
            changes::immutable(&place, &old_spec.child(field), found);
        }
    }
}

fn claims_stay(claims: &Place<'_>, old_spec: &Place<'_>, found: &mut Findings) {
    if !changes::same(claims.value(), old_spec.get("volumeClaimTemplates")) {
        let shown = gostruct::shown_list(claims, "PersistentVolumeClaim");
        found.push(Error::invalid(claims.path(), shown, changes::IMMUTABLE));
    }
}

/// How a stateful set comes to be checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    New,
    Changed,
    WrongBefore,
}

fn stateful_spec(spec: &Place<'_>, old_spec: &Place<'_>, way: Way, found: &mut Findings) {
    let policy = spec.child("podManagementPolicy");
    match policy.text() {
        "OrderedReady" | "Parallel" => {}
        "" => found.required(&policy, ""),
        _ => found.invalid(&policy, "must be 'OrderedReady' or 'Parallel'"),
    }
    stateful_strategy(&spec.child("updateStrategy"), found);
    let retention = spec.child("persistentVolumeClaimRetentionPolicy");
    if retention.is_set() {
        for field in ["whenDeleted", "whenScaled"] {
            texts::choice(&retention.child(field), &["Retain", "Delete"], found);
        }
    }
    if way == Way::New {
        for claim in spec.child("volumeClaimTemplates").items() {
            core_group::claim_spec(&claim.child("spec"), ClaimRules::default(), found);
        }
    }
    numbers::non_negative(&spec.child("replicas"), found);
    numbers::non_negative(&spec.child("minReadySeconds"), found);
    if let Some(start) = spec
        .get("ordinals")
        .and_then(|ordinals| ordinals.get("start"))
    {
        // The path is upstream's: one name with a stop in it, which prints alike.
        let place = spec.child("ordinals.start");
        numbers::non_negative(&Place::new(Some(start), *place.path()), found);
    }
    let service = spec.child("serviceName");
    if way == Way::New && !service.text().is_empty() {
        texts::label(&service, found);
    }
    let selector = spec.child("selector");
    strict_selector(&selector, "statefulset", found);
    match labels::parse(&selector) {
        None => found.invalid(&selector, ""),
        Some(parsed) => {
            let template = spec.child("template");
            let metadata = template.child("metadata");
            let own = metadata.child("labels");
            if !parsed.matches_value(own.value()) {
                not_selected(&own, found);
            }
            stateful_template(spec, &old_spec.child("template"), way, found);
        }
    }
    runs_forever(
        &spec.child("template"),
        "StatefulSet is not Supported",
        found,
    );
}

/// Checks the template of a stateful set, whose pods get names and claims of their own.
fn stateful_template(spec: &Place<'_>, old: &Place<'_>, way: Way, found: &mut Findings) {
    let template = spec.child("template");
    let claims = spec.list_of("volumeClaimTemplates");
    let own = template.child("spec");
    let is_made = own.has("subdomain") || own.has("hostname") || !claims.is_empty();
    let made = match (is_made, template.value()) {
        (true, Some(value)) => Some(with_claims(value, claims)),
        _ => None,
    };
    let place = Place::new(made.as_ref().or(template.value()), *template.path());
    if way != Way::WrongBefore {
        pods::template(&place, old, found);
    }
    // What was checked with the template is checked again upstream.
    pods::template_metadata(&place, old, found);
}

fn with_claims(template: &Value, claims: &[Value]) -> Value {
    let mut made = template.clone();
    made.remove_at(&["spec", "subdomain"]);
    made.remove_at(&["spec", "hostname"]);
    if claims.is_empty() {
        return made;
    }
    let name = |claim: &Value| {
        claim
            .str_at(&["metadata", "name"])
            .unwrap_or_default()
            .to_owned()
    };
    let mut names: Vec<String> = claims.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    let mut volumes: Vec<Value> = names
        .iter()
        .map(|name| {
            let name = name.as_str();
            value!({"name": (name), "persistentVolumeClaim": {"claimName": (name)}})
        })
        .collect();
    let own = made.at(&["spec", "volumes"]).and_then(Value::as_array);
    let is_other = |one: &&Value| {
        let name = one.str_at(&["name"]).unwrap_or_default();
        !names.iter().any(|known| known == name)
    };
    volumes.extend(own.unwrap_or_default().iter().filter(is_other).cloned());
    made.set_at(&["spec", "volumes"], volumes.into());
    made
}

fn stateful_strategy(strategy: &Place<'_>, found: &mut Findings) {
    let rolling = strategy.child("rollingUpdate");
    match strategy.text_of("type") {
        "" => found.required(strategy, ""),
        "OnDelete" => {
            if rolling.is_set() {
                let shown = gostruct::shown(&rolling, "RollingUpdateStatefulSetStrategy");
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                found.push(Error::invalid(rolling.path(), shown, why));
            }
        }
        "RollingUpdate" => {
            if !rolling.is_set() {
                return;
            }
            numbers::non_negative(&rolling.child("partition"), found);
            let down = rolling.child("maxUnavailable");
            if down.is_set() {
                numbers::count_or_percent(&down, found);
                if numbers::amount(&down) == 0 {
                    found.invalid(&down, "cannot be 0");
                }
                numbers::at_most_all(&down, found);
            }
        }
        _ => {
            let shown = gostruct::shown(strategy, "StatefulSetUpdateStrategy");
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            found.push(Error::invalid(strategy.path(), shown, why));
        }
    }
}

pub(super) fn daemon_set(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    let (selector, old_selector) = (spec.child("selector"), old_spec.child("selector"));
    let mut rules = SelectorRules::Strict;
    if subject.old.is_some() {
        changes::immutable(&selector, &old_selector, found);
        if labels::has_bad_value(&old_selector) {
            rules = SelectorRules::AnyValues;
        }
    }
    labels::selector(&selector, rules, found);
    let template = spec.child("template");
    let metadata = template.child("metadata");
    let own = metadata.child("labels");
    if labels::parse(&selector).is_some_and(|parsed| !parsed.matches_value(own.value())) {
        not_selected(&own, found);
    }
    if selector.is_set() && labels::is_empty(&selector) {
        found.invalid(&selector, "empty selector is invalid for daemonset");
    }
    pods::template(&template, &old_spec.child("template"), found);
    runs_forever(&template, "DaemonSet is not Supported", found);
    numbers::non_negative(&spec.child("minReadySeconds"), found);
    daemon_strategy(&spec.child("updateStrategy"), found);
    numbers::non_negative(&spec.child("revisionHistoryLimit"), found);
}

fn daemon_strategy(strategy: &Place<'_>, found: &mut Findings) {
    let rolling = strategy.child("rollingUpdate");
    match strategy.text_of("type") {
        "OnDelete" => {}
        "RollingUpdate" => {
            if !rolling.is_set() {
                return found.required(&rolling, "");
            }
            let (down, up) = (rolling.child("maxUnavailable"), rolling.child("maxSurge"));
            numbers::count_or_percent(&down, found);
            numbers::count_or_percent(&up, found);
            numbers::at_most_all(&down, found);
            numbers::at_most_all(&up, found);
            match (numbers::amount(&down) != 0, numbers::amount(&up) != 0) {
                (true, true) => {
                    found.invalid(&up, "may not be set when maxUnavailable is non-zero");
                }
                (false, false) => found.required(&down, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        _ => unknown_strategy(
            strategy,
            "DaemonSetUpdateStrategy",
            &["RollingUpdate", "OnDelete"],
            found,
        ),
    }
}
