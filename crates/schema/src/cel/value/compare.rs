//! Equality and order of values.

use std::{cmp::Ordering, rc::Rc};

use api::Value;

use super::{Declared, Fault, List, Map, Val};
use crate::{ListKind, cel::declared::DeclKind};

/// How many values one run may look at while it compares: what is shared, and parts of objects, cost
/// an expression next to nothing and are looked at again each time. A run may cost a million, and
/// ten values of a list cost one, so what an expression makes without sharing never comes near.
pub(in super::super) const VISITS_MAX: u64 = 20_000_000;

/// Returns whether two values are equal. Values of different types are not, except numbers.
pub(in super::super) fn equal(a: &Val<'_>, b: &Val<'_>) -> Result<bool, Fault> {
    equal_within(a, b, &mut 0)
}

/// As [`equal`]; adds how many values were looked at, which are not more than [`VISITS_MAX`].
pub(in super::super) fn equal_within(
    a: &Val<'_>,
    b: &Val<'_>,
    visits: &mut u64,
) -> Result<bool, Fault> {
    *visits += 1;
    if *visits > VISITS_MAX {
        return Err(Fault::Budget);
    }
    Ok(match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Int(a), Val::Int(b)) | (Val::Duration(a), Val::Duration(b)) => a == b,
        (
            Val::Int(_) | Val::Uint(_) | Val::Double(_),
            Val::Int(_) | Val::Uint(_) | Val::Double(_),
        ) => number_order(a, b) == Some(Ordering::Equal),
        (Val::String(a), Val::String(b)) | (Val::Type(a), Val::Type(b)) => a.as_str() == b.as_str(),
        (Val::Bytes(a), Val::Bytes(b)) => a.as_slice() == b.as_slice(),
        (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
        (Val::List(a), Val::List(b)) => equal_lists(a, b, visits)?,
        (Val::Map(a), Val::Map(b)) => equal_maps(a, b, visits)?,
        (Val::Optional(a), Val::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b) || equal_within(a, b, visits)?,
            (None, None) => true,
            _ => false,
        },
        (Val::Extension(a), Val::Extension(b)) if a.type_name() == b.type_name() => a.equals(b),
        (Val::Hidden(a), Val::Hidden(b)) => a == b,
        (Val::Null, _) | (_, Val::Null) => false,
        (Val::Extension(_) | Val::List(List::Node(_, Some(_))), _) => {
            return Err(Fault::no_overload());
        }
        (Val::Map(Map::Node(_, Some(_))), _) => return Err(Fault::no_overload()),
        _ => false,
    })
}

