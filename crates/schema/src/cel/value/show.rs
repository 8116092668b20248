//! How values are written in messages and by conversions.

use std::fmt::Write;

use super::Val;

/// Values with more in them are shown by their types.
const SHOWN_MAX: u64 = 100_000;

/// Returns a value as a message writes it.
pub(in super::super) fn show(value: &Val<'_>) -> String {
    match value {
        value if value.weight() > SHOWN_MAX => value.type_name().to_owned(),
        Val::Null => "null".to_owned(),
        Val::Bool(value) => value.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Uint(value) => value.to_string(),
        Val::Double(value) => show_double(*value),
        Val::String(text) | Val::Type(text) => text.as_str().to_owned(),
        Val::Bytes(bytes) => String::from_utf8_lossy(bytes.as_slice()).into_owned(),
        Val::Duration(nanos) => super::super::time::show_duration(*nanos),
        Val::Timestamp(time) => time.to_string(),
        Val::List(list) => {
            let mut out = String::from("[");
            for (place, item) in list.items().enumerate() {
                let separator = if place > 0 { ", " } else { "" };
                let item = item.map_or_else(|fault| fault.text().to_owned(), |item| show(&item));
                let _ = write!(out, "{separator}{item}");
            }
            out + "]"
        }
        Val::Map(map) => {
            let mut out = String::from("{");
            for (place, key) in map.keys().iter().enumerate() {
                let separator = if place > 0 { ", " } else { "" };
                let value = map.find(key).ok().flatten().unwrap_or(Val::Null);
                let _ = write!(out, "{separator}{}: {}", show(key), show(&value));
            }
            out + "}"
        }
        Val::Optional(Some(inner)) => format!("optional({})", show(inner)),
        Val::Optional(None) => "optional.none()".to_owned(),
        Val::Extension(extension) => extension.show(),
        Val::Hidden(value) => format!("{value:?}"),
    }
}

/// Writes a float as Go's `%g` does.
pub(in super::super) fn show_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}
