//! Checks that the defaults of a schema are values that the schema would take.

use std::sync::Arc;

use api::{
    Value,
    field::{Error, Path},
};

use crate::{
    Form, ShapeId, Shapes,
    decode::{Unknown, prune_part},
    validate::validate_part,
};

/// How deeply schemas are looked into; parsed trees are never deeper.
const DEPTH_MAX: usize = 1_000;

/// Returns what is wrong with the defaults declared at `id` and below; `path` is the schema's.
pub(super) fn check(shapes: &Arc<Shapes>, id: ShapeId, path: &Path<'_>, errors: &mut Vec<Error>) {
    below(shapes, id, path, errors, 0);
}

fn below(
    shapes: &Arc<Shapes>,
    id: ShapeId,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
    depth: usize,
) {
    if depth > DEPTH_MAX || !shapes.has_defaults(id) {
        return;
    }
    match &shapes.node(id).form {
        Form::List { item, .. } => below(shapes, *item, &path.child("items"), errors, depth + 1),
        Form::Struct(shape) => {
            let properties = path.child("properties");
            for field in &shape.fields {
                let here = properties.key(&field.name);
                if let Some(default) = &field.default {
                    one(shapes, field.shape, default, &here.child("default"), errors);
                }
                below(shapes, field.shape, &here, errors, depth + 1);
            }
        }
        _ => {}
    }
}

fn one(
    shapes: &Arc<Shapes>,
    id: ShapeId,
    default: &Value,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    let mut pruned = default.clone();
    let mut unknown = Unknown::collect();
    if let Err(error) = prune_part(shapes, id, &mut pruned, &mut unknown) {
        errors.push(Error::invalid(path, default, error.to_string()));
        return;
    }
    if !unknown.paths().is_empty() {
        errors.push(Error::invalid(
            path,
            default,
            "must not have unknown fields",
        ));
    }
    let root = path.to_string();
    for mut error in validate_part(shapes, id, default, path) {
        // The sentence counts from the default itself, which has no name.
        if let Some(rest) = error.detail.strip_prefix(&root) {
            error.detail = rest.trim_start_matches('.').to_owned();
        }
        errors.push(error);
    }
}
