//! What upstream demands of a schema when a CRD is written.
//!
//! Source: apiextensions' apiserver/schema/validation.go (structure) and
//! apis/apiextensions/validation/validation.go (the rest).

use api::{
    Value,
    field::{Error, Path},
};

use super::{compile::build, defaults};
use crate::{Shape, cel::rules::accept, validate::Pattern};

/// How deeply schemas are looked into; parsed trees are never deeper.
const DEPTH_MAX: usize = 1_000;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

const REASONS: [&str; 4] = [
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];

/// What the check must know besides the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOptions {
    /// The version has no status subresource.
    Plain,
    /// The version has a status subresource, which restricts what may stand at the root.
    StatusSubresource,
}

/// Returns what is wrong with a schema; `path` is that of `openAPIV3Schema`.
#[must_use]
pub fn check(schema: &Value, path: &Path<'_>, meta: &Shape, options: CheckOptions) -> Vec<Error> {
    let mut errors = Vec::new();
    if options == CheckOptions::StatusSubresource {
        root_words(schema, path, &mut errors);
    }
    if flag(schema, "nullable") {
        let place = path.child("nullable");
        errors.push(Error::forbidden(
            &place,
            "nullable cannot be true at the root",
        ));
    }
    let mut built = None;
    let mut structure = Vec::new();
    // Upstream cannot make a structure of such a schema, and says so where the word stands.
    let is_one = !denies_unknown(schema, 0);
    if is_one {
        invariants(schema, Level::Root, path, &mut structure, 0);
        complete(schema, schema, path, &mut structure, 0);
    }
    structure.sort_by_cached_key(ToString::to_string);
    if is_one && structure.is_empty() {
        match build(schema, meta) {
            Ok((shapes, root)) => {
                defaults::check(&shapes, root, path, &mut structure);
                built = structure.is_empty().then_some((shapes, root));
            }
            Err(error) => structure.push(Error::invalid(path, "", error.to_string())),
        }
    }
    errors.extend(structure);
    let walk = Walk {
        forbidden_defaults: None,
        inside_meta: false,
    };
    walk.words(schema, path, true, &mut errors, 0);
    // Rules are read only in a schema that is sound otherwise.
    if let (Some((shapes, root)), true) = (built, errors.is_empty()) {
        errors.extend(accept(&shapes, root, path));
    }
    errors
}

/// Whether a schema says anywhere that unknown fields are not kept, which it may only not say.
fn denies_unknown(schema: &Value, depth: usize) -> bool {
    let below = |schema: &Value| denies_unknown(schema, depth + 1);
    depth <= DEPTH_MAX
        && (schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false))
            || properties(schema).any(|(_, inner)| below(inner))
            || ["items", "additionalProperties", "not"]
                .iter()
                .any(|name| schema.get(name).is_some_and(below))
            || ["allOf", "anyOf", "oneOf"]
                .iter()
                .any(|name| branches(schema, name).iter().any(below)))
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool) == Some(true)
}

fn kind(schema: &Value) -> &str {
    schema.str_at(&["type"]).unwrap_or_default()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let object = schema.get("properties").and_then(Value::as_object);
    object.into_iter().flat_map(|object| object.iter())
}

fn branches<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema
        .get(name)
        .and_then(Value::as_array)
        .unwrap_or_default()
}

