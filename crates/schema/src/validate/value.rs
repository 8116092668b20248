//! Types, bounds, formats, enumerations and junctors of one value and everything below it.
//!
//! Source of the words and their order: kube-openapi's validation/validate, and how
//! apiextensions turns its results into field errors.

use api::{
    Value,
    field::{Error, ErrorType, Path, Shown},
    quote,
};

use super::format;
use crate::{
    Field, Form, ListKind, Node, Others, Rules, Scalar, ShapeId, Shapes, decode::json_text,
};

/// How deeply values are looked into; parsed trees are never deeper.
const DEPTH_MAX: usize = api::json::DEPTH_MAX + 100;

/// Returns what is wrong with `value`.
pub(super) fn check(
    shapes: &Shapes,
    id: ShapeId,
    value: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
) -> Vec<Error> {
    let mut found = Found::default();
    Checker { shapes }.node(id, value, old, path, &mut found, 0);
    found.errors
}

/// What a check found. Of several alternatives that fail, the one that matched most is reported.
#[derive(Default)]
struct Found {
    errors: Vec<Error>,
    matched: usize,
}

struct Checker<'a> {
    shapes: &'a Shapes,
}

impl<'a> Checker<'a> {
    fn node(
        &self,
        id: ShapeId,
        value: &Value,
        old: Option<&Value>,
        path: &Path<'_>,
        found: &mut Found,
        depth: usize,
    ) {
        found.matched += 1;
        // What was there before is not held against anybody.
        if depth > DEPTH_MAX || old == Some(value) {
            return;
        }
        let node = self.shapes.node(id);
        let rules = node.rules.as_deref();
        let kind = type_of(node);
        if value.is_null() {
            if !kind.is_empty() && !node.nullable {
                found.errors.push(wrong_type(path, kind, "null"));
            }
            if let Some(rules) = rules {
                enumerated(rules, value, path, found);
            }
            return;
        }
        if !kind.is_empty() && !has_type(node, value) {
            let format = rules.and_then(|rules| rules.format.as_deref());
            found.errors.push(match (kind, value, format) {
                // A format stands for the type, and its values are Go's.
                ("string", Value::Int(_), Some(format)) => wrong_type(path, format, "int64"),
                _ => wrong_type(path, kind, value.type_name()),
            });
        }
        if let (Value::Float(number), "integer") = (value, kind) {
            let format = rules.and_then(|rules| rules.format.as_deref());
            found.errors.extend(unread_integer(*number, format, path));
        }
        if let Some(rules) = rules {
            self.junctors(rules, value, old, path, found, depth);
            bounds(rules, value, path, found);
        }
        match value {
            Value::Array(items) => {
                if let Form::List { item, kind } = &node.form {
                    self.items((*item, kind), items, old, path, found, depth);
                }
                if let Some(rules) = rules {
                    count_items(rules, items, path, found);
                    enumerated(rules, value, path, found);
                }
            }
            Value::Object(_) => {
                if let Some(rules) = rules {
                    enumerated(rules, value, path, found);
                    count_fields(rules, value, path, found);
                }
                self.fields(node, value, old, path, found, depth);
                if let Some(rules) = rules {
                    required(rules, value, path, found);
                }
            }
            _ => {
                if let Some(rules) = rules {
                    enumerated(rules, value, path, found);
                }
            }
        }
    }

    fn items(
        &self,
        (item, kind): (ShapeId, &ListKind),
        items: &[Value],
        old: Option<&Value>,
        path: &Path<'_>,
        found: &mut Found,
        depth: usize,
    ) {
        // Only the items of map lists can be told apart, so only those have an old self.
        let olds = old.and_then(Value::as_array).unwrap_or_default();
        for (place, value) in items.iter().enumerate() {
            let before = match kind {
                ListKind::Map(keys) => olds
                    .iter()
                    .find(|other| keys.iter().all(|key| other.get(key) == value.get(key))),
                ListKind::Atomic | ListKind::Set => None,
            };
            self.node(item, value, before, &path.index(place), found, depth + 1);
        }
    }

