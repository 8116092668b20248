//! Compares the codecs with what upstream's Go packages answer.
//!
//! The tables in `oracle/` are made by `conformance/go-oracle`; each line is `[input, answer]`.

use std::fmt::Write;

use api::{
    Value, json,
    quantity::{Format, Quantity},
    selector::{FieldSelector, LabelSelector},
    time, yaml,
};

/// Calls `answer` with every input of a table and lists the lines where Go says something else.
#[track_caller]
fn check(table: &str, answer: impl Fn(&str) -> String) {
    check_but(table, |_| false, answer);
}

/// As [`check`], but inputs that are `chosen` must be answered in another way.
#[track_caller]
fn check_but(table: &str, chosen: impl Fn(&str) -> bool, answer: impl Fn(&str) -> String) {
    let mut wrong = String::new();
    let (mut lines, mut count) = (0, 0);
    for line in table.lines() {
        let parsed = json::read(line.as_bytes()).expect("the table is JSON");
        let pair = parsed.value.as_array().expect("a line is a pair");
        let [Value::String(input), Value::String(expected)] = pair else {
            panic!("a line is a pair of strings: {line}");
        };
        lines += 1;
        let found = answer(input);
        if (found != *expected) != chosen(input) {
            count += 1;
            let _ = write!(
                wrong,
                "\n{input:?}\n  found {found:?}\n  Go    {:?}",
                expected.as_str()
            );
        }
    }
    assert!(lines > 10, "the table is empty");
    assert!(count == 0, "{count} of {lines} differ:{wrong}");
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(object) => {
            let fields = object.iter().map(|(name, field)| (name, sorted(field)));
            let mut object: api::Object = fields.collect();
            object.sort();
            Value::Object(object)
        }
        other => other.clone(),
    }
}

fn to_json(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(&sorted(value), &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn json_as_go() {
    check(
        include_str!("oracle/json.jsonl"),
        |input| match json::read(input.as_bytes()) {
            Ok(parsed) => {
                let mut text = to_json(&parsed.value);
                for path in parsed.duplicates {
                    let _ = write!(text, "\nduplicate field {}", api::quote::quote(&path));
                }
                text
            }
            Err(error) => format!("! {error}"),
        },
    );
}

#[test]
fn quantities_as_go() {
    check(include_str!("oracle/quantity.jsonl"), |input| {
        let quantity = match Quantity::parse(input) {
            Ok(quantity) => quantity,
            Err(error) => return format!("! {error}"),
        };
        let mut canonical = quantity.clone();
        canonical.add(&Quantity::zero());
        let format = match quantity.format() {
            Format::DecimalExponent => "DecimalExponent",
            Format::BinarySi => "BinarySI",
            Format::DecimalSi => "DecimalSI",
        };
        format!("{quantity} {format} {canonical}")
    });
}

#[test]
fn label_selectors_as_go() {
    check(
        include_str!("oracle/labels.jsonl"),
        |input| match LabelSelector::parse(input) {
            Ok(selector) => selector.to_string(),
            Err(error) => format!("! {error}"),
        },
    );
}

#[test]
fn field_selectors_as_go() {
    check(
        include_str!("oracle/fields.jsonl"),
        |input| match FieldSelector::parse(input) {
            Ok(selector) => selector.to_string(),
            Err(error) => format!("! {error}"),
        },
    );
}

#[test]
fn times_as_go() {
    let print = |parsed: Result<base::WallTime, time::TimeError>,
                 to_value: fn(base::WallTime) -> Value| {
        match parsed {
            Ok(time) => to_json(&to_value(time)),
            Err(error) => format!("! {error}"),
        }
    };
    check(include_str!("oracle/time.jsonl"), |input| {
        let seconds = print(time::parse(input), time::to_value);
        let micros = print(time::parse_micro(input), time::to_value_micro);
        format!("{seconds}\n{micros}")
    });
}

#[test]
fn durations_as_go() {
    check(
        include_str!("oracle/duration.jsonl"),
        |input| match time::parse_duration(input) {
            Ok(nanos) => format!("{nanos} {}", time::format_duration(nanos)),
            Err(error) => format!("! {error}"),
        },
    );
}

#[test]
fn reads_yaml_as_go() {
    // Our parser takes a tab before the first key, which YAML 1.2 forbids only as indentation.
    let chosen = |input: &str| input == "\ta: b\n";
    check_but(include_str!("oracle/yaml-read.jsonl"), chosen, |input| {
        match yaml::read(input.as_bytes()) {
            Ok(parsed) => {
                let text = to_json(&parsed.value);
                match parsed.strict {
                    Some(strict) => format!("{text}\n{strict}"),
                    None => text,
                }
            }
            // The sentences differ; that it is refused does not.
            Err(_) => "!".to_owned(),
        }
    });
}

#[test]
fn writes_yaml_as_go() {
    // Upstream refuses DEL, loses U+0085 and leaves U+2028 bare; we write all three as escapes. The
    // key `<<` it writes bare, which reads as something else.
    let chosen = |input: &str| {
        let odd = |letter| matches!(letter, '\u{7f}' | '\u{85}');
        input.contains(odd) || input.contains("\\u2028") || input == r#"{"\u003c\u003c":1}"#
    };
    check_but(include_str!("oracle/yaml-write.jsonl"), chosen, |input| {
        let parsed = json::read(input.as_bytes()).expect("the input is JSON");
        let mut out = Vec::new();
        yaml::write(&parsed.value, &mut out);
        String::from_utf8(out).expect("YAML is UTF-8")
    });
}
