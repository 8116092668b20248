//! Trees to messages, from back to front as gogo does, so that no length is computed twice.

use api::{Object, Text, Value, time};
use base::WallTime;
use base64::Engine as _;
use smallvec::SmallVec;

use super::wire::Back;
use crate::{Field, Form, Scalar, ShapeId, Shapes, Struct, decode::BASE64};

/// How deeply messages may nest; trees are never deeper. What lies deeper is left out.
const DEPTH_MAX: usize = api::json::DEPTH_MAX + 100;

/// How deeply zero values may nest: a struct that holds itself by value does not exist in Go.
const ZERO_DEPTH_MAX: usize = 32;

/// First guess of a message's size; the buffer doubles when it is too small.
const CAPACITY: usize = 4_096;

/// Returns the message of a struct.
pub(super) fn message(shapes: &Shapes, id: ShapeId, value: &Value) -> Vec<u8> {
    let mut out = Back::with_capacity(CAPACITY);
    Writer { shapes }.body(id, Some(value), &mut out, 0);
    out.finish()
}

/// Returns what is written for each absent field of a struct, in the order of the wire.
pub(super) fn zeros(shapes: &Shapes, shape: &Struct) -> Box<[Box<[u8]>]> {
    let writer = Writer { shapes };
    let zero = |place: &u16| {
        let mut out = Back::with_capacity(16);
        let field = &shape.fields[usize::from(*place)];
        writer.field(field, None, &mut out, DEPTH_MAX - ZERO_DEPTH_MAX);
        out.finish().into_boxed_slice()
    };
    shape.wire.iter().map(zero).collect()
}

struct Writer<'a> {
    shapes: &'a Shapes,
}

/// For each field of a struct the place of its value in the object plus one; 0 for none.
type Slots = SmallVec<[u16; 64]>;

