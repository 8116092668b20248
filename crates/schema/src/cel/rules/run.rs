//! Holds rules against objects.

use api::{
    Value,
    field::{Error, Path, Shown},
};

use super::{
    CALL_COST_MAX, RuleNode, Validator,
    compile::{OLD_SELF, Rule, SELF},
    type_name,
};
use crate::{
    Form, ListKind, Shapes,
    cel::{
        Val,
        declared::{DeclKind, Decls},
        value::{Declared, Fault},
    },
};

/// How long the text may be that an expression makes as a message.
const MESSAGE_LENGTH_MAX: usize = 5 * 1024;

/// The budget is used up; nothing more is looked at.
struct Stop;

/// A value that rules are held against.
pub(super) struct Whole<'a> {
    pub(super) object: &'a Value,
    pub(super) old: Option<&'a Value>,
    pub(super) path: &'a Path<'a>,
    /// What all rules together may cost.
    pub(super) budget: u64,
}

pub(super) fn validate(
    validator: &Validator,
    shapes: &Shapes,
    whole: Whole<'_>,
) -> (Vec<Error>, u64) {
    let Whole {
        object,
        old,
        path,
        budget,
    } = whole;
    let mut run = Run {
        validator,
        shapes,
        errors: Vec::new(),
        budget,
    };
    let kept = Kept {
        here: old.map(|old| (object, old)),
        above: None,
    };
    // What the budget did not reach is named by the last error.
    let _ = run.node(validator.root, object, old, kept, path);
    (run.errors, budget - run.budget)
}

/// The value here and the nearest one above whose old counterparts are known, to tell whether an
/// error is about something that was there before.
#[derive(Clone, Copy)]
struct Kept<'a> {
    here: Option<(&'a Value, &'a Value)>,
    above: Option<(&'a Value, &'a Value)>,
}

impl<'a> Kept<'a> {
    fn is_unchanged(self) -> bool {
        let pair = self.here.or(self.above);
        pair.is_some_and(|(new, old)| same(new, old))
    }

    fn field(self, name: &str) -> Self {
        let Some((new, old)) = self.here else {
            return self;
        };
        if self.above.is_none() && matches!(name, "apiVersion" | "kind") {
            return Self {
                here: None,
                above: None,
            };
        }
        Self {
            here: new.get(name).zip(old.get(name)),
            above: self.here,
        }
    }

    fn item(self, new: &'a Value, old: Option<&'a Value>) -> Self {
        if self.here.is_none() {
            return self;
        }
        Self {
            here: old.map(|old| (new, old)),
            above: self.here,
        }
    }
}

/// Compares values; the order of fields does not matter.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && (a.iter())
                    .all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

struct Run<'a> {
    validator: &'a Validator,
    shapes: &'a Shapes,
    errors: Vec<Error>,
    budget: u64,
}

