//! What is wrong with claims of devices, and with what drivers offer, as far as it can be said
//! without compiling the expressions of selectors.
//!
//! Fields that this version keeps off by default are taken away before anybody looks.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/resource/validation/validation.go and the rules of
//! its types.

mod allocations;
mod capacities;
mod claims;
mod slices;
mod words;

use api::{Value, field::Error};

use super::{Check, Findings, Place, Subject, conditions, labels, tags, texts};
use tags::Change;

const CONFIG_MAX: usize = 32;
const SELECTORS_MAX: usize = 32;
const EXPRESSION_LEN_MAX: usize = 10 * 1024;
const PARAMETERS_LEN_MAX: usize = 10 * 1024;
const DRIVER_LEN_MAX: usize = 63;
const BINDINGS_MAX: usize = 4;
const RULE_CONDITIONS_MAX: usize = 8;

const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "None"];
const OPERATORS: [&str; 2] = ["Equal", "Exists"];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("ResourceClaim", "") => Some(claims::claim),
        ("ResourceClaim", "status") => Some(allocations::status),
        ("ResourceClaimTemplate", "") => Some(claims::template),
        ("DeviceClass", "") => Some(class),
        ("ResourceSlice", "") => Some(slices::slice),
        ("DeviceTaintRule", "") => Some(taint_rule),
        ("DeviceTaintRule", "status") => Some(taint_rule_status),
        _ => None,
    }
}

fn class(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    selectors(&spec.child("selectors"), found);
    let list = spec.child("config");
    let is_kept = subject.old.is_some() && tags::same(&list, &old_spec.child("config"));
    if list.len() <= CONFIG_MAX {
        for config in list.items() {
            configuration(&config, is_kept, found);
        }
    }

    let whole = Change::of(subject);
    let spec = whole.child("spec");
    spec.child("selectors").items_max(SELECTORS_MAX, found);
    let list = spec.child("config");
    list.items_max(CONFIG_MAX, found);
    if list.now.len() <= CONFIG_MAX && !list.is_kept() {
        for config in list.items(&[]) {
            driver_of(&config, found);
        }
    }
    let name = spec.child("extendedResourceName");
    if name.now.is_set() && !name.is_kept() {
        words::extended(&name.now, found);
    }
}

fn selectors(list: &Place<'_>, found: &mut Findings) {
    if list.len() > SELECTORS_MAX {
        return;
    }
    for selector in list.items() {
        let cel = selector.child("cel");
        if !cel.is_set() {
            found.required(&cel, "");
        }
        texts::bytes_max(&cel.child("expression"), EXPRESSION_LEN_MAX, found);
    }
}

/// What a driver is told; one that was told before may be as long as it was.
fn configuration(config: &Place<'_>, is_kept: bool, found: &mut Findings) {
    let opaque = config.child("opaque");
    if !opaque.is_set() {
        found.required(&opaque, "");
        return;
    }
    let most = if is_kept {
        usize::MAX
    } else {
        PARAMETERS_LEN_MAX
    };
    raw_object(&opaque.child("parameters"), most, found);
}

/// An object that nobody here understands.
fn raw_object(place: &Place<'_>, bytes_max: usize, found: &mut Findings) {
    let Some(value) = place.value() else {
        found.required(place, "");
        return;
    };
    let mut text = Vec::new();
    api::json::write(value, &mut text);
    if text.len() > bytes_max {
        found.push(Error::too_long(place.path(), bytes_max));
    } else if !matches!(value, Value::Object(_)) {
        let detail = "must be a valid JSON object";
        found.push(Error::invalid(place.path(), "<value omitted>", detail));
    }
}

/// What the rules of the types say of the driver of a configuration.
fn driver_of(config: &Change<'_>, found: &mut Findings) {
    let opaque = config.child("opaque");
    if opaque.now.is_set() {
        driver_by_rule(&opaque.child("driver"), found);
    }
}

/// A driver as the rules of the types have it.
fn driver_by_rule(driver: &Change<'_>, found: &mut Findings) {
    if driver.is_kept() {
        return;
    }
    if driver.now.text().is_empty() {
        found.required(&driver.now, "");
        return;
    }
    let details = tags::caseless_subdomain(driver.now.text());
    found.each_invalid_text(&driver.now, details);
    driver.length_max(DRIVER_LEN_MAX, found);
}

/// A driver as hand-written checks have it.
fn driver(place: &Place<'_>, found: &mut Findings) {
    if texts::require(place, "", found) {
        texts::bytes_max(place, DRIVER_LEN_MAX, found);
        let lower = place.text().to_ascii_lowercase();
        let details = api::names::validate::dns1123_subdomain(&lower);
        found.each_invalid_text(place, details);
    }
}

