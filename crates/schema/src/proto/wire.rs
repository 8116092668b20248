//! Tags, varints and lengths.

use std::fmt;

use api::Text;

/// Why bytes are not the message they should be. Nothing can be done but to send other bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// There is nothing.
    #[error("empty data")]
    Empty,
    /// There is nothing behind `k8s\0`.
    #[error("empty body")]
    EmptyBody,
    /// There is no `k8s\0` in front.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    Magic,
    /// The bytes end inside a value.
    #[error("unexpected EOF")]
    End,
    /// A varint takes more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// A field has another wire type than its number says.
    #[error("proto: wrong wireType = {wire} for field {field}")]
    WireType {
        /// Wire type found.
        wire: u8,
        /// Go's name of the field, or its number.
        field: String,
    },
    /// A tag that cannot be: field number 0, the end of no group, or an unknown wire type.
    #[error("proto: {message}: {}", IllegalTag(*number, *wire))]
    Tag {
        /// Go's name of the message; empty where that is not known.
        message: Text,
        /// Number of the field.
        number: u32,
        /// Wire type found.
        wire: u8,
    },
    /// Messages nest too deeply.
    #[error("proto: message is nested too deeply")]
    Depth,
    /// A value inside cannot be understood, such as a quantity or embedded JSON.
    #[error("{0}")]
    Value(String),
}

/// Number and wire type of a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) number: u32,
    pub(super) wire: u8,
}

pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const BYTES: u8 = 2;
const START_GROUP: u8 = 3;
const END_GROUP: u8 = 4;
const FIXED32: u8 = 5;

/// Groups may nest this deep; Kubernetes writes none at all.
const GROUP_DEPTH_MAX: usize = 100;

/// Reads a message from front to back.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, ProtoError> {
        // Most are one byte: tags, lengths, small numbers.
        if let [byte, rest @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let mut number = 0_u64;
        for (place, byte) in self.rest.iter().enumerate() {
            if place == 10 {
                return Err(ProtoError::Overflow);
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok(number);
            }
        }
        Err(ProtoError::End)
    }

    /// Returns the next tag, or nothing at the end of the message.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, ProtoError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let word = self.varint()?;
        let wire = (word & 7) as u8;
        let number = u32::try_from(word >> 3).map_err(|_| ProtoError::Overflow)?;
        if number == 0 || number > i32::MAX as u32 || wire == END_GROUP {
            return Err(illegal(number, wire));
        }
        Ok(Some(Tag { number, wire }))
    }

    #[inline]
    pub(super) fn bytes(&mut self, tag: Tag) -> Result<&'a [u8], ProtoError> {
        expect(tag, BYTES)?;
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| ProtoError::End)?;
        if length > self.rest.len() {
            return Err(ProtoError::End);
        }
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self, tag: Tag) -> Result<Text, ProtoError> {
        Ok(text(self.bytes(tag)?))
    }

    pub(super) fn number(&mut self, tag: Tag) -> Result<i64, ProtoError> {
        expect(tag, VARINT)?;
        Ok(self.varint()?.cast_signed())
    }

    pub(super) fn float(&mut self, tag: Tag) -> Result<f64, ProtoError> {
        expect(tag, FIXED64)?;
        let (eight, rest) = self.rest.split_first_chunk().ok_or(ProtoError::End)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*eight))
    }

    pub(super) fn skip(&mut self, tag: Tag) -> Result<(), ProtoError> {
        let mut depth = 0_usize;
        let mut tag = tag;
        loop {
            match tag.wire {
                VARINT => {
                    self.varint()?;
                }
                FIXED64 => self.jump(8)?,
                BYTES => {
                    self.bytes(tag)?;
                }
                START_GROUP => depth += 1,
                END_GROUP => depth = depth.checked_sub(1).ok_or(ProtoError::End)?,
                FIXED32 => self.jump(4)?,
                wire => return Err(illegal(tag.number, wire)),
            }
            if depth == 0 {
                return Ok(());
            }
            if depth > GROUP_DEPTH_MAX {
                return Err(ProtoError::Depth);
            }
            let word = self.varint()?;
            tag = Tag {
                number: u32::try_from(word >> 3).map_err(|_| ProtoError::Overflow)?,
                wire: (word & 7) as u8,
            };
        }
    }

    fn jump(&mut self, length: usize) -> Result<(), ProtoError> {
        self.rest = self.rest.get(length..).ok_or(ProtoError::End)?;
        Ok(())
    }
}

fn expect(tag: Tag, wire: u8) -> Result<(), ProtoError> {
    if tag.wire == wire {
        return Ok(());
    }
    Err(ProtoError::WireType {
        wire: tag.wire,
        field: tag.number.to_string(),
    })
}

fn illegal(number: u32, wire: u8) -> ProtoError {
    ProtoError::Tag {
        message: Text::default(),
        number,
        wire,
    }
}