fn equal_lists(a: &List<'_>, b: &List<'_>, visits: &mut u64) -> Result<bool, Fault> {
    if a.len() != b.len() {
        return Ok(false);
    }
    if let List::Node(items, Some(declared)) = a
        && let DeclKind::List { kind, .. } = &declared.decls.get(declared.id).kind
    {
        match kind {
            ListKind::Atomic => {}
            ListKind::Set => return same_members(a, b, visits),
            ListKind::Map(keys) => {
                if let List::Node(others, Some(_)) = b {
                    return same_entries((items, *declared), others, keys, visits);
                }
            }
        }
    }
    for place in 0..a.len() {
        if !equal_within(&a.get(place)?, &b.get(place)?, visits)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_members(a: &List<'_>, b: &List<'_>, visits: &mut u64) -> Result<bool, Fault> {
    for item in b.items() {
        if !contains_within(a, &item?, visits)? {
            return Ok(false);
        }
    }
    for item in a.items() {
        if !contains_within(b, &item?, visits)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Compares lists whose items are told apart by keys; their order does not matter.
fn same_entries(
    (items, declared): (&[Value], Declared<'_>),
    others: &[Value],
    keys: &[api::Text],
    visits: &mut u64,
) -> Result<bool, Fault> {
    let DeclKind::List { item, .. } = &declared.decls.get(declared.id).kind else {
        return Ok(false);
    };
    let decls = declared.decls;
    for other in others {
        *visits += items.len() as u64;
        let same = |mine: &&Value| keys.iter().all(|key| mine.get(key) == other.get(key));
        let Some(mine) = items.iter().find(same) else {
            return Ok(false);
        };
        let of = |value| Val::declared(value, Declared { decls, id: *item });
        if !equal_within(&of(mine)?, &of(other)?, visits)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(a: &Map<'_>, b: &Map<'_>, visits: &mut u64) -> Result<bool, Fault> {
    if let (Map::Node(a, Some(_)), Map::Node(b, Some(_))) = (a, b)
        && std::ptr::eq(*a, *b)
    {
        return Ok(true);
    }
    if a.len() != b.len() {
        return Ok(false);
    }
    if let (Map::Node(object, Some(declared)), Map::Node(other, Some(_))) = (a, b)
        && let DeclKind::Object { .. } = &declared.decls.get(declared.id).kind
    {
        let decl = declared.decls.get(declared.id);
        for (name, value) in object.iter() {
            let Some(field) = decl.field_named(name) else {
                if other.get(name).is_some_and(|theirs| theirs != value) {
                    return Ok(false);
                }
                continue;
            };
            let decls = declared.decls;
            let of = |value: &'_ Value| -> Result<bool, Fault> { Ok(value.is_null()) };
            let mine_absent = of(value)?;
            let theirs = other.get(name).filter(|value| !value.is_null());
            match (mine_absent, theirs) {
                (true, None) => {}
                (false, Some(theirs)) => {
                    let place = Declared {
                        decls,
                        id: field.decl,
                    };
                    let mine = Val::declared(value, place)?;
                    if !equal_within(&mine, &Val::declared(theirs, place)?, visits)? {
                        return Ok(false);
                    }
                }
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    for key in a.keys() {
        match (a.find(&key)?, b.find(&key)?) {
            (Some(a), Some(b)) if equal_within(&a, &b, visits)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Returns whether a list holds a value.
pub(in super::super) fn contains(list: &List<'_>, value: &Val<'_>) -> Result<bool, Fault> {
    contains_within(list, value, &mut 0)
}

fn contains_within(list: &List<'_>, value: &Val<'_>, visits: &mut u64) -> Result<bool, Fault> {
    let mut fault = None;
    for item in list.items() {
        match item.and_then(|item| equal_within(&item, value, visits)) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(Fault::Budget) => return Err(Fault::Budget),
            Err(found) => fault = fault.or(Some(found)),
        }
    }
    fault.map_or(Ok(false), Err)
}

/// Returns whether two values are the same key of a map.
pub(super) fn same_key(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::String(a), Val::String(b)) => a.as_str() == b.as_str(),
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (
            Val::Int(_) | Val::Uint(_) | Val::Double(_),
            Val::Int(_) | Val::Uint(_) | Val::Double(_),
        ) => number_order(a, b) == Some(Ordering::Equal),
        _ => false,
    }
}

/// Orders two values of one kind.
pub(in super::super) fn order(a: &Val<'_>, b: &Val<'_>) -> Result<Ordering, Fault> {
    Ok(match (a, b) {
        (Val::Int(a), Val::Int(b)) | (Val::Duration(a), Val::Duration(b)) => a.cmp(b),
        (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
        (Val::String(a), Val::String(b)) => a.as_str().cmp(b.as_str()),
        (Val::Bytes(a), Val::Bytes(b)) => a.as_slice().cmp(b.as_slice()),
        (Val::Timestamp(a), Val::Timestamp(b)) => a.cmp(b),
        (
            Val::Int(_) | Val::Uint(_) | Val::Double(_),
            Val::Int(_) | Val::Uint(_) | Val::Double(_),
        ) => {
            let ordered = number_order(a, b);
            return ordered.ok_or_else(|| Fault::new("NaN values cannot be ordered"));
        }
        _ => return Err(Fault::no_overload()),
    })
}

/// Orders numbers of any type. Whole numbers are compared to floats as floats, as upstream does.
#[allow(clippy::cast_precision_loss, reason = "that is how floats compare")]
fn number_order(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    match (a, b) {
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
        (Val::Double(a), Val::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Val::Double(a), Val::Uint(b)) => a.partial_cmp(&(*b as f64)),
        (Val::Int(a), Val::Double(b)) => (*a as f64).partial_cmp(b),
        (Val::Uint(a), Val::Double(b)) => (*a as f64).partial_cmp(b),
        (a, b) => Some(integer(a)?.cmp(&integer(b)?)),
    }
}

fn integer(value: &Val<'_>) -> Option<i128> {
    match value {
        Val::Int(value) => Some(i128::from(*value)),
        Val::Uint(value) => Some(i128::from(*value)),
        _ => None,
    }
}
