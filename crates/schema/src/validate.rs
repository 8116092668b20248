//! Value validation: what OpenAPI rules say of a tree, in upstream's words.
//!
//! [`validate`] is for custom resources, whose rules hang on the shape; on an update, what did not
//! change is not looked at again (upstream calls it ratcheting). [`meta`] validates the metadata
//! of any object.

pub(crate) mod format;
pub mod meta;
mod pattern;
mod structure;
mod value;

use api::{Value, field};

use crate::{Shape, ShapeId, Shapes};

pub(crate) use format::is_supported as format_is_supported;
pub use pattern::Pattern;
pub(crate) use pattern::compile as compile_pattern;
pub(crate) use value::type_of;

/// How many errors are reported at most: what a client can read, not what an attacker can ask for.
pub const ERRORS_MAX: usize = 1_000;

/// Returns what is wrong with a custom resource; `old` is what it was before, on an update.
#[must_use]
pub fn validate(shape: &Shape, value: &Value, old: Option<&Value>) -> Vec<field::Error> {
    let (shapes, root) = (shape.table(), shape.root());
    let mut errors = value::check(shapes, root, value, old, &field::Path::ROOT);
    structure::embedded(shapes, root, value, &field::Path::ROOT, &mut errors);
    let mut unique = Vec::new();
    structure::lists(shapes, root, value, &field::Path::ROOT, &mut unique);
    if let (Some(old), false) = (old, unique.is_empty()) {
        let mut before = Vec::new();
        structure::lists(shapes, root, old, &field::Path::ROOT, &mut before);
        if !before.is_empty() {
            unique.clear();
        }
    }
    errors.extend(unique);
    if let Some(rules) = shapes.cel_rules(root) {
        if errors.iter().any(blocks_rules) {
            let detail = "some validation rules were not checked because the object was invalid; \
                          correct the existing errors to complete validation";
            let shown = field::Shown::bare("null");
            let mut error = field::Error::invalid(&field::Path::ROOT, shown, detail);
            error.field = "<nil>".to_owned();
            errors.push(error);
        } else {
            let broken = rules.validate(shapes, value, old);
            errors.extend(broken.into_iter().map(|mut error| {
                // So Go prints a path that has no steps.
                if error.field.is_empty() {
                    "<nil>".clone_into(&mut error.field);
                }
                error
            }));
        }
    }
    errors.truncate(ERRORS_MAX);
    errors
}

/// Returns whether an error says that the object is not what rules are written for.
fn blocks_rules(error: &field::Error) -> bool {
    use field::ErrorType;
    matches!(
        error.kind,
        ErrorType::NotSupported
            | ErrorType::Required
            | ErrorType::TooLong
            | ErrorType::TooMany
            | ErrorType::TypeInvalid
    )
}

/// Returns what is wrong with one part of a custom resource, as with a default in its schema.
pub(crate) fn validate_part(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &field::Path<'_>,
) -> Vec<field::Error> {
    value::check(shapes, id, value, None, path)
}

/// Returns what is wrong with the heads of whole objects in a part of a custom resource.
pub(crate) fn validate_embedded(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &field::Path<'_>,
) -> Vec<field::Error> {
    let mut errors = Vec::new();
    structure::embedded_below(shapes, id, value, path, &mut errors);
    errors
}
