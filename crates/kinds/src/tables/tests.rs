//! Tests of tables.

use api::{GroupVersion, Value, json, time};
use schema::Occasion;

use super::human::human;
use crate::load;

/// Objects, one a line; `@-90s` stands for the time 90 seconds ago, `@-90s#` for the same as a
/// `MicroTime`.
const OBJECTS: &str = include_str!("../../tests/tables/objects.jsonl");
/// What upstream's own printers make of them, one array of cells a line (`cargo xtask kinds`).
const CELLS: &str = include_str!("../../tests/tables/cells.jsonl");
/// The present of these tests; any will do.
const NOW: &str = "2026-11-21T12:00:00Z";

fn read(line: &str) -> Value {
    json::read(line.as_bytes()).expect("the line is JSON").value
}

/// Puts times in the place of `"@-90s"`.
fn with_times(line: &str) -> String {
    let now = time::parse(NOW).expect("it is a time");
    let mut parts = line.split("\"@-");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (seconds, rest) = part.split_once('"').expect("the text ends");
        let is_micro = seconds.ends_with('#');
        let seconds = seconds.trim_end_matches('#').trim_end_matches('s');
        let seconds: i64 = seconds.parse().expect("it is a number");
        let mut then = now;
        then.micros -= seconds * 1_000_000;
        let then = if is_micro {
            time::format_micro(then)
        } else {
            time::format(then)
        };
        out.push_str(&format!("\"{then}\"{rest}"));
    }
    out
}

#[test]
fn cells_are_those_of_upstreams_printers() {
    let builtins = load();
    assert_eq!(OBJECTS.lines().count(), CELLS.lines().count());
    let mut wrong = String::new();
    for (line, cells) in OBJECTS.lines().zip(CELLS.lines()) {
        let object = read(&with_times(line));
        let api_version = object.str_at(&["apiVersion"]).expect("it has a version");
        let group_version = GroupVersion::parse(api_version).expect("it is a version");
        let name = object.str_at(&["kind"]).expect("it has a kind");
        let kind = builtins
            .kinds
            .iter()
            .find(|kind| kind.names.kind == name && kind.version(&group_version).is_some());
        let kind = kind.expect("the kind is built in");
        let occasion = Occasion {
            now: time::parse(NOW).expect("it is a time"),
            group_version: &group_version,
            asked: &group_version,
            subresource: "",
            asker: schema::Asker::NOBODY,
        };
        let made = kind.behavior.table(occasion, &object);
        let made = made.expect("every stored kind has a table");
        let parts = kind.behavior.table_parts();
        if !parts.is_empty() {
            let bytes = with_times(line).into_bytes();
            let partial = json::read_parts(&bytes, parts).expect("the line is JSON");
            let of_parts = kind.behavior.table(occasion, &partial);
            assert_eq!(of_parts.as_ref(), Some(&made), "{name}: a part is missing");
        }
        let columns = &kind
            .version(&group_version)
            .expect("it was just there")
            .columns;
        assert_eq!(made.len(), columns.len(), "{name}");
        // Upstream adds a cell without a column to IPAddress.
        let wanted = read(&with_times(cells));
        let wanted = &wanted.as_array().expect("a line is an array")[..made.len()];
        for ((made, wanted), column) in made.iter().zip(wanted).zip(columns) {
            if made != wanted {
                wrong.push_str(&format!(
                    "{name} {}: {made:?}, not {wanted:?}\n",
                    column.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_kind_with_columns_has_a_table_and_is_tried() {
    let builtins = load();
    for kind in &builtins.kinds {
        for version in &kind.versions {
            if version.columns.is_empty() {
                continue;
            }
            let head = format!(
                "{{\"apiVersion\":\"{}\",\"kind\":\"{}\"",
                version.group_version, kind.names.kind
            );
            let tried = OBJECTS.lines().any(|line| line.starts_with(&head));
            assert!(tried, "no object for {head}");
        }
    }
}

#[track_caller]
fn check(seconds: i64, expected: &str) {
    assert_eq!(human(seconds * 1_000_000), expected, "{seconds} seconds");
}

#[test]
fn tells_durations_as_people_do() {
    check(-5, "<invalid>");
    check(-1, "0s");
    check(119, "119s");
    check(120, "2m");
    check(121, "2m1s");
    check(599, "9m59s");
    check(600, "10m");
    check(10_799, "179m");
    check(10_800, "3h");
    check(10_860, "3h1m");
    check(28_800, "8h");
    check(172_799, "47h");
    check(172_800, "2d");
    check(180_000, "2d2h");
    check(691_200, "8d");
    check(63_071_999, "729d");
    check(63_072_000, "2y");
    check(63_158_400, "2y1d");
    check(252_288_000, "8y");
}
