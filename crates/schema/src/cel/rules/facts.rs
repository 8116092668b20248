//! What the rules of a schema are estimated to cost, rule by rule.

use super::compile::{Versions, cardinality, compile};
use crate::{
    Form, Others, Shape, ShapeId, Shapes,
    cel::{
        Version,
        declared::{Declarer, Place},
    },
};

/// What is known of one rule before any object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Where it stands: `.spec.names[]`, with `{}` for the values of a map.
    pub path: String,
    /// Its place in the list of rules there.
    pub rule: usize,
    /// What one evaluation costs at most; 0 if it does not compile.
    pub cost: u64,
    /// How often values can occur in one request, if nothing limits them.
    pub cardinality: u64,
    /// Why it does not compile.
    pub error: Option<String>,
}

/// Returns what is known of every rule of a schema.
#[must_use]
pub fn facts(shape: &Shape) -> Vec<Fact> {
    let mut gatherer = Gatherer {
        shapes: shape.table(),
        declarer: Declarer::default(),
        found: Vec::new(),
    };
    gatherer.node(shape.root(), Place::Root, String::new());
    gatherer.found
}

struct Gatherer<'a> {
    shapes: &'a Shapes,
    declarer: Declarer,
    found: Vec<Fact>,
}

impl Gatherer<'_> {
    fn node(&mut self, id: ShapeId, place: Place, path: String) {
        let shapes = self.shapes;
        let decl = self.declarer.declare(shapes, id, place);
        if !self.declarer.decls.is_visible(decl) {
            return;
        }
        let node = shapes.node(id);
        let rules = node.rules.as_deref();
        for (rule, raw) in (rules.map(|rules| rules.cel.iter()).into_iter())
            .flatten()
            .enumerate()
        {
            let declared = (&self.declarer.decls, decl);
            let compiled = compile(raw, (shapes, id), declared, Versions::both(Version::New));
            let (cost, error) = match &compiled.program {
                Some(Ok(program)) => (program.estimate().max, None),
                Some(Err(words)) => (0, Some(words.clone())),
                None => (0, None),
            };
            let of_message = compiled.message_program.and_then(Result::err);
            let counts = compiled.program.is_some_and(|program| program.is_ok());
            self.found.push(Fact {
                path: path.clone(),
                rule,
                cost,
                cardinality: if counts {
                    cardinality(self.declarer.decls.get(decl).size_min)
                } else {
                    0
                },
                error: error.or(of_message),
            });
        }
        match &node.form {
            Form::Struct(shape) => {
                for field in &shape.fields {
                    self.node(field.shape, Place::Inside, format!("{path}.{}", field.name));
                }
                if let Others::Shaped(part) = shape.others {
                    self.node(part, Place::Inside, format!("{path}{{}}"));
                }
            }
            Form::List { item, .. } => self.node(*item, Place::Inside, format!("{path}[]")),
            Form::Map { value, .. } => self.node(*value, Place::Inside, format!("{path}{{}}")),
            Form::Any | Form::Scalar(_) => {}
        }
    }
}
