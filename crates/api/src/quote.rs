//! Strings and numbers as Go's `fmt` prints them in messages that clients match on.

use std::fmt::Write;

use crate::Value;

/// Returns `text` as Go's `%q` prints it: in double quotes, unprintable characters escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(letter),
            '\0'..='\u{7f}' => push(&mut out, format_args!("\\x{:02x}", u32::from(letter))),
            _ if is_printable(letter) => out.push(letter),
            '\u{80}'..='\u{ffff}' => {
                push(&mut out, format_args!("\\u{:04x}", u32::from(letter)));
            }
            _ => push(&mut out, format_args!("\\U{:08x}", u32::from(letter))),
        }
    }
    out.push('"');
    out
}

/// Returns whether Go's `unicode.IsPrint` says yes: letters, marks, numbers, punctuation, symbols
/// and the ASCII space.
#[must_use]
pub fn is_printable(letter: char) -> bool {
    // The standard library knows; a mark is escaped only where it stands first.
    let mut probe = String::from("a");
    probe.push(letter);
    matches!(letter, '"' | '\'' | '\\') || probe.escape_debug().count() == 2
}

/// Returns `number` as Go's `%v` prints it: shortest digits, an exponent from 1e+06 on and below 1e-4.
#[must_use]
pub fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Returns a tree as Go's `%v` prints it: `map[a:1 b:[x y]]`.
#[must_use]
pub fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Object(object) => {
            let mut fields: Vec<(&str, &Value)> = object.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", go_value(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::String(text) => text.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => float(*number),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::{float, quote};

    #[test]
    fn quotes_as_go() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("a\"b\\c", r#""a\"b\\c""#);
        check("\n\t\u{7}\u{1}\u{7f}'", r#""\n\t\a\x01\x7f'""#);
        check(
            "é\u{301}日\u{a0}\u{200b}\u{fffff}",
            "\"é\u{301}日\\u00a0\\u200b\\U000fffff\"",
        );
    }

    #[test]
    fn prints_floats_as_go() {
        let check = |number: f64, expected: &str| assert_eq!(float(number), expected);
        check(1.0, "1");
        check(1.5, "1.5");
        check(100_000.0, "100000");
        check(1e6, "1e+06");
        check(123_456_789.0, "1.23456789e+08");
        check(1e21, "1e+21");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(-2.5e-7, "-2.5e-07");
    }
}
