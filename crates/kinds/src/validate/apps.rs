//! What is wrong with workloads.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/apps/validation/validation.go.

mod sets;
mod status;

use api::{Value, field::Error};

use super::{
    Check, Findings, Place, Subject, changes, gostruct,
    labels::{self, SelectorRules},
    numbers,
    pods::{
        self,
        controllers::{not_selected, runs_forever},
    },
};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    Some(match (kind, door) {
        ("Deployment", "" | "scale") => deployment,
        ("Deployment", "status") => status::deployment,
        ("ReplicaSet", "" | "scale") => replica_set,
        ("ReplicaSet", "status") => status::replica_set,
        ("StatefulSet", "" | "scale") => sets::stateful_set,
        ("StatefulSet", "status") => status::stateful_set,
        ("DaemonSet", "") => sets::daemon_set,
        ("DaemonSet", "status") => status::daemon_set,
        ("ControllerRevision", "") => revision,
        _ => return None,
    })
}

/// Says that a strategy is none that is known.
fn unknown_strategy(strategy: &Place<'_>, called: &str, known: &[&str], found: &mut Findings) {
    let shown = gostruct::shown(strategy, called);
    found.push(Error::not_supported(strategy.path(), shown, known));
}

fn deployment(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    numbers::non_negative(&spec.child("replicas"), found);
    selected(&spec, &old_spec, "deployment", found);
    strategy(&spec.child("strategy"), found);
    let ready = spec.child("minReadySeconds");
    numbers::non_negative(&ready, found);
    numbers::non_negative(&spec.child("revisionHistoryLimit"), found);
    let deadline = spec.child("progressDeadlineSeconds");
    numbers::non_negative(&deadline, found);
    if deadline
        .int()
        .is_some_and(|seconds| seconds <= ready.int().unwrap_or(0))
    {
        found.invalid(&deadline, "must be greater than minReadySeconds");
    }
    same_selector(subject, &spec, &old_spec, found);
}

fn replica_set(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    labels::finalizers(&root, found);
    numbers::non_negative(&spec.child("replicas"), found);
    numbers::non_negative(&spec.child("minReadySeconds"), found);
    // Upstream calls both kinds by the name of the first.
    selected(&spec, &old_spec, "deployment", found);
    same_selector(subject, &spec, &old_spec, found);
}

/// The selector of a workload never changes.
fn same_selector(
    subject: &Subject<'_>,
    spec: &Place<'_>,
    old_spec: &Place<'_>,
    found: &mut Findings,
) {
    if subject.old.is_some() {
        changes::immutable(&spec.child("selector"), &old_spec.child("selector"), found);
    }
}

/// Checks a selector that must be there and select something.
fn strict_selector(selector: &Place<'_>, called: &str, found: &mut Findings) {
    if !selector.is_set() {
        return found.required(selector, "");
    }
    labels::selector(selector, SelectorRules::Strict, found);
    if labels::is_empty(selector) {
        found.invalid(selector, format!("empty selector is invalid for {called}"));
    }
}

/// Checks the selector and the template that it selects.
fn selected(spec: &Place<'_>, old_spec: &Place<'_>, called: &str, found: &mut Findings) {
    let (selector, template) = (spec.child("selector"), spec.child("template"));
    strict_selector(&selector, called, found);
    let Some(parsed) = labels::parse(&selector) else {
        return found.invalid(&selector, "invalid label selector");
    };
    let metadata = template.child("metadata");
    let own = metadata.child("labels");
    if !parsed.matches_value(own.value()) {
        not_selected(&own, found);
    }
    pods::template(&template, &old_spec.child("template"), found);
    runs_forever(&template, "ReplicaSet is not Supported", found);
}

fn strategy(strategy: &Place<'_>, found: &mut Findings) {
    let rolling = strategy.child("rollingUpdate");
    match strategy.text_of("type") {
        "Recreate" => {
            if rolling.is_set() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                found.forbidden(&rolling, why);
            }
        }
        "RollingUpdate" => {
            if !rolling.is_set() {
                let why = "this should be defaulted and never be nil";
                return found.required(&rolling, why);
            }
            let (down, up) = (rolling.child("maxUnavailable"), rolling.child("maxSurge"));
            numbers::count_or_percent(&down, found);
            numbers::count_or_percent(&up, found);
            if numbers::amount(&down) == 0 && numbers::amount(&up) == 0 {
                found.invalid(&down, "may not be 0 when `maxSurge` is 0");
            }
            numbers::at_most_all(&down, found);
        }
        _ => unknown_strategy(
            strategy,
            "DeploymentStrategy",
            &["Recreate", "RollingUpdate"],
            found,
        ),
    }
}

fn revision(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    labels::finalizers(&root, found);
    if subject.old.is_some() {
        pods::metadata_again(&root, found);
    }
    numbers::non_negative(&root.child("revision"), found);
    let data = root.child("data");
    if subject.old.is_some() {
        changes::immutable(&data, &old.child("data"), found);
        return;
    }
    match data.value() {
        None => found.required(&data, "data is mandatory"),
        Some(Value::Object(_)) => {}
        Some(_) => found.required(&data, "data must be a valid JSON object"),
    }
}

#[cfg(test)]
mod tests;