    fn fields(
        &self,
        node: &Node,
        value: &Value,
        old: Option<&Value>,
        path: &Path<'_>,
        found: &mut Found,
        depth: usize,
    ) {
        let object = value
            .as_object()
            .into_iter()
            .flat_map(|object| object.iter());
        let before = |name: &str| old.and_then(|old| old.get(name));
        match &node.form {
            Form::Map { value: part, .. } => {
                for (name, value) in object {
                    let here = path.child(name);
                    self.node(*part, value, before(name), &here, found, depth + 1);
                }
            }
            Form::Struct(shape) => {
                for (name, value) in object {
                    let part = match (shape.field(name), shape.others) {
                        (Some(Field { shape, .. }), _) => *shape,
                        (None, Others::Shaped(part)) => part,
                        (None, Others::Drop | Others::Keep) => continue,
                    };
                    let here = path.child(name);
                    self.node(part, value, before(name), &here, found, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Checks rules that stand inside a junctor, where no types are.
    fn nested(
        &self,
        rules: &Rules,
        value: &Value,
        old: Option<&Value>,
        path: &Path<'_>,
        found: &mut Found,
        depth: usize,
    ) {
        found.matched += 1;
        if depth > DEPTH_MAX || old == Some(value) {
            return;
        }
        self.junctors(rules, value, old, path, found, depth);
        bounds(rules, value, path, found);
        match value {
            Value::Array(items) => {
                if let Some(inner) = &rules.items {
                    for (place, value) in items.iter().enumerate() {
                        self.nested(inner, value, None, &path.index(place), found, depth + 1);
                    }
                }
                count_items(rules, items, path, found);
                enumerated(rules, value, path, found);
            }
            Value::Object(object) => {
                enumerated(rules, value, path, found);
                count_fields(rules, value, path, found);
                for (name, value) in object.iter() {
                    let named = rules.properties.iter().find(|(known, _)| known == name);
                    let inner = match (named, &rules.additional) {
                        (Some((_, inner)), _) => inner,
                        (None, Some(inner)) => inner,
                        (None, None) => continue,
                    };
                    let before = old.and_then(|old| old.get(name));
                    self.nested(inner, value, before, &path.child(name), found, depth + 1);
                }
                required(rules, value, path, found);
            }
            _ => enumerated(rules, value, path, found),
        }
    }

    fn junctors(
        &self,
        rules: &Rules,
        value: &Value,
        old: Option<&Value>,
        path: &Path<'_>,
        found: &mut Found,
        depth: usize,
    ) {
        let run = |inner: &Rules| {
            let mut one = Found::default();
            self.nested(inner, value, old, path, &mut one, depth + 1);
            one
        };
        let place = || quote::quote(&path.to_string());
        if !rules.any_of.is_empty() {
            let mut best: Option<Found> = None;
            let mut valid = false;
            for inner in &rules.any_of {
                let one = run(inner);
                if one.errors.is_empty() {
                    valid = true;
                    break;
                }
                keep_best(&mut best, one);
            }
            if !valid {
                let text = format!("{} must validate at least one schema (anyOf)", place());
                found.errors.push(nowhere(text));
                found
                    .errors
                    .extend(best.into_iter().flat_map(|best| best.errors));
            }
        }
        if !rules.one_of.is_empty() {
            let mut best: Option<Found> = None;
            let mut valid = 0;
            for inner in &rules.one_of {
                let one = run(inner);
                if one.errors.is_empty() {
                    valid += 1;
                } else if valid == 0 {
                    keep_best(&mut best, one);
                }
            }
            if valid != 1 {
                let why = match valid {
                    0 => "Found none valid".to_owned(),
                    count => format!("Found {count} valid alternatives"),
                };
                found.errors.push(nowhere(format!(
                    "{} must validate one and only one schema (oneOf). {why}",
                    place()
                )));
                if valid == 0 {
                    found
                        .errors
                        .extend(best.into_iter().flat_map(|best| best.errors));
                }
            }
        }
        if !rules.all_of.is_empty() {
            let mut valid = 0;
            for inner in &rules.all_of {
                let one = run(inner);
                valid += usize::from(one.errors.is_empty());
                found.errors.extend(one.errors);
            }
            if valid != rules.all_of.len() {
                let why = if valid == 0 { ". None validated" } else { "" };
                let text = format!("{} must validate all the schemas (allOf){why}", place());
                found.errors.push(nowhere(text));
            }
        }
        if let Some(inner) = &rules.not
            && run(inner).errors.is_empty()
        {
            let text = format!("{} must not validate the schema (not)", place());
            found.errors.push(nowhere(text));
        }
    }
}

fn keep_best(best: &mut Option<Found>, one: Found) {
    if best.as_ref().is_none_or(|best| one.matched > best.matched) {
        *best = Some(one);
    }
}

/// Returns the OpenAPI type of a node; empty when it has none.
pub(crate) fn type_of(node: &Node) -> &'static str {
    match &node.form {
        _ if node.untyped => "",
        Form::Any => "",
        Form::Struct(_) | Form::Map { .. } => "object",
        Form::List { .. } => "array",
        Form::Scalar(Scalar::Bool) => "boolean",
        Form::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Integer) => "integer",
        Form::Scalar(Scalar::Float64) => "number",
        Form::Scalar(Scalar::IntOrString) => "integer,string",
        Form::Scalar(_) => "string",
    }
}

/// Up to here upstream takes floats for integers: every one of them is exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// Refuses a float that upstream would print with an exponent or a fraction and then cannot read as
/// an integer again.
fn unread_integer(number: f64, format: Option<&str>, path: &Path<'_>) -> Option<Error> {
    if number.fract() == 0.0 && number.abs() < 1e6 {
        return None;
    }
    match format {
        // Its bounds are checked by themselves.
        Some("int32") => None,
        Some("int64") => Some(nowhere(format!(
            "Checked value must be of type integer with format int64 in {path}"
        ))),
        _ => Some(nowhere(format!(
            "Checked value must be of type integer (default format) in {path}"
        ))),
    }
}

fn has_type(node: &Node, value: &Value) -> bool {
    let whole = |number: f64| number.fract() == 0.0 && number.abs() <= WHOLE_MAX;
    match (&node.form, value) {
        (Form::Struct(_) | Form::Map { .. }, Value::Object(_))
        | (Form::List { .. }, Value::Array(_))
        | (Form::Scalar(Scalar::Bool), Value::Bool(_))
        | (Form::Any, _) => true,
        (Form::Scalar(Scalar::Float64), Value::Int(_) | Value::Float(_)) => true,
        (
            Form::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::IntOrString),
            Value::Int(_),
        ) => true,
        (
            Form::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::IntOrString),
            Value::Float(number),
        ) => whole(*number),
        (
            Form::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::Float64),
            Value::String(_),
        ) => false,
        (Form::Scalar(Scalar::Bool), _) => false,
        (Form::Scalar(_), Value::String(_)) => true,
        _ => false,
    }
}

