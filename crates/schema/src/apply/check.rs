//! Whether a value fits its shape, in upstream's words.
//!
//! Source of the facts: structured-merge-diff v6, typed (texts).

use std::{collections::BTreeSet, fmt};

use api::{Value, quote};

use super::{
    atom::{Chosen, Sort, Type},
    element::Element,
};
use crate::{ListKind, Shape};

/// Why an object does not fit its shape: each place with what is wrong there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    errors: Vec<(String, String)>,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            errors: vec![(String::new(), why.into())],
        }
    }

    pub(super) fn both(left: String, right: String) -> Self {
        Self {
            errors: vec![(String::new(), left), (String::new(), right)],
        }
    }

    pub(super) fn add(&mut self, why: String) {
        self.errors.push((String::new(), why));
    }

    fn join(&mut self, other: Self) {
        self.errors.extend(other.errors);
    }

    /// Says that the errors lie below an element.
    pub(super) fn below(mut self, element: &Element) -> Self {
        let prefix = element.to_string();
        for (path, _) in &mut self.errors {
            path.insert_str(0, &prefix);
        }
        self
    }

    pub(super) fn or<T>(self, well: T) -> Result<T, Self> {
        if self.errors.is_empty() {
            Ok(well)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |(path, why): &(String, String)| match path.as_str() {
            "" => why.clone(),
            path => format!("{path}: {why}"),
        };
        if let [only] = self.errors.as_slice() {
            return f.write_str(&line(only));
        }
        f.write_str("errors:")?;
        self.errors
            .iter()
            .try_for_each(|error| write!(f, "\n  {}", line(error)))
    }
}

impl std::error::Error for Refusal {}

/// Whether items of one key may be there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// They may: stored objects may have them.
    Allowed,
    /// They may not: applied configurations.
    Refused,
}

/// Checks that an object fits its shape.
///
/// # Errors
/// [`Refusal`]
pub fn check(shape: &Shape, object: &Value, duplicates: Duplicates) -> Result<(), Refusal> {
    value(Type::of(shape), true, object, duplicates)
}

fn value(kind: Type<'_>, root: bool, value: &Value, duplicates: Duplicates) -> Result<(), Refusal> {
    match kind.atom(root).choose(Some(value)) {
        Chosen::Nothing => Err(Refusal::new("schema error: invalid atom: inlined")),
        Chosen::Scalar(sort) => match scalar(sort, Some(value), "") {
            Some(why) => Err(Refusal::new(why)),
            None => Ok(()),
        },
        Chosen::List(list) => {
            let items = match value {
                Value::Array(items) => items,
                Value::Null => return Ok(()),
                other => {
                    return Err(Refusal::new(format!(
                        "expected list, got {}",
                        wrapped(other)
                    )));
                }
            };
            self::items(list, items, duplicates)
        }
        Chosen::Map(map) => {
            let object = match value {
                Value::Object(object) => object,
                Value::Null => return Ok(()),
                other => {
                    return Err(Refusal::new(format!(
                        "expected map, got {}",
                        wrapped(other)
                    )));
                }
            };
            let mut refusal = Refusal::default();
            for (name, part) in object.iter() {
                let (kind, _) = map.field(name);
                let found = if kind.is_declared() {
                    self::value(kind, false, part, duplicates)
                } else {
                    Err(Refusal::new("field not declared in schema"))
                };
                if let Err(found) = found {
                    refusal.join(found.below(&Element::Field(name.into())));
                    if !kind.is_declared() {
                        break;
                    }
                }
            }
            refusal.or(())
        }
    }
}

fn items(
    list: super::atom::List<'_>,
    items: &[Value],
    duplicates: Duplicates,
) -> Result<(), Refusal> {
    let mut refusal = Refusal::default();
    let mut seen = BTreeSet::new();
    for (place, item) in items.iter().enumerate() {
        let element = if *list.kind == ListKind::Atomic {
            Element::Index(i64::try_from(place).unwrap_or(i64::MAX))
        } else {
            match list.element(item) {
                Ok(element) => element,
                Err(why) => {
                    refusal.add(format!("element {place}: {why}"));
                    return Err(refusal);
                }
            }
        };
        if let Err(found) = value(list.item, false, item, duplicates) {
            refusal.join(found.below(&element));
        }
        if *list.kind != ListKind::Atomic {
            let shown = (duplicates == Duplicates::Refused).then(|| element.to_string());
            if let (false, Some(shown)) = (seen.insert(element), shown) {
                refusal.add(format!("duplicate entries for key {shown}"));
            }
        }
    }
    refusal.or(())
}

/// Returns what is wrong with a scalar, if anything.
pub(super) fn scalar(sort: Sort, value: Option<&Value>, prefix: &str) -> Option<String> {
    let value = match value {
        None | Some(Value::Null) => return None,
        Some(value) => value,
    };
    let is_number = matches!(value, Value::Int(_) | Value::Float(_));
    let why = match sort {
        Sort::Number if !is_number => {
            format!("expected numeric (int or float), got {}", go_type(value))
        }
        Sort::Text if !matches!(value, Value::String(_)) => {
            format!(
                "expected string, got &value.valueUnstructured{{Value:{}}}",
                go_syntax(value)
            )
        }
        Sort::Flag if !matches!(value, Value::Bool(_)) => {
            format!("expected boolean, got {}", wrapped(value))
        }
        Sort::Any if matches!(value, Value::Array(_) | Value::Object(_)) => {
            format!("expected any scalar, got {}", wrapped(value))
        }
        _ => return None,
    };
    Some(format!("{prefix}{why}"))
}

/// Prints a value in upstream's wrapper as Go's `%v` does.
fn wrapped(value: &Value) -> String {
    format!("&{{{}}}", quote::go_value(value))
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Prints a value as Go's `%#v` does.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => quote::float(*number),
        Value::String(text) => quote::quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(object) => {
            let mut fields: Vec<(&str, &Value)> = object.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", quote::quote(name), go_syntax(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
    }
}