impl<'a> Run<'a> {
    fn node(
        &mut self,
        place: usize,
        value: &'a Value,
        old: Option<&'a Value>,
        kept: Kept<'a>,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        if value.is_null() {
            return Ok(());
        }
        let node = &self.validator.nodes[place];
        let old = old.filter(|old| !old.is_null());
        self.rules(node, value, old, kept, path)?;
        match value {
            Value::Array(items) => {
                let Some(below) = node.items else {
                    return Ok(());
                };
                let olds = old.and_then(Value::as_array).unwrap_or_default();
                for (index, item) in items.iter().enumerate() {
                    let before = self.counterpart(node, item, olds);
                    let kept = kept.item(item, before);
                    self.node(below, item, before, kept, &path.index(index))?;
                }
            }
            Value::Object(object) => {
                for (name, value) in object.iter() {
                    let before = old.and_then(|old| old.get(name));
                    if let Some(below) = node.values {
                        self.node(below, value, before, kept.field(name), &path.key(name))?;
                    }
                    let field = node.fields.iter().find(|(known, _)| known == name);
                    if let Some((_, below)) = field {
                        self.node(*below, value, before, kept.field(name), &path.child(name))?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the old item with the same keys.
    fn counterpart(&self, node: &RuleNode, item: &Value, olds: &'a [Value]) -> Option<&'a Value> {
        let Form::List {
            kind: ListKind::Map(keys),
            ..
        } = &self.shapes.node(node.shape).form
        else {
            return None;
        };
        let mut olds = olds.iter();
        olds.find(|old| keys.iter().all(|key| old.get(key) == item.get(key)))
    }

    fn value(&self, node: &RuleNode, value: &'a Value) -> Result<Val<'a>, Fault> {
        let declared = Declared {
            decls: &self.validator.decls,
            id: node.decl,
        };
        Val::declared(value, declared)
    }

    fn rules(
        &mut self,
        node: &'a RuleNode,
        value: &'a Value,
        old: Option<&'a Value>,
        kept: Kept<'a>,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        if node.rules.is_empty() {
            return Ok(());
        }
        let kind = type_name(self.shapes, node.shape);
        if self.budget == 0 {
            return Err(self.spent(path, kind));
        }
        let uses_old = node.rules.iter().any(Rule::uses_old);
        let old = old.filter(|_| uses_old);
        let own = self.value(node, value);
        let before = old.map(|old| self.value(node, old));
        for rule in &node.rules {
            let program = match &rule.program {
                None => continue,
                Some(Ok(program)) => program,
                Some(Err(words)) => {
                    let detail = format!("rule compile error: {words}");
                    self.errors.push(Error::invalid(path, kind, detail));
                    continue;
                }
            };
            if rule.uses_old() && before.is_none() && !rule.optional_old {
                continue;
            }
            let variables = match variables(rule, &own, before.as_ref()) {
                Ok(variables) => variables,
                Err(fault) => {
                    self.failed(rule, &fault, path, kind)?;
                    continue;
                }
            };
            let run = program.run(&variables, CALL_COST_MAX);
            self.pay(run.cost).map_err(|()| self.spent(path, kind))?;
            match run.outcome {
                Ok(Val::Bool(true)) => {}
                Ok(_) => self.broken(rule, (value, kind), &variables, kept, path)?,
                Err(fault) => self.failed(rule, &fault, path, kind)?,
            }
        }
        Ok(())
    }

    fn pay(&mut self, cost: u64) -> Result<(), ()> {
        self.budget = self.budget.checked_sub(cost).ok_or(())?;
        Ok(())
    }

    fn spent(&mut self, path: &Path<'_>, kind: &str) -> Stop {
        let detail = "validation failed due to running out of cost budget, no further validation \
                      rules will be run";
        self.errors.push(Error::invalid(path, kind, detail));
        Stop
    }

    /// Notes that a rule could not be reckoned.
    fn failed(
        &mut self,
        rule: &Rule,
        fault: &Fault,
        path: &Path<'_>,
        kind: &str,
    ) -> Result<(), Stop> {
        let (words, called) = (fault.text(), rule.called());
        let detail = match fault {
            Fault::Budget => format!(
                "'{words}': no further validation rules will be run due to call cost exceeds limit \
                 for rule: {called}"
            ),
            Fault::Error(_) if words.starts_with("no such overload") => format!(
                "'{words}': call arguments did not match a supported operator, function or macro \
                 signature for rule: {called}"
            ),
            Fault::Error(_) => format!("{words} evaluating rule: {called}"),
        };
        self.errors.push(Error::invalid(path, kind, detail));
        match fault {
            Fault::Budget => Err(Stop),
            Fault::Error(_) => Ok(()),
        }
    }

    /// Notes that a rule does not hold.
    fn broken(
        &mut self,
        rule: &'a Rule,
        (value, kind): (&Value, &str),
        variables: &[Option<Val<'a>>],
        kept: Kept<'a>,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let below = rule.field_path.as_deref();
        let deeper;
        let path = match below {
            Some(below) => {
                deeper = path.child(below);
                &deeper
            }
            None => path,
        };
        let message = match &rule.message_program {
            Some(Ok(program)) => {
                let variables = plain(variables);
                let run = program.run(&variables, CALL_COST_MAX);
                if self.pay(run.cost).is_err() {
                    let detail = "messageExpression evaluation failed due to running out of cost \
                                  budget, no further validation rules will be run";
                    self.note(rule, Error::invalid(path, kind, detail), kept);
                    return Err(Stop);
                }
                if let Err(Fault::Budget) = run.outcome {
                    let shown = api::quote::quote(&rule.message_expression);
                    let detail = format!(
                        "no further validation rules will be run due to call cost exceeds limit \
                         for messageExpression: {shown}"
                    );
                    self.note(rule, Error::invalid(path, kind, detail), kept);
                    return Err(Stop);
                }
                run.outcome.ok().and_then(|text| message(&text))
            }
            _ => None,
        };
        let detail = message.unwrap_or_else(|| {
            if rule.message.is_empty() {
                format!("failed rule: {}", rule.called())
            } else {
                rule.called().to_owned()
            }
        });
        let shown = match value {
            _ if matches!(kind, "object" | "array") => Shown::OMITTED,
            value => Shown::from(value),
        };
        let error = match rule.reason.as_deref() {
            Some("FieldValueForbidden") => Error::forbidden(path, detail),
            Some("FieldValueRequired") => Error::required(path, detail),
            Some("FieldValueDuplicate") => Error::duplicate(path, shown),
            _ => Error::invalid(path, shown, detail),
        };
        self.note(rule, error, kept);
        Ok(())
    }

    /// Keeps an error, unless it is about something that did not change.
    fn note(&mut self, rule: &Rule, error: Error, kept: Kept<'a>) {
        if rule.uses_old() || !kept.is_unchanged() {
            self.errors.push(error);
        }
    }
}

/// Returns the variables of a rule.
fn variables<'a>(
    rule: &Rule,
    own: &Result<Val<'a>, Fault>,
    before: Option<&Result<Val<'a>, Fault>>,
) -> Result<[Option<Val<'a>>; 2], Fault> {
    let mut variables = [None, None];
    variables[SELF] = Some(own.clone()?);
    variables[OLD_SELF] = match before {
        Some(before) if rule.optional_old => Some(Val::some(before.clone()?)),
        Some(before) => Some(before.clone()?),
        None if rule.optional_old => Some(Val::Optional(None)),
        None => None,
    };
    Ok(variables)
}

/// Returns the variables of an expression that makes a message: upstream hands it the old value as it
/// is, even where the rule knows it as an optional one.
fn plain<'a>(variables: &[Option<Val<'a>>]) -> Vec<Option<Val<'a>>> {
    let plain = |variable: &Option<Val<'a>>| match variable {
        Some(Val::Optional(inner)) => inner.as_deref().cloned(),
        other => other.clone(),
    };
    variables.iter().map(plain).collect()
}

/// Returns a text that an expression made, if it can be a message.
fn message(value: &Val<'_>) -> Option<String> {
    let text = value.as_str()?.trim();
    let fits = !text.is_empty() && text.len() <= MESSAGE_LENGTH_MAX && !text.contains('\n');
    fits.then(|| text.to_owned())
}

/// Returns whether declarations make a value visible, for which rules can be written.
pub(super) fn is_visible(decls: &Decls, id: u32) -> bool {
    !matches!(decls.get(id).kind, DeclKind::Hidden)
}
