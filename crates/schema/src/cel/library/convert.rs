//! Conversions between types.

use super::{
    super::{
        time::{Time, show_duration},
        value::{Fault, Octets, Outcome, Str, Val, show_double},
    },
    mismatch,
};
use crate::cel::extension::Extension;

fn wrong<'a>(from: &Val<'_>, to: &str) -> Outcome<'a> {
    let from = from.type_name();
    Err(Fault::new(format!(
        "type conversion error from '{from}' to '{to}'"
    )))
}

pub(super) fn type_of<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [value] => Ok(Val::Type(Str::Shared(value.type_name().into()))),
        _ => mismatch(),
    }
}

pub(super) fn bool<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Bool(value)] => Ok(Val::Bool(*value)),
        [Val::String(text)] => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
            _ => wrong(&args[0], "bool"),
        },
        _ => mismatch(),
    }
}

pub(super) fn bytes<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Bytes(_)] => Ok(args[0].clone()),
        [Val::String(Str::Borrowed(text))] => Ok(Val::Bytes(Octets::Borrowed(text.as_bytes()))),
        [Val::String(text)] => Ok(Val::Bytes(Octets::Shared(text.as_str().as_bytes().into()))),
        _ => mismatch(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "that is what is asked for")]
pub(super) fn double<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Double(value)] => Ok(Val::Double(*value)),
        [Val::Int(value)] => Ok(Val::Double(*value as f64)),
        [Val::Uint(value)] => Ok(Val::Double(*value as f64)),
        [Val::String(text)] => {
            let text = text.as_str();
            let plain = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
            let known = matches!(plain.as_str(), "inf" | "infinity" | "nan")
                || plain.starts_with(|first: char| first.is_ascii_digit() || first == '.');
            match text.parse::<f64>() {
                Ok(value) if known => Ok(Val::Double(value)),
                _ => wrong(&args[0], "double"),
            }
        }
        _ => mismatch(),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the value was found to fit"
)]
pub(super) fn int<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let overflow = || Fault::new("integer overflow");
    match args {
        [Val::Int(value)] => Ok(Val::Int(*value)),
        [Val::Uint(value)] => i64::try_from(*value).map(Val::Int).map_err(|_| overflow()),
        [Val::Double(value)] => {
            // Bounds themselves are refused: as floats they stand for numbers beyond.
            let fits = *value > i64::MIN as f64 && *value < i64::MAX as f64;
            if fits {
                Ok(Val::Int(*value as i64))
            } else {
                Err(overflow())
            }
        }
        [Val::Duration(nanos)] => Ok(Val::Int(*nanos)),
        [Val::Timestamp(time)] => Ok(Val::Int(time.secs())),
        [Val::String(text)] => match parse_int(text.as_str()) {
            Some(value) => Ok(Val::Int(value)),
            None => wrong(&args[0], "int"),
        },
        _ => mismatch(),
    }
}

fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value was found to fit"
)]
pub(super) fn uint<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let overflow = || Fault::new("unsigned integer overflow");
    match args {
        [Val::Uint(value)] => Ok(Val::Uint(*value)),
        [Val::Int(value)] => u64::try_from(*value).map(Val::Uint).map_err(|_| overflow()),
        [Val::Double(value)] => {
            let fits = *value >= 0.0 && *value < u64::MAX as f64;
            if fits {
                Ok(Val::Uint(*value as u64))
            } else {
                Err(overflow())
            }
        }
        [Val::String(text)] => match text.as_str().parse() {
            Ok(value) if !text.as_str().starts_with('+') => Ok(Val::Uint(value)),
            _ => wrong(&args[0], "uint"),
        },
        _ => mismatch(),
    }
}

pub(super) fn string<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [value] = args else {
        return mismatch();
    };
    Ok(Val::text(match value {
        Val::String(_) => return Ok(value.clone()),
        Val::Bool(value) => value.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Uint(value) => value.to_string(),
        Val::Double(value) => show_double(*value),
        Val::Bytes(bytes) => match std::str::from_utf8(bytes.as_slice()) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                return Err(Fault::new(
                    "invalid UTF-8 in bytes, cannot convert to string",
                ));
            }
        },
        Val::Duration(nanos) => show_duration(*nanos),
        Val::Timestamp(time) => time.to_string(),
        Val::Extension(extension) => match &**extension {
            Extension::Ip(_) | Extension::Cidr(_) => extension.show(),
            _ => return mismatch(),
        },
        _ => return mismatch(),
    }))
}

pub(super) fn duration<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Duration(nanos)] => Ok(Val::Duration(*nanos)),
        [Val::String(text)] => match api::time::parse_duration(text.as_str()) {
            Ok(nanos) => Ok(Val::Duration(nanos)),
            Err(_) => wrong(&args[0], "google.protobuf.Duration"),
        },
        _ => mismatch(),
    }
}

pub(super) fn timestamp<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Timestamp(time)] => Ok(Val::Timestamp(*time)),
        [Val::Int(secs)] => match Time::from_secs(*secs) {
            Some(time) => Ok(Val::Timestamp(time)),
            None => Err(Fault::new("timestamp overflow")),
        },
        [Val::String(text)] => match Time::parse(text.as_str()) {
            Some(time) => Ok(Val::Timestamp(time)),
            None => wrong(&args[0], "google.protobuf.Timestamp"),
        },
        _ => mismatch(),
    }
}
