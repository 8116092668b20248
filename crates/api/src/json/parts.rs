//! A tree of some fields only: what a table row needs of an object, for a fraction of a parse.

use super::{read::read, scan};
use crate::{Object, Text, Value};

/// A field that is wanted, and which fields of it. Arrays are passed through: what is said of an
/// array's field holds for each of its items.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The field's name.
    pub name: &'static str,
    /// What is wanted of it; empty for all.
    pub parts: &'static [Part],
}

impl Part {
    /// Returns a field that is wanted whole.
    #[must_use]
    pub const fn whole(name: &'static str) -> Self {
        Self { name, parts: &[] }
    }

    /// Returns a field of which these fields are wanted.
    #[must_use]
    pub const fn of(name: &'static str, parts: &'static [Self]) -> Self {
        Self { name, parts }
    }
}

/// Reads these fields of canonical JSON and passes over all others.
///
/// Returns none for bytes that are not JSON; what is passed over is not checked.
#[must_use]
pub fn read_parts(bytes: &[u8], parts: &[Part]) -> Option<Value> {
    Some(value(bytes, scan::space(bytes, 0), parts)?.0)
}

/// Reads the value that begins at `at`; returns it and where it ends.
fn value(bytes: &[u8], at: usize, parts: &[Part]) -> Option<(Value, usize)> {
    match bytes.get(at)? {
        b'{' if !parts.is_empty() => fields(bytes, at + 1, parts),
        b'[' if !parts.is_empty() => items(bytes, at + 1, parts),
        _ => {
            let end = scan::skip(bytes, at)?;
            let text = &bytes[at..end];
            let value = match scan::plain_str(text) {
                // The usual leaf, for which a reader would be too much.
                Some(plain) => Value::String(Text::new(plain)),
                None => read(text).ok()?.value,
            };
            Some((value, end))
        }
    }
}

fn fields(bytes: &[u8], mut at: usize, parts: &[Part]) -> Option<(Value, usize)> {
    let mut object = Object::with_capacity(parts.len());
    loop {
        at = scan::space(bytes, at);
        match bytes.get(at)? {
            b'}' => return Some((Value::Object(object), at + 1)),
            b',' => at = scan::space(bytes, at + 1),
            _ => {}
        }
        let end = scan::skip_string(bytes, at)?;
        let name = &bytes[at + 1..end - 1];
        at = scan::space(bytes, end);
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        at = scan::space(bytes, at + 1);
        match parts.iter().find(|part| part.name.as_bytes() == name) {
            Some(part) => {
                let (value, end) = value(bytes, at, part.parts)?;
                object.push(Text::const_new(part.name), value);
                at = end;
            }
            None => at = scan::skip(bytes, at)?,
        }
    }
}

fn items(bytes: &[u8], mut at: usize, parts: &[Part]) -> Option<(Value, usize)> {
    let mut items = Vec::new();
    loop {
        at = scan::space(bytes, at);
        match bytes.get(at)? {
            b']' => return Some((Value::Array(items), at + 1)),
            b',' => at = scan::space(bytes, at + 1),
            _ => {}
        }
        let (item, end) = value(bytes, at, parts)?;
        items.push(item);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, read_parts};

    const PARTS: &[Part] = &[
        Part::whole("a"),
        Part::of("b", &[Part::whole("c"), Part::of("d", &[Part::whole("e")])]),
    ];

    /// What is read, written again; `-` for nothing.
    #[track_caller]
    fn check(bytes: &str, expected: &str) {
        let mut out = Vec::new();
        match read_parts(bytes.as_bytes(), PARTS) {
            Some(value) => super::super::write(&value, &mut out),
            None => out.push(b'-'),
        }
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn reads_what_is_wanted() {
        check("{}", "{}");
        check(r#"{"x":1}"#, "{}");
        check(
            r#"{"a":{"x":[1,"\n"]},"x":{"a":1}}"#,
            r#"{"a":{"x":[1,"\n"]}}"#,
        );
        check(
            r#" { "b" : { "x" : "}" , "c" : -1.5 , "d" : [ { "e" : "é" , "f" : 1 } , {} , 7 ] } } "#,
            r#"{"b":{"c":-1.5,"d":[{"e":"é"},{},7]}}"#,
        );
        check(r#"{"a":null,"b":"text"}"#, r#"{"a":null,"b":"text"}"#);
    }

    #[test]
    fn refuses_what_is_not_json() {
        for bytes in [
            "",
            "{",
            r#"{"a"}"#,
            r#"{"a":"#,
            r#"{"b":[1"#,
            r#"{"a":x}"#,
            r#"{a:1}"#,
        ] {
            check(bytes, "-");
        }
    }
}
