//! Bytes to tree: one pass, no recursion, one exactly sized allocation per object and array.

use std::borrow::Cow;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{DEPTH_MAX, DUPLICATES_MAX, JsonError, Parsed};
use crate::{Object, Text, Value};

/// From this many fields on, names of one object are hashed to find duplicates.
const HASH_FROM: usize = 24;

/// How many bytes U+FFFD takes.
const REPLACEMENT_BYTES: usize = char::REPLACEMENT_CHARACTER.len_utf8();

const VALUE: &str = "looking for beginning of value";
const KEY: &str = "looking for beginning of object key string";
const AFTER_KEY: &str = "after object key";
const AFTER_PAIR: &str = "after object key:value pair";
const AFTER_ITEM: &str = "after array element";
const AFTER_TOP: &str = "after top-level value";
const IN_STRING: &str = "in string literal";
const IN_ESCAPE: &str = "in string escape code";
const IN_HEX: &str = "in \\u hexadecimal character escape";
const IN_NUMBER: &str = "in numeric literal";
const IN_FRACTION: &str = "after decimal point in numeric literal";
const IN_EXPONENT: &str = "in exponent of numeric literal";
const TOO_DEEP: &str = "exceeded max depth";

/// Reads one JSON value that fills `bytes`.
///
/// Bytes that are not UTF-8 become U+FFFD, each for itself, as in Go.
///
/// # Errors
/// [`JsonError`] with Go's text. A number out of range is reported only if the syntax is right.
pub fn read(bytes: &[u8]) -> Result<Parsed, JsonError> {
    match read_unbounded(bytes)? {
        (parsed, None) => Ok(parsed),
        (_, Some(error)) => Err(error),
    }
}

/// Reads as [`read`] does, but a number that no float holds becomes an infinity of its sign, and the
/// first such is told beside the tree: whether it matters depends on where it stands.
///
/// # Errors
/// [`JsonError`] for wrong syntax.
pub fn read_unbounded(bytes: &[u8]) -> Result<(Parsed, Option<JsonError>), JsonError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(lossy(bytes)),
    };
    let mut reader = Reader::new(&text);
    match reader.document() {
        Ok(value) => {
            let duplicates = reader.duplicates;
            Ok((Parsed { value, duplicates }, reader.number_error))
        }
        Err(Stop) => {
            let fault = reader.fault.unwrap_or(JsonError::End);
            Err(match text {
                Cow::Borrowed(_) => fault,
                Cow::Owned(_) => in_original(fault, bytes),
            })
        }
    }
}

/// Returns a fault found in the replaced text as it is in the bytes themselves.
fn in_original(fault: JsonError, bytes: &[u8]) -> JsonError {
    let JsonError::Character {
        context, offset, ..
    } = fault
    else {
        return fault;
    };
    // Of the bytes that are no UTF-8 each takes the place of three.
    let (mut at, mut seen) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if seen + valid >= offset {
            at += offset - seen;
            break;
        }
        (at, seen) = (at + valid, seen + valid);
        for _ in chunk.invalid() {
            if seen < offset {
                (at, seen) = (at + 1, seen + REPLACEMENT_BYTES);
            }
        }
        if seen >= offset {
            break;
        }
    }
    let byte = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    JsonError::Character {
        byte: byte.unwrap_or(b' '),
        context,
        offset: at,
    }
}

/// Replaces each byte that belongs to no valid sequence by U+FFFD.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Reading stopped; why, lies in the reader. So results stay as small as what they carry.
struct Stop;

type Read<T> = Result<T, Stop>;

