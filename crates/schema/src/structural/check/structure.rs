//! What makes a schema structural: every value has one type, and junctors only say more of it.
//!
//! Source: apiextensions' apiserver/schema/{validation,complete}.go.

use api::{
    Value,
    field::{Error, Path},
};

use super::{DEPTH_MAX, branches, flag, kind, properties};
use crate::validate::Pattern;

/// Returns what keeps a schema from being structural, in upstream's order: by text.
pub(super) fn structural(schema: &Value, path: &Path<'_>) -> Vec<Error> {
    let mut errors = Vec::new();
    invariants(schema, Level::Root, path, &mut errors, 0);
    complete(schema, path, &mut errors);
    errors.sort_by_cached_key(ToString::to_string);
    errors
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// The invariants of a structural schema.
fn invariants(
    schema: &Value,
    level: Level,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
    depth: usize,
) {
    if depth > DEPTH_MAX {
        return;
    }
    let kind = kind(schema);
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let keeps = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    match schema.get("items") {
        Some(items) => invariants(items, Level::Item, &path.child("items"), errors, depth + 1),
        None if kind == "array" => {
            errors.push(Error::required(&path.child("items"), "must be specified"));
        }
        None => {}
    }
    let all = path.child("properties");
    for (name, inner) in properties(schema) {
        invariants(inner, Level::Field, &all.key(name), errors, depth + 1);
    }
    let additional = path.child("additionalProperties");
    if let Some(inner) = schema.get("additionalProperties") {
        if level == Level::Root {
            errors.push(Error::forbidden(
                &additional,
                "must not be used at the root",
            ));
        }
        if matches!(inner, Value::Object(_)) {
            invariants(inner, Level::Field, &additional, errors, depth + 1);
        }
    }
    if int_or_string && keeps {
        let place = path.child("x-kubernetes-preserve-unknown-fields");
        let detail = "must be false if x-kubernetes-int-or-string is true";
        errors.push(Error::invalid(&place, true, detail));
    }
    if int_or_string && embedded {
        let place = path.child("x-kubernetes-embedded-resource");
        let detail = "must be false if x-kubernetes-int-or-string is true";
        errors.push(Error::invalid(&place, true, detail));
    }
    value_words(schema, is_either(schema), path, errors, depth);
    types(schema, level, path, errors);
    if embedded && schema.get("additionalProperties").is_some() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(Error::forbidden(&additional, detail));
    }
    heads(schema, level, embedded, &all, errors);
    if embedded && !keeps && properties(schema).next().is_none() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(Error::required(&all, detail));
    }
}

fn types(schema: &Value, level: Level, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("type");
    let kind = kind(schema);
    let open = flag(schema, "x-kubernetes-int-or-string")
        || flag(schema, "x-kubernetes-preserve-unknown-fields");
    if flag(schema, "x-kubernetes-embedded-resource") && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            Error::required(&place, detail)
        } else {
            Error::invalid(&place, kind, detail)
        });
    } else if kind.is_empty() && !open {
        errors.push(Error::required(
            &place,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(Error::invalid(&place, kind, "must be object at the root"));
    }
}

/// What may be said of `apiVersion`, `kind` and `metadata` of whole objects.
fn heads(schema: &Value, level: Level, embedded: bool, path: &Path<'_>, errors: &mut Vec<Error>) {
    let whole = level == Level::Root || embedded;
    for name in ["kind", "apiVersion"] {
        if let Some(inner) = schema.at(&["properties", name])
            && whole
            && kind(inner) != "string"
        {
            let here = path.key(name);
            errors.push(Error::invalid(
                &here.child("type"),
                kind(inner),
                "must be string",
            ));
        }
    }
    let Some(metadata) = schema.at(&["properties", "metadata"]) else {
        return;
    };
    let here = path.key("metadata");
    if whole && kind(metadata) != "object" {
        errors.push(Error::invalid(
            &here.child("type"),
            kind(metadata),
            "must be object",
        ));
    }
    if level == Level::Root {
        let only_names =
            properties(metadata).all(|(name, _)| matches!(name, "name" | "generateName"));
        let other_words = metadata.as_object().is_some_and(|object| {
            object
                .iter()
                .any(|(name, _)| !matches!(name, "type" | "properties" | "default"))
        });
        if !only_names || other_words {
            let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            errors.push(Error::forbidden(&here, detail));
        }
    }
}

/// Which of the two ways of saying integer-or-string a schema uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Either {
    No,
    AnyOf,
    AllOf,
}

