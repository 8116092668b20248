//! Values without parts: which JSON they may come from and their one canonical spelling.

use api::{Text, Value, quantity::Quantity, time};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::Scalar;

/// Standard base64 as Go decodes it: padding is required, loose last bits are let through.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Why a value is no such scalar.
pub(super) enum Refusal {
    /// The JSON type is wrong.
    Type,
    /// The JSON type is wrong for the scalar's own parser, which wanted this Go type.
    Inner(&'static str),
    /// The scalar's own parser refuses it with this text, at once.
    Text(String),
    /// The decoder refuses the text but goes on.
    Later(String),
}

/// Brings one scalar into its canonical spelling. `null` never comes here.
pub(super) fn normalise(kind: Scalar, value: &mut Value) -> Result<(), Refusal> {
    let fits = match kind {
        Scalar::String => matches!(value, Value::String(_)),
        Scalar::Bool => matches!(value, Value::Bool(_)),
        Scalar::Int32 => matches!(value, Value::Int(number) if i32::try_from(*number).is_ok()),
        Scalar::Int64 | Scalar::Integer => matches!(value, Value::Int(_)),
        Scalar::Float64 => match value {
            Value::Float(number) => number.is_finite(),
            other => matches!(other, Value::Int(_)),
        },
        Scalar::Bytes => return bytes(value),
        Scalar::Quantity => return quantity(value),
        Scalar::Time => return instant(value),
        Scalar::MicroTime => return instant_micro(value),
        Scalar::Duration => return duration(value),
        Scalar::IntOrString => {
            return match value {
                Value::String(_) => Ok(()),
                Value::Int(number) if i32::try_from(*number).is_ok() => Ok(()),
                _ => Err(Refusal::Inner("int32")),
            };
        }
        Scalar::RawExtension | Scalar::FieldsV1 | Scalar::Json => true,
        // The decoder itself knows these, because they hold schemas.
        Scalar::SchemaOrArray(_) | Scalar::SchemaOrBool(_) | Scalar::SchemaOrStrings(_) => true,
    };
    if fits { Ok(()) } else { Err(Refusal::Type) }
}

/// Returns the zero value as Go writes it.
pub(super) fn zero(kind: Scalar) -> Value {
    match kind {
        Scalar::String => Value::from(""),
        Scalar::Bool | Scalar::SchemaOrBool(_) => Value::Bool(false),
        Scalar::Int32 | Scalar::Int64 | Scalar::Integer | Scalar::Float64 | Scalar::IntOrString => {
            Value::Int(0)
        }
        Scalar::Quantity => Value::from("0"),
        Scalar::Duration => Value::from("0s"),
        Scalar::Bytes
        | Scalar::Time
        | Scalar::MicroTime
        | Scalar::RawExtension
        | Scalar::FieldsV1
        | Scalar::Json
        | Scalar::SchemaOrArray(_)
        | Scalar::SchemaOrStrings(_) => Value::Null,
    }
}

/// Returns Go's name of a scalar's type.
pub(super) fn go_name(kind: Scalar) -> &'static str {
    match kind {
        Scalar::String => "string",
        Scalar::Bool => "bool",
        Scalar::Int32 => "int32",
        Scalar::Int64 | Scalar::Integer => "int64",
        Scalar::Float64 => "float64",
        Scalar::Bytes => "[]uint8",
        Scalar::Quantity => "resource.Quantity",
        Scalar::Time => "v1.Time",
        Scalar::MicroTime => "v1.MicroTime",
        Scalar::Duration => "v1.Duration",
        Scalar::IntOrString => "intstr.IntOrString",
        Scalar::RawExtension => "runtime.RawExtension",
        Scalar::FieldsV1 => "v1.FieldsV1",
        Scalar::Json => "v1.JSON",
        Scalar::SchemaOrArray(_) => "v1.JSONSchemaPropsOrArray",
        Scalar::SchemaOrBool(_) => "v1.JSONSchemaPropsOrBool",
        Scalar::SchemaOrStrings(_) => "v1.JSONSchemaPropsOrStringArray",
    }
}