/// An object or array that is open. Its finished parts lie in the reader's stacks from `start` on.
struct Frame {
    kind: Kind,
    start: usize,
    /// A name came twice in this object.
    repeated: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Array,
    Object,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    frames: Vec<Frame>,
    /// Fields of all open objects; the last of each is the one being read.
    fields: Vec<(Text, Value)>,
    /// A fingerprint of each name in `fields`.
    marks: Vec<u64>,
    /// Items of all open arrays.
    items: Vec<Value>,
    /// Names by hash of open objects that have many, with the places where these begin.
    tables: Vec<(usize, HashTable<usize>)>,
    duplicates: Vec<String>,
    fault: Option<JsonError>,
    number_error: Option<JsonError>,
    hasher: DefaultHashBuilder,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            frames: Vec::with_capacity(16),
            fields: Vec::with_capacity(64),
            marks: Vec::with_capacity(64),
            items: Vec::with_capacity(32),
            tables: Vec::new(),
            duplicates: Vec::new(),
            fault: None,
            number_error: None,
            hasher: DefaultHashBuilder::default(),
        }
    }

    fn document(&mut self) -> Read<Value> {
        let value = match self.value()? {
            Some(value) => value,
            None => self.tree()?,
        };
        match self.token() {
            None => Ok(value),
            Some(_) => Err(self.wrong(AFTER_TOP)),
        }
    }

    /// Reads the rest of the outermost container, which was opened.
    fn tree(&mut self) -> Read<Value> {
        loop {
            let kind = self.frames.last().map(|frame| frame.kind);
            let complete = match kind {
                Some(Kind::Object) => self.members()?,
                _ => self.elements()?,
            };
            let Some(mut value) = complete else {
                continue;
            };
            // A container is complete: hand it to what encloses it, as far out as things end here.
            loop {
                let Some(frame) = self.frames.last() else {
                    return Ok(value);
                };
                if frame.kind == Kind::Object {
                    self.fields
                        .last_mut()
                        .expect("an open object has the field being read")
                        .1 = value;
                    match self.token() {
                        Some(b',') => {
                            self.at += 1;
                            break;
                        }
                        Some(b'}') => value = self.end_object(),
                        _ => return Err(self.wrong(AFTER_PAIR)),
                    }
                } else {
                    self.items.push(value);
                    match self.token() {
                        Some(b',') => {
                            self.at += 1;
                            break;
                        }
                        Some(b']') => value = self.end_array(),
                        _ => return Err(self.wrong(AFTER_ITEM)),
                    }
                }
            }
        }
    }

    /// Reads fields of the open object until it ends, or until one of them opens a container, which
    /// answers none.
    fn members(&mut self) -> Read<Option<Value>> {
        loop {
            if self.token() != Some(b'"') {
                return Err(self.wrong(KEY));
            }
            self.at += 1;
            let name = self.string()?;
            if self.token() != Some(b':') {
                return Err(self.wrong(AFTER_KEY));
            }
            self.at += 1;
            let mark = fingerprint(name.as_bytes());
            if self.seen(&name, mark) {
                self.report(&name);
            }
            self.marks.push(mark);
            // The value follows before the field is pushed, so that nothing is written twice.
            let outer = self.frames.len();
            let value = self.value()?;
            if self.frames.len() > outer {
                self.fields.push((name, Value::Null));
                let frame = self.frames.last_mut().expect("it was just opened");
                if frame.kind == Kind::Object {
                    frame.start = self.fields.len();
                }
                return Ok(None);
            }
            self.fields.push((name, value.unwrap_or_default()));
            match self.token() {
                Some(b',') => self.at += 1,
                Some(b'}') => return Ok(Some(self.end_object())),
                _ => return Err(self.wrong(AFTER_PAIR)),
            }
        }
    }

    /// Reads items of the open array until it ends, or until one of them opens a container, which
    /// answers none.
    fn elements(&mut self) -> Read<Option<Value>> {
        loop {
            let Some(value) = self.value()? else {
                return Ok(None);
            };
            self.items.push(value);
            match self.token() {
                Some(b',') => self.at += 1,
                Some(b']') => return Ok(Some(self.end_array())),
                _ => return Err(self.wrong(AFTER_ITEM)),
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container and answers none.
    #[inline]
    fn value(&mut self) -> Read<Option<Value>> {
        let value = match self.token() {
            Some(b'"') => {
                self.at += 1;
                Value::String(self.string()?)
            }
            Some(b'{') => {
                self.check_depth()?;
                self.at += 1;
                if self.token() != Some(b'}') {
                    self.open(Kind::Object, self.fields.len());
                    return Ok(None);
                }
                self.at += 1;
                Value::Object(Object::default())
            }
            Some(b'[') => {
                self.check_depth()?;
                self.at += 1;
                if self.token() != Some(b']') {
                    self.open(Kind::Array, self.items.len());
                    return Ok(None);
                }
                self.at += 1;
                Value::Array(Vec::new())
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            _ => return Err(self.wrong(VALUE)),
        };
        Ok(Some(value))
    }

    fn check_depth(&mut self) -> Read<()> {
        if self.frames.len() >= DEPTH_MAX {
            return Err(self.wrong(TOO_DEEP));
        }
        Ok(())
    }

    fn open(&mut self, kind: Kind, start: usize) {
        self.frames.push(Frame {
            kind,
            start,
            repeated: false,
        });
    }

    fn end_array(&mut self) -> Value {
        self.at += 1;
        let frame = self.frames.pop().expect("an array is open");
        // Unlike a split, this allocates just what is needed wherever the array begins.
        Value::Array(self.items.drain(frame.start..).collect())
    }

    fn end_object(&mut self) -> Value {
        self.at += 1;
        let frame = self.frames.pop().expect("an object is open");
        self.marks.truncate(frame.start);
        if self
            .tables
            .last()
            .is_some_and(|table| table.0 == frame.start)
        {
            self.tables.pop();
        }
        let fields = self.fields.drain(frame.start..);
        if frame.repeated {
            return Value::Object(fields.collect());
        }
        Value::Object(Object::from_unique(fields.collect()))
    }

    /// Returns whether the open object has this name already.
    #[inline]
    fn seen(&mut self, name: &str, mark: u64) -> bool {
        let Some(frame) = self.frames.last_mut() else {
            return false;
        };
        let start = frame.start;
        let seen = if self.fields.len() - start < HASH_FROM {
            // Nearly always no mark is the same, and no name is looked at.
            self.marks[start..].contains(&mark)
                && self.fields[start..].iter().any(|field| field.0 == name)
        } else {
            if self.tables.last().is_none_or(|table| table.0 != start) {
                self.tables.push((start, HashTable::new()));
            }
            let table = self.tables.last_mut().expect("it has just been pushed");
            seen_by_hash(&mut table.1, &self.hasher, &self.fields, start, name)
        };
        frame.repeated |= seen;
        seen
    }

    #[cold]
    fn report(&mut self, name: &str) {
        if self.duplicates.len() >= DUPLICATES_MAX {
            return;
        }
        let path = self.path(name);
        if !self.duplicates.contains(&path) {
            self.duplicates.push(path);
        }
    }

    /// Returns the path of `name` in the innermost open object.
    fn path(&self, name: &str) -> String {
        let mut items_end = self.items.len();
        // Where each array's items end is where the next array's begin; so go from inside out.
        let mut steps = Vec::with_capacity(self.frames.len());
        let mut fields_end = self.fields.len();
        for frame in self.frames.iter().rev() {
            match frame.kind {
                Kind::Array => {
                    steps.push(Step::Item(items_end - frame.start));
                    items_end = frame.start;
                }
                Kind::Object => {
                    let innermost = steps.is_empty();
                    if innermost {
                        steps.push(Step::Name(name));
                    } else {
                        steps.push(Step::Name(&self.fields[fields_end - 1].0));
                    }
                    fields_end = frame.start;
                }
            }
        }
        let mut path = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Item(index) => path.push_str(&format!("[{index}]")),
                Step::Name(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
            }
        }
        path
    }

    /// Skips white space and returns the byte that follows.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(byte) if *byte > b' ' => return Some(*byte),
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Some(*byte),
                None => return None,
            }
        }
    }

    /// Reads a string whose opening quote was read.
    #[inline]
    fn string(&mut self) -> Read<Text> {
        let start = self.at;
        let end = plain_end(self.bytes, start);
        self.at = end;
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at += 1;
                Ok(Text::new(&self.text[start..end]))
            }
            Some(b'\\') => self.escaped(start),
            Some(_) => Err(self.wrong(IN_STRING)),
            None => Err(self.stop(JsonError::End)),
        }
    }

    /// Reads the rest of a string from its first escape on.
    #[cold]
    fn escaped(&mut self, start: usize) -> Read<Text> {
        let mut text = String::with_capacity((self.at - start) + 32);
        text.push_str(&self.text[start..self.at]);
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::from(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    let unescaped = self.escape()?;
                    text.push(unescaped);
                }
                Some(0..0x20) => return Err(self.wrong(IN_STRING)),
                Some(_) => {
                    let end = plain_end(self.bytes, self.at);
                    text.push_str(&self.text[self.at..end]);
                    self.at = end;
                }
                None => return Err(self.stop(JsonError::End)),
            }
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Read<char> {
        let unescaped = match self.bytes.get(self.at) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'u') => {
                self.at += 1;
                return self.escape_hex();
            }
            _ => return Err(self.wrong_even_at_end(IN_ESCAPE)),
        };
        self.at += 1;
        Ok(unescaped)
    }

    /// Reads four hexadecimal digits, and the second half of a pair of surrogates if it follows.
    fn escape_hex(&mut self) -> Read<char> {
        let first = self.hex()?;
        if let Some(unescaped) = char::from_u32(first) {
            return Ok(unescaped);
        }
        // A surrogate without its other half becomes U+FFFD; what follows is read for itself.
        if first < 0xDC00 && self.bytes.get(self.at..self.at + 2) == Some(br"\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.bytes.get(self.at).map(|byte| char::from(*byte));
            let Some(digit) = digit.and_then(|digit| digit.to_digit(16)) else {
                return Err(self.wrong_even_at_end(IN_HEX));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        let negative = self.bytes[start] == b'-';
        if negative {
            self.at += 1;
        }
        let digits_start = self.at;
        let mut magnitude: u64 = 0;
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
                    magnitude = magnitude
                        .wrapping_mul(10)
                        .wrapping_add(u64::from(digit - b'0'));
                    self.at += 1;
                }
            }
            _ => return Err(self.wrong_even_at_end(IN_NUMBER)),
        }
        let digits = self.at - digits_start;
        let mut whole = true;
        if self.bytes.get(self.at) == Some(&b'.') {
            whole = false;
            self.at += 1;
            self.digits(IN_FRACTION)?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits(IN_EXPONENT)?;
        }
        // Eighteen digits always fit.
        if whole && digits <= 18 {
            let number = magnitude.cast_signed();
            return Ok(Value::Int(if negative { -number } else { number }));
        }
        let text = &self.text[start..self.at];
        if let Some(number) = whole.then(|| text.parse().ok()).flatten() {
            return Ok(Value::Int(number));
        }
        let number: f64 = text.parse().unwrap_or(f64::INFINITY);
        if number.is_infinite() {
            let (text, offset) = (text.to_owned(), self.at);
            let error = JsonError::Number { text, offset };
            self.number_error.get_or_insert(error);
        }
        Ok(Value::Float(number))
    }

    fn digits(&mut self, context: &'static str) -> Read<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.wrong_even_at_end(context));
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static str, value: Value) -> Read<Value> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        let same = |(wanted, found): &(u8, &u8)| wanted == *found;
        let found = word.bytes().zip(&self.bytes[self.at..]);
        let right = found.take_while(same).count();
        self.at += right;
        Err(self.wrong_even_at_end(expecting(word, right)))
    }

    #[cold]
    fn stop(&mut self, fault: JsonError) -> Stop {
        self.fault = Some(fault);
        Stop
    }

    /// Stops at the next byte; the end of the input is a fault of its own.
    #[cold]
    fn wrong(&mut self, context: &'static str) -> Stop {
        if self.at < self.bytes.len() {
            self.wrong_even_at_end(context)
        } else {
            self.stop(JsonError::End)
        }
    }

    /// Stops at the next byte; Go's scanner meets a space at the end of the input.
    #[cold]
    fn wrong_even_at_end(&mut self, context: &'static str) -> Stop {
        let fault = JsonError::Character {
            byte: self.bytes.get(self.at).copied().unwrap_or(b' '),
            context,
            offset: (self.at + 1).min(self.bytes.len()),
        };
        self.stop(fault)
    }
}

