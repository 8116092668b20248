//! What is wrong with annotations of pods that mean something to the server.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error, json, quote::quote};

use super::{
    rules::Rules,
    scheduling,
    spec::{each_container, visit},
};
use crate::validate::{Findings, Place, texts};

/// Marks the copy of a pod that a kubelet has from elsewhere.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Checks the annotations of a pod or of a template.
pub(super) fn annotations(
    annotations: &Place<'_>,
    spec: &Place<'_>,
    rules: Rules,
    found: &mut Findings,
) {
    if annotations.len() == 0 {
        return;
    }
    let mirror = annotations.key(MIRROR);
    if mirror.is_set() && spec.text_of("nodeName").is_empty() {
        let why = "must set spec.nodeName if mirror pod annotation is set";
        found.invalid(&mirror, why);
    }
    if !annotations.text_of(TOLERATIONS).is_empty() {
        tolerations(annotations, rules, found);
    }
    if !rules.leave_deletion_cost() && has_bad_cost(annotations) {
        let cost = annotations.key(DELETION_COST);
        found.invalid(&cost, "must be a 32bit integer");
    }
    let profile = annotations.child(SECCOMP_OF_POD);
    if profile.is_set() {
        seccomp(&profile, found);
    }
    for (key, _) in annotations.entries() {
        if key.starts_with(SECCOMP) {
            seccomp(&annotations.child(key), found);
        }
    }
    for (key, place) in annotations.entries() {
        if let Some(container) = key.strip_prefix(APP_ARMOR) {
            app_armor(&place, container, spec, found);
        }
    }
}

/// Whether the cost of deleting a pod is no number.
pub(super) fn has_bad_cost(annotations: &Place<'_>) -> bool {
    let Some(cost) = annotations.get(DELETION_COST).and_then(Value::as_str) else {
        return false;
    };
    let begins = cost == "0" || cost.starts_with(|first: char| matches!(first, '-' | '1'..='9'));
    !begins || cost.parse::<i32>().is_err()
}

fn tolerations(annotations: &Place<'_>, rules: Rules, found: &mut Findings) {
    let text = annotations.text_of(TOLERATIONS);
    match json::read(text.as_bytes()) {
        Ok(read) => {
            let place = annotations.child(TOLERATIONS);
            let list = Place::new(Some(&read.value), *place.path());
            scheduling::tolerations(&list, rules, found);
        }
        Err(error) => {
            let why = error.to_string();
            found.push(Error::invalid(annotations.path(), TOLERATIONS, why));
        }
    }
}

/// Checks a seccomp profile that an annotation names.
fn seccomp(place: &Place<'_>, found: &mut Findings) {
    match place.text() {
        "runtime/default" | "docker/default" | "unconfined" => {}
        text => match text.strip_prefix("localhost/") {
            Some(path) => {
                let path = Value::from(path);
                texts::descending_path(&Place::new(Some(&path), *place.path()), found);
            }
            None => found.invalid(place, "must be a valid seccomp profile"),
        },
    }
}

/// Checks an AppArmor profile that an annotation names.
fn app_armor(place: &Place<'_>, container: &str, spec: &Place<'_>, found: &mut Findings) {
    let is_it = |one: &Value| one.str_at(&["name"]).unwrap_or_default() == container;
    if !each_container(spec).any(is_it) {
        found.push(Error::invalid(
            place.path(),
            container,
            "container not found",
        ));
    }
    let profile = place.text();
    let is_known = matches!(profile, "" | "runtime/default" | "unconfined");
    if !is_known && !profile.starts_with("localhost/") {
        let why = format!("invalid AppArmor profile name: {}", quote(profile));
        found.invalid(place, why);
    }
}