fn wrong_type(path: &Path<'_>, wanted: &str, found: &str) -> Error {
    let detail = format!("{path} in body must be of type {wanted}: {found:?}");
    Error::type_invalid(path, found, detail)
}

fn invalid(path: &Path<'_>, value: impl Into<Shown>, what: &str) -> Error {
    Error::invalid(path, value, format!("{path} in body {what}"))
}

/// Upstream has no path for what a junctor says.
fn nowhere(detail: String) -> Error {
    Error {
        kind: ErrorType::Invalid,
        field: "<nil>".to_owned(),
        value: Some("\"\"".to_owned()),
        detail,
    }
}

/// Checks the bounds of strings and numbers.
fn bounds(rules: &Rules, value: &Value, path: &Path<'_>, found: &mut Found) {
    match value {
        Value::String(text) => string(rules, text, path, found),
        Value::Int(_) | Value::Float(_) => number(rules, value, path, found),
        _ => {}
    }
}

fn string(rules: &Rules, text: &str, path: &Path<'_>, found: &mut Found) {
    let too_long = rules.max_length.filter(|max| exceeds(text, *max));
    let too_short = rules.min_length.filter(|min| falls_short(text, *min));
    if let Some(max) = too_long {
        let mut error = Error::too_long(path, usize::try_from(max).unwrap_or_default());
        if max < 0 {
            "value is too long".clone_into(&mut error.detail);
        }
        found.errors.push(error);
    } else if let Some(min) = too_short {
        let what = format!("should be at least {min} chars long");
        found.errors.push(invalid(path, text, &what));
    } else if let Some(pattern) = &rules.pattern {
        let what = match pattern.is_match(text) {
            Ok(true) => None,
            Ok(false) => Some(format!("should match '{}'", pattern.as_str())),
            Err(error) => {
                let pattern = pattern.as_str();
                Some(format!(
                    "should match '{pattern}, but pattern is invalid: {error}'"
                ))
            }
        };
        found
            .errors
            .extend(what.map(|what| invalid(path, text, &what)));
    }
    if let Some(name) = rules.format.as_deref()
        && format::is_wrong(name, text)
    {
        let detail = format!("{path} in body must be of type {name}: {text:?}");
        found.errors.push(Error::type_invalid(path, text, detail));
    }
}

fn exceeds(text: &str, max: i64) -> bool {
    // Counting characters is only needed when there are enough bytes.
    i64::try_from(text.len()).is_ok_and(|bytes| bytes > max) && characters(text) > max
}