/// The words that may stand at the root beside a status subresource.
fn root_words(schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let allowed = [
        "description",
        "type",
        "format",
        "title",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "multipleOf",
        "required",
        "enum",
        "items",
        "properties",
        "externalDocs",
        "example",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    let named = [
        "Description",
        "Type",
        "Format",
        "Title",
        "Maximum",
        "ExclusiveMaximum",
        "Minimum",
        "ExclusiveMinimum",
        "MaxLength",
        "MinLength",
        "Pattern",
        "MaxItems",
        "MinItems",
        "UniqueItems",
        "MultipleOf",
        "Required",
        "Items",
        "Properties",
        "ExternalDocs",
        "Example",
        "XPreserveUnknownFields",
        "XValidations",
    ];
    let wrong_type = !kind(schema).is_empty() && kind(schema) != "object";
    if wrong_type {
        let detail = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errors.push(Error::invalid(&path.child("type"), kind(schema), detail));
    }
    let other = schema
        .as_object()
        .is_some_and(|object| object.iter().any(|(name, _)| !allowed.contains(&name)));
    if other && !wrong_type {
        let detail = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            named.join(" ")
        );
        errors.push(Error::invalid(path, schema, detail));
    }
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

/// What junctors speak of must be specified outside of them too.
fn complete(schema: &Value, outer: &Value, path: &Path<'_>, errors: &mut Vec<Error>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        let list = path.child(name);
        for (place, inner) in branches(schema, name).iter().enumerate() {
            skeleton(inner, outer, &list.index(place), path, errors, depth + 1);
        }
    }
    if let Some(inner) = schema.get("not") {
        skeleton(inner, outer, &path.child("not"), path, errors, depth + 1);
    }
    if let Some(items) = schema.get("items") {
        complete(items, items, &path.child("items"), errors, depth + 1);
    }
    let all = path.child("properties");
    for (name, inner) in properties(schema) {
        complete(inner, inner, &all.key(name), errors, depth + 1);
    }
    if let Some(inner @ Value::Object(_)) = schema.get("additionalProperties") {
        complete(
            inner,
            inner,
            &path.child("additionalProperties"),
            errors,
            depth + 1,
        );
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

/// Walks all schemas for words that are not supported or contradict each other.
#[derive(Clone, Copy)]
struct Walk {
    /// Why defaults may not be set here, if they may not.
    forbidden_defaults: Option<&'static str>,
    inside_meta: bool,
}

impl Walk {
    fn words(
        self,
        schema: &Value,
        path: &Path<'_>,
        is_root: bool,
        errors: &mut Vec<Error>,
        depth: usize,
    ) {
        if depth > DEPTH_MAX {
            return;
        }
        self.unsupported(schema, path, errors);
        if flag(schema, "uniqueItems") {
            let detail =
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            errors.push(Error::forbidden(&path.child("uniqueItems"), detail));
        }
        let some_properties = properties(schema).next().is_some();
        if let Some(inner) = schema.get("additionalProperties") {
            let place = path.child("additionalProperties");
            if some_properties && !matches!(inner, Value::Bool(true)) {
                let detail = "additionalProperties and properties are mutual exclusive";
                errors.push(Error::forbidden(&place, detail));
            }
            let mut walk = self;
            if self.inside_meta {
                walk.forbidden_defaults =
                    Some("inside additionalProperties applying to object metadata");
            }
            walk.words(inner, &place, false, errors, depth + 1);
        }
        let all = path.child("properties");
        let whole = is_root || flag(schema, "x-kubernetes-embedded-resource");
        for (name, inner) in properties(schema) {
            let mut walk = self;
            let head = match name {
                "metadata" => Some("in top-level metadata"),
                "apiVersion" => Some("in top-level apiVersion"),
                "kind" => Some("in top-level kind"),
                _ => None,
            };
            if head.is_some() && whole {
                walk.inside_meta = true;
                if is_root {
                    walk.forbidden_defaults = head;
                }
            }
            walk.words(inner, &all.key(name), false, errors, depth + 1);
        }
        if let Some(inner) = schema.get("not") {
            self.words(inner, &path.child("not"), false, errors, depth + 1);
        }
        for name in ["allOf", "oneOf", "anyOf"] {
            let list = path.child(name);
            for (place, inner) in branches(schema, name).iter().enumerate() {
                self.words(inner, &list.index(place), false, errors, depth + 1);
            }
        }
        if let Some(items @ Value::Object(_)) = schema.get("items") {
            self.words(items, &path.child("items"), false, errors, depth + 1);
        }
        lists_and_maps(schema, path, errors);
        validations(schema, path, errors);
    }

    fn unsupported(self, schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
        let kind = kind(schema);
        if kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            errors.push(Error::forbidden(&path.child("type"), detail));
        } else if !kind.is_empty() && !TYPES.contains(&kind) {
            errors.push(Error::not_supported(&path.child("type"), kind, &TYPES));
        }
        if let (Some(reason), Some(_)) = (self.forbidden_defaults, schema.get("default")) {
            let detail = format!("must not be set {reason}");
            errors.push(Error::forbidden(&path.child("default"), detail));
        }
        for name in [
            "id",
            "additionalItems",
            "patternProperties",
            "definitions",
            "dependencies",
            "$ref",
        ] {
            if schema.get(name).is_some() {
                let detail = format!("{name} is not supported");
                errors.push(Error::forbidden(&path.child(name), detail));
            }
        }
        if matches!(schema.get("items"), Some(Value::Array(_))) {
            let detail = "items must be a schema object and not an array";
            errors.push(Error::forbidden(&path.child("items"), detail));
        }
        if self.inside_meta && flag(schema, "x-kubernetes-embedded-resource") {
            let place = path.child("x-kubernetes-embedded-resource");
            errors.push(Error::forbidden(
                &place,
                "must not be used inside of resource meta",
            ));
        }
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            let place = path.child("x-kubernetes-preserve-unknown-fields");
            errors.push(Error::invalid(&place, false, "must be true or undefined"));
        }
    }
}

