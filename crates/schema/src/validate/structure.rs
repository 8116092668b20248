//! Rules that are about objects inside objects and about lists, and no OpenAPI rules.

use std::collections::HashSet;

use api::{
    GroupVersion, Object, Value,
    field::{Error, Path},
    names::validate::{NameRule, dns1035_label},
};

use super::meta;
use crate::{Form, ListKind, Others, ShapeId, Shapes, decode::json_text};

/// Checks whole objects inside others: they need a version and a kind, and sound metadata.
pub(super) fn embedded(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    // The object itself is looked at by the server, whose path says what it is.
    children(shapes, id, value, path, &mut |id, value, path| {
        embedded_below(shapes, id, value, path, errors);
    });
}

/// As [`embedded`], the value itself included.
pub(super) fn embedded_below(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    if shapes.node(id).embedded
        && let Value::Object(object) = value
    {
        head(object, path, errors);
    }
    embedded(shapes, id, value, path, errors);
}

fn head(object: &Object, path: &Path<'_>, errors: &mut Vec<Error>) {
    let (version_path, kind_path) = (path.child("apiVersion"), path.child("kind"));
    match object.get("apiVersion") {
        None => errors.push(Error::required(&version_path, "")),
        Some(Value::String(text)) if text.is_empty() => {
            errors.push(Error::invalid(&version_path, text, "must not be empty"));
        }
        Some(Value::String(text)) if GroupVersion::parse(text).is_none() => {
            let detail = format!("unexpected GroupVersion string: {text}");
            errors.push(Error::invalid(&version_path, text, detail));
        }
        Some(Value::String(_)) => {}
        Some(other) => errors.push(Error::invalid(&version_path, other, "must be a string")),
    }
    match object.get("kind") {
        None => errors.push(Error::required(&kind_path, "")),
        Some(Value::String(text)) if text.is_empty() => {
            errors.push(Error::invalid(&kind_path, text, "must not be empty"));
        }
        Some(Value::String(text)) => {
            let wrong = dns1035_label(&text.to_lowercase());
            if !wrong.is_empty() {
                let detail = format!(
                    "may have mixed case, but should otherwise match: {}",
                    wrong.join(",")
                );
                errors.push(Error::invalid(&kind_path, text, detail));
            }
        }
        Some(other) => errors.push(Error::invalid(&kind_path, other, "must be a string")),
    }
    if let Some(metadata) = object.get("metadata") {
        errors.extend(meta::embedded(
            metadata,
            NameRule::PathSegment,
            &path.child("metadata"),
        ));
    }
}

/// Checks that the items of sets and map lists are unique.
pub(super) fn lists(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    if let (Form::List { kind, .. }, Value::Array(items)) = (&shapes.node(id).form, value) {
        match kind {
            ListKind::Atomic => {}
            ListKind::Set => {
                let texts: Vec<String> = items.iter().map(json_text).collect();
                for place in repeated(&texts) {
                    errors.push(Error::duplicate(&path.index(place), &items[place]));
                }
            }
            ListKind::Map(keys) => {
                let odd = items
                    .iter()
                    .position(|item| !matches!(item, Value::Object(_) | Value::Null));
                if let Some(place) = odd {
                    let detail = "must be an object for an array of list-type map";
                    errors.push(Error::invalid(&path.index(place), &items[place], detail));
                } else {
                    let keyed: Vec<Value> = items.iter().map(|item| key_of(item, keys)).collect();
                    let texts: Vec<String> = keyed.iter().map(json_text).collect();
                    for place in repeated(&texts) {
                        errors.push(Error::duplicate(&path.index(place), &keyed[place]));
                    }
                }
            }
        }
    }
    children(shapes, id, value, path, &mut |id, value, path| {
        lists(shapes, id, value, path, errors);
    });
}

fn key_of(item: &Value, keys: &[api::Text]) -> Value {
    let mut object: Object = keys
        .iter()
        .filter_map(|key| Some((key.clone(), item.get(key)?.clone())))
        .collect();
    object.sort();
    Value::Object(object)
}

/// Returns the place of the second of each group of equal texts.
fn repeated(texts: &[String]) -> Vec<usize> {
    let mut seen = HashSet::new();
    let mut told = HashSet::new();
    let again = |(place, text): (usize, &String)| {
        (!seen.insert(text.clone()) && told.insert(text.clone())).then_some(place)
    };
    texts.iter().enumerate().filter_map(again).collect()
}

/// Calls `visit` for each part of a value that has a shape.
fn children(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &Path<'_>,
    visit: &mut dyn FnMut(ShapeId, &Value, &Path<'_>),
) {
    match (&shapes.node(id).form, value) {
        (Form::List { item, .. }, Value::Array(items)) => {
            if is_plain(shapes, *item) {
                return;
            }
            for (place, value) in items.iter().enumerate() {
                visit(*item, value, &path.index(place));
            }
        }
        (Form::Map { value: part, .. }, Value::Object(object)) => {
            if is_plain(shapes, *part) {
                return;
            }
            for (name, value) in object.iter() {
                visit(*part, value, &path.key(name));
            }
        }
        (Form::Struct(shape), Value::Object(object)) => {
            for (name, value) in object.iter() {
                match (shape.field(name), shape.others) {
                    (Some(field), _) if !is_plain(shapes, field.shape) => {
                        visit(field.shape, value, &path.child(name));
                    }
                    (None, Others::Shaped(part)) => visit(part, value, &path.key(name)),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn is_plain(shapes: &Shapes, id: ShapeId) -> bool {
    matches!(shapes.node(id).form, Form::Scalar(_))
}