fn is_either(schema: &Value) -> Either {
    let is_pair = |schema: &Value| {
        let branches = branches(schema, "anyOf");
        let only = |branch: &Value, wanted: &str| {
            kind(branch) == wanted && branch.as_object().is_some_and(|object| object.len() == 1)
        };
        matches!(branches, [a, b] if only(a, "integer") && only(b, "string"))
    };
    if is_pair(schema) {
        Either::AnyOf
    } else if branches(schema, "allOf").first().is_some_and(is_pair) {
        Either::AllOf
    } else {
        Either::No
    }
}

fn value_words(
    schema: &Value,
    either: Either,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
    depth: usize,
) {
    for name in ["anyOf", "allOf", "oneOf"] {
        if name == "anyOf" && either == Either::AnyOf {
            continue;
        }
        let list = path.child(name);
        for (place, inner) in branches(schema, name).iter().enumerate() {
            let inner_either = if name == "allOf" && place == 0 && either == Either::AllOf {
                Either::AnyOf
            } else {
                Either::No
            };
            nested(inner, inner_either, &list.index(place), errors, depth + 1);
        }
    }
    if let Some(inner) = schema.get("not") {
        nested(inner, Either::No, &path.child("not"), errors, depth + 1);
    }
    if let Some(text) = schema.str_at(&["pattern"]).filter(|text| !text.is_empty())
        && let Some(error) = Pattern::new(text).error()
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(Error::invalid(&path.child("pattern"), text, detail));
    }
}

/// What may not stand inside a junctor.
fn nested(schema: &Value, either: Either, path: &Path<'_>, errors: &mut Vec<Error>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    value_words(schema, either, path, errors, depth);
    if let Some(items) = schema.get("items") {
        nested(items, Either::No, &path.child("items"), errors, depth + 1);
    }
    let all = path.child("properties");
    for (name, inner) in properties(schema) {
        nested(inner, Either::No, &all.key(name), errors, depth + 1);
    }
    let said = |name: &str| match schema.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    let forbidden = [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        (
            "x-kubernetes-preserve-unknown-fields",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-embedded-resource",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-int-or-string",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-list-map-keys",
            "must be empty to be structural",
        ),
        (
            "x-kubernetes-list-type",
            "must be undefined to be structural",
        ),
        (
            "x-kubernetes-map-type",
            "must be undefined to be structural",
        ),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ];
    for (name, detail) in forbidden {
        let there = match name {
            "additionalProperties" | "default" => schema.get(name).is_some(),
            _ => said(name),
        };
        if there {
            errors.push(Error::forbidden(&path.child(name), detail));
        }
    }
    if schema.at(&["properties", "metadata"]).is_some() {
        let detail = "must not be specified in a nested context";
        errors.push(Error::forbidden(&all.key("metadata"), detail));
    }
}

/// What the junctors of the root speak of must be specified outside of them too. Upstream looks at
/// no others.
fn complete(schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    for name in ["allOf", "anyOf", "oneOf"] {
        let list = path.child(name);
        for (place, inner) in branches(schema, name).iter().enumerate() {
            skeleton(inner, schema, &list.index(place), path, errors, 0);
        }
    }
    if let Some(inner) = schema.get("not") {
        skeleton(inner, schema, &path.child("not"), path, errors, 0);
    }
}

/// Compares the fields and items that a branch speaks of with those of the schema around it.
fn skeleton(
    branch: &Value,
    outer: &Value,
    branch_path: &Path<'_>,
    outer_path: &Path<'_>,
    errors: &mut Vec<Error>,
    depth: usize,
) {
    if depth > DEPTH_MAX {
        return;
    }
    if let Some(items) = branch.get("items") {
        match outer.get("items") {
            Some(outer) => skeleton(
                items,
                outer,
                &branch_path.child("items"),
                &outer_path.child("items"),
                errors,
                depth + 1,
            ),
            None => {
                let place = outer_path.child("items");
                let detail = format!("because it is defined in {}", branch_path.child("items"));
                errors.push(Error::required(&place, detail));
            }
        }
    }
    let (branch_all, outer_all) = (
        branch_path.child("properties"),
        outer_path.child("properties"),
    );
    for (name, inner) in properties(branch) {
        match outer.at(&["properties", name]) {
            Some(outer) => skeleton(
                inner,
                outer,
                &branch_all.key(name),
                &outer_all.key(name),
                errors,
                depth + 1,
            ),
            None => {
                let detail = format!("because it is defined in {}", branch_all.key(name));
                errors.push(Error::required(&outer_all.key(name), detail));
            }
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        let list = branch_path.child(name);
        for (place, inner) in branches(branch, name).iter().enumerate() {
            skeleton(
                inner,
                outer,
                &list.index(place),
                outer_path,
                errors,
                depth + 1,
            );
        }
    }
    if let Some(inner) = branch.get("not") {
        skeleton(
            inner,
            outer,
            &branch_path.child("not"),
            outer_path,
            errors,
            depth + 1,
        );
    }
}