/// Says what is wrong with a tag.
struct IllegalTag(u32, u8);

impl fmt::Display for IllegalTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            END_GROUP => f.write_str("wiretype end group for non-group"),
            wire => write!(f, "illegal tag {} (wire type {wire})", self.0),
        }
    }
}

impl ProtoError {
    /// Names the message in which a tag was found that cannot be.
    pub(super) fn of_message(self, name: &str) -> Self {
        match self {
            Self::Tag {
                message,
                number,
                wire,
            } if message.is_empty() => Self::Tag {
                message: Text::new(name),
                number,
                wire,
            },
            other => other,
        }
    }

    /// Names the field with this tag, whose value was found to have the wrong wire type.
    pub(super) fn of_field(self, tag: Tag, name: impl FnOnce() -> String) -> Self {
        match self {
            Self::WireType { wire, field } if field == tag.number.to_string() => Self::WireType {
                wire,
                field: name(),
            },
            other => other,
        }
    }
}

/// Returns Go's name of a field of this JSON name: of the words that Go writes in capitals those
/// that begin names are known.
pub(super) fn go_name(json: &str) -> String {
    const CAPITALS: [&str; 6] = ["api", "uid", "ip", "url", "tls", "id"];
    if json == "metadata" {
        return "ObjectMeta".to_owned();
    }
    let end = json.find(|letter: char| !letter.is_ascii_lowercase());
    let (first, rest) = json.split_at(end.unwrap_or(json.len()));
    if CAPITALS.contains(&first) {
        return first.to_ascii_uppercase() + rest;
    }
    let mut letters = json.chars();
    let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
    initial.into_iter().chain(letters).collect()
}

/// Go strings may hold anything; JSON writes what is no UTF-8 as the replacement character.
pub(super) fn text(bytes: &[u8]) -> Text {
    match std::str::from_utf8(bytes) {
        Ok(text) => Text::new(text),
        Err(_) => Text::from(String::from_utf8_lossy(bytes)),
    }
}

/// Returns how many bytes a varint takes.
pub(super) fn varint_bytes(number: u64) -> usize {
    // One byte for each seven bits, and one for zero.
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

pub(super) fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends tag and length of a field of bytes.
pub(super) fn put_head(number: u32, length: usize, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | u32::from(BYTES)), out);
    put_varint(length as u64, out);
}

/// Appends a field of bytes.
pub(super) fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_head(number, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a field that is a number.
pub(super) fn put_number(number: u32, value: i64, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | u32::from(VARINT)), out);
    put_varint(value.cast_unsigned(), out);
}

/// A buffer that is filled from its end, so that a message's length is known when it is written.
pub(super) struct Back {
    buffer: Vec<u8>,
    start: usize,
}

impl Back {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity],
            start: capacity,
        }
    }

    /// Returns how many bytes were written; the difference of two answers is a message's length.
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Returns what was written, in a vector without room to spare, because it may be kept.
    pub(super) fn finish(self) -> Vec<u8> {
        self.buffer[self.start..].to_vec()
    }

    #[inline]
    fn room(&mut self, count: usize) {
        if self.start < count {
            self.grow(count);
        }
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        let length = self.len();
        let capacity = (self.buffer.len() * 2).max(length + count);
        let mut buffer = vec![0; capacity];
        buffer[capacity - length..].copy_from_slice(&self.buffer[self.start..]);
        self.buffer = buffer;
        self.start = capacity - length;
    }

    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.room(bytes.len());
        let end = self.start;
        self.start -= bytes.len();
        self.buffer[self.start..end].copy_from_slice(bytes);
    }

    #[inline]
    pub(super) fn varint(&mut self, number: u64) {
        if number < 0x80 {
            self.room(1);
            self.start -= 1;
            self.buffer[self.start] = number as u8;
            return;
        }
        let count = varint_bytes(number);
        self.room(count);
        self.start -= count;
        let mut rest = number;
        for byte in &mut self.buffer[self.start..self.start + count - 1] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.buffer[self.start + count - 1] = rest as u8;
    }

    #[inline]
    pub(super) fn tag(&mut self, number: u32, wire: u8) {
        self.varint(u64::from(number << 3 | u32::from(wire)));
    }

    /// Writes a field of bytes.
    #[inline]
    pub(super) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.raw(bytes);
        self.head(number, bytes.len());
    }

    /// Writes tag and length before what was written last.
    #[inline]
    pub(super) fn head(&mut self, number: u32, length: usize) {
        self.varint(length as u64);
        self.tag(number, BYTES);
    }

    /// Writes a field that is a number.
    #[inline]
    pub(super) fn number(&mut self, number: u32, value: i64) {
        self.varint(value.cast_unsigned());
        self.tag(number, VARINT);
    }

    /// Writes a field that is a float.
    pub(super) fn float(&mut self, number: u32, value: f64) {
        self.raw(&value.to_le_bytes());
        self.tag(number, FIXED64);
    }
}