fn falls_short(text: &str, min: i64) -> bool {
    characters(text) < min
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "upstream compares integers with bounds cut to integers, and all else as floats"
)]
fn number(rules: &Rules, value: &Value, path: &Path<'_>, found: &mut Found) {
    let float = match value {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        _ => return,
    };
    if rules.format.as_deref() == Some("int32")
        && !(-2_147_483_648.0..=2_147_483_647.0).contains(&float)
    {
        found.errors.push(nowhere(format!(
            "Checked value must be of type integer with format int32 in {path}"
        )));
    }
    let compare = |bound: f64| match value {
        Value::Int(number) => number.cmp(&(bound as i64)).into(),
        _ => float.partial_cmp(&bound),
    };
    let shown = |bound: f64| match value {
        Value::Int(_) => (bound as i64).to_string(),
        _ => go_float(bound),
    };
    if let Some(factor) = rules.multiple_of {
        let fits = match value {
            Value::Int(number) if factor as i64 > 0 => number % (factor as i64) == 0,
            _ if factor <= 0.0 => false,
            _ if factor < 1.0 => (float / factor).fract().abs() < 1e-9,
            _ => (float / factor).fract() == 0.0,
        };
        let is_positive = match value {
            // Upstream makes a whole number of the factor first.
            Value::Int(_) => factor as i64 > 0,
            _ => factor > 0.0,
        };
        if !is_positive {
            let factor = shown(factor);
            let detail =
                format!("factor MultipleOf declared for {path} must be positive: {factor}");
            found
                .errors
                .push(Error::invalid(path, Shown::bare(factor), detail));
        } else if !fits {
            let what = format!("should be a multiple of {}", shown(factor));
            found.errors.push(invalid(path, value, &what));
        }
    }
    if let Some(min) = rules.minimum {
        let order = compare(min);
        let below = order == Some(std::cmp::Ordering::Less)
            || (rules.exclusive_minimum && order == Some(std::cmp::Ordering::Equal));
        if below {
            let words = if rules.exclusive_minimum {
                "greater than"
            } else {
                "greater than or equal to"
            };
            let what = format!("should be {words} {}", shown(min));
            found.errors.push(invalid(path, value, &what));
        }
    }
    if let Some(max) = rules.maximum {
        let order = compare(max);
        let above = order == Some(std::cmp::Ordering::Greater)
            || (rules.exclusive_maximum && order == Some(std::cmp::Ordering::Equal));
        if above {
            let words = if rules.exclusive_maximum {
                "less than"
            } else {
                "less than or equal to"
            };
            let what = format!("should be {words} {}", shown(max));
            found.errors.push(invalid(path, value, &what));
        }
    }
}

/// Prints a float as Go's `%v` does.
fn go_float(number: f64) -> String {
    quote::float(number)
}

fn count_items(rules: &Rules, items: &[Value], path: &Path<'_>, found: &mut Found) {
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(min) = rules.min_items.filter(|min| count < *min) {
        let what = format!("should have at least {min} items");
        found.errors.push(invalid(path, count, &what));
    }
    if let Some(max) = rules.max_items.filter(|max| count > *max) {
        found.errors.push(too_many(path, items.len(), max));
    }
    if rules.unique_items {
        let repeated = (1..items.len()).any(|place| items[..place].contains(&items[place]));
        if repeated {
            found
                .errors
                .push(invalid(path, "", "shouldn't contain duplicates"));
        }
    }
}

fn count_fields(rules: &Rules, value: &Value, path: &Path<'_>, found: &mut Found) {
    let length = value.as_object().map_or(0, |object| object.len());
    let count = i64::try_from(length).unwrap_or(i64::MAX);
    if let Some(min) = rules.min_properties.filter(|min| count < *min) {
        let what = format!("should have at least {min} properties");
        found.errors.push(invalid(path, count, &what));
    }
    if let Some(max) = rules.max_properties.filter(|max| count > *max) {
        found.errors.push(too_many(path, length, max));
    }
}

fn too_many(path: &Path<'_>, count: usize, max: i64) -> Error {
    let mut error = Error::too_many(path, count, usize::try_from(max).unwrap_or_default());
    if max < 0 {
        "has too many items".clone_into(&mut error.detail);
    }
    error
}

fn required(rules: &Rules, value: &Value, path: &Path<'_>, found: &mut Found) {
    for name in &rules.required {
        if value.get(name).is_none() {
            found.errors.push(Error::required(&path.child(name), ""));
        }
    }
}

fn enumerated(rules: &Rules, value: &Value, path: &Path<'_>, found: &mut Found) {
    if rules.enumeration.is_empty() {
        return;
    }
    let allowed = !value.is_null() && rules.enumeration.iter().any(|one| same(one, value));
    if !allowed {
        let texts: Vec<String> = rules
            .enumeration
            .iter()
            .map(|one| match one {
                Value::String(text) => text.to_string(),
                other => json_text(other),
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        found.errors.push(Error::not_supported(path, value, &texts));
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "Go converts numbers so before it compares"
)]
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
        (a, b) => a == b,
    }
}
