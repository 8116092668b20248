//! Tree to bytes, as Go's `encoding/json` writes the same fields in the same order.

use std::io::Write;

use crate::Value;

/// Appends the compact form of `value`. No line feed follows.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
        Value::Float(number) => write_float(*number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (place, (name, field)) in object.fields().iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write(field, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends the form for people: two spaces per level, as upstream answers `?pretty=1`.
pub fn write_pretty(value: &Value, out: &mut Vec<u8>) {
    write_indented(value, 0, out);
}

fn write_indented(value: &Value, level: usize, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                begin_line(place, level + 1, out);
                write_indented(item, level + 1, out);
            }
            end_lines(level, out);
            out.push(b']');
        }
        Value::Object(object) if !object.is_empty() => {
            out.push(b'{');
            for (place, (name, field)) in object.iter().enumerate() {
                begin_line(place, level + 1, out);
                write_string(name, out);
                out.extend_from_slice(b": ");
                write_indented(field, level + 1, out);
            }
            end_lines(level, out);
            out.push(b'}');
        }
        other => write(other, out),
    }
}

fn begin_line(place: usize, level: usize, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
    end_lines(level, out);
}

fn end_lines(level: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 2 * level, b' ');
}

/// Appends a float: shortest digits that read back, an exponent below 1e-6 and from 1e21 on.
pub fn write_float(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        let _ = write!(out, "{digits}e{sign}{exponent}");
    } else {
        let _ = write!(out, "{number}");
    }
}

/// What to do with a byte of a string: 0 as it is, 1 look closer (a lead byte of U+2028), else escape.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'<' as usize] = b'u';
    table[b'>' as usize] = b'u';
    table[b'&' as usize] = b'u';
    table[0xE2] = 1;
    table
};

/// Appends a string in quotes, escaped as Go escapes it: `<`, `>`, `&`, U+2028 and U+2029 too.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut start = 0;
    // Most texts have nothing to escape; those are copied in one go.
    let plain = bytes
        .iter()
        .take_while(|byte| ESCAPES[usize::from(**byte)] == 0);
    let plain = plain.count();
    for (at, byte) in bytes.iter().enumerate().skip(plain) {
        let escape = ESCAPES[*byte as usize];
        if escape == 0 {
            continue;
        }
        if escape == 1 {
            let Some([0x80, last @ (0xA8 | 0xA9)]) = bytes.get(at + 1..at + 3) else {
                continue;
            };
            out.extend_from_slice(&bytes[start..at]);
            out.extend_from_slice(if *last == 0xA8 {
                br"\u2028"
            } else {
                br"\u2029"
            });
            start = at + 3;
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        if escape == b'u' {
            out.extend_from_slice(br"\u00");
            out.push(HEX[(byte >> 4) as usize]);
            out.push(HEX[(byte & 15) as usize]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
        start = at + 1;
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}
