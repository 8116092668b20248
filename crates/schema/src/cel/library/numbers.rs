//! Arithmetic, and what `+` and `-` do to everything else.

use super::{
    super::value::{Fault, List, Octets, Outcome, Val},
    mismatch,
};
use crate::{
    ListKind,
    cel::{declared::DeclKind, value::contains},
};

fn whole<'a>(value: Option<i64>) -> Outcome<'a> {
    value
        .map(Val::Int)
        .ok_or_else(|| Fault::new("integer overflow"))
}

fn natural<'a>(value: Option<u64>) -> Outcome<'a> {
    value
        .map(Val::Uint)
        .ok_or_else(|| Fault::new("unsigned integer overflow"))
}

fn span<'a>(value: Option<i64>) -> Outcome<'a> {
    value
        .map(Val::Duration)
        .ok_or_else(|| Fault::new("duration overflow"))
}

pub(super) fn not<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Bool(value)] => Ok(Val::Bool(!value)),
        _ => mismatch(),
    }
}

pub(super) fn negate<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Int(value)] => whole(value.checked_neg()),
        [Val::Double(value)] => Ok(Val::Double(-value)),
        _ => mismatch(),
    }
}

pub(super) fn add<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [left, right] = args else {
        return mismatch();
    };
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => whole(a.checked_add(*b)),
        (Val::Uint(a), Val::Uint(b)) => natural(a.checked_add(*b)),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a + b)),
        (Val::String(a), Val::String(b)) => Ok(Val::text([a.as_str(), b.as_str()].concat())),
        (Val::Bytes(a), Val::Bytes(b)) => {
            let joined = [a.as_slice(), b.as_slice()].concat();
            Ok(Val::Bytes(Octets::Shared(joined.into())))
        }
        (Val::List(a), Val::List(b)) => add_lists(a, b),
        (Val::Duration(a), Val::Duration(b)) => span(a.checked_add(*b)),
        (Val::Timestamp(time), Val::Duration(nanos))
        | (Val::Duration(nanos), Val::Timestamp(time)) => {
            time.plus(i128::from(*nanos)).map(Val::Timestamp)
        }
        _ => Err(Fault::no_overload()),
    }
}

/// Puts lists together; sets and lists with keys become one of the kind.
fn add_lists<'a>(a: &List<'a>, b: &List<'a>) -> Outcome<'a> {
    let kind = match a {
        List::Node(_, Some(declared)) => match &declared.decls.get(declared.id).kind {
            DeclKind::List { kind, .. } => Some(kind),
            _ => None,
        },
        _ => None,
    };
    match kind {
        Some(ListKind::Set) => {
            let mut items = a.to_vec()?;
            for item in b.items() {
                let item = item?;
                if !contains(a, &item)? {
                    items.push(item);
                }
            }
            Ok(Val::list(items))
        }
        Some(ListKind::Map(keys)) => {
            let mut items = a.to_vec()?;
            let key_of = |item: &Val<'a>| -> Vec<Option<String>> {
                let part = |key: &api::Text| match item {
                    Val::Map(map) => {
                        let found = map.find(&Val::text(key)).ok().flatten();
                        found.map(|found| super::super::value::show(&found))
                    }
                    _ => None,
                };
                keys.iter().map(part).collect()
            };
            for item in b.items() {
                let item = item?;
                let key = key_of(&item);
                match items.iter_mut().find(|known| key_of(known) == key) {
                    Some(known) => *known = item,
                    None => items.push(item),
                }
            }
            Ok(Val::list(items))
        }
        _ => {
            let mut items = a.to_vec()?;
            for item in b.items() {
                items.push(item?);
            }
            Ok(Val::list(items))
        }
    }
}

pub(super) fn subtract<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Int(a), Val::Int(b)] => whole(a.checked_sub(*b)),
        [Val::Uint(a), Val::Uint(b)] => natural(a.checked_sub(*b)),
        [Val::Double(a), Val::Double(b)] => Ok(Val::Double(a - b)),
        [Val::Duration(a), Val::Duration(b)] => span(a.checked_sub(*b)),
        [Val::Timestamp(a), Val::Timestamp(b)] => a.minus(*b).map(Val::Duration),
        [Val::Timestamp(a), Val::Duration(b)] => a.plus(-i128::from(*b)).map(Val::Timestamp),
        [_, _] => Err(Fault::no_overload()),
        _ => mismatch(),
    }
}

pub(super) fn multiply<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Int(a), Val::Int(b)] => whole(a.checked_mul(*b)),
        [Val::Uint(a), Val::Uint(b)] => natural(a.checked_mul(*b)),
        [Val::Double(a), Val::Double(b)] => Ok(Val::Double(a * b)),
        [_, _] => Err(Fault::no_overload()),
        _ => mismatch(),
    }
}

pub(super) fn divide<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Int(_), Val::Int(0)] | [Val::Uint(_), Val::Uint(0)] => {
            Err(Fault::new("division by zero"))
        }
        [Val::Int(a), Val::Int(b)] => whole(a.checked_div(*b)),
        [Val::Uint(a), Val::Uint(b)] => Ok(Val::Uint(a / b)),
        [Val::Double(a), Val::Double(b)] => Ok(Val::Double(a / b)),
        [_, _] => Err(Fault::no_overload()),
        _ => mismatch(),
    }
}

pub(super) fn modulo<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Int(_), Val::Int(0)] | [Val::Uint(_), Val::Uint(0)] => {
            Err(Fault::new("modulus by zero"))
        }
        [Val::Int(a), Val::Int(b)] => whole(a.checked_rem(*b)),
        [Val::Uint(a), Val::Uint(b)] => Ok(Val::Uint(a % b)),
        [_, _] => Err(Fault::no_overload()),
        _ => mismatch(),
    }
}
