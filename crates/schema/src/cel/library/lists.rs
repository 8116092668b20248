//! Lists, sets, maps and optional values.

use std::cmp::Ordering;

use super::{
    super::{
        run::MapMaker,
        value::{Fault, List, Map, Outcome, Val, contains, count, equal, order},
    },
    as_list, mismatch, numbers, strings,
};

/// How long a list may be that is made of nothing.
const RANGE_MAX: i64 = 1_000_000;

fn int<'a>(length: usize) -> Outcome<'a> {
    Ok(Val::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

pub(super) fn size<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::String(text)] => int(count(text.as_str())),
        [Val::Bytes(bytes)] => int(bytes.as_slice().len()),
        [Val::List(list)] => int(list.len()),
        [Val::Map(map)] => int(map.len()),
        _ => mismatch(),
    }
}

pub(super) fn is_in<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [value, Val::List(list)] => contains(list, value).map(Val::Bool),
        [key, Val::Map(map)] => map.find(key).map(|found| Val::Bool(found.is_some())),
        _ => mismatch(),
    }
}

pub(super) fn map_insert<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let (map, added) = match args {
        [Val::Map(map), key, value] => (map, vec![(key.clone(), value.clone())]),
        [Val::Map(map), Val::Map(added)] => (map, entries(added)?),
        _ => return mismatch(),
    };
    let mut maker = MapMaker::default();
    for (key, value) in entries(map)? {
        maker.set(key, value)?;
    }
    for (key, value) in added {
        if map.find(&key)?.is_some() {
            let key = super::super::value::show(&key);
            return Err(Fault::new(format!(
                "insert failed: key {key} already exists"
            )));
        }
        maker.set(key, value)?;
    }
    Ok(Val::map(maker.entries))
}

fn entries<'a>(map: &Map<'a>) -> Result<Vec<(Val<'a>, Val<'a>)>, Fault> {
    if let Map::Made(entries) = map {
        return Ok(entries.to_vec());
    }
    let keys = map.keys().into_iter();
    keys.map(|key| Ok((key.clone(), map.find(&key)?.unwrap_or(Val::Null))))
        .collect()
}

pub(super) fn non_zero<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [value] if value.is_zero() => Ok(Val::Optional(None)),
        [value] => Ok(Val::some(value.clone())),
        _ => mismatch(),
    }
}

pub(super) fn value<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Optional(Some(inner))] => Ok((**inner).clone()),
        [Val::Optional(None)] => Err(Fault::new("optional.none() dereference")),
        _ => mismatch(),
    }
}

pub(super) fn has_value<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Optional(inner)] => Ok(Val::Bool(inner.is_some())),
        _ => mismatch(),
    }
}

pub(super) fn first<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::List(list)] if list.len() == 0 => Ok(Val::Optional(None)),
        [Val::List(list)] => list.get(0).map(Val::some),
        _ => mismatch(),
    }
}

pub(super) fn last<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::List(list)] if list.len() == 0 => Ok(Val::Optional(None)),
        [Val::List(list)] => list.get(list.len() - 1).map(Val::some),
        _ => mismatch(),
    }
}

pub(super) fn unwrap<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::List(list)] = args else {
        return mismatch();
    };
    let mut found = Vec::new();
    for item in list.items() {
        match item? {
            Val::Optional(Some(inner)) => found.push((*inner).clone()),
            Val::Optional(None) => {}
            other => {
                let shown = super::super::value::show(&other);
                return Err(Fault::new(format!("value {shown} is not optional")));
            }
        }
    }
    Ok(Val::list(found))
}

pub(super) fn range<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::Int(length)] if *length < 0 => Err(Fault::new(format!(
            "lists.range: size must be non-negative, got {length}"
        ))),
        [Val::Int(length)] if *length > RANGE_MAX => Err(Fault::new(format!(
            "lists.range: size {length} exceeds maximum allowed ({RANGE_MAX})"
        ))),
        [Val::Int(length)] => Ok(Val::list((0..*length).map(Val::Int).collect())),
        _ => mismatch(),
    }
}

fn two_lists<'r, 'a>(args: &'r [Val<'a>]) -> Option<(&'r List<'a>, &'r List<'a>)> {
    match args {
        [Val::List(a), Val::List(b)] => Some((a, b)),
        _ => None,
    }
}

fn includes_all(list: &List<'_>, part: &List<'_>) -> Result<bool, Fault> {
    for item in part.items() {
        if !contains(list, &item?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn sets_contains<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match two_lists(args) {
        Some((a, b)) => includes_all(a, b).map(Val::Bool),
        None => mismatch(),
    }
}

pub(super) fn sets_equivalent<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match two_lists(args) {
        Some((a, b)) => Ok(Val::Bool(includes_all(a, b)? && includes_all(b, a)?)),
        None => mismatch(),
    }
}

pub(super) fn sets_intersects<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let Some((a, b)) = two_lists(args) else {
        return mismatch();
    };
    for item in a.items() {
        if contains(b, &item?).unwrap_or(false) {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}

pub(super) fn is_sorted<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::List(list)] = args else {
        return mismatch();
    };
    let mut before: Option<Val<'a>> = None;
    for item in list.items() {
        let item = item?;
        if let Some(before) = &before
            && order(before, &item)?.is_gt()
        {
            return Ok(Val::Bool(false));
        }
        before = Some(item);
    }
    Ok(Val::Bool(true))
}

