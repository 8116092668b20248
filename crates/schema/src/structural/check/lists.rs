//! What makes lists and maps what they are: `x-kubernetes-list-type`, its keys, `x-kubernetes-map-type`.

use std::collections::HashSet;

use api::{
    Value,
    field::{Error, Path},
};

use super::{Lenient, branches, flag, kind};
use crate::structural::shown;

fn must_be(kind: &str, wanted: &str, why: &str, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("type");
    let detail = format!("must be {wanted} if {why} is specified");
    if kind.is_empty() {
        errors.push(Error::required(&place, detail));
    } else if kind != wanted {
        errors.push(Error::invalid(&place, kind, detail));
    }
}

/// Says what is wrong with the words about lists and maps.
pub(super) fn wrong(schema: &Value, path: &Path<'_>, lenient: Lenient, errors: &mut Vec<Error>) {
    let kind_of = kind(schema);
    if let Some(map_type) = schema.str_at(&["x-kubernetes-map-type"]) {
        must_be(kind_of, "object", "x-kubernetes-map-type", path, errors);
        if !matches!(map_type, "atomic" | "granular") {
            let place = path.child("x-kubernetes-map-type");
            let known = ["atomic", "granular"];
            errors.push(Error::not_supported(&place, map_type, &known));
        }
    }
    let list_type = schema.str_at(&["x-kubernetes-list-type"]);
    let type_place = path.child("x-kubernetes-list-type");
    let items = path.child("items");
    if let Some(list_type) = list_type {
        must_be(kind_of, "array", "x-kubernetes-list-type", path, errors);
        if list_type == "set" && kind_of == "array" && !lenient.sets {
            errors.extend(open_set(schema, &items));
        }
        if !matches!(list_type, "atomic" | "set" | "map") {
            let known = ["atomic", "set", "map"];
            errors.push(Error::not_supported(&type_place, list_type, &known));
        }
    }
    let keys = branches(schema, "x-kubernetes-list-map-keys");
    let keys_place = path.child("x-kubernetes-list-map-keys");
    if !keys.is_empty() && list_type != Some("map") {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match list_type {
            None => Error::required(&type_place, detail),
            Some(other) => Error::invalid(&type_place, other, detail),
        });
    }
    if list_type == Some("map") {
        if keys.is_empty() {
            let detail = "must not be empty if x-kubernetes-list-type is map";
            errors.push(Error::required(&keys_place, detail));
        }
        match schema.get("items") {
            None => {
                let detail = "must have a schema if x-kubernetes-list-type is map";
                errors.push(Error::required(&items, detail));
            }
            Some(all @ Value::Array(_)) => {
                let detail = "must only have a single schema if x-kubernetes-list-type is map";
                let mut around = Value::object();
                around.set_at(&["items"], all.clone());
                let shown = shown::schema(&around);
                let shown = shown::go_json(shown.get("Items").unwrap_or(&Value::Null));
                errors.push(Error::invalid(&items, shown, detail));
            }
            Some(inner) if kind(inner) != "object" => {
                let detail = "must be object if parent array's x-kubernetes-list-type is map";
                errors.push(Error::invalid(&items.child("type"), kind(inner), detail));
            }
            Some(inner) => map_keys(inner, keys, &items, &keys_place, errors),
        }
    }
    if !lenient.keys {
        weak_keys(schema, path, errors);
    }
}

/// Whether a set has items that are not atomic.
pub(super) fn has_open_set(schema: &Value) -> bool {
    let is_set = schema.str_at(&["x-kubernetes-list-type"]) == Some("set");
    is_set && open_set(schema, &Path::ROOT).is_some()
}

fn open_set(schema: &Value, items: &Path<'_>) -> Option<Error> {
    let inner = schema.get("items")?;
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let list_type = inner.str_at(&["x-kubernetes-list-type"]);
    let map_type = inner.str_at(&["x-kubernetes-map-type"]);
    let shown = shown::go_json(inner.get("x-kubernetes-list-type").unwrap_or(&Value::Null));
    let word = match kind(inner) {
        "array" if list_type.is_some_and(|other| other != "atomic") => "x-kubernetes-list-type",
        "object" if map_type != Some("atomic") => "x-kubernetes-map-type",
        _ => return None,
    };
    Some(Error::invalid(&items.child(word), shown, detail))
}

fn map_keys(
    inner: &Value,
    keys: &[Value],
    items: &Path<'_>,
    keys_place: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    let shown = Value::Array(keys.to_vec());
    let all = items.child("properties");
    let mut known: HashSet<&str> = HashSet::new();
    for key in keys {
        let name = key.as_str().unwrap_or_default();
        match inner.at(&["properties", name]) {
            Some(property) if matches!(kind(property), "array" | "object") => {
                let here = all.key(name);
                let detail =
                    "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.push(Error::invalid(&here.child("type"), kind(inner), detail));
            }
            Some(_) => {}
            None => {
                let detail = "entries must all be names of item properties";
                errors.push(Error::invalid(keys_place, &shown, detail));
            }
        }
        if !known.insert(name) {
            let detail = "must not contain duplicate entries";
            errors.push(Error::invalid(keys_place, &shown, detail));
        }
    }
}

/// Whether items of a list cannot be told apart for sure.
pub(super) fn has_weak_keys(schema: &Value) -> bool {
    let mut errors = Vec::new();
    weak_keys(schema, &Path::ROOT, &mut errors);
    !errors.is_empty()
}

/// A key that may be absent or null cannot tell items apart, nor an item that is null.
fn weak_keys(schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let list_type = schema.str_at(&["x-kubernetes-list-type"]);
    let (Some(inner @ Value::Object(_)), Some(list_type @ ("set" | "map"))) =
        (schema.get("items"), list_type)
    else {
        return;
    };
    let items = path.child("items");
    if flag(inner, "nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(Error::forbidden(&items.child("nullable"), detail));
    }
    if list_type == "set" {
        return;
    }
    let all = items.child("properties");
    let required = branches(inner, "required");
    for key in branches(schema, "x-kubernetes-list-map-keys") {
        let name = key.as_str().unwrap_or_default();
        let Some(property) = inner.at(&["properties", name]) else {
            continue;
        };
        let here = all.key(name);
        if property.get("default").is_none() && !required.contains(key) {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(Error::required(&here.child("default"), detail));
        }
        if flag(property, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(Error::forbidden(&here.child("nullable"), detail));
        }
    }
}
