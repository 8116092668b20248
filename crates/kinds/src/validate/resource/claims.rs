//! Claims of devices, and their templates.

use api::{
    Object, Value,
    field::{Error, Shown},
    names::validate as names,
};

use super::{
    CONFIG_MAX, Change, Findings, Place, SELECTORS_MAX, Subject, configuration, driver_of,
    selectors, toleration, toleration_by_rule, unique, words,
};
use crate::validate::{gostruct, labels, tags, texts};

const REQUESTS_MAX: usize = 32;
const CONSTRAINTS_MAX: usize = 32;
const ALTERNATIVES_MAX: usize = 8;
const MODES: [&str; 2] = ["All", "ExactCount"];

/// What of an object's metadata a template may hold.
const TEMPLATE_METADATA: [&str; 2] = ["annotations", "labels"];

pub(super) fn claim(subject: &Subject<'_>, found: &mut Findings) {
    let whole = Change::of(subject);
    let spec = whole.child("spec");
    spec.immutable(found);
    if subject.old.is_none() {
        devices(&spec.now.child("devices"), found);
        devices_by_rule(&spec.child("devices"), found);
    }
}

pub(super) fn template(subject: &Subject<'_>, found: &mut Findings) {
    let whole = Change::of(subject);
    let spec = whole.child("spec");
    let metadata = spec.now.child("metadata");
    labels::annotations(&metadata.child("annotations"), found);
    labels::labels(&metadata.child("labels"), found);
    for (name, value) in metadata.entries() {
        if !TEMPLATE_METADATA.contains(&name) && !tags::is_blank(value.value()) {
            let at = spec.now.path().child(name);
            found.push(Error::forbidden(&at, "cannot be set"));
        }
    }
    let inner = spec.child("spec");
    let all = inner.child("devices");
    devices(&all.now, found);
    if subject.old.is_some() && !spec.is_kept() {
        let shown = shown_template(&spec.now);
        let detail = "field is immutable";
        found.push(Error::invalid(spec.now.path(), shown, detail));
    }
    if !all.is_kept() {
        devices_by_rule(&all, found);
    }
}

/// A template as errors show it: its metadata stand in it as they are written.
fn shown_template(spec: &Place<'_>) -> Shown {
    let metadata = spec.child("metadata");
    let mut shown = Object::default();
    for (name, value) in metadata.entries() {
        shown.insert(name, value.value().cloned().unwrap_or_default());
    }
    shown.insert(
        "Spec",
        gostruct::of(spec.child("spec").value(), "ResourceClaimSpec"),
    );
    Shown::from(&Value::Object(shown))
}

/// Names that something in a claim may be asked for by: requests and `request/alternative`.
pub(super) fn is_request(devices: &Place<'_>, name: &str) -> bool {
    let (request, alternative) = match name.split_once('/') {
        Some((request, alternative)) => (request, Some(alternative)),
        None => (name, None),
    };
    let has_name = |one: &Value, name: &str| one.str_at(&["name"]).unwrap_or_default() == name;
    let requests = devices.value().and_then(|devices| devices.get("requests"));
    let requests = requests.and_then(Value::as_array).unwrap_or_default();
    let mut requests = requests.iter().filter(|one| has_name(one, request));
    match alternative {
        None => requests.next().is_some(),
        // The last one of that name counts.
        Some(name) => requests.next_back().is_some_and(|one| {
            let list = one.get("firstAvailable").and_then(Value::as_array);
            list.unwrap_or_default()
                .iter()
                .any(|one| has_name(one, name))
        }),
    }
}

/// The name of a request, wherever one is meant.
pub(super) fn reference(place: &Place<'_>, devices: &Place<'_>, found: &mut Findings) {
    let rule = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
    let name = place.text();
    if name.matches('/').count() > 1 {
        found.invalid_text(place, rule);
        return;
    }
    for part in name.split('/') {
        for detail in names::dns1123_label(part) {
            found.push(Error::invalid(place.path(), part, detail));
        }
    }
    if !is_request(devices, name) {
        found.invalid_text(place, rule);
    }
}

fn devices(devices: &Place<'_>, found: &mut Findings) {
    let requests = devices.child("requests");
    if requests.len() <= REQUESTS_MAX {
        for request in requests.items() {
            self::request(&request, found);
        }
    }
    let constraints = devices.child("constraints");
    if constraints.len() <= CONSTRAINTS_MAX {
        for constraint in constraints.items() {
            references(&constraint.child("requests"), devices, found);
            let (equal, distinct) = (
                constraint.child("matchAttribute"),
                constraint.child("distinctAttribute"),
            );
            if !equal.is_set() && !distinct.is_set() {
                let detail = "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but multiple fields are set";
                found.required(&constraint, detail);
            }
        }
    }
    let configs = devices.child("config");
    if configs.len() <= CONFIG_MAX {
        for config in configs.items() {
            references(&config.child("requests"), devices, found);
            configuration(&config, false, found);
        }
    }
}

