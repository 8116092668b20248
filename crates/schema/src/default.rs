//! Sets the defaults that a shape declares.
//!
//! Built-ins: a field that is absent (in normal form that includes zero values Go leaves out), or
//! that is always written and zero, gets its default. Custom resources: a field that is absent, or
//! `null` where `null` is no value, gets it; what it sets is defaulted in turn.

use api::{Object, Value};

use crate::{Field, Form, Omit, Others, Shape, ShapeId, Shapes, Struct};

/// How deeply defaults are looked for; parsed trees are never deeper.
const DEPTH_MAX: usize = api::json::DEPTH_MAX + 100;

/// Sets every declared default that `value`, which is in normal form, leaves open.
pub fn default(shape: &Shape, value: &mut Value) {
    let shapes = shape.table();
    Defaulter {
        shapes,
        custom: shapes.meta().is_some(),
    }
    .value(shape.root(), value, 0);
}

struct Defaulter<'a> {
    shapes: &'a Shapes,
    custom: bool,
}

impl Defaulter<'_> {
    fn value(&self, id: ShapeId, value: &mut Value, depth: usize) {
        if depth > DEPTH_MAX || !self.shapes.has_defaults(id) {
            return;
        }
        match (&self.shapes.node(id).form, value) {
            (Form::Struct(shape), Value::Object(object)) => self.fields(shape, object, depth),
            (Form::Map { value: item, .. }, Value::Object(object)) => {
                for (_, value) in object.iter_mut() {
                    self.value(*item, value, depth + 1);
                }
            }
            (Form::List { item, .. }, Value::Array(items)) => {
                for value in items {
                    self.value(*item, value, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn fields(&self, shape: &Struct, object: &mut Object, depth: usize) {
        for (place, field) in shape.fields.iter().enumerate() {
            let Some(default) = &field.default else {
                continue;
            };
            match object.get_mut(&field.name) {
                None => insert(shape, object, place, self.custom, Value::clone(default)),
                Some(value) if self.open(field, value) => *value = Value::clone(default),
                Some(_) => {}
            }
        }
        for (name, value) in object.iter_mut() {
            match (shape.field(name), shape.others) {
                (Some(field), _) => self.value(field.shape, value, depth + 1),
                (None, Others::Shaped(part)) => self.value(part, value, depth + 1),
                (None, Others::Drop | Others::Keep) => {}
            }
        }
    }

    /// Returns whether a value that is there counts as not given.
    fn open(&self, field: &Field, value: &Value) -> bool {
        if self.custom {
            return value.is_null() && !self.shapes.node(field.shape).nullable;
        }
        match value {
            Value::Null => true,
            Value::String(text) => field.omit == Omit::Never && !field.pointer && text.is_empty(),
            Value::Int(number) => field.omit == Omit::Never && !field.pointer && *number == 0,
            _ => false,
        }
    }
}

/// Adds a field at its place: struct order for built-ins, sorted by name for custom resources.
fn insert(shape: &Struct, object: &mut Object, place: usize, by_name: bool, value: Value) {
    let name = &shape.fields[place].name;
    let fields = object.fields_mut();
    let at = fields.iter().position(|(other, _)| {
        if by_name {
            other > name
        } else {
            shape.place(other).is_some_and(|known| known > place)
        }
    });
    fields.insert(at.unwrap_or(fields.len()), (name.clone(), value));
}
