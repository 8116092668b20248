//! Rules of a schema (`x-kubernetes-validations`): compiled in one pass, then held against objects.
//!
//! A [`Validator`] follows the shape as far as there are rules in it. It is made when the first
//! object is validated, and lies beside the shape. [`accept`](fn@accept) says what is wrong with the
//! rules themselves when a schema is written.
//!
//! Source: apiextensions' apiserver/schema/cel and apis/apiextensions/validation.

mod accept;
mod compile;
mod facts;
mod path;
mod run;

use api::{
    Text, Value,
    field::{Error, Path},
};

use super::declared::{DeclId, Decls, Place};
use crate::{ShapeId, Shapes};

pub use accept::too_much;
pub(crate) use accept::{Circumstances, accept};
use compile::Rule;
pub use facts::{Fact, facts};
pub(crate) use path::leads_to_field;

/// What one evaluation may cost.
pub const CALL_COST_MAX: u64 = 1_000_000;

/// What all rules together may cost for one object.
pub const OBJECT_COST_MAX: u64 = 10_000_000;

/// What a rule may cost at most by its estimate, times how often it can apply to one object.
pub const RULE_ESTIMATE_MAX: u64 = 10_000_000;

/// What all rules of a schema together may cost by their estimates.
pub const SCHEMA_ESTIMATE_MAX: u64 = 100_000_000;

/// The compiled rules of one schema.
#[derive(Debug)]
pub struct Validator {
    decls: Decls,
    nodes: Vec<RuleNode>,
    root: usize,
}

/// The rules of one place, and where there are more below it.
#[derive(Debug)]
struct RuleNode {
    shape: ShapeId,
    decl: DeclId,
    rules: Vec<Rule>,
    fields: Vec<(Text, usize)>,
    items: Option<usize>,
    values: Option<usize>,
}

impl Validator {
    /// Compiles the rules of a schema; none if there are none.
    #[must_use]
    pub(crate) fn of(shapes: &Shapes, root: ShapeId) -> Option<Self> {
        compile::validator(shapes, root, Place::Root)
    }

    /// Compiles the rules of a part of a schema, as for its default.
    pub(crate) fn of_part(shapes: &Shapes, id: ShapeId) -> Option<Self> {
        compile::validator(shapes, id, Place::Inside)
    }

    /// Returns what the rules say is wrong with an object; `old` is what it was before.
    #[must_use]
    pub(crate) fn validate(
        &self,
        shapes: &Shapes,
        object: &Value,
        old: Option<&Value>,
    ) -> Vec<Error> {
        let whole = run::Whole {
            object,
            old,
            path: &Path::ROOT,
            budget: OBJECT_COST_MAX,
        };
        run::validate(self, shapes, whole).0
    }

    /// Returns what the rules say is wrong with a value at a path, and what they cost, which is not
    /// more than the budget.
    pub(crate) fn validate_within(
        &self,
        shapes: &Shapes,
        value: &Value,
        old: Option<&Value>,
        path: &Path<'_>,
        budget: u64,
    ) -> (Vec<Error>, u64) {
        let whole = run::Whole {
            object: value,
            old,
            path,
            budget,
        };
        run::validate(self, shapes, whole)
    }
}

/// Returns what the rules of a schema say is wrong with an object, and what they cost.
#[must_use]
pub fn hold(shape: &crate::Shape, object: &Value, old: Option<&Value>) -> (Vec<Error>, u64) {
    match shape.table().cel_rules(shape.root()) {
        Some(validator) => {
            validator.validate_within(shape.table(), object, old, &Path::ROOT, OBJECT_COST_MAX)
        }
        None => (Vec::new(), 0),
    }
}

/// Returns the name of the type of values of this shape, as schemas say it.
fn type_name(shapes: &Shapes, id: ShapeId) -> &'static str {
    match crate::validate::type_of(shapes.node(id)) {
        "integer,string" => "",
        name => name,
    }
}
