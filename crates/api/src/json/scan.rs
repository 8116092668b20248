//! Finds single fields in canonical JSON bytes without building a tree.
//!
//! The bytes must be valid JSON that [`super::write`] made; anything else is answered with none or
//! with a wrong range, never with a panic.

use std::ops::Range;

use super::{DEPTH_MAX, read::plain_end};

/// Returns where the value under these field names lies, one below the other.
///
/// Names are compared as they are written, so a name that needs escapes is not found.
#[must_use]
pub fn find_field(bytes: &[u8], path: &[&str]) -> Option<Range<usize>> {
    let mut at = space(bytes, 0);
    for name in path {
        at = fields_at(bytes, at)?
            .find(|(found, _)| *found == name.as_bytes())?
            .1
            .start;
    }
    Some(at..skip(bytes, at)?)
}

/// Returns the content of the string under these field names, if it has no escapes.
#[must_use]
pub fn find_str<'a>(bytes: &'a [u8], path: &[&str]) -> Option<&'a str> {
    plain_str(bytes.get(find_field(bytes, path)?)?)
}

/// Returns what is between the quotes of a string that has no escapes.
#[must_use]
pub fn plain_str(value: &[u8]) -> Option<&str> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.contains(&b'\\') {
        return None;
    }
    std::str::from_utf8(inner).ok()
}

/// Walks the fields of the object that begins at `start`: raw names, and where values lie.
///
/// Returns none if no object begins there.
#[must_use]
pub fn fields_at(bytes: &[u8], start: usize) -> Option<Fields<'_>> {
    (bytes.get(start) == Some(&b'{')).then_some(Fields {
        bytes,
        at: start + 1,
    })
}

/// Walks the items of the array that begins at `start`.
///
/// Returns none if no array begins there.
#[must_use]
pub fn items_at(bytes: &[u8], start: usize) -> Option<Items<'_>> {
    (bytes.get(start) == Some(&b'[')).then_some(Items {
        bytes,
        at: start + 1,
    })
}

/// Walks the fields of an object; see [`fields_at`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Walks the items of an array; see [`items_at`].
#[derive(Clone, Debug)]
pub struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Range<usize>);
    fn next(&mut self) -> Option<Self::Item> {
        let mut at = space(self.bytes, self.at);
        if self.bytes.get(at) == Some(&b',') {
            at = space(self.bytes, at + 1);
        }
        let end = skip_string(self.bytes, at)?;
        let name = &self.bytes[at + 1..end - 1];
        at = space(self.bytes, end);
        if self.bytes.get(at) != Some(&b':') {
            return None;
        }
        let start = space(self.bytes, at + 1);
        self.at = skip(self.bytes, start)?;
        Some((name, start..self.at))
    }
}

impl Iterator for Items<'_> {
    type Item = Range<usize>;
    fn next(&mut self) -> Option<Self::Item> {
        let mut at = space(self.bytes, self.at);
        match self.bytes.get(at) {
            Some(b',') => at = space(self.bytes, at + 1),
            Some(b']') => return None,
            _ => {}
        }
        self.at = skip(self.bytes, at)?;
        Some(at..self.at)
    }
}

/// Returns whether these bytes nest deeper than [`super::read`] would read them.
#[must_use]
pub fn is_too_deep(bytes: &[u8]) -> bool {
    // Each level takes two bytes at least, so most objects need no look.
    if bytes.len() <= 2 * DEPTH_MAX {
        return false;
    }
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(step) = next_mark(&bytes[at..]) {
        at += step;
        match bytes[at] {
            b'"' => match skip_string(bytes, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return false,
            },
            b'{' | b'[' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        if depth > DEPTH_MAX {
            return true;
        }
        at += 1;
    }
    false
}

/// Returns where the next quote or bracket stands.
fn next_mark(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))
}

pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Returns the end of the value that begins at `at`.
pub(super) fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => skip_string(bytes, at),
        b'{' | b'[' => skip_nested(bytes, at),
        _ => {
            let rest = bytes.get(at..)?;
            let len = rest
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'))
                .unwrap_or(rest.len());
            (len > 0).then_some(at + len)
        }
    }
}

fn skip_nested(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        // Between strings only brackets matter.
        at += next_mark(bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => at = skip_string(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            _ => {
                at += 1;
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}

/// Returns the place after the closing quote of the string that begins at `at`.
pub(super) fn skip_string(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
