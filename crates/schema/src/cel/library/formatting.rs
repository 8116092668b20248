//! `format`: texts with places for values.

use std::fmt::Write;

use super::{
    super::value::{Fault, List, Outcome, Val, show_double},
    convert, mismatch,
};

/// Digits behind the point when none are asked for.
const PRECISION: usize = 6;

/// Most digits that may be asked for. Upstream has no limit; nobody reads more.
const PRECISION_MAX: usize = 1_000;

pub(super) fn format<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::String(text), Val::List(values)] = args else {
        return mismatch();
    };
    formatted(text.as_str(), values).map(Val::text)
}

fn formatted(text: &str, values: &List<'_>) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut place = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Err(Fault::new("unexpected end of string"));
        }
        if place >= values.len() {
            return Err(Fault::new(format!("index {place} out of range")));
        }
        let value = values.get(place)?;
        place += 1;
        let precision = precision(&mut rest)?;
        let Some(clause) = rest.chars().next() else {
            return Err(Fault::new("unexpected end of string"));
        };
        rest = &rest[clause.len_utf8()..];
        let wrong = |fault: Fault| match fault {
            Fault::Error(words) => Fault::new(format!("error during formatting: {words}")),
            other => other,
        };
        match clause {
            's' => string(&value, &mut out),
            'd' => decimal(&value, &mut out),
            'f' => fixed(&value, precision.unwrap_or(PRECISION), &mut out),
            'e' => scientific(&value, precision.unwrap_or(PRECISION), &mut out),
            'b' => binary(&value, &mut out),
            'x' => hex(&value, false, &mut out),
            'X' => hex(&value, true, &mut out),
            'o' => octal(&value, &mut out),
            other => {
                return Err(Fault::new(format!(
                    "could not parse formatting clause: unrecognized formatting clause \"{other}\""
                )));
            }
        }
        .map_err(wrong)?;
    }
    out.push_str(rest);
    Ok(out)
}

/// Reads `.3` in front of a clause.
fn precision(rest: &mut &str) -> Result<Option<usize>, Fault> {
    let Some(after) = rest.strip_prefix('.') else {
        return Ok(None);
    };
    let length = after.bytes().take_while(u8::is_ascii_digit).count();
    let wrong =
        || Fault::new("error while parsing precision: could not find end of precision specifier");
    if length == after.len() {
        return Err(wrong());
    }
    let digits = &after[..length];
    *rest = &after[length..];
    match digits.parse::<usize>() {
        Ok(precision) if precision <= PRECISION_MAX => Ok(Some(precision)),
        Ok(precision) => Err(Fault::new(format!(
            "error while parsing precision: precision {precision} exceeds maximum allowed precision \
             {PRECISION_MAX}"
        ))),
        Err(_) if digits.is_empty() => Ok(Some(0)),
        Err(_) => Err(wrong()),
    }
}

fn no_clause(value: &Val<'_>, clause: &str, wanted: &str) -> Fault {
    let name = value.type_name();
    Fault::new(format!(
        "{clause} clause can only be used on {wanted}, was given {name}"
    ))
}

fn string(value: &Val<'_>, out: &mut String) -> Result<(), Fault> {
    match value {
        Val::Null => out.push_str("null"),
        Val::List(_) | Val::Map(_) => nested(value, out)?,
        Val::Type(name) => out.push_str(name.as_str()),
        Val::Optional(_) | Val::Extension(_) | Val::Hidden(_) => {
            let wanted = "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps";
            return Err(no_clause(value, "string", wanted));
        }
        _ => {
            let text = convert::string(std::slice::from_ref(value))?;
            out.push_str(text.as_str().unwrap_or_default());
        }
    }
    Ok(())
}

