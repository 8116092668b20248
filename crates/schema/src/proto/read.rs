//! Messages to trees in normal form.

use api::{Object, Text, Value, quantity::Quantity, time};
use base::WallTime;
use base64::Engine as _;
use smallvec::SmallVec;

use super::wire::{Cursor, ProtoError, Tag, go_name};
use crate::{
    Form, Scalar, ShapeId, Shapes, Struct,
    decode::{BASE64, fill, kept, zero_at},
};

/// How deeply messages may nest, as deep as JSON may.
const DEPTH_MAX: usize = api::json::DEPTH_MAX;

/// Reads the message of a struct.
pub(super) fn message(shapes: &Shapes, id: ShapeId, bytes: &[u8]) -> Result<Value, ProtoError> {
    Reader { shapes }.body(id, bytes, 0)
}

/// The years 0 and 9999: JSON cannot say what lies beyond.
const YEAR_MIN_SECS: i64 = -62_167_219_200;
const YEAR_MAX_SECS: i64 = 253_402_300_799;

struct Reader<'a> {
    shapes: &'a Shapes,
}

type Places = SmallVec<[u16; 64]>;

impl Reader<'_> {
    /// Reads the inside of a message.
    fn body(&self, id: ShapeId, bytes: &[u8], depth: usize) -> Result<Value, ProtoError> {
        if depth > DEPTH_MAX {
            return Err(ProtoError::Depth);
        }
        match &self.shapes.node(id).form {
            Form::Struct(shape) => {
                let mut object = Object::default();
                let mut places = Places::new();
                self.fields(shape, &[], bytes, &mut object, &mut places, depth)?;
                self.settle(shape, &mut object, &mut places);
                Ok(Value::Object(object))
            }
            Form::Scalar(kind) => self.scalar_body(*kind, bytes, depth),
            Form::List { item, .. } => {
                let mut items = Vec::new();
                let mut cursor = Cursor::new(bytes);
                while let Some(tag) = cursor.tag()? {
                    match tag.number {
                        1 => items.push(self.one(*item, tag, &mut cursor, depth)?),
                        _ => cursor.skip(tag)?,
                    }
                }
                Ok(Value::Array(items))
            }
            Form::Any | Form::Map { .. } => Ok(Value::Null),
        }
    }

    /// Reads fields into `object`: those of the struct itself, or those it inlines from the
    /// message to which the numbers `outer` lead.
    fn fields(
        &self,
        shape: &Struct,
        outer: &[u16],
        bytes: &[u8],
        object: &mut Object,
        places: &mut Places,
        depth: usize,
    ) -> Result<(), ProtoError> {
        let mut cursor = Cursor::new(bytes);
        let mut next = 0;
        let mut highest = 0;
        let named = |error: ProtoError| {
            let name = shape.name.as_deref().unwrap_or_default();
            error.of_message(name.rsplit('.').next().unwrap_or_default())
        };
        while let Some(tag) = cursor.tag().map_err(named)? {
            let Some(found) = find(shape, outer, tag.number, next) else {
                cursor.skip(tag)?;
                continue;
            };
            next = found;
            let place = shape.wire[found];
            let field = &shape.fields[usize::from(place)];
            let named = |error: ProtoError| error.of_field(tag, || go_name(&field.name));
            if field.is_inlined(outer.len()) {
                let inner = cursor.bytes(tag)?;
                let way = &field.inline[..=outer.len()];
                self.fields(shape, way, inner, object, places, depth)?;
                continue;
            }
            let known = match places.last() {
                Some(last) if *last == place => Some(places.len() - 1),
                // Numbers ascend, so a field is mostly met for the first time. An inlined message may
                // come twice, and then its fields do.
                _ if outer.is_empty() && found > highest => None,
                _ => places.iter().position(|known| *known == place),
            };
            highest = highest.max(found);
            if known.is_none() && !self.is_repeated(field.shape) {
                let value = self.one(field.shape, tag, &mut cursor, depth);
                let value = value.map_err(named)?;
                if kept(self.shapes, field, &value) {
                    object.push(field.name.clone(), value);
                    places.push(place);
                }
                continue;
            }
            let at = known.unwrap_or_else(|| {
                object.push(field.name.clone(), Value::Null);
                places.push(place);
                places.len() - 1
            });
            let slot = &mut object.fields_mut()[at].1;
            self.value(field.shape, tag, &mut cursor, slot, depth)
                .map_err(named)?;
        }
        Ok(())
    }

    /// Reads one occurrence of a field into its value; lists and maps grow with each.
    fn value(
        &self,
        id: ShapeId,
        tag: Tag,
        cursor: &mut Cursor<'_>,
        slot: &mut Value,
        depth: usize,
    ) -> Result<(), ProtoError> {
        let node = self.shapes.node(id);
        match &node.form {
            Form::List { item, .. } if !node.wrapped => {
                let read = self.one(*item, tag, cursor, depth)?;
                match slot {
                    Value::Array(items) => items.push(read),
                    _ => *slot = Value::Array(vec![read]),
                }
            }
            Form::Map { value: item, .. } => {
                let (name, read) = self.entry(*item, cursor.bytes(tag)?, depth)?;
                let fields = slot.make_object().fields_mut();
                // Entries come sorted from anybody but the malicious.
                match fields.last() {
                    Some((last, _)) if *last >= name => {
                        match fields.binary_search_by(|(known, _)| known.cmp(&name)) {
                            Ok(at) => fields[at].1 = read,
                            Err(at) => fields.insert(at, (name, read)),
                        }
                    }
                    _ => fields.push((name, read)),
                }
            }
            _ => *slot = self.one(id, tag, cursor, depth)?,
        }
        Ok(())
    }

    fn entry(
        &self,
        item: ShapeId,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(Text, Value), ProtoError> {
        let mut name = Text::default();
        let mut value = None;
        let mut cursor = Cursor::new(bytes);
        while let Some(tag) = cursor.tag()? {
            match tag.number {
                1 => name = cursor.text(tag)?,
                2 => value = Some(self.one(item, tag, &mut cursor, depth)?),
                _ => cursor.skip(tag)?,
            }
        }
        let value = match value {
            Some(value) => value,
            // gogo gives bytes that are not there as an empty slice, not as nil.
            None if matches!(self.shapes.node(item).form, Form::Scalar(Scalar::Bytes)) => {
                Value::from("")
            }
            None => zero_at(self.shapes, item),
        };
        Ok((name, value))
    }

    /// Reads one value, which is no list and no map, or the only one of its kind.
    fn one(
        &self,
        id: ShapeId,
        tag: Tag,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<Value, ProtoError> {
        if let Form::Scalar(kind) = self.shapes.node(id).form {
            match kind {
                Scalar::String => return Ok(Value::String(cursor.text(tag)?)),
                Scalar::Bool => return Ok(Value::Bool(cursor.number(tag)? != 0)),
                #[allow(clippy::cast_possible_truncation, reason = "as generated code does")]
                Scalar::Int32 => return Ok(Value::Int(i64::from(cursor.number(tag)? as i32))),
                Scalar::Int64 | Scalar::Integer => return Ok(Value::Int(cursor.number(tag)?)),
                Scalar::Float64 => {
                    let float = cursor.float(tag)?;
                    if !float.is_finite() {
                        let text = format!("json: unsupported value: {float}");
                        return Err(ProtoError::Value(text));
                    }
                    return Ok(Value::Float(float));
                }
                Scalar::Bytes => {
                    let text = BASE64.encode(cursor.bytes(tag)?);
                    return Ok(Value::String(Text::from(text)));
                }
                _ => {}
            }
        }
        self.body(id, cursor.bytes(tag)?, depth + 1)
    }

    fn is_repeated(&self, id: ShapeId) -> bool {
        let node = self.shapes.node(id);
        matches!(node.form, Form::List { .. } | Form::Map { .. }) && !node.wrapped
    }

    /// Leaves out what Go leaves out, and puts the rest in order.
    fn settle(&self, shape: &Struct, object: &mut Object, places: &mut Places) {
        let mut at = 0;
        let mut left = Places::new();
        object.fields_mut().retain(|(_, value)| {
            let place = places[at];
            at += 1;
            let keep = kept(self.shapes, &shape.fields[usize::from(place)], value);
            if keep {
                left.push(place);
            }
            keep
        });
        fill(self.shapes, shape, object, &mut left);
    }

    fn scalar_body(&self, kind: Scalar, bytes: &[u8], depth: usize) -> Result<Value, ProtoError> {
        match kind {
            Scalar::Quantity => {
                let text = first_text(bytes)?.unwrap_or_else(|| Text::const_new("0"));
                let parsed =
                    Quantity::parse(&text).map_err(|error| ProtoError::Value(error.to_string()))?;
                Ok(parsed.to_value())
            }
            Scalar::Time => instant(bytes, time::to_value),
            Scalar::MicroTime => instant(bytes, time::to_value_micro),
            Scalar::Duration => {
                let nanos = numbers(bytes)?.0;
                Ok(Value::string(time::format_duration(nanos)))
            }
            Scalar::IntOrString => int_or_string(bytes),
            Scalar::RawExtension | Scalar::FieldsV1 | Scalar::Json => json(bytes),
            Scalar::SchemaOrArray(schema) => {
                let (one, many) = self.schemas(schema, bytes, 1, 2, depth)?;
                Ok(if many.is_empty() {
                    one
                } else {
                    Value::Array(many)
                })
            }
            Scalar::SchemaOrBool(schema) => {
                let mut allows = false;
                let mut cursor = Cursor::new(bytes);
                while let Some(tag) = cursor.tag()? {
                    match tag.number {
                        1 => allows = cursor.number(tag)? != 0,
                        _ => cursor.skip(tag)?,
                    }
                }
                let (one, _) = self.schemas(schema, bytes, 2, 0, depth)?;
                Ok(if one.is_null() {
                    Value::Bool(allows)
                } else {
                    one
                })
            }
            Scalar::SchemaOrStrings(schema) => {
                let (one, _) = self.schemas(schema, bytes, 1, 0, depth)?;
                let mut texts = Vec::new();
                let mut cursor = Cursor::new(bytes);
                while let Some(tag) = cursor.tag()? {
                    match tag.number {
                        2 => texts.push(Value::String(cursor.text(tag)?)),
                        _ => cursor.skip(tag)?,
                    }
                }
                Ok(if texts.is_empty() {
                    one
                } else {
                    Value::Array(texts)
                })
            }
            Scalar::String
            | Scalar::Bool
            | Scalar::Int32
            | Scalar::Int64
            | Scalar::Integer
            | Scalar::Float64
            | Scalar::Bytes => Ok(Value::Null),
        }
    }

    fn schemas(
        &self,
        schema: ShapeId,
        bytes: &[u8],
        one_number: u32,
        many_number: u32,
        depth: usize,
    ) -> Result<(Value, Vec<Value>), ProtoError> {
        let (mut one, mut many) = (Value::Null, Vec::new());
        let mut cursor = Cursor::new(bytes);
        while let Some(tag) = cursor.tag()? {
            if tag.number == one_number {
                one = self.one(schema, tag, &mut cursor, depth)?;
            } else if tag.number == many_number {
                many.push(self.one(schema, tag, &mut cursor, depth)?);
            } else {
                cursor.skip(tag)?;
            }
        }
        Ok((one, many))
    }
}

/// Finds the place in `wire` of the field with this number. Numbers ascend in a message, so the
/// search begins where the last one was found.
fn find(shape: &Struct, outer: &[u16], number: u32, next: usize) -> Option<usize> {
    let has = |place: &u16| {
        let field = &shape.fields[usize::from(*place)];
        field.wire_number(outer.len()) == number
            && (outer.is_empty() || field.inline.starts_with(outer))
    };
    let (before, after) = shape.wire.split_at(next);
    match after.iter().position(has) {
        Some(steps) => Some(next + steps),
        None => before.iter().position(has),
    }
}

/// Reads field 1 of a message as text.
fn first_text(bytes: &[u8]) -> Result<Option<Text>, ProtoError> {
    let mut text = None;
    let mut cursor = Cursor::new(bytes);
    while let Some(tag) = cursor.tag()? {
        match tag.number {
            1 => text = Some(cursor.text(tag)?),
            _ => cursor.skip(tag)?,
        }
    }
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads fields 1 and 2 of a message as numbers.
fn numbers(bytes: &[u8]) -> Result<(i64, i64), ProtoError> {
    let mut both = (0, 0);
    let mut cursor = Cursor::new(bytes);
    while let Some(tag) = cursor.tag()? {
        match tag.number {
            1 => both.0 = cursor.number(tag)?,
            2 => both.1 = cursor.number(tag)?,
            _ => cursor.skip(tag)?,
        }
    }
    Ok(both)
}

fn instant(bytes: &[u8], print: fn(WallTime) -> Value) -> Result<Value, ProtoError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (secs, nanos) = numbers(bytes)?;
    let whole = WallTime::from_secs(secs.clamp(YEAR_MIN_SECS, YEAR_MAX_SECS));
    if nanos == 0 && time::to_value(whole).is_null() {
        return Ok(Value::Null);
    }
    let micros = whole.micros + nanos.clamp(0, 999_999_999) / 1000;
    Ok(print(WallTime { micros }))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ProtoError> {
    let (mut kind, mut number, mut text) = (0, 0, Text::default());
    let mut cursor = Cursor::new(bytes);
    while let Some(tag) = cursor.tag()? {
        match tag.number {
            1 => kind = cursor.number(tag)?,
            2 => number = cursor.number(tag)?,
            3 => text = cursor.text(tag)?,
            _ => cursor.skip(tag)?,
        }
    }
    match kind {
        0 => {
            #[allow(clippy::cast_possible_truncation, reason = "as generated code does")]
            let number = number as i32;
            Ok(Value::Int(i64::from(number)))
        }
        1 => Ok(Value::String(text)),
        _ => Err(ProtoError::Value("impossible IntOrString.Type".to_owned())),
    }
}

/// Reads JSON that lies in field 1 of a message.
fn json(bytes: &[u8]) -> Result<Value, ProtoError> {
    let mut raw: &[u8] = &[];
    let mut cursor = Cursor::new(bytes);
    while let Some(tag) = cursor.tag()? {
        match tag.number {
            1 => raw = cursor.bytes(tag)?,
            _ => cursor.skip(tag)?,
        }
    }
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    let parsed = api::json::read(raw).map_err(|error| ProtoError::Value(error.to_string()))?;
    Ok(parsed.value)
}
