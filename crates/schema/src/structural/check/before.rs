//! What a definition said before an update: rules that came later do not hold for what is stored.
//!
//! Source: apis/apiextensions/validation/validation.go, `validationOptions`.

use std::collections::HashSet;

use api::{
    Value,
    field::{Error, Path},
};

use super::{
    DEPTH_MAX, Lenient, branches, kind, lists, properties, structure, unconvertible, words,
};
use crate::structural::{compile::build, defaults};

/// What the schemas of a definition said before.
#[derive(Debug, Default)]
pub struct Before {
    expressions: Expressions,
    lenient: Lenient,
}

/// The expressions of a definition as it is stored: they were compiled once, and are compiled with
/// all that this server knows from then on.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    pub(crate) rules: HashSet<String>,
    pub(crate) messages: HashSet<String>,
}

impl Before {
    /// Looks at the schemas of a stored definition. Only one that keeps unknown fields
    /// (`preserveUnknownFields`) may be other than structural.
    #[must_use]
    pub fn of(schemas: &[&Value], keeps_unknown: bool, meta: &crate::Shape) -> Self {
        let mut before = Self::default();
        let path = Path::new("spec");
        for schema in schemas {
            let mut has_defaults = false;
            walk(schema, 0, &mut |schema| {
                before.note(schema);
                has_defaults |= schema.get("default").is_some();
            });
            if !keeps_unknown && !has_defaults {
                continue;
            }
            let is_odd = unconvertible(schema, 0);
            let is_structural = !is_odd && structure::structural(schema, &path).is_empty();
            before.lenient.structure |= keeps_unknown && !is_structural;
            if is_structural
                && has_defaults
                && let Ok((shapes, root)) = build(schema, meta)
            {
                let mut errors: Vec<Error> = Vec::new();
                defaults::unpruned(&shapes, root, &path, &mut errors);
                before.lenient.defaults |= !errors.is_empty();
            }
        }
        before
    }

    fn note(&mut self, schema: &Value) {
        let kind = kind(schema);
        self.lenient.types |= !kind.is_empty() && !words::is_type(kind);
        self.lenient.sets |= lists::has_open_set(schema);
        self.lenient.keys |= lists::has_weak_keys(schema);
        for rule in branches(schema, "x-kubernetes-validations") {
            let text = |name: &str| rule.str_at(&[name]).unwrap_or_default().to_owned();
            self.expressions.rules.insert(text("rule"));
            self.expressions.messages.insert(text("messageExpression"));
        }
    }

    pub(super) fn lenient(&self) -> Lenient {
        self.lenient
    }

    pub(super) fn expressions(&self) -> &Expressions {
        &self.expressions
    }
}

/// Visits a schema and all schemas in it.
fn walk(schema: &Value, depth: usize, visit: &mut dyn FnMut(&Value)) {
    if depth > DEPTH_MAX {
        return;
    }
    visit(schema);
    for (_, inner) in properties(schema) {
        walk(inner, depth + 1, visit);
    }
    for name in ["items", "additionalProperties", "not"] {
        if let Some(inner @ Value::Object(_)) = schema.get(name) {
            walk(inner, depth + 1, visit);
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        for inner in branches(schema, name) {
            walk(inner, depth + 1, visit);
        }
    }
}
