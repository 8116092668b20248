//! Makes a shape of a schema that was found sound.

use std::{collections::HashMap, sync::Arc};

use api::{Text, Value};

use crate::{
    Field, Form, ListKind, Node, Others, Rules, Scalar, Shape, ShapeId, Shapes, Struct,
    validate::{Pattern, format_is_supported},
};

/// How many fields one object of a schema may have.
const FIELDS_MAX: usize = 60_000;

/// How many nodes a shape may have; a CRD of the greatest size has fewer that make sense.
const NODES_MAX: usize = 200_000;

/// How deeply schemas may nest; parsed trees are never deeper.
const DEPTH_MAX: usize = 1_000;

/// Why no shape can be made of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It nests too deeply or has too many parts; make it smaller.
    #[error("the schema is too large")]
    TooLarge,
}

/// Makes the shape of custom resources with this schema; their metadata has the shape `meta`.
///
/// What [`check`](super::check) would refuse is taken as far as it makes sense, so that a CRD
/// stored long ago can still be served.
///
/// # Errors
/// [`CompileError::TooLarge`].
pub fn compile(schema: &Value, meta: &Shape) -> Result<Shape, CompileError> {
    let (shapes, root) = build(schema, meta)?;
    Ok(Shape::new(shapes, root))
}

/// Returns the shape of custom resources that may hold anything (`preserveUnknownFields: true`).
#[must_use]
pub fn compile_any(meta: &Shape) -> Shape {
    let mut shapes = Shapes::new();
    shapes.set_meta(meta.clone());
    let root = shapes.add(Node::default());
    Shape::new(shapes.finish(), root)
}

pub(super) fn build(schema: &Value, meta: &Shape) -> Result<(Arc<Shapes>, ShapeId), CompileError> {
    let mut shapes = Shapes::new();
    shapes.set_meta(meta.clone());
    let mut compiler = Compiler {
        shapes,
        plain: HashMap::new(),
    };
    let root = compiler.node(schema, 0)?;
    Ok((compiler.shapes.finish(), root))
}

struct Compiler {
    shapes: Shapes,
    /// Scalars without rules are all alike, and shared.
    plain: HashMap<(&'static str, bool), ShapeId>,
}

impl Compiler {
    fn node(&mut self, schema: &Value, depth: usize) -> Result<ShapeId, CompileError> {
        if depth > DEPTH_MAX || self.shapes.len() > NODES_MAX {
            return Err(CompileError::TooLarge);
        }
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
        let kind = schema.str_at(&["type"]).unwrap_or_default();
        let nullable = flag("nullable");
        let rules = rules(schema, kind, depth)?;
        let scalar = match kind {
            _ if flag("x-kubernetes-int-or-string") => Some((Scalar::IntOrString, "int-or-string")),
            "string" => Some((Scalar::String, "string")),
            "boolean" => Some((Scalar::Bool, "boolean")),
            "integer" => Some((Scalar::Integer, "integer")),
            "number" => Some((Scalar::Float64, "number")),
            _ => None,
        };
        if let (Some((_, name)), None) = (scalar, &rules)
            && let Some(id) = self.plain.get(&(name, nullable))
        {
            return Ok(*id);
        }
        let form = match scalar {
            Some((scalar, _)) => Form::Scalar(scalar),
            None if kind == "array" => self.list(schema, depth)?,
            None => self.object(schema, kind, depth)?,
        };
        let is_plain = rules.is_none();
        let id = self.shapes.add(Node {
            form,
            nullable,
            embedded: flag("x-kubernetes-embedded-resource"),
            untyped: kind.is_empty() && scalar.is_none(),
            rules,
            ..Node::default()
        });
        if let (Some((_, name)), true) = (scalar, is_plain) {
            self.plain.insert((name, nullable), id);
        }
        Ok(id)
    }

    fn list(&mut self, schema: &Value, depth: usize) -> Result<Form, CompileError> {
        let item = match schema.get("items") {
            Some(items @ Value::Object(_)) => self.node(items, depth + 1)?,
            _ => self.shapes.add(Node::default()),
        };
        let kind = match schema.str_at(&["x-kubernetes-list-type"]) {
            Some("set") => ListKind::Set,
            Some("map") => {
                let keys = schema.get("x-kubernetes-list-map-keys");
                let keys = keys.and_then(Value::as_array).unwrap_or_default();
                ListKind::Map(
                    keys.iter()
                        .filter_map(Value::as_str)
                        .map(Text::new)
                        .collect(),
                )
            }
            _ => ListKind::Atomic,
        };
        Ok(Form::List { item, kind })
    }

