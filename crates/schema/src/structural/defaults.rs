//! Checks that the defaults of a schema are values that the schema would take.
//!
//! Source: apiextensions' apiserver/schema/defaulting/validation.go.

use std::sync::Arc;

use api::{
    Value,
    field::{Error, Path},
};

use crate::{
    Form, ShapeId, Shapes,
    cel::rules::{OBJECT_COST_MAX, Validator},
    decode::{Unknown, prune_part},
    validate::{validate_embedded, validate_part},
};

/// How deeply schemas are looked into; parsed trees are never deeper.
const DEPTH_MAX: usize = 1_000;

/// A schema whose defaults are checked.
pub(super) struct Checked<'a> {
    pub(super) shapes: &'a Arc<Shapes>,
    /// Whether defaults must not have unknown fields.
    pub(super) pruned: bool,
}

/// What is found, and what the rules may still cost, which is as much as for one object.
struct Found<'a> {
    errors: &'a mut Vec<Error>,
    budget: u64,
}

impl Checked<'_> {
    /// Adds what is wrong with the defaults declared at `id` and below; `path` is the schema's, and
    /// `default` what is declared for the whole.
    pub(super) fn check(
        &self,
        id: ShapeId,
        default: Option<&Value>,
        path: &Path<'_>,
        errors: &mut Vec<Error>,
    ) {
        let mut found = Found {
            errors,
            budget: OBJECT_COST_MAX,
        };
        if let Some(default) = default.filter(|default| !default.is_null()) {
            let place = path.child("default");
            for name in ["apiVersion", "kind"] {
                if default.get(name).is_none() {
                    found.errors.push(Error::required(&place.child(name), ""));
                }
            }
            if found.errors.is_empty() {
                self.one(id, default, &place, &mut found);
            }
        }
        self.below(id, path, &mut found, 0);
    }

    fn below(&self, id: ShapeId, path: &Path<'_>, found: &mut Found<'_>, depth: usize) {
        if depth > DEPTH_MAX || !self.shapes.has_defaults(id) || found.budget == 0 {
            return;
        }
        match &self.shapes.node(id).form {
            Form::List { item, .. } => self.below(*item, &path.child("items"), found, depth + 1),
            Form::Struct(shape) => {
                let properties = path.child("properties");
                for field in &shape.fields {
                    let here = properties.key(&field.name);
                    if let Some(default) = &field.default {
                        self.one(field.shape, default, &here.child("default"), found);
                    }
                    self.below(field.shape, &here, found, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Checks a default step by step; what one step finds keeps the next from being taken.
    fn one(&self, id: ShapeId, default: &Value, path: &Path<'_>, found: &mut Found<'_>) {
        if self.pruned {
            unknown(self.shapes, id, default, path, found.errors);
        }
        let errors = validate_embedded(self.shapes, id, default, path);
        if !errors.is_empty() {
            found.errors.extend(errors);
            return;
        }
        let mut errors = validate_part(self.shapes, id, default, path);
        if errors.is_empty() {
            self.rules(id, default, path, found);
            return;
        }
        let root = path.to_string();
        for error in &mut errors {
            // The sentence counts from the default itself, which has no name, and so does the place.
            error.detail = match error.detail.strip_prefix(&root) {
                Some(rest) => rest.trim_start_matches('.').to_owned(),
                None => error.detail.replacen(&root, "", 1),
            };
            if let Some(rest) = error
                .field
                .strip_prefix(&root)
                .filter(|rest| rest.starts_with('['))
            {
                error.field = format!("{root}.{rest}");
            }
        }
        found.errors.extend(errors);
    }

    /// Rules must hold for a default that was always there and for one that is new.
    fn rules(&self, id: ShapeId, default: &Value, path: &Path<'_>, found: &mut Found<'_>) {
        let Some(validator) = Validator::of_part(self.shapes, id) else {
            return;
        };
        let mut spent_most = 0;
        for old in [Some(default), None] {
            let (errors, spent) =
                validator.validate_within(self.shapes, default, old, path, found.budget);
            spent_most = spent.max(spent_most);
            if !errors.is_empty() {
                found.errors.extend(errors);
                break;
            }
        }
        found.budget = found.budget.saturating_sub(spent_most);
    }
}

/// Adds what stands in defaults that their schema does not know.
pub(super) fn unpruned(
    shapes: &Arc<Shapes>,
    id: ShapeId,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    walk(shapes, id, 0, &mut |id, default| {
        unknown(shapes, id, default, path, errors);
    });
}

fn walk(shapes: &Arc<Shapes>, id: ShapeId, depth: usize, visit: &mut dyn FnMut(ShapeId, &Value)) {
    if depth > DEPTH_MAX || !shapes.has_defaults(id) {
        return;
    }
    match &shapes.node(id).form {
        Form::List { item, .. } => walk(shapes, *item, depth + 1, visit),
        Form::Struct(shape) => {
            for field in &shape.fields {
                if let Some(default) = &field.default {
                    visit(field.shape, default);
                }
                walk(shapes, field.shape, depth + 1, visit);
            }
        }
        _ => {}
    }
}

fn unknown(
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
        let why = "must not have unknown fields";
        errors.push(Error::invalid(path, default, why));
    }
}