/// Prints a value as JSON.
pub(crate) fn json_text(value: &Value) -> String {
    let mut out = Vec::new();
    api::json::write(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns the canonical base64 of the same bytes, or at which byte of the input it is wrong.
pub(crate) fn base64_normal(text: &str) -> Result<Option<Text>, usize> {
    let bare: String;
    let input = if text.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
        bare = text.chars().filter(|c| *c != '\n' && *c != '\r').collect();
        &bare
    } else {
        text
    };
    let decoded = BASE64.decode(input).map_err(|error| match error {
        // A group of four that is filled up ends the text; Go names what comes behind.
        base64::DecodeError::InvalidByte(place, b'=')
            if place % 4 == 2 && input[place + 1..].starts_with('=') =>
        {
            place + 2
        }
        base64::DecodeError::InvalidByte(place, b'=') if place % 4 == 3 => place + 1,
        base64::DecodeError::InvalidByte(place, _)
        | base64::DecodeError::InvalidLastSymbol(place, _) => place,
        // Go names the begin of the group of four that is not whole.
        _ => input.len() / 4 * 4,
    })?;
    let normal = BASE64.encode(decoded);
    Ok((normal != text).then(|| Text::from(normal)))
}

fn bytes(value: &mut Value) -> Result<(), Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::Type);
    };
    match base64_normal(text) {
        Ok(None) => Ok(()),
        Ok(Some(normal)) => {
            *text = normal;
            Ok(())
        }
        Err(place) => Err(Refusal::Later(format!(
            "illegal base64 data at input byte {place}"
        ))),
    }
}

fn quantity(value: &mut Value) -> Result<(), Refusal> {
    let text = match &*value {
        Value::String(text) if is_plain_quantity(text.as_bytes()) => return Ok(()),
        Value::String(text) => text.trim().to_owned(),
        number @ (Value::Int(_) | Value::Float(_)) => json_text(number),
        other => other.go_type_name().to_owned(),
    };
    let parsed = Quantity::parse(&text).map_err(|error| Refusal::Text(error.to_string()))?;
    *value = parsed.to_value();
    Ok(())
}

/// Returns whether the text is a quantity in canonical form for sure: at most three digits that
/// do not begin with 0, and one of the usual suffixes. What is not so plain takes the long way.
fn is_plain_quantity(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 3 || (text[0] == b'0' && text != b"0") {
        return false;
    }
    matches!(
        &text[digits..],
        b"" | b"m" | b"k" | b"M" | b"G" | b"Ki" | b"Mi" | b"Gi" | b"Ti"
    )
}

fn instant(value: &mut Value) -> Result<(), Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::Inner("string"));
    };
    if !is_plain_time(text.as_bytes()) {
        let parsed = time::parse(text).map_err(|error| Refusal::Text(error.to_string()))?;
        *value = time::to_value(parsed);
    }
    Ok(())
}

/// Returns whether the text is a time in canonical form for sure: whole seconds, UTC, in this
/// era, on a day that every month has.
fn is_plain_time(text: &[u8]) -> bool {
    let shape = b"2000-00-00T00:00:00Z";
    let fits = text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            wanted => byte == wanted,
        });
    if !fits {
        return false;
    }
    let two = |at: usize| (text[at] - b'0') * 10 + (text[at + 1] - b'0');
    matches!(two(5), 1..=12)
        && matches!(two(8), 1..=28)
        && two(11) < 24
        && two(14) < 60
        && two(17) < 60
}

fn instant_micro(value: &mut Value) -> Result<(), Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::Inner("string"));
    };
    let parsed = time::parse_micro(text).map_err(|error| Refusal::Text(error.to_string()))?;
    *value = if time::to_value(parsed).is_null() {
        Value::Null
    } else {
        time::to_value_micro(parsed)
    };
    Ok(())
}

fn duration(value: &mut Value) -> Result<(), Refusal> {
    let Value::String(text) = value else {
        return Err(Refusal::Inner("string"));
    };
    let nanos = time::parse_duration(text).map_err(|error| Refusal::Text(error.to_string()))?;
    *value = Value::string(time::format_duration(nanos));
    Ok(())
}