fn must_be(kind: &str, wanted: &str, why: &str, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("type");
    let detail = format!("must be {wanted} if {why} is specified");
    if kind.is_empty() {
        errors.push(Error::required(&place, detail));
    } else if kind != wanted {
        errors.push(Error::invalid(&place, kind, detail));
    }
}

fn lists_and_maps(schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let kind_of = kind(schema);
    if let Some(map_type) = schema.str_at(&["x-kubernetes-map-type"]) {
        must_be(kind_of, "object", "x-kubernetes-map-type", path, errors);
        if !matches!(map_type, "atomic" | "granular") {
            let place = path.child("x-kubernetes-map-type");
            errors.push(Error::not_supported(
                &place,
                map_type,
                &["atomic", "granular"],
            ));
        }
    }
    let list_type = schema.str_at(&["x-kubernetes-list-type"]);
    let type_place = path.child("x-kubernetes-list-type");
    let items = path.child("items");
    if let Some(list_type) = list_type {
        must_be(kind_of, "array", "x-kubernetes-list-type", path, errors);
        if list_type == "set" && kind_of == "array" {
            set_items(schema, &items, errors);
        }
        if !matches!(list_type, "atomic" | "set" | "map") {
            let known = ["atomic", "set", "map"];
            errors.push(Error::not_supported(&type_place, list_type, &known));
        }
    }
    let keys = branches(schema, "x-kubernetes-list-map-keys");
    let keys_place = path.child("x-kubernetes-list-map-keys");
    let is_map = list_type == Some("map");
    if !keys.is_empty() && !is_map {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match list_type {
            None => Error::required(&type_place, detail),
            Some(other) => Error::invalid(&type_place, other, detail),
        });
    }
    if !is_map {
        return;
    }
    if keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        errors.push(Error::required(&keys_place, detail));
    }
    match schema.get("items") {
        None => {
            let detail = "must have a schema if x-kubernetes-list-type is map";
            errors.push(Error::required(&items, detail));
        }
        Some(inner) if kind(inner) != "object" => {
            let detail = "must be object if parent array's x-kubernetes-list-type is map";
            errors.push(Error::invalid(&items.child("type"), kind(inner), detail));
        }
        Some(inner) => map_keys(inner, keys, schema, &items, &keys_place, errors),
    }
}