/// Returns the zero that a sum of such items begins with.
fn zero_like<'a>(item: &Val<'a>) -> Val<'a> {
    match item {
        Val::Uint(_) => Val::Uint(0),
        Val::Double(_) => Val::Double(0.0),
        Val::Duration(_) => Val::Duration(0),
        _ => Val::Int(0),
    }
}

pub(super) fn sum<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::List(list)] = args else {
        return mismatch();
    };
    let mut total: Option<Val<'a>> = None;
    for item in list.items() {
        let item = item?;
        let before = total.unwrap_or_else(|| zero_like(&item));
        total = Some(numbers::add(&[before, item])?);
    }
    // The type of an empty list is not known any more; its sum equals every zero.
    Ok(total.unwrap_or(Val::Int(0)))
}

fn most<'a>(args: &[Val<'a>], name: &str, wins: Ordering) -> Outcome<'a> {
    let [Val::List(list)] = args else {
        return mismatch();
    };
    let mut best: Option<Val<'a>> = None;
    for item in list.items() {
        let item = item?;
        best = Some(match best {
            Some(best) if order(&best, &item)? != wins => best,
            _ => item,
        });
    }
    best.ok_or_else(|| Fault::new(format!("{name} called on empty list")))
}

pub(super) fn max<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    most(args, "max", Ordering::Less)
}

pub(super) fn min<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    most(args, "min", Ordering::Greater)
}

fn position<'a>(
    list: &List<'a>,
    places: impl Iterator<Item = usize>,
    item: &Val<'a>,
) -> Outcome<'a> {
    for place in places {
        let found = list.get(place).and_then(|known| equal(&known, item));
        if found.unwrap_or(false) {
            return int(place);
        }
    }
    Ok(Val::Int(-1))
}

pub(super) fn index_of<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::List(list), item] => position(list, 0..list.len(), item),
        _ => strings::index_of(args),
    }
}

pub(super) fn last_index_of<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::List(list), item] => position(list, (0..list.len()).rev(), item),
        _ => strings::last_index_of(args),
    }
}

pub(super) fn includes<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [Val::List(list), item] => Ok(Val::Bool(contains(list, item).unwrap_or(false))),
        [value, other] => Ok(Val::Bool(equal(value, other).unwrap_or(false))),
        _ => mismatch(),
    }
}

pub(super) fn slice<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::List(list), Val::Int(start), Val::Int(end)] = args else {
        return mismatch();
    };
    let wrong = |words: String| Err(Fault::new(format!("cannot slice({start}, {end}), {words}")));
    let (Ok(from), Ok(to)) = (usize::try_from(*start), usize::try_from(*end)) else {
        return wrong("negative indexes not supported".to_owned());
    };
    if from > to {
        return wrong("start index must be less than or equal to end index".to_owned());
    }
    if to > list.len() {
        return wrong(format!("list is length {}", list.len()));
    }
    let items: Result<Vec<_>, _> = (from..to).map(|place| list.get(place)).collect();
    Ok(Val::list(items?))
}

pub(super) fn flatten<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    fn into<'a>(list: &List<'a>, depth: i64, out: &mut Vec<Val<'a>>) -> Result<(), Fault> {
        for item in list.items() {
            match item? {
                Val::List(inner) if depth > 0 => into(&inner, depth - 1, out)?,
                other => out.push(other),
            }
        }
        Ok(())
    }
    let (list, depth) = match args {
        [Val::List(list)] => (list, 1),
        [Val::List(list), Val::Int(depth)] => (list, *depth),
        _ => return mismatch(),
    };
    if depth < 0 {
        return Err(Fault::new("level must be non-negative"));
    }
    let mut out = Vec::new();
    into(list, depth, &mut out)?;
    Ok(Val::list(out))
}

pub(super) fn sort<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    match args {
        [list @ Val::List(_)] => sort_by(&[list.clone(), list.clone()]),
        _ => mismatch(),
    }
}

pub(super) fn sort_by<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let Some((list, keys)) = two_lists(args) else {
        return mismatch();
    };
    if list.len() != keys.len() {
        return Err(Fault::new(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys \
             list, but got {} and {} elements respectively",
            list.len(),
            keys.len()
        )));
    }
    let mut pairs: Vec<(Val<'a>, Val<'a>)> =
        keys.to_vec()?.into_iter().zip(list.to_vec()?).collect();
    // What does not compare with itself (NaN, a list) has no place in an order.
    for (key, _) in &pairs {
        if key.type_name() != pairs[0].0.type_name() {
            return Err(Fault::new("list elements must have the same type"));
        }
        order(key, key).map_err(|_| Fault::new("list elements must be comparable"))?;
    }
    pairs.sort_by(|(a, _), (b, _)| order(a, b).unwrap_or(Ordering::Equal));
    Ok(Val::list(pairs.into_iter().map(|(_, item)| item).collect()))
}

pub(super) fn reverse<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [list] = args else { return mismatch() };
    let Some(list) = as_list(list) else {
        return mismatch();
    };
    let mut items = list.to_vec()?;
    items.reverse();
    Ok(Val::list(items))
}

pub(super) fn distinct<'a>(args: &[Val<'a>]) -> Outcome<'a> {
    let [Val::List(list)] = args else {
        return mismatch();
    };
    let mut found: Vec<Val<'a>> = Vec::new();
    for item in list.items() {
        let item = item?;
        let same = |known: &Val<'a>| equal(&item, known).unwrap_or(false);
        if !found.iter().any(same) {
            found.push(item);
        }
    }
    Ok(Val::list(found))
}