impl Writer<'_> {
    /// Writes the inside of a message; an absent value is the zero value.
    fn body(&self, id: ShapeId, value: Option<&Value>, out: &mut Back, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let node = self.shapes.node(id);
        match (&node.form, value) {
            (Form::Struct(shape), _) => {
                self.fields(shape, value.and_then(Value::as_object), out, depth);
            }
            (Form::Scalar(kind), value) => self.scalar_body(*kind, value, out, depth),
            (Form::List { item, .. }, Some(Value::Array(items))) => {
                self.items(1, *item, items, out, depth);
            }
            _ => {}
        }
    }

    fn fields(&self, shape: &Struct, object: Option<&Object>, out: &mut Back, depth: usize) {
        let values = object.map_or(&[][..], Object::fields);
        let places = slots(shape, values);
        let given = Given {
            values,
            places: &places,
        };
        self.level(shape, &shape.wire, 0, given, out, depth);
    }

    /// Writes the fields at these places, which lie in the message `level` levels of inlining down.
    fn level(
        &self,
        shape: &Struct,
        places: &[u16],
        level: usize,
        given: Given<'_>,
        out: &mut Back,
        depth: usize,
    ) {
        let mut rest = places;
        while let Some((last, before)) = rest.split_last() {
            let field = &shape.fields[usize::from(*last)];
            if !field.is_inlined(level) {
                self.field(field, given.value(*last), out, depth);
                rest = before;
                continue;
            }
            // The fields of an inlined struct lie in a message of their own, always written.
            let outer = field.wire_number(level);
            let same = |place: &&u16| {
                let other = &shape.fields[usize::from(**place)];
                other.is_inlined(level) && other.wire_number(level) == outer
            };
            let first = rest.len() - rest.iter().rev().take_while(same).count();
            let end = out.len();
            self.level(shape, &rest[first..], level + 1, given, out, depth);
            out.head(outer, out.len() - end);
            rest = &rest[..first];
        }
    }

    fn field(&self, field: &Field, value: Option<&Value>, out: &mut Back, depth: usize) {
        let value = value.filter(|value| !value.is_null());
        if value.is_none() && field.pointer {
            return;
        }
        let node = self.shapes.node(field.shape);
        match (&node.form, value) {
            (Form::List { .. }, Some(value)) if node.wrapped => {
                self.one(field.proto, field.shape, Some(value), out, depth);
            }
            (Form::List { item, .. }, Some(Value::Array(items))) => {
                self.items(field.proto, *item, items, out, depth);
            }
            (Form::Map { value: item, .. }, Some(Value::Object(object))) => {
                self.entries(field.proto, *item, object, out, depth);
            }
            (Form::List { .. } | Form::Map { .. } | Form::Any, _) => {}
            (Form::Scalar(Scalar::Bytes), None) => {}
            (Form::Scalar(_) | Form::Struct(_), value) => {
                self.one(field.proto, field.shape, value, out, depth);
            }
        }
    }

    fn items(&self, number: u32, item: ShapeId, items: &[Value], out: &mut Back, depth: usize) {
        for value in items.iter().rev() {
            self.one(number, item, Some(value), out, depth);
        }
    }

    fn entries(&self, number: u32, item: ShapeId, object: &Object, out: &mut Back, depth: usize) {
        let mut entries: SmallVec<[(&str, &Value); 16]> = object.iter().collect();
        if !entries.is_sorted_by(|a, b| a.0 <= b.0) {
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        }
        let is_bytes = matches!(self.shapes.node(item).form, Form::Scalar(Scalar::Bytes));
        for (name, value) in entries.into_iter().rev() {
            let end = out.len();
            if !(is_bytes && value.is_null()) {
                self.one(2, item, Some(value), out, depth);
            }
            out.bytes(1, name.as_bytes());
            out.head(number, out.len() - end);
        }
    }

    /// Writes one value with its tag; an absent or impossible one as zero.
    fn one(&self, number: u32, id: ShapeId, value: Option<&Value>, out: &mut Back, depth: usize) {
        if let Form::Scalar(kind) = self.shapes.node(id).form {
            match kind {
                Scalar::String => {
                    let text = value.and_then(Value::as_str).unwrap_or_default();
                    return out.bytes(number, text.as_bytes());
                }
                Scalar::Bool => {
                    let flag = value.and_then(Value::as_bool).unwrap_or_default();
                    return out.number(number, i64::from(flag));
                }
                Scalar::Int32 | Scalar::Int64 | Scalar::Integer => {
                    return out.number(number, value.and_then(Value::as_int).unwrap_or_default());
                }
                Scalar::Float64 => {
                    let float = match value {
                        Some(Value::Float(float)) => *float,
                        #[allow(
                            clippy::cast_precision_loss,
                            reason = "JSON numbers are floats here"
                        )]
                        Some(Value::Int(number)) => *number as f64,
                        _ => 0.0,
                    };
                    return out.float(number, float);
                }
                Scalar::Bytes => {
                    let text = value.and_then(Value::as_str).unwrap_or_default();
                    return out.bytes(number, &BASE64.decode(text).unwrap_or_default());
                }
                _ => {}
            }
        }
        let end = out.len();
        self.body(id, value, out, depth + 1);
        out.head(number, out.len() - end);
    }

    /// Writes the inside of a scalar that is a message.
    fn scalar_body(&self, kind: Scalar, value: Option<&Value>, out: &mut Back, depth: usize) {
        let value = value.filter(|value| !value.is_null());
        let text = value.and_then(Value::as_str);
        match kind {
            Scalar::Quantity => out.bytes(1, text.unwrap_or("0").as_bytes()),
            Scalar::Time => {
                let parsed = text.and_then(|text| time::parse(text).ok());
                instant(parsed.map(|time| WallTime::from_secs(time.secs())), out);
            }
            Scalar::MicroTime => {
                instant(text.and_then(|text| time::parse_micro(text).ok()), out);
            }
            Scalar::Duration => {
                let nanos = text.and_then(|text| time::parse_duration(text).ok());
                out.number(1, nanos.unwrap_or_default());
            }
            Scalar::IntOrString => {
                out.bytes(3, text.unwrap_or_default().as_bytes());
                out.number(2, value.and_then(Value::as_int).unwrap_or_default());
                out.number(1, i64::from(text.is_some()));
            }
            Scalar::RawExtension | Scalar::FieldsV1 | Scalar::Json => {
                if let Some(value) = value {
                    let mut json = Vec::new();
                    api::json::write(value, &mut json);
                    out.bytes(1, &json);
                }
            }
            Scalar::SchemaOrArray(schema) => match value {
                Some(Value::Array(items)) => self.items(2, schema, items, out, depth),
                Some(value) => self.one(1, schema, Some(value), out, depth),
                None => {}
            },
            Scalar::SchemaOrBool(schema) => match value {
                Some(value @ Value::Object(_)) => {
                    self.one(2, schema, Some(value), out, depth);
                    out.number(1, 1);
                }
                value => {
                    let allows = value.and_then(Value::as_bool).unwrap_or_default();
                    out.number(1, i64::from(allows));
                }
            },
            Scalar::SchemaOrStrings(schema) => match value {
                Some(Value::Array(items)) => {
                    for item in items.iter().rev() {
                        out.bytes(2, item.as_str().unwrap_or_default().as_bytes());
                    }
                }
                Some(value) => self.one(1, schema, Some(value), out, depth),
                None => {}
            },
            Scalar::String
            | Scalar::Bool
            | Scalar::Int32
            | Scalar::Int64
            | Scalar::Integer
            | Scalar::Float64
            | Scalar::Bytes => {}
        }
    }
}

/// The values of an object, and where that of each field is.
#[derive(Clone, Copy)]
struct Given<'v> {
    values: &'v [(Text, Value)],
    places: &'v [u16],
}

impl<'v> Given<'v> {
    fn value(self, place: u16) -> Option<&'v Value> {
        let slot = usize::from(self.places[usize::from(place)]);
        slot.checked_sub(1).map(|at| &self.values[at].1)
    }
}

/// Finds the value of each of the struct's fields. Objects in normal form have them in its order.
fn slots(shape: &Struct, values: &[(Text, Value)]) -> Slots {
    let mut slots: Slots = SmallVec::from_elem(0, shape.fields.len());
    let mut next = 0;
    for (slot, (name, _)) in (1..=u16::MAX).zip(values) {
        let mut ahead = shape.fields[next..].iter().take(8);
        let place = match ahead.position(|field| field.name == *name) {
            Some(steps) => next + steps,
            None => match shape.place(name) {
                Some(place) => place,
                None => continue,
            },
        };
        slots[place] = slot;
        next = place + 1;
    }
    slots
}

fn instant(time: Option<WallTime>, out: &mut Back) {
    if let Some(time) = time {
        out.number(2, time.micros.rem_euclid(1_000_000) * 1000);
        out.number(1, time.secs());
    }
}
