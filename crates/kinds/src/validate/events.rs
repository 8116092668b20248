//! What is wrong with events, in either of their groups.
//!
//! The group `events.k8s.io` asks for more, and an event that came through it never changes but in
//! its series. Errors name the fields as upstream's internal type does, whichever the group.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/events.go.

use api::{
    Value,
    field::{Error, Path, Shown},
    names::validate,
    time,
};

use super::{Check, Findings, Place, Subject, changes, gostruct, texts};

const PART_LEN_MAX: usize = 128;
const NOTE_LEN_MAX: usize = 1024;

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("Event", "") => Some(event),
        _ => None,
    }
}

/// What the fields of an event are called in a group.
struct Names {
    object: &'static str,
    message: &'static str,
    source: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
    controller: &'static str,
}

const CORE: Names = Names {
    object: "involvedObject",
    message: "message",
    source: "source",
    first: "firstTimestamp",
    last: "lastTimestamp",
    count: "count",
    controller: "reportingComponent",
};
const EVENTS: Names = Names {
    object: "regarding",
    message: "note",
    source: "deprecatedSource",
    first: "deprecatedFirstTimestamp",
    last: "deprecatedLastTimestamp",
    count: "deprecatedCount",
    controller: "reportingController",
};

fn event(subject: &Subject<'_>, found: &mut Findings) {
    let is_core = subject.occasion.asked.group.is_empty();
    let stands_in_core = subject.occasion.group_version.group.is_empty();
    let names = if stands_in_core { &CORE } else { &EVENTS };
    let root = subject.root();
    legacy(&root, names, is_core, found);
    if is_core {
        return;
    }
    match subject.old {
        None => {
            let metadata = root.child("metadata");
            let name = metadata.child("name");
            if !name.text().is_empty() {
                texts::subdomain(&name, found);
            }
            created(&root, names, found);
        }
        Some(_) => changed(&root, &subject.old_root(), names, found),
    }
}

/// What holds of events in both groups.
fn legacy(root: &Place<'_>, names: &Names, is_core: bool, found: &mut Findings) {
    let metadata = root.child("metadata");
    let namespace = metadata.child("namespace").text();
    let object = root.child(names.object);
    let other = object.child("namespace").text();
    let is_dated = root.child("eventTime").is_set();
    let is_right = match (is_dated, other) {
        (false, "") => matches!(namespace, "" | "default"),
        (false, other) => namespace == other,
        (true, "") => matches!(namespace, "default" | "kube-system"),
        (true, _) => true,
    };
    if !is_right {
        let path = Path::new("involvedObject");
        let why = "does not match event.namespace";
        found.push(Error::invalid(&path.child("namespace"), other, why));
    }
    if !is_dated {
        return;
    }
    let controller = root.child(names.controller);
    let name = match is_core {
        true => "reportingComponent",
        false => "reportingController",
    };
    let controller = Place::new(controller.value(), Path::new(name));
    if controller.text().is_empty() {
        found.required(&controller, "");
    }
    found.each_invalid_text(&controller, validate::qualified_name(controller.text()));
    for name in ["reportingInstance", "action", "reason"] {
        let part = root.child(name);
        let length = part.text().len();
        if length == 0 {
            found.required(&part, "");
        }
        if length > PART_LEN_MAX {
            too_long(name, PART_LEN_MAX, found);
        }
    }
    if root.child(names.message).text().len() > NOTE_LEN_MAX {
        too_long("message", NOTE_LEN_MAX, found);
    }
}

fn too_long(name: &str, length: usize, found: &mut Findings) {
    let why = format!("can have at most {length} characters");
    found.push(Error::invalid(&Path::new(name), "", why));
}

fn series(root: &Place<'_>, found: &mut Findings) {
    let series = root.child("series");
    if !series.is_set() {
        return;
    }
    if series.child("count").int().unwrap_or(0) < 2 {
        let path = Path::new("series.count");
        found.push(Error::invalid(&path, "", "should be at least 2"));
    }
    if !series.child("lastObservedTime").is_set() {
        let path = Path::new("series.lastObservedTime");
        found.push(Error::required(&path, ""));
    }
}

fn created(root: &Place<'_>, names: &Names, found: &mut Findings) {
    series(root, found);
    if !root.child("eventTime").is_set() {
        found.required(&root.child("eventTime"), "");
    }
    let kind = root.child("type");
    if !matches!(kind.text(), "Normal" | "Warning") {
        let why = format!("has invalid value: {}", kind.text());
        found.push(Error::invalid(kind.path(), "", why));
    }
    let mut unset = |field: &str, name: &str| {
        let place = root.child(field);
        let is_set = match place.value() {
            None => false,
            Some(Value::Int(number)) => *number != 0,
            Some(Value::Object(_)) => ["component", "host"]
                .into_iter()
                .any(|name| !place.child(name).text().is_empty()),
            Some(_) => true,
        };
        if is_set {
            found.push(Error::invalid(&Path::new(name), "", "needs to be unset"));
        }
    };
    unset(names.first, "firstTimestamp");
    unset(names.last, "lastTimestamp");
    unset(names.count, "count");
    unset(names.source, "source");
}

fn changed(root: &Place<'_>, old: &Place<'_>, names: &Names, found: &mut Findings) {
    if !root.child("series").is_same(&old.child("series")) {
        series(root, found);
    }
    let mut fixed = |field: &str, name: &str, show: fn(&Place<'_>) -> Shown| {
        let (now, before) = (root.child(field), old.child(field));
        if !changes::same(now.value(), before.value()) {
            let path = Path::new(name);
            found.push(Error::invalid(&path, show(&now), changes::IMMUTABLE));
        }
    };
    let text: fn(&Place<'_>) -> Shown = |place| Shown::from(place.text());
    let plain: fn(&Place<'_>) -> Shown = |place| place.shown();
    fixed(names.object, "involvedObject", |place| {
        gostruct::shown(place, "ObjectReference")
    });
    fixed("reason", "reason", text);
    fixed(names.message, "message", text);
    fixed(names.source, "source", |place| {
        gostruct::shown(place, "EventSource")
    });
    fixed(names.first, "firstTimestamp", plain);
    fixed(names.last, "lastTimestamp", plain);
    fixed(names.count, "count", |place| {
        Shown::from(place.int().unwrap_or(0))
    });
    fixed("reason", "reason", text);
    fixed("type", "type", text);
    let moment = |root: &Place<'_>| time::parse_micro(root.child("eventTime").text()).ok();
    if moment(root) != moment(old) {
        fixed("eventTime", "eventTime", plain);
    }
    fixed("action", "action", text);
    fixed("related", "related", |place| match place.is_set() {
        true => gostruct::shown(place, "ObjectReference"),
        false => place.shown(),
    });
    fixed(names.controller, "reportingController", text);
    fixed("reportingInstance", "reportingInstance", text);
}
