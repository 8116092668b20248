//! Values as upstream prints them where an error shows a whole struct of its inner types.
//!
//! Those have no names for JSON: they are printed with the names of Go, every field of them.
//! `data/structs.txt` has a line for each that can be shown, taken from upstream's
//! pkg/apis/*/types.go and the tags of k8s.io/api: its name, then its fields as `Go:json:kind`.
//! Kinds are `s` text, `i` number, `b` flag, `q` amount, `*` what may be nil, and names of structs,
//! behind `*` or `[]` where Go has them. `^Name` stands for the fields of another struct, `~` for
//! metadata, which have names for JSON.

use api::{Object, Text, Value, field::Shown};

use crate::validate::Place;

const STRUCTS: &str = include_str!("../../data/structs.txt");

/// Returns a struct as errors print it.
pub(crate) fn shown(place: &Place<'_>, name: &str) -> Shown {
    Shown::from(&of(place.value(), name))
}

/// Returns a list of structs as errors print it; `null` if there is none.
pub(crate) fn shown_list(place: &Place<'_>, name: &str) -> Shown {
    Shown::from(&list(place.value(), name))
}

/// Returns a value with the names that Go has for the fields of this struct.
pub(crate) fn of(value: Option<&Value>, name: &str) -> Value {
    let mut made = Object::default();
    fill(&mut made, value, name);
    Value::Object(made)
}

fn fill(made: &mut Object, value: Option<&Value>, name: &str) {
    let is_it = |line: &&str| line.split(' ').next() == Some(name);
    let line = STRUCTS.lines().find(is_it).unwrap_or_default();
    for field in line.split(' ').skip(1) {
        if let Some(other) = field.strip_prefix('^') {
            fill(made, value, other);
            continue;
        }
        if field == "~" {
            let metadata = value.and_then(|value| value.get("metadata"));
            let metadata = metadata.and_then(Value::as_object);
            for (name, own) in metadata.into_iter().flat_map(Object::iter) {
                made.push(Text::new(name), own.clone());
            }
            continue;
        }
        let mut parts = field.splitn(3, ':');
        let (Some(go), Some(json), Some(kind)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let own = value.and_then(|value| value.get(json));
        made.push(Text::new(go), one(own.filter(|own| !own.is_null()), kind));
    }
}

fn one(own: Option<&Value>, kind: &str) -> Value {
    match (kind, own) {
        ("s" | "i" | "b" | "q" | "*", Some(own)) => own.clone(),
        ("s", None) => Value::from(""),
        ("i", None) => Value::Int(0),
        ("b", None) => Value::Bool(false),
        ("q", None) => Value::from("0"),
        ("*", None) => Value::Null,
        (kind, own) => match (kind.strip_prefix("[]"), kind.strip_prefix('*')) {
            (Some(name), _) => list(own, name),
            (_, Some(name)) => own.map_or(Value::Null, |own| of(Some(own), name)),
            _ => of(own, kind),
        },
    }
}

fn list(value: Option<&Value>, name: &str) -> Value {
    match value.and_then(Value::as_array) {
        None => Value::Null,
        Some(items) => Value::Array(items.iter().map(|item| of(Some(item), name)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use api::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, given: &str, expected: &str) {
        let given = json::read(given.as_bytes()).expect("it is JSON").value;
        let mut out = Vec::new();
        json::write(&of(Some(&given), name), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn prints_every_field_by_the_name_of_go() {
        check(
            "PodResourceClaim",
            r#"{"name":"a"}"#,
            r#"{"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}"#,
        );
        check(
            "DeploymentStrategy",
            r#"{"rollingUpdate":{"maxSurge":"1%"}}"#,
            r#"{"Type":"","RollingUpdate":{"MaxUnavailable":0,"MaxSurge":"1%"}}"#,
        );
        check("Sysctl", r#"{}"#, r#"{"Name":"","Value":""}"#);
    }

    #[test]
    fn every_struct_that_is_named_is_there() {
        let names: Vec<&str> = STRUCTS
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let kinds = STRUCTS.lines().flat_map(|line| line.split(' ').skip(1));
        for kind in kinds {
            let kind = kind.rsplit(':').next().unwrap_or_default();
            let name = kind.trim_start_matches("[]").trim_start_matches(['*', '^']);
            let is_plain = matches!(name, "" | "s" | "i" | "b" | "q" | "~");
            assert!(is_plain || names.contains(&name), "{name}");
        }
    }
}