fn set_items(schema: &Value, items: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(inner) = schema.get("items") else {
        return;
    };
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let word = |name: &str| inner.str_at(&[name]);
    match (
        kind(inner),
        word("x-kubernetes-list-type"),
        word("x-kubernetes-map-type"),
    ) {
        ("array", Some(other), _) if other != "atomic" => {
            let place = items.child("x-kubernetes-list-type");
            errors.push(Error::invalid(&place, other, detail));
        }
        ("object", _, map_type) if map_type != Some("atomic") => {
            let place = items.child("x-kubernetes-map-type");
            errors.push(Error::invalid(&place, &Value::Null, detail));
        }
        _ => {}
    }
}

fn map_keys(
    inner: &Value,
    keys: &[Value],
    schema: &Value,
    items: &Path<'_>,
    keys_place: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    let shown = Value::Array(keys.to_vec());
    let all = items.child("properties");
    let required = branches(inner, "required");
    for (place, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        match inner.at(&["properties", name]) {
            Some(property) if matches!(kind(property), "array" | "object") => {
                let here = all.key(name);
                let detail =
                    "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.push(Error::invalid(&here.child("type"), kind(inner), detail));
            }
            Some(property) => {
                // A key that may be absent cannot tell items apart.
                if property.get("default").is_none() && !required.contains(key) {
                    let here = all.key(name);
                    let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                    errors.push(Error::required(&here.child("default"), detail));
                }
                if flag(property, "nullable") {
                    let here = all.key(name);
                    let detail =
                        "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
                    errors.push(Error::forbidden(&here.child("nullable"), detail));
                }
            }
            None => {
                let detail = "entries must all be names of item properties";
                errors.push(Error::invalid(keys_place, &shown, detail));
            }
        }
        if keys[..place].contains(key) {
            let detail = "must not contain duplicate entries";
            errors.push(Error::invalid(keys_place, &shown, detail));
        }
    }
    let nullable_items = schema
        .get("items")
        .is_some_and(|items| flag(items, "nullable"));
    if nullable_items {
        errors.push(Error::forbidden(
            &items.child("nullable"),
            "cannot be nullable when x-kubernetes-list-type is map",
        ));
    }
}

/// What can be said of CEL rules without reading them.
fn validations(schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let list = path.child("x-kubernetes-validations");
    for (place, rule) in branches(schema, "x-kubernetes-validations")
        .iter()
        .enumerate()
    {
        let here = list.index(place);
        let text = |name: &str| rule.str_at(&[name]).unwrap_or_default();
        let breaks = |text: &str| text.contains(['\n', '\r']);
        let message_place = here.child("message");
        let (rule_text, message) = (text("rule").trim(), text("message"));
        if rule_text.is_empty() {
            errors.push(Error::required(
                &here.child("rule"),
                "rule is not specified",
            ));
        } else if !message.is_empty() && message.trim().is_empty() {
            errors.push(Error::invalid(
                &message_place,
                message,
                "must be non-empty if specified",
            ));
        } else if breaks(message.trim()) {
            errors.push(Error::invalid(
                &message_place,
                message,
                "must not contain line breaks",
            ));
        } else if breaks(rule_text) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            errors.push(Error::required(&message_place, detail));
        }
        let expression = text("messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            errors.push(Error::required(&here.child("messageExpression"), detail));
        }
        let reason = text("reason");
        if rule.get("reason").is_some() && !REASONS.contains(&reason) {
            errors.push(Error::not_supported(
                &here.child("reason"),
                reason,
                &REASONS,
            ));
        }
        let field_path = text("fieldPath");
        if !field_path.is_empty() && field_path.trim().is_empty() {
            let place = here.child("fieldPath");
            errors.push(Error::invalid(
                &place,
                field_path,
                "must be non-empty if specified",
            ));
        }
        if breaks(field_path) {
            let place = here.child("fieldPath");
            errors.push(Error::invalid(
                &place,
                field_path,
                "must not contain line breaks",
            ));
        }
    }
}
