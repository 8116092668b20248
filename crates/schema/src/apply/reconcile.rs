//! A set of fields brought up to date with a shape that has changed since it was written.

use super::{
    Refusal,
    atom::{Chosen, Type, Unit},
    element::Element,
    set::{Node, Set},
};
use crate::{ListKind, Shape};

/// Returns the set as it would have been written with this shape, if that is another one: what has
/// become one value since is owned as one.
///
/// # Errors
/// [`Refusal`] if the set names a part of something that cannot have parts.
pub fn reconcile(shape: &Shape, set: &Set) -> Result<Option<Set>, Refusal> {
    let mut now_whole = Set::new();
    walk(
        Type::of(shape),
        true,
        Some(set),
        Unit::Parts,
        &mut Vec::new(),
        &mut now_whole,
    )?;
    if now_whole.is_empty() {
        return Ok(None);
    }
    Ok(Some(set.recursive_difference(&now_whole).union(&now_whole)))
}

/// `owned` says how the place is owned: as a whole if it is a member with nothing below it.
fn walk(
    kind: Type<'_>,
    root: bool,
    set: Option<&Set>,
    owned: Unit,
    path: &mut Vec<Element>,
    now_whole: &mut Set,
) -> Result<(), Refusal> {
    let below = set.map(|set| set.nodes.as_slice()).unwrap_or_default();
    match kind.atom(root).choose(None) {
        Chosen::Nothing => Err(Refusal::new("schema error: invalid atom: inlined")),
        Chosen::Scalar(_) => Ok(()),
        Chosen::List(list) => {
            if owned == Unit::Parts && *list.kind == ListKind::Atomic {
                now_whole.insert(path);
                return Ok(());
            }
            below
                .iter()
                .try_for_each(|node| step(list.item, node, path, now_whole))
        }
        Chosen::Map(map) if map.is_free() => Ok(()),
        Chosen::Map(map) => {
            if owned == Unit::Parts && map.unit == Unit::Whole {
                if !below.is_empty() {
                    now_whole.insert(path);
                }
                return Ok(());
            }
            below.iter().try_for_each(|node| {
                let kind = match &node.element {
                    Element::Field(name) => map.field(name).0,
                    _ => map.field("").0,
                };
                if kind.is_declared() {
                    step(kind, node, path, now_whole)
                } else {
                    Ok(())
                }
            })
        }
    }
}

fn step(
    kind: Type<'_>,
    node: &Node,
    path: &mut Vec<Element>,
    now_whole: &mut Set,
) -> Result<(), Refusal> {
    let owned = if node.member && node.below.is_empty() {
        Unit::Whole
    } else {
        Unit::Parts
    };
    let set = (!node.below.is_empty()).then_some(&node.below);
    path.push(node.element.clone());
    let done = walk(kind, false, set, owned, path, now_whole);
    path.pop();
    done
}
