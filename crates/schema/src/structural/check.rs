//! What upstream demands of a schema when a CRD is written.
//!
//! Source: apiextensions' apis/apiextensions/validation/validation.go, from
//! `validateCustomResourceDefinitionValidation` on.

mod before;
mod lists;
mod root;
mod structure;
mod validations;
mod words;

use api::{
    Value,
    field::{Error, Path},
};

use super::{compile::build, defaults};
use crate::{
    Shape,
    cel::rules::{Circumstances, accept},
};

pub use before::Before;
pub(crate) use before::Expressions;

/// How deeply schemas are looked into; parsed trees are never deeper.
const DEPTH_MAX: usize = 1_000;

/// Whether a version has a status subresource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusDoor {
    /// It has none.
    #[default]
    Absent,
    /// It has one, which restricts what may stand at the root.
    Present,
}

/// What the check must know besides the schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions<'a> {
    /// Whether the version has a status subresource.
    pub status: StatusDoor,
    /// What the definition said before, on an update.
    pub before: Option<&'a Before>,
    /// The version's schema is what it was, so what its rules cost one by one was accepted once.
    pub unchanged: bool,
}

/// What is not demanded of a definition that was stored without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a rule of its own that came later than what is stored"
)]
pub(super) struct Lenient {
    /// Types may be none.
    types: bool,
    /// Items of sets need not be atomic.
    sets: bool,
    /// Keys of lists need no default and may be null.
    keys: bool,
    /// Schemas need not be structural.
    structure: bool,
    /// Defaults may have unknown fields.
    pub(super) defaults: bool,
}

/// Returns what is wrong with a schema; `path` is that of `openAPIV3Schema`.
#[must_use]
pub fn check(
    schema: &Value,
    path: &Path<'_>,
    meta: &Shape,
    options: CheckOptions<'_>,
) -> Vec<Error> {
    let lenient = options.before.map(Before::lenient).unwrap_or_default();
    let mut errors = Vec::new();
    if options.status == StatusDoor::Present {
        root::words(schema, path, &mut errors);
    }
    if flag(schema, "nullable") {
        let place = path.child("nullable");
        errors.push(Error::forbidden(
            &place,
            "nullable cannot be true at the root",
        ));
    }
    let mut built = None;
    // Upstream cannot make a structure of such a schema, and says so where the word stands.
    let odd = unconvertible(schema, 0);
    if !odd && !lenient.structure {
        let mut structure = structure::structural(schema, path);
        if structure.is_empty() {
            match build(schema, meta) {
                Ok((shapes, root)) => {
                    let checked = defaults::Checked {
                        shapes: &shapes,
                        pruned: !lenient.defaults,
                    };
                    checked.check(root, schema.get("default"), path, &mut structure);
                    built = structure.is_empty().then_some((shapes, root));
                }
                Err(error) => structure.push(Error::invalid(path, "", error.to_string())),
            }
        }
        errors.extend(structure);
    }
    let mut words = Vec::new();
    words::Walk::new(lenient).words(schema, path, true, &mut words, 0);
    if let Some((shapes, root)) = built {
        let circumstances = Circumstances {
            wrong: &words,
            before: options.before.map(Before::expressions),
            unchanged: options.unchanged,
        };
        let rules = accept(&shapes, root, path, &circumstances);
        errors.extend(words);
        errors.extend(rules);
    } else {
        errors.extend(words);
    }
    if errors.is_empty() && odd {
        // Of all words that cannot be, this is the one that nothing above speaks of.
        let why = "OpenAPIV3Schema 'schema' is not supported";
        errors.push(Error::invalid(path, "", why));
    }
    errors
}

/// Whether a schema says anywhere what upstream's structural form cannot.
fn unconvertible(schema: &Value, depth: usize) -> bool {
    let below = |schema: &Value| unconvertible(schema, depth + 1);
    depth <= DEPTH_MAX
        && (has_odd_word(schema)
            || properties(schema).any(|(_, inner)| below(inner))
            || ["items", "additionalProperties", "not"]
                .iter()
                .any(|name| schema.get(name).is_some_and(below))
            || ["allOf", "anyOf", "oneOf"]
                .iter()
                .any(|name| branches(schema, name).iter().any(below)))
}

fn has_odd_word(schema: &Value) -> bool {
    let is = |name: &str| schema.get(name).is_some_and(|value| !value.is_null());
    let says = |name: &str| !schema.str_at(&[name]).unwrap_or_default().is_empty();
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false))
        || matches!(schema.get("items"), Some(Value::Array(_)))
        || says("id")
        || says("$schema")
        || is("$ref")
        || is("additionalItems")
        || is("dependencies")
        || holds(schema, "patternProperties")
        || holds(schema, "definitions")
}

/// Whether a word has fields.
fn holds(schema: &Value, name: &str) -> bool {
    let object = schema.get(name).and_then(Value::as_object);
    object.is_some_and(|object| !object.is_empty())
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