    fn object(&mut self, schema: &Value, kind: &str, depth: usize) -> Result<Form, CompileError> {
        let keeps = schema
            .get("x-kubernetes-preserve-unknown-fields")
            .and_then(Value::as_bool)
            == Some(true);
        let atomic = schema.str_at(&["x-kubernetes-map-type"]) == Some("atomic");
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = match schema.get("additionalProperties") {
            Some(inner @ Value::Object(_)) => Some(self.node(inner, depth + 1)?),
            Some(Value::Bool(true)) => Some(self.shapes.add(Node::default())),
            _ => None,
        };
        match (properties.filter(|all| !all.is_empty()), additional) {
            (None, Some(value)) if !keeps => return Ok(Form::Map { value, atomic }),
            (None, _) if keeps && kind.is_empty() => return Ok(Form::Any),
            _ => {}
        }
        let properties = properties.into_iter().flat_map(|all| all.iter());
        let mut properties: Vec<(&str, &Value)> = properties.collect();
        if properties.len() > FIELDS_MAX {
            return Err(CompileError::TooLarge);
        }
        properties.sort_unstable_by_key(|(name, _)| *name);
        let required = schema.get("required").and_then(Value::as_array);
        let required: std::collections::HashSet<&str> = required
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Vec::with_capacity(properties.len());
        for (name, inner) in properties {
            let shape = self.node(inner, depth + 1)?;
            fields.push(Field {
                required: required.contains(name),
                default: inner.get("default").cloned().map(Box::new),
                ..Field::new(name, shape)
            });
        }
        let mut shape = Struct::new(None, fields);
        shape.atomic = atomic;
        shape.others = match additional {
            _ if keeps => Others::Keep,
            Some(part) => Others::Shaped(part),
            None => Others::Drop,
        };
        Ok(Form::Struct(Box::new(shape)))
    }
}

fn rules(schema: &Value, kind: &str, depth: usize) -> Result<Option<Box<Rules>>, CompileError> {
    let rules = all_rules(schema, kind, depth, Nesting::Outside)?;
    Ok((rules != Rules::default()).then(|| Box::new(rules)))
}

/// Whether rules stand in a junctor, where they also speak of fields and items.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Outside,
    Inside,
}

fn all_rules(
    schema: &Value,
    kind: &str,
    depth: usize,
    nesting: Nesting,
) -> Result<Rules, CompileError> {
    if depth > DEPTH_MAX {
        return Err(CompileError::TooLarge);
    }
    let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
    let whole = |name: &str| schema.get(name).and_then(Value::as_int);
    let list = |name: &str| {
        schema
            .get(name)
            .and_then(Value::as_array)
            .unwrap_or_default()
    };
    let junctor = |name: &str| -> Result<Vec<Rules>, CompileError> {
        list(name)
            .iter()
            .filter(|inner| !is_type_only(inner))
            .map(|inner| all_rules(inner, "", depth + 1, Nesting::Inside))
            .collect()
    };
    let inner = |name: &str| -> Result<Option<Box<Rules>>, CompileError> {
        match schema.get(name) {
            Some(inner @ Value::Object(_)) => {
                let rules = all_rules(inner, "", depth + 1, Nesting::Inside)?;
                Ok(Some(Box::new(rules)))
            }
            _ => Ok(None),
        }
    };
    let mut rules = Rules {
        format: schema
            .str_at(&["format"])
            .filter(|format| format_is_supported(kind, format))
            .map(Text::new),
        pattern: schema
            .str_at(&["pattern"])
            .filter(|pattern| !pattern.is_empty())
            .map(Pattern::new),
        min_length: whole("minLength"),
        max_length: whole("maxLength"),
        minimum: float(schema.get("minimum")),
        maximum: float(schema.get("maximum")),
        exclusive_minimum: flag("exclusiveMinimum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        multiple_of: float(schema.get("multipleOf")),
        min_items: whole("minItems"),
        max_items: whole("maxItems"),
        unique_items: flag("uniqueItems"),
        min_properties: whole("minProperties"),
        max_properties: whole("maxProperties"),
        enumeration: list("enum").to_vec(),
        all_of: junctor("allOf")?,
        any_of: junctor("anyOf")?,
        one_of: junctor("oneOf")?,
        not: inner("not")?,
        required: list("required")
            .iter()
            .filter_map(Value::as_str)
            .map(Text::new)
            .collect(),
        cel: list("x-kubernetes-validations").to_vec(),
        ..Rules::default()
    };
    if nesting == Nesting::Inside {
        rules.items = inner("items")?;
        rules.additional = inner("additionalProperties")?;
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, inner) in properties.into_iter().flat_map(|all| all.iter()) {
            let inner = all_rules(inner, "", depth + 1, Nesting::Inside)?;
            rules.properties.push((Text::new(name), inner));
        }
    }
    Ok(rules)
}

/// Returns whether a branch says nothing but a type, as in the pattern that goes with
/// int-or-string, which always holds.
fn is_type_only(schema: &Value) -> bool {
    schema
        .as_object()
        .is_some_and(|object| object.len() == 1 && object.contains("type"))
}

#[allow(clippy::cast_precision_loss, reason = "bounds are floats upstream")]
fn float(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Int(number)) => Some(*number as f64),
        Some(Value::Float(number)) => Some(*number),
        _ => None,
    }
}
