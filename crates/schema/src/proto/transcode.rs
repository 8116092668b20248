//! Canonical JSON bytes to messages, without a tree between them.
//!
//! One pass over the JSON writes the message from front to back: a length takes one byte until it
//! is known to need more. Where fields stand in another order on the wire than in JSON, the parts
//! are put in order afterwards. Whatever is not as canonical JSON is left to the tree
//! ([`super::object`]), so that both always give the same bytes.

use api::{Text, Value, json, time};
use base::WallTime;
use base64::Engine as _;
use memchr::memchr2;
use smallvec::SmallVec;

use super::{
    wire::{self, BYTES, FIXED64, VARINT},
    write,
};
use crate::{Field, Form, Scalar, ShapeId, Shapes, Struct, decode::BASE64};

/// How deeply JSON may nest, as when it is read.
const DEPTH_MAX: usize = json::DEPTH_MAX;

/// Why the quick way cannot be taken; the tree will do it.
pub(super) struct NotCanonical;

type Done = Result<(), NotCanonical>;

/// Writes the message of the object in `json`, which must hold nothing else.
pub(super) fn message(shapes: &Shapes, id: ShapeId, json: &[u8]) -> Result<Vec<u8>, NotCanonical> {
    let Form::Struct(shape) = &shapes.node(id).form else {
        return Err(NotCanonical);
    };
    let mut transcoder = Transcoder {
        shapes,
        json,
        at: 0,
        out: Vec::with_capacity(json.len()),
        scratch: Vec::new(),
    };
    transcoder.structure(shape, 0)?;
    if transcoder.at == json.len() {
        Ok(transcoder.out)
    } else {
        Err(NotCanonical)
    }
}

struct Transcoder<'a> {
    shapes: &'a Shapes,
    json: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// Where parts are put in order; empty between uses.
    scratch: Vec<u8>,
}

/// Where the bytes of one field lie in the output.
#[derive(Clone, Copy)]
struct Part {
    /// Place in the struct's `wire`.
    wire: u16,
    start: usize,
    end: usize,
}

impl<'a> Transcoder<'a> {
    #[inline]
    fn peek(&self) -> u8 {
        self.json.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Done {
        if self.peek() == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(NotCanonical)
        }
    }

    /// Takes a literal if it stands here.
    #[inline]
    fn take(&mut self, word: &[u8]) -> bool {
        let there = self.json[self.at.min(self.json.len())..].starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    /// Takes a string without escapes.
    #[inline]
    fn plain(&mut self) -> Result<&'a [u8], NotCanonical> {
        self.expect(b'"')?;
        let rest = &self.json[self.at..];
        let end = memchr2(b'"', b'\\', rest).ok_or(NotCanonical)?;
        if rest[end] == b'\\' {
            return Err(NotCanonical);
        }
        self.at += end + 1;
        Ok(&rest[..end])
    }

