//! Words that are not supported or contradict each other, schema by schema.
//!
//! Source: apis/apiextensions/validation/validation.go, `ValidateCustomResourceDefinitionOpenAPISchema`.

use api::{
    Value,
    field::{Error, Path},
};

use super::{DEPTH_MAX, Lenient, branches, flag, holds, kind, lists, properties, validations};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Returns whether this is a type.
pub(super) fn is_type(name: &str) -> bool {
    TYPES.contains(&name)
}

/// Walks all schemas.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    lenient: Lenient,
    /// Why defaults may not be set here, if they may not.
    forbidden_defaults: Option<&'static str>,
    inside_meta: bool,
}

impl Walk {
    pub(super) fn new(lenient: Lenient) -> Self {
        Self {
            lenient,
            forbidden_defaults: None,
            inside_meta: false,
        }
    }

    pub(super) fn words(
        self,
        schema: &Value,
        path: &Path<'_>,
        is_root: bool,
        errors: &mut Vec<Error>,
        depth: usize,
    ) {
        if depth > DEPTH_MAX || !matches!(schema, Value::Object(_)) {
            return;
        }
        self.unsupported(schema, path, errors);
        if flag(schema, "uniqueItems") {
            let detail =
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            errors.push(Error::forbidden(&path.child("uniqueItems"), detail));
        }
        self.fields(schema, path, is_root, errors, depth);
        if let Some(inner) = schema.get("not") {
            self.words(inner, &path.child("not"), false, errors, depth + 1);
        }
        for name in ["allOf", "oneOf", "anyOf"] {
            let list = path.child(name);
            for (place, inner) in branches(schema, name).iter().enumerate() {
                self.words(inner, &list.index(place), false, errors, depth + 1);
            }
        }
        self.named(schema, "definitions", path, errors, depth);
        let items = path.child("items");
        match schema.get("items") {
            Some(Value::Array(all)) => {
                for (place, inner) in all.iter().enumerate() {
                    self.words(inner, &items.index(place), false, errors, depth + 1);
                }
            }
            Some(inner) => self.words(inner, &items, false, errors, depth + 1),
            None => {}
        }
        self.named(schema, "dependencies", path, errors, depth);
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            let place = path.child("x-kubernetes-preserve-unknown-fields");
            errors.push(Error::invalid(&place, false, "must be true or undefined"));
        }
        lists::wrong(schema, path, self.lenient, errors);
        validations::wrong(schema, path, errors);
    }

    /// Schemas by name, which are looked into though the word itself is refused.
    fn named(
        self,
        schema: &Value,
        word: &str,
        path: &Path<'_>,
        errors: &mut Vec<Error>,
        depth: usize,
    ) {
        let all = schema.get(word).and_then(Value::as_object);
        let place = path.child(word);
        for (name, inner) in all.into_iter().flat_map(|all| all.iter()) {
            self.words(inner, &place.key(name), false, errors, depth + 1);
        }
    }

    fn fields(
        self,
        schema: &Value,
        path: &Path<'_>,
        is_root: bool,
        errors: &mut Vec<Error>,
        depth: usize,
    ) {
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
    }

    fn unsupported(self, schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
        let kind = kind(schema);
        if !kind.is_empty() && !TYPES.contains(&kind) && !self.lenient.types {
            errors.push(Error::not_supported(&path.child("type"), kind, &TYPES));
        }
        if let (Some(reason), Some(_)) = (self.forbidden_defaults, schema.get("default")) {
            let detail = format!("must not be set {reason}");
            errors.push(Error::forbidden(&path.child("default"), detail));
        }
        let is = |name: &str| schema.get(name).is_some_and(|value| !value.is_null());
        let odd = [
            ("id", !schema.str_at(&["id"]).unwrap_or_default().is_empty()),
            ("additionalItems", is("additionalItems")),
            ("patternProperties", holds(schema, "patternProperties")),
            ("definitions", holds(schema, "definitions")),
            ("dependencies", is("dependencies")),
            ("$ref", is("$ref")),
        ];
        for (name, _) in odd.into_iter().filter(|(_, there)| *there) {
            let detail = format!("{name} is not supported");
            errors.push(Error::forbidden(&path.child(name), detail));
        }
        if kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            errors.push(Error::forbidden(&path.child("type"), detail));
        }
        if matches!(schema.get("items"), Some(Value::Array(all)) if !all.is_empty()) {
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
    }
}
