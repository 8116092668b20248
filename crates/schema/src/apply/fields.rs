//! Which fields an applied object names.

use std::collections::{BTreeMap, BTreeSet};

use api::Value;

use super::{
    atom::{Chosen, List, Type, Unit},
    check::Refusal,
    element::Element,
    set::{Branch, Set},
};
use crate::{ListKind, Shape};

/// Returns every leaf and every item that an object names, and the maps that it names empty.
///
/// # Errors
/// [`Refusal`] where the shape says nothing; what does not fit is [`check`](super::check())'s matter.
pub fn fields(shape: &Shape, object: &Value) -> Result<Set, Refusal> {
    Ok(branch(Type::of(shape), true, object)?.below)
}

fn branch(kind: Type<'_>, root: bool, value: &Value) -> Result<Branch, Refusal> {
    let mut found = Branch::default();
    match kind.atom(root).choose(Some(value)) {
        Chosen::Nothing => return Err(Refusal::new("schema error: invalid atom: inlined")),
        Chosen::Scalar(_) => found.member = true,
        Chosen::List(list) => {
            if *list.kind == ListKind::Atomic {
                found.member = true;
            } else {
                found.below = items(list, value.as_array().unwrap_or_default())?;
            }
        }
        Chosen::Map(map) if map.unit == Unit::Whole => found.member = true,
        Chosen::Map(map) => {
            let mut guess = 0;
            for (name, part) in value.as_object().into_iter().flat_map(api::Object::iter) {
                let (kind, by_name) = map.field_near(name, &mut guess);
                let element = Element::Field(name.into());
                let mut inner =
                    branch(kind, false, part).map_err(|refusal| refusal.below(&element))?;
                let empty = part.as_object().is_some_and(api::Object::is_empty);
                inner.member |= part.is_null() || empty || !by_name;
                found.below.push(element, inner);
            }
            found.below.sort();
        }
    }
    Ok(found)
}

fn items(list: List<'_>, items: &[Value]) -> Result<Set, Refusal> {
    let mut counts: BTreeMap<Element, usize> = BTreeMap::new();
    let mut known = Vec::with_capacity(items.len());
    for item in items {
        if let Ok(element) = list.element(item) {
            *counts.entry(element.clone()).or_default() += 1;
            known.push((element, item));
        }
    }
    let mut done = BTreeSet::new();
    let mut set = Set::new();
    for (element, item) in known {
        let is_single = counts.get(&element) == Some(&1);
        if !is_single && !done.insert(element.clone()) {
            continue;
        }
        let mut inner = Branch::default();
        if is_single {
            inner = branch(list.item, false, item).map_err(|refusal| refusal.below(&element))?;
        }
        inner.member = true;
        set.push(element, inner);
    }
    set.sort();
    Ok(set)
}

/// Returns the set with every named field of a struct that has members below it as a member.
///
/// Such fields are no members otherwise, because nobody owns `spec`; when parts are taken away they
/// go with what is in them.
pub(super) fn with_named(shape: &Shape, set: &Set) -> Set {
    named(Some(Type::of(shape)), true, set)
}

fn named(kind: Option<Type<'_>>, root: bool, set: &Set) -> Set {
    let atom = kind.map(|kind| kind.atom(root));
    let nodes = set.nodes.iter().map(|node| {
        let mut member = node.member;
        let mut part = None;
        if let Some(atom) = &atom {
            match &node.element {
                Element::Field(name) => {
                    if let Some(map) = &atom.map {
                        let (kind, by_name) = map.field(name);
                        member |= by_name && !node.below.is_empty();
                        part = kind.is_declared().then_some(kind);
                    }
                }
                Element::Key(_) => part = atom.list.map(|list| list.item),
                Element::Value(_) | Element::Index(_) => {}
            }
        }
        super::set::Node {
            element: node.element.clone(),
            member,
            below: named(part, false, &node.below),
        }
    });
    Set {
        nodes: nodes.collect(),
    }
}
