//! What differs between two objects, in one walk over both.

use std::collections::{BTreeMap, btree_map::Entry};

use api::{Object, Value};

use super::{
    Refusal,
    atom::{Chosen, List, Map, Type, Unit},
    element::{Element, same},
    set::{Branch, Set},
};
use crate::{ListKind, Shape};

/// What differs between two objects. No path is in two of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What the old object has and the new one has not.
    pub removed: Set,
    /// What both have with different values.
    pub modified: Set,
    /// What only the new object has.
    pub added: Set,
}

impl Difference {
    /// Returns whether the objects say the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// Returns the difference without these fields and what lies below them.
    #[must_use]
    pub fn without(mut self, fields: &Set) -> Self {
        self.removed.take_out(fields);
        self.modified.take_out(fields);
        self.added.take_out(fields);
        self
    }
}

/// Compares two objects of one shape.
///
/// # Errors
/// [`Refusal`] where a value does not fit the shape so badly that nothing can be said of it.
pub fn compare(shape: &Shape, old: &Value, new: &Value) -> Result<Difference, Refusal> {
    let mut found = Found::default();
    value(Type::of(shape), true, Some(old), Some(new), &mut found)?;
    Ok(Difference {
        removed: found.removed.below,
        modified: found.modified.below,
        added: found.added.below,
    })
}

/// What was found at one place and below it.
#[derive(Default)]
struct Found {
    removed: Branch,
    modified: Branch,
    added: Branch,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// Hangs what was found of a part under its element.
    fn hang(&mut self, element: Element, part: Self) {
        let branches = [
            (&mut self.removed, part.removed),
            (&mut self.modified, part.modified),
            (&mut self.added, part.added),
        ];
        let mut last = Some(element);
        let mut left = branches
            .iter()
            .filter(|(_, branch)| !branch.is_empty())
            .count();
        for (parent, branch) in branches {
            if branch.is_empty() {
                continue;
            }
            left -= 1;
            // The last one takes the element, which is mostly the only one.
            let element = if left == 0 { last.take() } else { last.clone() };
            if let Some(element) = element {
                parent.below.push(element, branch);
            }
        }
    }

    fn sort(&mut self) {
        self.removed.below.sort();
        self.modified.below.sort();
        self.added.below.sort();
    }

    fn join(&mut self, other: Self) {
        self.removed.join(other.removed);
        self.modified.join(other.modified);
        self.added.join(other.added);
    }
}

/// Compares one value; `root` says that it is the object itself.
fn value(
    kind: Type<'_>,
    root: bool,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Found,
) -> Result<(), Refusal> {
    // What only one side has needs no comparing.
    match (old, new) {
        (None, Some(new)) => return whole(kind, root, new, &mut found.added),
        (Some(old), None) => return whole(kind, root, old, &mut found.removed),
        _ => {}
    }
    let atom = kind.atom(root);
    match (old, new) {
        (Some(old_value), Some(new_value)) if !atom.agree(old_value, new_value) => {
            let mut first = Found::default();
            chosen(atom.choose(old), old, new, &mut first)?;
            chosen(atom.choose(new), old, new, found)?;
            found.join(first);
        }
        (_, Some(_)) => chosen(atom.choose(new), old, new, found)?,
        _ => chosen(atom.choose(old), old, new, found)?,
    }
    Ok(())
}

/// Takes in a value that the other side does not have: it and all its parts differ.
fn whole(kind: Type<'_>, root: bool, value: &Value, branch: &mut Branch) -> Result<(), Refusal> {
    branch.member = true;
    match kind.atom(root).choose(Some(value)) {
        Chosen::Nothing => Err(Refusal::new("schema error: invalid atom: inlined")),
        Chosen::Scalar(_) => Ok(()),
        Chosen::Map(map) if map.unit == Unit::Whole => Ok(()),
        Chosen::List(list) if *list.kind == ListKind::Atomic => Ok(()),
        Chosen::Map(map) => {
            let Some(object) = value.as_object() else {
                return Ok(());
            };
            let mut guess = 0;
            branch.below.reserve(object.len());
            for (name, value) in object.iter() {
                let (kind, _) = map.field_near(name, &mut guess);
                let mut part = Branch::default();
                whole(kind, false, value, &mut part)
                    .map_err(|refusal| refusal.below(&Element::Field(name.into())))?;
                branch.below.push(Element::Field(name.into()), part);
            }
            branch.below.sort();
            Ok(())
        }
        Chosen::List(list) => whole_items(list, value.as_array().unwrap_or_default(), branch),
    }
}

/// As [`whole`], of the items of a list; of items that are there more than once nothing is said but
/// that.
fn whole_items(list: List<'_>, items: &[Value], branch: &mut Branch) -> Result<(), Refusal> {
    let mut refusal = Refusal::default();
    let mut known = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match list.element(item) {
            Ok(element) => known.push((element, item)),
            Err(why) => refusal.add(format!("element {place}: {why}")),
        }
    }
    refusal.or(())?;
    if !known.is_sorted_by(|(a, _), (b, _)| a < b) {
        known.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    branch.below.reserve(known.len());
    let mut known = known.into_iter().peekable();
    while let Some((element, item)) = known.next() {
        let mut part = Branch {
            member: true,
            ..Branch::default()
        };
        if known.next_if(|(next, _)| *next == element).is_some() {
            while known.next_if(|(next, _)| *next == element).is_some() {}
        } else {
            whole(list.item, false, item, &mut part).map_err(|why| why.below(&element))?;
        }
        branch.below.push(element, part);
    }
    Ok(())
}

