//! Compiles rules.

use std::collections::HashMap;

use api::{Text, Value};

use super::{RuleNode, Validator, path::normalized};
use crate::{
    Form, Others, ShapeId, Shapes,
    cel::{
        Dialect, Env, Program, Type, Version,
        declared::{DeclId, Declarer, Decls, Place, REQUEST_SIZE_MAX},
    },
};

/// Places of the variables in the environment of a rule.
pub(super) const SELF: usize = 0;
pub(super) const OLD_SELF: usize = 1;

/// How deeply shapes are followed; those of custom resources are never deeper.
const DEPTH_MAX: usize = 1_100;

/// A rule, compiled as far as it could be.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) rule: String,
    pub(super) message: String,
    pub(super) reason: Option<Text>,
    pub(super) message_expression: String,
    /// Field below the place of the rule that errors point to.
    pub(super) field_path: Option<String>,
    /// The rule applies to new values too, for which `oldSelf` is none.
    pub(super) optional_old: bool,
    pub(super) says_optional: bool,
    /// None for a rule that says nothing; the fault of one that could not be compiled.
    pub(super) program: Option<Result<Program, String>>,
    pub(super) message_program: Option<Result<Program, String>>,
}

impl Rule {
    /// Returns whether the rule speaks of the old value.
    pub(super) fn uses_old(&self) -> bool {
        matches!(&self.program, Some(Ok(program)) if program.uses(OLD_SELF))
    }

    /// Returns the words by which errors call the rule.
    pub(super) fn called(&self) -> &str {
        if self.message.is_empty() {
            self.rule.trim()
        } else {
            self.message.trim()
        }
    }
}

/// What is known to a rule and to the expression of its message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Versions {
    pub(super) rule: Version,
    pub(super) message: Version,
}

impl Versions {
    /// The same for both.
    pub(super) fn both(version: Version) -> Self {
        Self {
            rule: version,
            message: version,
        }
    }
}

/// Compiles a rule as it was written.
pub(super) fn compile(
    raw: &Value,
    (shapes, shape): (&Shapes, ShapeId),
    (decls, decl): (&Decls, DeclId),
    versions: Versions,
) -> Rule {
    let text = |name: &str| raw.str_at(&[name]).unwrap_or_default().to_owned();
    let optional = raw.get("optionalOldSelf").and_then(Value::as_bool);
    let rule = text("rule");
    let optional_old = optional.unwrap_or(false);
    let own = decls.type_of(decl).unwrap_or(Type::Dyn);
    let old = if optional_old {
        Type::optional(own.clone())
    } else {
        own.clone()
    };
    let mut env = Env {
        version: versions.rule,
        dialect: Dialect::Kubernetes,
        variables: vec![("self", own), ("oldSelf", old)],
        decls,
    };
    let program = (!rule.trim().is_empty()).then(|| {
        let program = program(&rule, &env, decl, "")?;
        if *program.kind() != Type::Bool {
            return Err("cel expression must evaluate to a bool".to_owned());
        }
        Ok(program)
    });
    let message_expression = text("messageExpression");
    let compiles = matches!(program, Some(Ok(_))) && !message_expression.is_empty();
    env.version = versions.message;
    let message_program = compiles.then(|| {
        let program = self::program(&message_expression, &env, decl, "messageExpression ")?;
        if *program.kind() != Type::String {
            return Err("messageExpression must evaluate to a string".to_owned());
        }
        Ok(program)
    });
    let field_path = text("fieldPath");
    Rule {
        field_path: normalized(shapes, shape, &field_path).filter(|path| !path.is_empty()),
        rule,
        message: text("message"),
        reason: raw.str_at(&["reason"]).map(Text::new),
        message_expression,
        optional_old,
        says_optional: optional.is_some(),
        program,
        message_program,
    }
}

fn program(source: &str, env: &Env<'_>, decl: DeclId, what: &str) -> Result<Program, String> {
    use crate::cel::CompileError;
    Program::compile(source, env, Some(decl)).map_err(|error| match error {
        CompileError::Issues(issues) => format!("{what}compilation failed: {issues}"),
        CompileError::Program(words) if what.is_empty() => {
            format!("program instantiation failed: {words}")
        }
        CompileError::Program(words) => format!("{what}instantiation failed: {words}"),
    })
}

/// Returns how often values that take so many bytes at least can occur in one request.
pub(super) fn cardinality(size_min: i64) -> u64 {
    u64::try_from(REQUEST_SIZE_MAX / (size_min + 1)).unwrap_or(0)
}

/// Compiles every rule of a schema.
pub(super) fn validator(shapes: &Shapes, root: ShapeId, at: Place) -> Option<Validator> {
    let mut maker = Maker {
        shapes,
        declarer: Declarer::default(),
        found: Vec::new(),
        known: HashMap::new(),
    };
    let place = maker.node(root, at, 0)?;
    let decls = std::mem::take(&mut maker.declarer.decls);
    let mut nodes = maker.found;
    for node in &mut nodes {
        let rules = shapes.node(node.shape).rules.as_deref();
        let raw = rules.map(|rules| rules.cel.as_slice()).unwrap_or_default();
        let (own, declared) = ((shapes, node.shape), (&decls, node.decl));
        node.rules = raw
            .iter()
            .map(|raw| compile(raw, own, declared, Versions::both(Version::Stored)))
            .collect();
    }
    Some(Validator {
        decls,
        nodes,
        root: place,
    })
}

struct Maker<'a> {
    shapes: &'a Shapes,
    declarer: Declarer,
    found: Vec<RuleNode>,
    known: HashMap<ShapeId, Option<usize>>,
}

impl Maker<'_> {
    /// Returns the place of the node of a shape; none if there are no rules in it and below.
    fn node(&mut self, id: ShapeId, place: Place, depth: usize) -> Option<usize> {
        if place == Place::Inside
            && let Some(known) = self.known.get(&id)
        {
            return *known;
        }
        if depth > DEPTH_MAX {
            return None;
        }
        let shapes = self.shapes;
        let node = shapes.node(id);
        let has_rules = node
            .rules
            .as_ref()
            .is_some_and(|rules| !rules.cel.is_empty());
        let below = |maker: &mut Self, id| maker.node(id, Place::Inside, depth + 1);
        let (mut fields, mut items, mut values) = (Vec::new(), None, None);
        match &node.form {
            Form::Struct(shape) => {
                for field in &shape.fields {
                    if let Some(found) = below(self, field.shape) {
                        fields.push((field.name.clone(), found));
                    }
                }
                if let Others::Shaped(part) = shape.others {
                    values = below(self, part);
                }
            }
            Form::List { item, .. } => items = below(self, *item),
            Form::Map { value, .. } => values = below(self, *value),
            Form::Any | Form::Scalar(_) => {}
        }
        let is_empty = fields.is_empty() && items.is_none() && values.is_none();
        let made = (has_rules || !is_empty).then(|| {
            self.found.push(RuleNode {
                shape: id,
                decl: self.declarer.declare(shapes, id, place),
                rules: Vec::new(),
                fields,
                items,
                values,
            });
            self.found.len() - 1
        });
        self.known.insert(id, made);
        made
    }
}
