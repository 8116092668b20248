//! An applied object put over the one there is, and parts taken out of one.

use std::collections::{BTreeMap, HashSet};

use api::{Object, Value};

use super::{
    atom::{Chosen, List, Map, Type, Unit},
    check::{Refusal, scalar},
    element::Element,
    set::Set,
};
use crate::{ListKind, Shape};

/// Puts `applied` over `live`: nothing is removed, and where both say something `applied` counts.
///
/// # Errors
/// [`Refusal`] where one of them does not fit the shape, or an item is applied twice.
pub fn merge(shape: &Shape, live: &Value, applied: &Value) -> Result<Value, Refusal> {
    let merged = value(Type::of(shape), true, Some(live), Some(applied))?;
    Ok(merged.unwrap_or_default())
}

fn value(
    kind: Type<'_>,
    root: bool,
    live: Option<&Value>,
    applied: Option<&Value>,
) -> Result<Option<Value>, Refusal> {
    let either = || applied.or(live).cloned();
    match kind.atom(root).choose(applied.or(live)) {
        Chosen::Nothing => Err(Refusal::new("schema error: invalid atom: inlined")),
        Chosen::Scalar(sort) => {
            match (scalar(sort, live, "lhs: "), scalar(sort, applied, "rhs: ")) {
                (Some(left), Some(right)) => Err(Refusal::both(left, right)),
                _ => Ok(either()),
            }
        }
        Chosen::Map(map) => {
            let left = live.and_then(Value::as_object);
            let right = applied.and_then(Value::as_object);
            let bare = |object: Option<&Object>| object.is_none_or(Object::is_empty);
            if map.unit == Unit::Whole || (bare(left) && bare(right)) {
                return Ok(either());
            }
            fields(map, left, right)
        }
        Chosen::List(list) => {
            let left = live.and_then(Value::as_array).unwrap_or_default();
            let right = applied.and_then(Value::as_array).unwrap_or_default();
            if *list.kind == ListKind::Atomic || (left.is_empty() && right.is_empty()) {
                return Ok(either());
            }
            items(list, left, right)
        }
    }
}

fn fields(
    map: Map<'_>,
    live: Option<&Object>,
    applied: Option<&Object>,
) -> Result<Option<Value>, Refusal> {
    let nothing = Object::default();
    let (live, applied) = (live.unwrap_or(&nothing), applied.unwrap_or(&nothing));
    let (known, given) = (live.index(), applied.index());
    let mut merged = Object::with_capacity(live.len());
    let of_live = live
        .iter()
        .map(|(name, value)| (name, Some(value), given.get(name)));
    let of_applied = applied.iter().filter(|(name, _)| known.get(name).is_none());
    let of_applied = of_applied.map(|(name, value)| (name, None, Some(value)));
    for (name, left, right) in of_live.chain(of_applied) {
        let (kind, _) = map.field(name);
        // What only the live object has stays as it lies.
        let part = match right {
            None if kind.is_declared() => left.cloned(),
            _ => value(kind, false, left, right)
                .map_err(|refusal| refusal.below(&Element::Field(name.into())))?,
        };
        if let Some(part) = part {
            merged.push(name.into(), part);
        }
    }
    Ok((!merged.is_empty()).then_some(Value::Object(merged)))
}

/// Items of a list by element; `None` stands for one that is there more than once.
type Observed<'a> = BTreeMap<Element, Option<&'a Value>>;

fn observe<'a>(
    list: List<'_>,
    items: &'a [Value],
    is_live: bool,
    refusal: &mut Refusal,
) -> (Vec<Element>, Observed<'a>) {
    let mut elements = Vec::with_capacity(items.len());
    let mut observed = Observed::new();
    for (place, item) in items.iter().enumerate() {
        match list.element(item) {
            Err(why) => refusal.add(format!("element {place}: {why}")),
            Ok(element) => {
                if !observed.contains_key(&element) {
                    observed.insert(element.clone(), Some(item));
                } else if is_live {
                    // Items that are there twice are not merged with the new one.
                    observed.insert(element.clone(), None);
                } else {
                    refusal.add(format!("duplicate entries for key {element}"));
                    continue;
                }
                elements.push(element);
            }
        }
    }
    (elements, observed)
}