fn chosen(
    form: Chosen<'_>,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Found,
) -> Result<(), Refusal> {
    match form {
        Chosen::Nothing => Err(Refusal::new("schema error: invalid atom: inlined")),
        Chosen::Scalar(sort) => {
            if let (Some(left), Some(right)) = (
                super::check::scalar(sort, old, "lhs: "),
                super::check::scalar(sort, new, "rhs: "),
            ) {
                return Err(Refusal::both(left, right));
            }
            leaf(old, new, found);
            Ok(())
        }
        Chosen::Map(map) => {
            let (left, right) = (object(old), object(new));
            if map.unit == Unit::Whole || (is_bare(left) && is_bare(right)) {
                leaf(old, new, found);
                return Ok(());
            }
            fields(map, left, right, found)
        }
        Chosen::List(list) => {
            let (left, right) = (array(old), array(new));
            if *list.kind == ListKind::Atomic || (left.is_empty() && right.is_empty()) {
                leaf(old, new, found);
                return Ok(());
            }
            items(list, left, right, found)
        }
    }
}

fn object(value: Option<&Value>) -> Option<&Object> {
    value.and_then(Value::as_object)
}

fn is_bare(object: Option<&Object>) -> bool {
    object.is_none_or(Object::is_empty)
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).unwrap_or_default()
}

fn leaf(old: Option<&Value>, new: Option<&Value>, found: &mut Found) {
    match (old, new) {
        (None, _) => found.added.member = true,
        (_, None) => found.removed.member = true,
        (Some(old), Some(new)) => found.modified.member |= !same(old, new),
    }
}

fn fields(
    map: Map<'_>,
    old: Option<&Object>,
    new: Option<&Object>,
    found: &mut Found,
) -> Result<(), Refusal> {
    let empty = Object::default();
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let (old_index, new_index) = (old.index(), new.index());
    let mut guess = 0;
    for (place, (name, value)) in new.iter().enumerate() {
        // Two states of one object mostly have their fields in one order.
        let before = match old.fields().get(place) {
            Some((known, before)) if known == name => Some(before),
            _ => old_index.get(name),
        };
        let (kind, _) = map.field_near(name, &mut guess);
        part(
            kind,
            || Element::Field(name.into()),
            before,
            Some(value),
            found,
        )?;
    }
    for (place, (name, value)) in old.iter().enumerate() {
        let stays = match new.fields().get(place) {
            Some((known, _)) if known == name => true,
            _ => new_index.get(name).is_some(),
        };
        if !stays {
            let (kind, _) = map.field(name);
            part(
                kind,
                || Element::Field(name.into()),
                Some(value),
                None,
                found,
            )?;
        }
    }
    found.sort();
    Ok(())
}

/// Compares one part of a value and hangs what is found under its element.
fn part(
    kind: Type<'_>,
    element: impl Fn() -> Element,
    old: Option<&Value>,
    new: Option<&Value>,
    found: &mut Found,
) -> Result<(), Refusal> {
    let mut inner = Found::default();
    value(kind, false, old, new, &mut inner).map_err(|refusal| refusal.below(&element()))?;
    if !inner.is_empty() {
        found.hang(element(), inner);
    }
    Ok(())
}

fn items(list: List<'_>, old: &[Value], new: &[Value], found: &mut Found) -> Result<(), Refusal> {
    // Items of both sides by element; more than one item of one element on a side are duplicates.
    type Sides<'a> = (Vec<&'a Value>, Vec<&'a Value>);
    let mut sides: BTreeMap<Element, Sides<'_>> = BTreeMap::new();
    let mut refusal = Refusal::default();
    for (is_new, values) in [(false, old), (true, new)] {
        for (place, value) in values.iter().enumerate() {
            let element = match list.element(value) {
                Ok(element) => element,
                Err(why) => {
                    refusal.add(format!("element {place}: {why}"));
                    continue;
                }
            };
            let pair = match sides.entry(element) {
                Entry::Occupied(pair) => pair.into_mut(),
                Entry::Vacant(place) => place.insert((Vec::new(), Vec::new())),
            };
            if is_new {
                pair.1.push(value)
            } else {
                pair.0.push(value)
            }
        }
    }
    refusal.or(())?;
    for (element, (left, right)) in sides {
        let mut inner = Found::default();
        let compared = |old: Option<&Value>, new: Option<&Value>, inner: &mut Found| {
            value(list.item, false, old, new, inner).map_err(|refusal| refusal.below(&element))
        };
        match (left.as_slice(), right.as_slice()) {
            ([] | [_], [] | [_]) => {
                compared(left.first().copied(), right.first().copied(), &mut inner)?;
            }
            ([_, _, ..], [_, _, ..]) => {
                let equal =
                    left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| same(a, b));
                inner.modified.member = !equal;
            }
            ([_, _, ..], _) => {
                if let Some(only) = right.first() {
                    compared(None, Some(only), &mut inner)?;
                }
                inner.removed.member = true;
            }
            (_, [_, _, ..]) => {
                if let Some(only) = left.first() {
                    compared(Some(only), None, &mut inner)?;
                }
                inner.added.member = true;
            }
        }
        if !inner.is_empty() {
            found.hang(element, inner);
        }
    }
    found.sort();
    Ok(())
}