/// Writes a value as an expression would write it, inside of a list or a map.
fn nested(value: &Val<'_>, out: &mut String) -> Result<(), Fault> {
    match value {
        Val::String(text) => out.push_str(&api::quote::quote(text.as_str())),
        Val::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes.as_slice());
            let _ = write!(out, "b{}", api::quote::quote(&text));
        }
        Val::Double(number) if !number.is_finite() => {
            let _ = write!(out, "\"{}\"", show_double(*number));
        }
        Val::Double(number) => {
            let _ = write!(out, "{number:.6}");
        }
        Val::Timestamp(time) => {
            let _ = write!(out, "timestamp(\"{time}\")");
        }
        Val::Duration(nanos) => {
            let _ = write!(
                out,
                "duration(\"{}\")",
                super::super::time::show_duration(*nanos)
            );
        }
        Val::List(list) => {
            out.push('[');
            for (place, item) in list.items().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                nested(&item?, out)?;
            }
            out.push(']');
        }
        Val::Map(map) => {
            let mut entries = Vec::new();
            for key in map.keys() {
                let mut shown = String::new();
                match &key {
                    Val::String(_) | Val::Bool(_) | Val::Int(_) | Val::Uint(_) => {
                        nested(&key, &mut shown)?
                    }
                    other => {
                        let name = other.type_name();
                        return Err(Fault::new(format!(
                            "no formatting function for map key of type {name}"
                        )));
                    }
                }
                let mut text = String::new();
                nested(&map.find(&key)?.unwrap_or(Val::Null), &mut text)?;
                entries.push((shown, text));
            }
            entries.sort();
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}:{value}"))
                .collect();
            let _ = write!(out, "{{{}}}", entries.join(", "));
        }
        other => string(other, out)?,
    }
    Ok(())
}

fn decimal(value: &Val<'_>, out: &mut String) -> Result<(), Fault> {
    let _ = match value {
        Val::Int(number) => write!(out, "{number}"),
        Val::Uint(number) => write!(out, "{number}"),
        _ => return Err(no_clause(value, "decimal", "integers")),
    };
    Ok(())
}

fn number(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Double(number) => Some(*number),
        Val::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn unwritable(number: f64, out: &mut String) -> bool {
    if number.is_finite() {
        return false;
    }
    out.push_str(match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "∞",
        _ => "-∞",
    });
    true
}

/// Writes digits with a comma after every three, as upstream's locale does.
fn fixed(value: &Val<'_>, precision: usize, out: &mut String) -> Result<(), Fault> {
    let number = number(value).ok_or_else(|| no_clause(value, "fixed-point", "doubles"))?;
    if unwritable(number, out) {
        return Ok(());
    }
    let text = format!("{number:.precision$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = whole.trim_start_matches('-');
    if whole.starts_with('-') {
        out.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        let _ = write!(out, ".{fraction}");
    }
    Ok(())
}

fn scientific(value: &Val<'_>, precision: usize, out: &mut String) -> Result<(), Fault> {
    let number = number(value).ok_or_else(|| no_clause(value, "scientific", "doubles"))?;
    if unwritable(number, out) {
        return Ok(());
    }
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = write!(out, "{digits}\u{202f}×\u{202f}10");
    if exponent < 0 {
        out.push('⁻');
    }
    for digit in format!("{:02}", exponent.abs()).bytes() {
        out.push(['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][usize::from(digit - b'0')]);
    }
    Ok(())
}

fn binary(value: &Val<'_>, out: &mut String) -> Result<(), Fault> {
    let _ = match value {
        Val::Int(number) if *number < 0 => write!(out, "-{:b}", number.unsigned_abs()),
        Val::Int(number) => write!(out, "{number:b}"),
        Val::Uint(number) => write!(out, "{number:b}"),
        Val::Bool(value) => write!(out, "{}", u8::from(*value)),
        _ => return Err(no_clause(value, "binary", "integers and bools")),
    };
    Ok(())
}

fn hex(value: &Val<'_>, upper: bool, out: &mut String) -> Result<(), Fault> {
    let mut text = String::new();
    let _ = match value {
        Val::Int(number) if *number < 0 => write!(text, "-{:x}", number.unsigned_abs()),
        Val::Int(number) => write!(text, "{number:x}"),
        Val::Uint(number) => write!(text, "{number:x}"),
        Val::String(_) | Val::Bytes(_) => {
            let bytes = match value {
                Val::Bytes(bytes) => bytes.as_slice(),
                other => other.as_str().unwrap_or_default().as_bytes(),
            };
            bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
        }
        _ => {
            return Err(no_clause(
                value,
                "hex",
                "integers, byte buffers, and strings",
            ));
        }
    };
    if upper {
        text.make_ascii_uppercase();
    }
    out.push_str(&text);
    Ok(())
}

fn octal(value: &Val<'_>, out: &mut String) -> Result<(), Fault> {
    let _ = match value {
        Val::Int(number) if *number < 0 => write!(out, "-{:o}", number.unsigned_abs()),
        Val::Int(number) => write!(out, "{number:o}"),
        Val::Uint(number) => write!(out, "{number:o}"),
        _ => return Err(no_clause(value, "octal", "integers")),
    };
    Ok(())
}