/// Checks that annotations with a meaning stay what they are.
pub(super) fn changes(
    annotations: &Place<'_>,
    old: &Place<'_>,
    spec: &Place<'_>,
    rules: Rules,
    found: &mut Findings,
) {
    for (key, before) in old.entries() {
        let place = annotations.key(key);
        if place.value() == before.value() {
            continue;
        }
        if key.starts_with(APP_ARMOR) {
            found.forbidden(&place, "may not remove or update AppArmor annotations");
        }
        if key == MIRROR {
            found.forbidden(&place, "may not remove or update mirror pod annotation");
        }
    }
    for (key, place) in annotations.entries() {
        if old.has(key) {
            continue;
        }
        if key.starts_with(APP_ARMOR) {
            found.forbidden(&place, "may not add AppArmor annotations");
        }
        if key == MIRROR {
            found.forbidden(&place, "may not add mirror pod annotation");
        }
    }
    self::annotations(annotations, spec, rules, found);
}

/// How the two sorts of profiles are named in fields and in annotations.
struct Sort {
    field: &'static str,
    prefix: &'static str,
    runtime_defaults: &'static [&'static str],
    other_type: &'static str,
    other_profile: &'static str,
}

const SECCOMP_SORT: Sort = Sort {
    field: "seccompProfile",
    prefix: SECCOMP,
    runtime_defaults: &["runtime/default", "docker/default"],
    other_type: "seccomp type in annotation and field must match",
    other_profile: "seccomp profile in annotation and field must match",
};

const APP_ARMOR_SORT: Sort = Sort {
    field: "appArmorProfile",
    prefix: APP_ARMOR,
    runtime_defaults: &["runtime/default"],
    other_type: "apparmor type in annotation and field must match",
    other_profile: "apparmor profile in annotation and field must match",
};

/// Checks that fields and annotations name the same profiles.
pub(super) fn profiles(annotations: &Place<'_>, spec: &Place<'_>, found: &mut Findings) {
    if annotations.len() == 0 {
        return;
    }
    let context = spec.child("securityContext");
    let whole = context.child(SECCOMP_SORT.field);
    if whole.is_set()
        && let Some(annotation) = annotations.get(SECCOMP_OF_POD).and_then(Value::as_str)
    {
        agree(&whole, &whole, annotation, &SECCOMP_SORT, found);
    }
    visit(spec, |container| {
        let context = container.child("securityContext");
        let own = context.child(SECCOMP_SORT.field);
        if own.is_set() {
            of_container(annotations, container, &own, &own, &SECCOMP_SORT, found);
        }
    });
    if spec.child("os").text_of("name") == "windows" {
        return;
    }
    let whole = context.child(APP_ARMOR_SORT.field);
    visit(spec, |container| {
        let context = container.child("securityContext");
        let own = context.child(APP_ARMOR_SORT.field);
        let profile = if own.is_set() { own } else { whole };
        if profile.is_set() {
            of_container(
                annotations,
                container,
                &own,
                &profile,
                &APP_ARMOR_SORT,
                found,
            );
        }
    });
}

fn of_container(
    annotations: &Place<'_>,
    container: &Place<'_>,
    place: &Place<'_>,
    profile: &Place<'_>,
    sort: &Sort,
    found: &mut Findings,
) {
    let key = format!("{}{}", sort.prefix, container.text_of("name"));
    if let Some(annotation) = annotations.get(&key).and_then(Value::as_str) {
        agree(place, profile, annotation, sort, found);
    }
}

/// A profile is the one that the annotation names; errors are about the field at `place`.
fn agree(
    place: &Place<'_>,
    profile: &Place<'_>,
    annotation: &str,
    sort: &Sort,
    found: &mut Findings,
) {
    let is_same = match profile.text_of("type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => sort.runtime_defaults.contains(&annotation),
        "Localhost" => match annotation.strip_prefix("localhost/") {
            None => false,
            Some(name) => {
                if profile.get("localhostProfile").and_then(Value::as_str) != Some(name) {
                    found.forbidden(&place.child("localhostProfile"), sort.other_profile);
                }
                true
            }
        },
        _ => true,
    };
    if !is_same {
        found.forbidden(&place.child("type"), sort.other_type);
    }
}