pub(super) fn references(list: &Place<'_>, devices: &Place<'_>, found: &mut Findings) {
    if list.len() <= REQUESTS_MAX {
        for name in list.items() {
            reference(&name, devices, found);
        }
    }
}

fn request(request: &Place<'_>, found: &mut Findings) {
    texts::label(&request.child("name"), found);
    let (exactly, first) = (request.child("exactly"), request.child("firstAvailable"));
    match (exactly.is_set(), first.len()) {
        (false, 0) => {
            let detail = "exactly one of `exactly` or `firstAvailable` is required";
            found.required(request, detail);
        }
        (true, 1..) => {
            let detail = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set";
            found.push(Error::invalid(request.path(), &Value::Null, detail));
        }
        (true, 0) => {
            let class = exactly.child("deviceClassName");
            texts::required_subdomain(&class, found);
            asked(&exactly, found);
        }
        (false, count) if count <= ALTERNATIVES_MAX => {
            for one in first.items() {
                texts::label(&one.child("name"), found);
                asked(&one, found);
            }
        }
        _ => {}
    }
}

/// What both kinds of requests say.
fn asked(request: &Place<'_>, found: &mut Findings) {
    selectors(&request.child("selectors"), found);
    let mode = request.child("allocationMode").text();
    let count = request.child("count");
    let given = count.int().unwrap_or(0);
    if mode == "All" && given != 0 {
        let detail = "must not be specified when allocationMode is 'All'";
        found.invalid(&count, detail);
    }
    if mode == "ExactCount" && given <= 0 {
        found.invalid_number(&count, "must be greater than zero");
    }
    for one in request.child("tolerations").items() {
        toleration(&one, found);
    }
}

fn devices_by_rule(devices: &Change<'_>, found: &mut Findings) {
    let requests = devices.child("requests");
    requests.items_max(REQUESTS_MAX, found);
    if requests.now.len() <= REQUESTS_MAX {
        unique(&requests.now, &["name"], found);
        for request in requests.items(&["name"]) {
            request_by_rule(&request, found);
        }
    }
    let constraints = devices.child("constraints");
    constraints.items_max(CONSTRAINTS_MAX, found);
    if constraints.now.len() <= CONSTRAINTS_MAX {
        for constraint in constraints.items(&[]) {
            references_by_rule(&constraint.child("requests"), found);
            for field in ["matchAttribute", "distinctAttribute"] {
                let place = constraint.now.child(field);
                if place.is_set() {
                    words::attribute(&place, found);
                }
            }
        }
    }
    let configs = devices.child("config");
    configs.items_max(CONFIG_MAX, found);
    if configs.now.len() <= CONFIG_MAX {
        for config in configs.items(&[]) {
            references_by_rule(&config.child("requests"), found);
            driver_of(&config, found);
        }
    }
}

pub(super) fn references_by_rule(list: &Change<'_>, found: &mut Findings) {
    list.items_max(REQUESTS_MAX, found);
    if list.now.len() <= REQUESTS_MAX {
        unique(&list.now, &[], found);
    }
}

fn request_by_rule(request: &Change<'_>, found: &mut Findings) {
    let exactly = request.child("exactly");
    if exactly.now.is_set() {
        asked_by_rule(&exactly, found);
    }
    let first = request.child("firstAvailable");
    first.items_max(ALTERNATIVES_MAX, found);
    if first.now.len() > ALTERNATIVES_MAX {
        return;
    }
    unique(&first.now, &["name"], found);
    for one in first.items(&["name"]) {
        let class = one.child("deviceClassName");
        if texts::require(&class.now, "", found) {
            let details = names::dns1123_subdomain(class.now.text());
            found.each_invalid_text(&class.now, tags::in_bytes(details));
        }
        asked_by_rule(&one, found);
    }
}

fn asked_by_rule(request: &Change<'_>, found: &mut Findings) {
    request.child("selectors").items_max(SELECTORS_MAX, found);
    let mode = request.child("allocationMode");
    if !mode.now.text().is_empty() {
        mode.one_of(&MODES, found);
    }
    for one in request.child("tolerations").items(&[]) {
        toleration_by_rule(&one, found);
    }
}