fn taint_rule(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    let selector = spec.child("deviceSelector");
    for (field, rule) in [
        ("driver", driver as fn(&Place<'_>, &mut Findings)),
        ("pool", words::pool),
        ("device", texts::label),
    ] {
        let place = selector.child(field);
        if place.is_set() {
            rule(&place, found);
        }
    }
    taint(&spec.child("taint"), found);
    let whole = Change::of(subject);
    let spec = whole.child("spec");
    effect_by_rule(&spec.child("taint"), found);
}

fn taint(taint: &Place<'_>, found: &mut Findings) {
    texts::qualified(&taint.child("key"), found);
    let value = taint.child("value");
    if !value.text().is_empty() {
        labels::value(&value, found);
    }
}

/// The effect of a taint, as the rules of the types have it.
fn effect_by_rule(taint: &Change<'_>, found: &mut Findings) {
    let effect = taint.child("effect");
    effect.required(found);
    if !effect.now.text().is_empty() {
        effect.one_of(&EFFECTS, found);
    }
}

fn taint_rule_status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    let list = status.child("conditions");
    conditions::check(&list, found);
    if list.len() > RULE_CONDITIONS_MAX {
        let error = Error::too_many(list.path(), list.len(), RULE_CONDITIONS_MAX);
        found.push(error);
    }
}

fn toleration(toleration: &Place<'_>, found: &mut Findings) {
    let value = toleration.child("value");
    match toleration.child("operator").text() {
        "Exists" if !value.text().is_empty() => {
            found.invalid(&value, "must be empty for operator `Exists`");
        }
        "Equal" => {
            let details = api::names::validate::label_value(value.text());
            found.each_invalid_text(&value, details);
        }
        _ => {}
    }
}

/// A toleration, as the rules of the types have it.
fn toleration_by_rule(toleration: &Change<'_>, found: &mut Findings) {
    let key = toleration.child("key");
    if !key.now.text().is_empty() {
        texts::qualified(&key.now, found);
    }
    let operator = toleration.child("operator");
    operator.required(found);
    if !operator.now.text().is_empty() {
        operator.one_of(&OPERATORS, found);
    }
    let effect = toleration.child("effect");
    if !effect.now.text().is_empty() {
        effect.one_of(&EFFECTS, found);
    }
}

/// Conditions that a device waits for, and those that end the wait.
fn bindings(owner: &Place<'_>, found: &mut Findings) {
    let fields = ["bindingConditions", "bindingFailureConditions"];
    let (wanted, failures) = (owner.child(fields[0]), owner.child(fields[1]));
    for list in [&wanted, &failures] {
        if list.len() <= BINDINGS_MAX {
            for name in list.items() {
                texts::qualified(&name, found);
            }
        }
    }
    unique(&wanted, &[], found);
    for (index, name) in failures.items().enumerate() {
        let value = &failures.list()[index];
        if failures.list()[..index].contains(value) {
            found.duplicate(&name);
        }
        if wanted.list().contains(value) {
            let detail = "bindingFailureConditions must not overlap with bindingConditions";
            found.invalid(&name, detail);
        }
    }
    for (list, other, names) in [
        (&wanted, &failures, fields),
        (&failures, &wanted, [fields[1], fields[0]]),
    ] {
        if list.len() == 0 && other.len() > 0 {
            let detail = format!("{} are required to use {}", names[0], names[1]);
            found.invalid(list, detail);
        }
    }
}

fn bindings_by_rule(owner: &Change<'_>, found: &mut Findings) {
    for field in ["bindingConditions", "bindingFailureConditions"] {
        owner.child(field).items_max(BINDINGS_MAX, found);
    }
}

/// Each item of a list is there once, told by these fields, or by itself if there are none; later
/// ones are said to be there already, as they are.
fn unique(list: &Place<'_>, keys: &[&str], found: &mut Findings) {
    let is_same = |a: &Value, b: &Value| {
        if keys.is_empty() {
            return a == b;
        }
        let text = |one: &Value, key: &str| one.str_at(&[key]).unwrap_or_default().to_owned();
        keys.iter().all(|key| text(a, key) == text(b, key))
    };
    for (index, item) in list.items().enumerate() {
        let mut earlier = list.list()[..index].iter();
        if earlier.any(|one| is_same(one, &list.list()[index])) {
            found.duplicate(&item);
        }
    }
}

#[cfg(test)]
mod tests;