/// Merges the items of two lists, in an order that keeps both as far as it can be: the applied
/// items stand as they were applied, live ones stay before and after those they had beside them.
fn items(list: List<'_>, live: &[Value], applied: &[Value]) -> Result<Option<Value>, Refusal> {
    let mut refusal = Refusal::default();
    let (right, given) = observe(list, applied, false, &mut refusal);
    let (left, known) = observe(list, live, true, &mut refusal);
    refusal.or(())?;
    // What both have, in the applied order: the next of them is not overtaken.
    let mut shared = right.iter().filter(|element| known.contains_key(element));
    let mut next = shared.next();
    let mut done: HashSet<usize> = HashSet::new();
    let place_of: BTreeMap<&Element, usize> = right.iter().zip(0..).collect();
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let null = Value::Null;
    let both = |element: &Element| {
        let live = known.get(element).map(|live| live.unwrap_or(&null));
        let applied = given.get(element).map(|applied| applied.unwrap_or(&null));
        value(list.item, false, live, applied).map_err(|refusal| refusal.below(element))
    };
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if let (Some(here), Some(wanted)) = (left.get(l), right.get(r)) {
            if here == wanted {
                done.insert(r);
                merged.extend(both(here)?);
                l += 1;
                r += 1;
                next = shared.next();
                continue;
            }
            if given.contains_key(here) && next.is_some_and(|next| next != here) {
                // Shared, but not the one whose turn it is.
                l += 1;
                continue;
            }
        }
        if let Some(here) = left.get(l) {
            match place_of.get(here) {
                None => {
                    let kept = value(list.item, false, Some(&live[l]), None);
                    merged.extend(kept.map_err(|refusal| refusal.below(here))?);
                    l += 1;
                    continue;
                }
                Some(place) if done.contains(place) => l += 1,
                Some(_) => {}
            }
        }
        if let Some(wanted) = right.get(r) {
            done.insert(r);
            merged.extend(both(wanted)?);
            r += 1;
            if next == Some(wanted) {
                next = shared.next();
            }
        }
    }
    Ok((!merged.is_empty()).then_some(Value::Array(merged)))
}

/// Takes the members of a set out of an object. A map or list of which nothing stays is `null`.
#[must_use]
pub fn remove(shape: &Shape, object: &Value, set: &Set) -> Value {
    without(Type::of(shape), true, object, set)
}

fn without(kind: Type<'_>, root: bool, value: &Value, set: &Set) -> Value {
    match kind.atom(root).choose(Some(value)) {
        Chosen::Scalar(_) => value.clone(),
        Chosen::List(list) if *list.kind != ListKind::Atomic => {
            let items = value.as_array().unwrap_or_default().iter();
            let kept: Vec<Value> = items.filter_map(|item| kept(list, item, set)).collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        Chosen::Map(map) if map.unit == Unit::Parts => {
            let mut kept = Object::default();
            for (name, part) in value.as_object().into_iter().flat_map(Object::iter) {
                let part = match set.get(&Element::Field(name.into())) {
                    Some(node) if node.member => continue,
                    Some(node) => without(map.field(name).0, false, part, &node.below),
                    None => part.clone(),
                };
                kept.push(name.into(), part);
            }
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        // Parts of what is one value cannot be taken out of it; it goes as a whole.
        Chosen::Nothing | Chosen::List(_) | Chosen::Map(_) => Value::Null,
    }
}

fn kept(list: List<'_>, item: &Value, set: &Set) -> Option<Value> {
    let element = list.element(item).ok();
    match element.and_then(|element| set.get(&element)) {
        None => Some(item.clone()),
        Some(node) if node.member => None,
        Some(node) => Some(without(list.item, false, item, &node.below)),
    }
}
