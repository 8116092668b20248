//! Quantities.

use api::{Quantity, quantity::Format};

use super::{
    super::{
        extension::Extension,
        value::{Fault, Outcome, Val},
    },
    Function, extension, mismatch,
};

pub(super) fn read<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => match Quantity::parse(text.as_str()) {
            Ok(quantity) => extension(Extension::Quantity(quantity)),
            Err(error) => Err(Fault::new(error.to_string())),
        },
        _ => mismatch(),
    }
}

pub(super) fn is_quantity<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(Quantity::parse(text.as_str()).is_ok())),
        _ => mismatch(),
    }
}

fn of<'r>(value: Option<&'r Val<'_>>) -> Option<&'r Quantity> {
    match value? {
        Val::Extension(value) => match &**value {
            Extension::Quantity(quantity) => Some(quantity),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn sign<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match of(args.first()) {
        Some(quantity) => Ok(Val::Int(quantity.sign().into())),
        None => mismatch(),
    }
}

fn with<'a>(args: &[Val<'a>], change: fn(&mut Quantity, &Quantity)) -> Outcome<'a> {
    let Some(quantity) = of(args.first()) else {
        return mismatch();
    };
    let mut changed = quantity.clone();
    match (args.get(1), of(args.get(1))) {
        (_, Some(other)) => change(&mut changed, other),
        (Some(Val::Int(other)), _) => {
            change(
                &mut changed,
                &Quantity::new(*other, Format::DecimalExponent),
            );
        }
        _ => return mismatch(),
    }
    extension(Extension::Quantity(changed))
}

#[allow(clippy::cast_precision_loss, reason = "an approximation is asked for")]
fn approximate(quantity: &Quantity) -> f64 {
    if let Some(whole) = quantity.as_int() {
        return whole as f64;
    }
    // A billionth is the smallest part that a quantity keeps.
    let mut billionths = quantity.clone();
    billionths.mul(1_000_000_000);
    match billionths.as_int() {
        Some(count) => count as f64 / 1e9,
        None => quantity.milli_value() as f64 / 1e3,
    }
}

/// Functions on quantities.
pub(super) fn part(name: &str) -> Option<Function> {
    Some(match name {
        "asApproximateFloat" => |args| match of(args.first()) {
            Some(quantity) => Ok(Val::Double(approximate(quantity))),
            None => mismatch(),
        },
        "asInteger" => |args| match of(args.first()).map(Quantity::as_int) {
            Some(Some(whole)) => Ok(Val::Int(whole)),
            Some(None) => Err(Fault::new("cannot convert value to integer")),
            None => mismatch(),
        },
        "isInteger" => |args| match of(args.first()) {
            Some(quantity) => Ok(Val::Bool(quantity.as_int().is_some())),
            None => mismatch(),
        },
        "add" => |args| with(args, Quantity::add),
        "sub" => |args| with(args, Quantity::sub),
        _ => return None,
    })
}