    /// Takes any value and returns its bytes.
    fn raw(&mut self) -> Result<&'a [u8], NotCanonical> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1).ok_or(NotCanonical)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                    let rest = &self.json[self.at..];
                    let word = |byte: &u8| !matches!(byte, b',' | b'}' | b']' | b':' | b'"');
                    self.at += rest.iter().take_while(|byte| word(byte)).count();
                }
                _ => return Err(NotCanonical),
            }
            if depth == 0 {
                return Ok(&self.json[start..self.at]);
            }
            if depth > DEPTH_MAX {
                return Err(NotCanonical);
            }
        }
    }

    fn skip_string(&mut self) -> Done {
        self.expect(b'"')?;
        loop {
            let rest = &self.json[self.at..];
            let end = memchr2(b'"', b'\\', rest).ok_or(NotCanonical)?;
            if rest[end] == b'"' {
                self.at += end + 1;
                return Ok(());
            }
            self.at += end + 2;
            if self.at > self.json.len() {
                return Err(NotCanonical);
            }
        }
    }

    /// Takes any value as a tree, for what is rare.
    fn tree(&mut self) -> Result<Value, NotCanonical> {
        let raw = self.raw()?;
        json::read(raw)
            .map(|parsed| parsed.value)
            .map_err(|_| NotCanonical)
    }

    fn integer(&mut self) -> Result<i64, NotCanonical> {
        let negative = self.take(b"-");
        let rest = &self.json[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Nineteen digits may be too many; the tree knows.
        if digits == 0 || digits > 18 || matches!(rest.get(digits), Some(b'.' | b'e' | b'E')) {
            return Err(NotCanonical);
        }
        let number = rest[..digits]
            .iter()
            .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        self.at += digits;
        Ok(if negative { -number } else { number })
    }

    #[inline]
    fn varint(&mut self, number: u64) {
        wire::put_varint(number, &mut self.out);
    }

    #[inline]
    fn tag(&mut self, number: u32, wire: u8) {
        self.varint(u64::from(number << 3 | u32::from(wire)));
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        wire::put_bytes(number, bytes, &mut self.out);
    }

    /// Writes tag and a place for the length; [`close`](Self::close) fills it.
    #[inline]
    fn open(&mut self, number: u32) -> usize {
        self.tag(number, BYTES);
        self.out.push(0);
        self.out.len()
    }

    /// Writes the length of what was written since `start`.
    #[inline]
    fn close(&mut self, start: usize) {
        let length = self.out.len() - start;
        if length < 0x80 {
            self.out[start - 1] = length as u8;
            return;
        }
        let extra = wire::varint_bytes(length as u64) - 1;
        let end = self.out.len();
        self.out.resize(end + extra, 0);
        self.out.copy_within(start..end, start + extra);
        let mut rest = length;
        for byte in &mut self.out[start - 1..start + extra - 1] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.out[start + extra - 1] = rest as u8;
    }

    /// Writes the inside of a struct's message.
    fn structure(&mut self, shape: &Struct, depth: usize) -> Done {
        if depth > DEPTH_MAX {
            return Err(NotCanonical);
        }
        let start = self.out.len();
        let mut parts: SmallVec<[Part; 32]> = SmallVec::new();
        let mut next = 0;
        let mut ordered = shape.straight;
        self.expect(b'{')?;
        if !self.take(b"}") {
            loop {
                let name = self.plain()?;
                self.expect(b':')?;
                // Canonical JSON has the fields in the struct's order.
                let ahead = shape.fields[next..]
                    .iter()
                    .position(|field| field.name.as_bytes() == name)
                    .ok_or(NotCanonical)?;
                let place = next + ahead;
                next = place + 1;
                let wire = shape.wire_places[place];
                if wire == 0 {
                    self.raw()?;
                } else {
                    let wire = wire - 1;
                    if ordered {
                        let from = parts.last().map_or(0, |part| part.wire + 1);
                        for missing in from..wire {
                            self.out
                                .extend_from_slice(&shape.zeros[usize::from(missing)]);
                        }
                    }
                    let start = self.out.len();
                    if !self.take(b"null") {
                        self.field(&shape.fields[place], depth)?;
                    } else if ordered {
                        self.out.extend_from_slice(&shape.zeros[usize::from(wire)]);
                    }
                    let end = self.out.len();
                    // What wrote nothing counts as not given, and its zero may have to be written.
                    if ordered || end > start || self.is_repeated(shape, place) {
                        parts.push(Part { wire, start, end });
                    }
                }
                if self.take(b"}") {
                    break;
                }
                self.expect(b',')?;
            }
        }
        if ordered {
            let from = parts.last().map_or(0, |part| part.wire + 1);
            for zero in &shape.zeros[usize::from(from)..] {
                self.out.extend_from_slice(zero);
            }
            return Ok(());
        }
        parts.sort_unstable_by_key(|part| part.wire);
        ordered = parts.windows(2).all(|pair| pair[0].wire < pair[1].wire);
        if !ordered {
            return Err(NotCanonical);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let count = u16::try_from(shape.wire.len()).map_err(|_| NotCanonical)?;
        assemble(shape, 0..count, 0, &parts, &self.out, &mut scratch);
        self.out.truncate(start);
        self.out.extend_from_slice(&scratch);
        self.scratch = scratch;
        Ok(())
    }

    fn is_repeated(&self, shape: &Struct, place: usize) -> bool {
        let form = &self.shapes.node(shape.fields[place].shape).form;
        matches!(form, Form::List { .. } | Form::Map { .. })
    }

    /// Writes a field that is not null.
    fn field(&mut self, field: &Field, depth: usize) -> Done {
        let node = self.shapes.node(field.shape);
        match &node.form {
            Form::List { item, .. } if !node.wrapped => self.items(field.proto, *item, depth),
            Form::Map { value, .. } => self.entries(field.proto, *value, depth),
            Form::Any => self.raw().map(|_| ()),
            _ => self.one(field.proto, field.shape, depth),
        }
    }

    fn items(&mut self, number: u32, item: ShapeId, depth: usize) -> Done {
        self.expect(b'[')?;
        if self.take(b"]") {
            return Ok(());
        }
        loop {
            self.one(number, item, depth)?;
            if self.take(b"]") {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn entries(&mut self, number: u32, item: ShapeId, depth: usize) -> Done {
        self.expect(b'{')?;
        if self.take(b"}") {
            return Ok(());
        }
        let mut last: Option<&[u8]> = None;
        loop {
            let start = self.open(number);
            let name = self.plain()?;
            if last.is_some_and(|last| last >= name) {
                return Err(NotCanonical);
            }
            last = Some(name);
            self.bytes(1, name);
            self.expect(b':')?;
            self.one(2, item, depth)?;
            self.close(start);
            if self.take(b"}") {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Writes one value with its tag.
    fn one(&mut self, number: u32, id: ShapeId, depth: usize) -> Done {
        let node = self.shapes.node(id);
        match &node.form {
            Form::Scalar(kind) => self.scalar(number, id, *kind),
            Form::Struct(shape) => {
                let start = self.open(number);
                self.structure(shape, depth + 1)?;
                self.close(start);
                Ok(())
            }
            Form::List { item, .. } => {
                let start = self.open(number);
                self.items(1, *item, depth + 1)?;
                self.close(start);
                Ok(())
            }
            Form::Any | Form::Map { .. } => Err(NotCanonical),
        }
    }

    fn scalar(&mut self, number: u32, id: ShapeId, kind: Scalar) -> Done {
        match kind {
            Scalar::String => self.string(number),
            Scalar::Bool => {
                let flag = self.take(b"true");
                if !flag && !self.take(b"false") {
                    return Err(NotCanonical);
                }
                self.tag(number, VARINT);
                self.varint(u64::from(flag));
                Ok(())
            }
            Scalar::Int32 | Scalar::Int64 | Scalar::Integer => {
                let value = self.integer()?;
                self.tag(number, VARINT);
                self.varint(value.cast_unsigned());
                Ok(())
            }
            Scalar::Bytes => {
                let text = self.plain()?;
                let bytes = BASE64.decode(text).map_err(|_| NotCanonical)?;
                self.bytes(number, &bytes);
                Ok(())
            }
            Scalar::Quantity => {
                let text = self.plain()?;
                let start = self.open(number);
                self.bytes(1, text);
                self.close(start);
                Ok(())
            }
            Scalar::IntOrString => {
                let start = self.open(number);
                let is_text = self.peek() == b'"';
                self.tag(1, VARINT);
                self.varint(u64::from(is_text));
                let value = if is_text { 0 } else { self.integer()? };
                self.tag(2, VARINT);
                self.varint(value.cast_unsigned());
                if is_text {
                    self.string(3)?;
                } else {
                    self.bytes(3, b"");
                }
                self.close(start);
                Ok(())
            }
            Scalar::RawExtension | Scalar::FieldsV1 | Scalar::Json => {
                let raw = self.raw()?;
                let start = self.open(number);
                self.bytes(1, raw);
                self.close(start);
                Ok(())
            }
            Scalar::Float64 => {
                let value = match self.tree()? {
                    Value::Float(float) => float,
                    #[allow(clippy::cast_precision_loss, reason = "JSON numbers are floats here")]
                    Value::Int(number) => number as f64,
                    _ => return Err(NotCanonical),
                };
                self.tag(number, FIXED64);
                self.out.extend_from_slice(&value.to_le_bytes());
                Ok(())
            }
            Scalar::Time => self.instant(number, |text| {
                let whole = time::parse(text).ok()?;
                Some(WallTime::from_secs(whole.secs()))
            }),
            Scalar::MicroTime => self.instant(number, |text| time::parse_micro(text).ok()),
            Scalar::Duration
            | Scalar::SchemaOrArray(_)
            | Scalar::SchemaOrBool(_)
            | Scalar::SchemaOrStrings(_) => {
                let value = self.tree()?;
                let message = write::message(self.shapes, id, &value);
                self.bytes(number, &message);
                Ok(())
            }
        }
    }

    fn instant(&mut self, number: u32, parse: fn(&str) -> Option<WallTime>) -> Done {
        let text = std::str::from_utf8(self.plain()?).map_err(|_| NotCanonical)?;
        let time = parse(text).ok_or(NotCanonical)?;
        let start = self.open(number);
        self.tag(1, VARINT);
        self.varint(time.secs().cast_unsigned());
        self.tag(2, VARINT);
        self.varint((time.micros.rem_euclid(1_000_000) * 1000).cast_unsigned());
        self.close(start);
        Ok(())
    }

    fn string(&mut self, number: u32) -> Done {
        let start = self.at;
        if let Ok(plain) = self.plain() {
            self.bytes(number, plain);
            return Ok(());
        }
        self.at = start;
        let text: Text = match self.tree()? {
            Value::String(text) => text,
            _ => return Err(NotCanonical),
        };
        self.bytes(number, text.as_bytes());
        Ok(())
    }
}

/// Puts the parts of a struct's message in order, with the zero values of those that are missing.
fn assemble(
    shape: &Struct,
    places: std::ops::Range<u16>,
    level: usize,
    parts: &[Part],
    from: &[u8],
    out: &mut Vec<u8>,
) {
    let field = |place: u16| &shape.fields[usize::from(shape.wire[usize::from(place)])];
    let mut parts = parts;
    let mut place = places.start;
    while place < places.end {
        if field(place).is_inlined(level) {
            let outer = field(place).wire_number(level);
            let same = |place: u16| {
                field(place).is_inlined(level) && field(place).wire_number(level) == outer
            };
            let end = (place..places.end)
                .find(|place| !same(*place))
                .unwrap_or(places.end);
            let inner = parts.iter().take_while(|part| part.wire < end).count();
            let mut message = Vec::with_capacity(64);
            assemble(
                shape,
                place..end,
                level + 1,
                &parts[..inner],
                from,
                &mut message,
            );
            wire::put_bytes(outer, &message, out);
            parts = &parts[inner..];
            place = end;
            continue;
        }
        match parts.split_first() {
            Some((part, rest)) if part.wire == place => {
                out.extend_from_slice(&from[part.start..part.end]);
                parts = rest;
            }
            _ => out.extend_from_slice(&shape.zeros[usize::from(place)]),
        }
        place += 1;
    }
}
