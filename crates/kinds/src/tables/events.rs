//! Events, whose fields have other names in each of their two groups.

use schema::Cell;

use super::{Cells, Row, UNKNOWN, text};

/// The names of an event's fields in one group.
struct Words {
    about: &'static str,
    message: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
    source: &'static str,
    controller: &'static str,
}

const CORE: Words = Words {
    about: "involvedObject",
    message: "message",
    first: "firstTimestamp",
    last: "lastTimestamp",
    count: "count",
    source: "source",
    controller: "reportingComponent",
};

const EVENTS: Words = Words {
    about: "regarding",
    message: "note",
    first: "deprecatedFirstTimestamp",
    last: "deprecatedLastTimestamp",
    count: "deprecatedCount",
    source: "deprecatedSource",
    controller: "reportingController",
};

pub(super) fn of(kind: &str) -> Option<Cells> {
    match kind {
        "Event" => Some(event),
        _ => None,
    }
}

pub(super) fn event(row: Row<'_>) -> Vec<Cell> {
    let words = if row.occasion.group_version.group.is_empty() {
        CORE
    } else {
        EVENTS
    };
    let first = match row.since(&[words.first]) {
        first if first == UNKNOWN => row.since(&["eventTime"]),
        first => first,
    };
    let mut last = match row.since(&[words.last]) {
        last if last == UNKNOWN => first.clone(),
        last => last,
    };
    let mut count = row.int(&[words.count]);
    if let Some(series) = row.at(&["series"]) {
        last = series.since(&["lastObservedTime"]);
        count = series.int(&["count"]);
    } else if count == 0 {
        count = 1;
    }
    let kind = row.text(&[words.about, "kind"]).to_lowercase();
    let target = match row.text(&[words.about, "name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let either = |first: &[&str], second: &str| match row.text(first) {
        "" => row.text(&[second]).to_owned(),
        given => given.to_owned(),
    };
    let mut source = either(&[words.source, "component"], words.controller);
    let instance = either(&[words.source, "host"], "reportingInstance");
    if !instance.is_empty() {
        source = format!("{source}, {instance}");
    }
    vec![
        text(last),
        row.text(&["type"]).into(),
        row.text(&["reason"]).into(),
        text(target),
        row.text(&[words.about, "fieldPath"]).into(),
        text(source),
        row.text(&[words.message]).trim().into(),
        text(first),
        count.into(),
        row.name(),
    ]
}