enum Step<'a> {
    Item(usize),
    Name(&'a str),
}

fn seen_by_hash(
    names: &mut HashTable<usize>,
    hasher: &DefaultHashBuilder,
    fields: &[(Text, Value)],
    start: usize,
    name: &str,
) -> bool {
    use std::hash::BuildHasher;
    let hash_of = |place: &usize| hasher.hash_one(fields[*place].0.as_str());
    // Names that came before the table did, and the one that came last.
    for place in start + names.len()..fields.len() {
        // A repeated name is entered again, so that the count stays that of the fields.
        names.insert_unique(hash_of(&place), place, hash_of);
    }
    let hash = hasher.hash_one(name);
    names.find(hash, |place| fields[*place].0 == name).is_some()
}

/// Returns a number that differs for most different names; cheap, and compared before the names.
#[inline]
fn fingerprint(name: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let ends = u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23);
        return ends.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ name.len() as u64;
    }
    // Short names differ in every byte that they have; the length tells "a" from "a\0".
    let shift = |mark: u64, byte: &u8| mark << 8 | u64::from(*byte);
    name.iter().fold(name.len() as u64, shift)
}

/// Returns where the next quote, backslash or control character stands, or the end.
#[inline]
pub(super) fn plain_end(bytes: &[u8], start: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let rest = bytes.get(start..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    let mut at = start;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let slash = word ^ (ONES * b'\\' as u64);
        // The lowest bit found is exact, which is all that is asked.
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + tail.iter().position(special).unwrap_or(tail.len())
}

fn expecting(word: &str, right: usize) -> &'static str {
    match (word, right) {
        ("true", 1) => "in literal true (expecting 'r')",
        ("true", 2) => "in literal true (expecting 'u')",
        ("true", _) => "in literal true (expecting 'e')",
        ("false", 1) => "in literal false (expecting 'a')",
        ("false", 2) => "in literal false (expecting 'l')",
        ("false", 3) => "in literal false (expecting 's')",
        ("false", _) => "in literal false (expecting 'e')",
        (_, 1) => "in literal null (expecting 'u')",
        _ => "in literal null (expecting 'l')",
    }
}
