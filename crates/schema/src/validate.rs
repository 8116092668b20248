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
    errors.truncate(ERRORS_MAX);
    errors
}

/// Returns what is wrong with one part of a custom resource, as with a default in its schema.
pub(crate) fn validate_part(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    path: &field::Path<'_>,
) -> Vec<field::Error> {
    let mut errors = value::check(shapes, id, value, None, path);
    structure::embedded_below(shapes, id, value, path, &mut errors);
    errors
}
