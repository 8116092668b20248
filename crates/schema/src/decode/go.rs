//! Decodes as Go's `encoding/json` decodes into structs and writes them again.

use api::{Object, Text, Value};
use smallvec::SmallVec;

use super::{DecodeError, Path, Step, Unknown, scalar};
use crate::{Field, Form, Omit, Scalar, ShapeId, Shapes, Struct};

/// How deeply zero values may nest: a struct that holds itself by value does not exist in Go.
const ZERO_DEPTH_MAX: usize = 32;

/// Brings `value` into the normal form of a Go type. `body` is where it was read from, if that is
/// known and numbers may be quoted from it.
pub(super) fn decode(
    shapes: &Shapes,
    id: ShapeId,
    value: &mut Value,
    path: &Path<'_>,
    body: Option<&[u8]>,
    unknown: &mut Unknown,
) -> Result<(), DecodeError> {
    let mut decoder = Decoder {
        shapes,
        body,
        unknown,
        mismatch: None,
    };
    if value.is_null() {
        *value = zero(shapes, id);
        return Ok(());
    }
    decoder.value(id, value, path)?;
    match decoder.mismatch {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

struct Decoder<'a> {
    shapes: &'a Shapes,
    body: Option<&'a [u8]>,
    unknown: &'a mut Unknown,
    /// The first value of a wrong type. Go goes on after it, and a scalar whose own parser refuses
    /// its text later in the document is reported instead.
    mismatch: Option<DecodeError>,
}

impl Decoder<'_> {
    fn value(
        &mut self,
        id: ShapeId,
        value: &mut Value,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let shapes = self.shapes;
        match &shapes.node(id).form {
            Form::Scalar(kind) => self.scalar(*kind, id, value, path),
            Form::Struct(shape) => match value {
                Value::Object(object) => self.fields(shape, object, path),
                _ => self.mismatch(id, value, path),
            },
            Form::Map { value: item, .. } => match value {
                Value::Object(object) => self.map(*item, object, path),
                _ => self.mismatch(id, value, path),
            },
            Form::List { item, .. } => match value {
                Value::Array(items) => self.items(*item, items, path),
                _ => self.mismatch(id, value, path),
            },
            Form::Any => {
                sort_deep(value);
                Ok(())
            }
        }
    }

    fn fields(
        &mut self,
        shape: &Struct,
        object: &mut Object,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        let mut places: SmallVec<[u16; 64]> = SmallVec::new();
        let mut next = 0;
        let mut ascending = true;
        let mut refused = None;
        object.fields_mut().retain_mut(|(name, value)| {
            if refused.is_some() {
                return false;
            }
            // Clients that know the type send fields in its order, so the next one is a good guess.
            let place = match shape.fields.get(next) {
                Some(field) if field.name == *name => next,
                _ => match shape.place(name) {
                    Some(place) => place,
                    None => {
                        self.unknown.note(path, name);
                        return false;
                    }
                },
            };
            if value.is_null() {
                return false;
            }
            let field = &shape.fields[place];
            let here = path.then(Step::Field(&field.name, shape));
            if let Err(error) = self.value(field.shape, value, &here) {
                refused = Some(error);
                return false;
            }
            if !kept(self.shapes, field, value) {
                return false;
            }
            ascending &= place >= next;
            next = place + 1;
            places.push(narrow(place));
            true
        });
        if let Some(error) = refused {
            return Err(error);
        }
        if !ascending {
            arrange(object, &mut places);
        }
        if !shape.forced.is_empty() {
            add_forced(self.shapes, shape, object, &places, 0);
        }
        Ok(())
    }

    fn map(
        &mut self,
        item: ShapeId,
        object: &mut Object,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        for (name, value) in object.fields_mut() {
            if value.is_null() {
                *value = zero(self.shapes, item);
            } else {
                self.value(item, value, &path.then(Step::Key(name)))?;
            }
        }
        sort(object);
        Ok(())
    }

    fn items(
        &mut self,
        item: ShapeId,
        items: &mut [Value],
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        for (place, value) in items.iter_mut().enumerate() {
            if value.is_null() {
                *value = zero(self.shapes, item);
            } else {
                self.value(item, value, &path.then(Step::Index(place)))?;
            }
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        kind: Scalar,
        id: ShapeId,
        value: &mut Value,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        match kind {
            // Inside these upstream decodes anew, without strictness and without a place.
            Scalar::SchemaOrArray(schema) => match value {
                Value::Object(_) => self.schema(schema, value),
                Value::Array(items) if !items.is_empty() => items.iter_mut().try_for_each(|item| {
                    if item.is_null() {
                        *item = zero(self.shapes, schema);
                        return Ok(());
                    }
                    self.schema(schema, item)
                }),
                _ => {
                    *value = Value::Null;
                    Ok(())
                }
            },
            Scalar::SchemaOrBool(schema) => match value {
                Value::Object(_) => self.schema(schema, value),
                Value::Bool(_) => Ok(()),
                _ => Err(DecodeError::Scalar(
                    "boolean or JSON schema expected".to_owned(),
                )),
            },
            Scalar::SchemaOrStrings(schema) => match value {
                Value::Object(_) => self.schema(schema, value),
                Value::Array(items) if !items.is_empty() => {
                    for item in items {
                        match item {
                            Value::String(_) => {}
                            Value::Null => *item = Value::from(""),
                            other => {
                                return Err(DecodeError::Type {
                                    found: self.found(other, path),
                                    place: "value".to_owned(),
                                    wanted: "string".to_owned(),
                                });
                            }
                        }
                    }
                    Ok(())
                }
                _ => {
                    *value = Value::Null;
                    Ok(())
                }
            },
            Scalar::Quantity => {
                // Quantities are exact where floats are not, and remember how they were written.
                if let Some(text) = self.written(value, path) {
                    *value = Value::string(text);
                }
                self.plain_scalar(kind, id, value, path)
            }
            _ => self.plain_scalar(kind, id, value, path),
        }
    }

    fn plain_scalar(
        &mut self,
        kind: Scalar,
        id: ShapeId,
        value: &mut Value,
        path: &Path<'_>,
    ) -> Result<(), DecodeError> {
        match scalar::normalise(kind, value) {
            Ok(()) => Ok(()),
            Err(scalar::Refusal::Type) => self.mismatch(id, value, path),
            Err(scalar::Refusal::Inner(wanted)) => Err(DecodeError::Type {
                found: self.found(value, path),
                place: path.go_place(),
                wanted: wanted.to_owned(),
            }),
            Err(scalar::Refusal::Text(text)) => Err(DecodeError::Scalar(text)),
            Err(scalar::Refusal::Later(text)) => {
                self.mismatch.get_or_insert(DecodeError::Scalar(text));
                Ok(())
            }
        }
    }

    /// Returns a number as it was written, if its value does not say so itself.
    fn written(&self, value: &Value, path: &Path<'_>) -> Option<&str> {
        match value {
            Value::Float(_) => path.written(self.body?),
            _ => None,
        }
    }

    /// Returns Go's words for a value that does not fit a number: numbers are quoted.
    fn found(&self, value: &Value, path: &Path<'_>) -> String {
        match value {
            Value::Int(_) | Value::Float(_) => match self.written(value, path) {
                Some(text) => format!("number {text}"),
                None => format!("number {}", scalar::json_text(value)),
            },
            other => other.go_type_name().to_owned(),
        }
    }

    fn schema(&mut self, id: ShapeId, value: &mut Value) -> Result<(), DecodeError> {
        decode(
            self.shapes,
            id,
            value,
            &Path::root(),
            None,
            &mut Unknown::ignore(),
        )
    }

    fn mismatch(&mut self, id: ShapeId, value: &Value, path: &Path<'_>) -> Result<(), DecodeError> {
        if self.mismatch.is_none() {
            let number = match self.shapes.node(id).form {
                Form::Scalar(Scalar::Int32 | Scalar::Int64) => true,
                // Only one that no float holds does not fit here.
                Form::Scalar(Scalar::Float64) => matches!(value, Value::Float(_)),
                _ => false,
            };
            self.mismatch = Some(DecodeError::Type {
                // Only for numbers that do not fit a number does Go print the number.
                found: if number {
                    self.found(value, path)
                } else {
                    value.go_type_name().to_owned()
                },
                place: path.go_place(),
                wanted: go_name(self.shapes, id),
            });
        }
        Ok(())
    }
}

/// Returns Go's name of a type, as far as a shape remembers it.
fn go_name(shapes: &Shapes, id: ShapeId) -> String {
    match &shapes.node(id).form {
        Form::Any => "interface {}".to_owned(),
        Form::Scalar(kind) => scalar::go_name(*kind).to_owned(),
        Form::Struct(shape) => {
            let name = shape.name.as_deref().unwrap_or_default();
            let mut parts = name.rsplitn(3, '.');
            match (parts.next(), parts.next()) {
                (Some(name), Some(package)) => format!("{package}.{name}"),
                _ => name.to_owned(),
            }
        }
        Form::Map { value, .. } => format!("map[string]{}", go_name(shapes, *value)),
        Form::List { item, .. } => format!("[]{}", go_name(shapes, *item)),
    }
}

/// Returns whether Go's encoder writes a field with this value, which is in normal form.
pub(crate) fn kept(shapes: &Shapes, field: &Field, value: &Value) -> bool {
    if value.is_null() {
        return false;
    }
    match field.omit {
        Omit::Absent | Omit::Never => true,
        Omit::Empty => field.pointer || !is_empty(value) || shapes.is_go_struct(field.shape),
        Omit::Zero => field.pointer || !is_zero(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Int(number) => *number == 0,
        Value::Float(number) => *number == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().all(|(_, value)| is_zero(value)),
        other => is_empty(other),
    }
}

/// Returns the zero value of a type as Go writes it where it must.
pub(crate) fn zero(shapes: &Shapes, id: ShapeId) -> Value {
    zero_within(shapes, id, 0)
}

fn zero_within(shapes: &Shapes, id: ShapeId, depth: usize) -> Value {
    match &shapes.node(id).form {
        Form::Any | Form::Map { .. } | Form::List { .. } => Value::Null,
        Form::Scalar(kind) => scalar::zero(*kind),
        Form::Struct(shape) => {
            let mut object = Object::default();
            if depth < ZERO_DEPTH_MAX {
                add_forced(shapes, shape, &mut object, &[], depth);
            }
            Value::Object(object)
        }
    }
}

/// Adds the fields that Go writes even if nobody gave them. `places` are those of the object's
/// fields, ascending.
fn add_forced(shapes: &Shapes, shape: &Struct, object: &mut Object, places: &[u16], depth: usize) {
    let missing: SmallVec<[u16; 16]> = shape
        .forced
        .iter()
        .copied()
        .filter(|place| places.binary_search(place).is_err())
        .collect();
    if missing.is_empty() {
        return;
    }
    let given = std::mem::take(object.fields_mut());
    let mut all = Vec::with_capacity(given.len() + missing.len());
    let mut missing = missing.into_iter().peekable();
    for (place, pair) in places.iter().zip(given) {
        while let Some(forced) = missing.next_if(|forced| forced < place) {
            all.push(forced_field(shapes, shape, forced, depth));
        }
        all.push(pair);
    }
    all.extend(missing.map(|forced| forced_field(shapes, shape, forced, depth)));
    *object.fields_mut() = all;
}

fn forced_field(shapes: &Shapes, shape: &Struct, place: u16, depth: usize) -> (Text, Value) {
    let field = &shape.fields[usize::from(place)];
    let value = if field.pointer {
        Value::Null
    } else {
        zero_within(shapes, field.shape, depth + 1)
    };
    (field.name.clone(), value)
}

/// Puts fields that were pushed in any order into the struct's order and adds those Go always
/// writes. Names are known and unique, values in normal form.
pub(crate) fn fill(shapes: &Shapes, shape: &Struct, object: &mut Object, places: &mut [u16]) {
    if !places.is_sorted() {
        arrange(object, places);
    }
    if !shape.forced.is_empty() {
        add_forced(shapes, shape, object, places, 0);
    }
}

/// Sorts fields by their places in the struct, and the places with them.
fn arrange(object: &mut Object, places: &mut [u16]) {
    let given = std::mem::take(object.fields_mut());
    let mut placed: Vec<(u16, (Text, Value))> = places.iter().copied().zip(given).collect();
    placed.sort_by_key(|(place, _)| *place);
    places.sort_unstable();
    *object.fields_mut() = placed.into_iter().map(|(_, pair)| pair).collect();
}

/// Sorts the keys of a map as Go writes them.
pub(super) fn sort(object: &mut Object) {
    if !object.fields().is_sorted_by(|a, b| a.0 <= b.0) {
        object.sort();
    }
}

/// Sorts every object inside, as Go writes values without a struct.
pub(super) fn sort_deep(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.iter_mut().for_each(|(_, value)| sort_deep(value));
            sort(object);
        }
        Value::Array(items) => items.iter_mut().for_each(sort_deep),
        _ => {}
    }
}

fn narrow(place: usize) -> u16 {
    u16::try_from(place).expect("a struct has fewer than 65,535 fields")
}
