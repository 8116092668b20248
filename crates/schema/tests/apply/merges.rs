//! Merge patches lose nothing that nobody removed.

use api::Value;
use base::Rng;
use schema::{
    Form, Patch, Shape, ShapeId,
    patch::{merge, strategic},
};

use crate::objects;

/// How many pairs of object and patch are made up for each kind.
const ROUNDS: u64 = 60;

/// Turns one field in eight of a patch into null, which removes; those in lists stay.
fn poke_holes(value: &mut Value, keys: &[&str], rng: &mut Rng) {
    if let Value::Object(fields) = value {
        for (name, part) in fields.iter_mut() {
            if rng.below(8) == 0 && !keys.contains(&name) {
                *part = Value::Null;
            }
            poke_holes(part, keys, rng);
        }
    }
}

/// Names that stand for an item or an object; no patch removes them.
const KEYS: [&str; 3] = ["apiVersion", "kind", "metadata"];

fn pairs(check: impl Fn(&Shape, &Value, &Value, &str)) {
    for (place, shape) in objects::shapes().iter().enumerate() {
        for seed in 0..ROUNDS {
            let mut rng = Rng::from_seed(seed);
            let document = objects::config(shape, &mut rng);
            let mut patch = objects::config(shape, &mut rng);
            poke_holes(&mut patch, &KEYS, &mut rng);
            let which = format!("kind {place}, seed {seed}");
            check(shape, &document, &patch, &which);
        }
    }
}

#[test]
fn a_merge_patch_loses_nothing_that_it_does_not_name() {
    pairs(|_, document, patch, which| {
        let mut after = document.clone();
        merge::apply(&mut after, patch.clone()).expect("it is an object");
        merged(document, &after, patch, which);
        let once = after.clone();
        merge::apply(&mut after, patch.clone()).expect("it is an object");
        assert_eq!(after, once, "{which}: twice is once");
    });
}

/// Checks what a merge patch made of a value.
fn merged(before: &Value, after: &Value, patch: &Value, which: &str) {
    let Value::Object(fields) = patch else {
        assert_eq!(after, patch, "{which}: what is no object replaces");
        return;
    };
    for (name, part) in before
        .as_object()
        .into_iter()
        .flat_map(|known| known.iter())
    {
        if fields.get(name).is_none() {
            assert_eq!(after.get(name), Some(part), "{which}: {name} was lost");
        }
    }
    for (name, part) in fields.iter() {
        match (part, after.get(name)) {
            (Value::Null, found) => assert_eq!(found, None, "{which}: {name} was removed"),
            (part, Some(found)) => {
                let before = before.get(name).unwrap_or(&Value::Null);
                merged(before, found, part, which);
            }
            (_, None) => panic!("{which}: {name} was set"),
        }
    }
}

#[test]
fn a_strategic_patch_loses_nothing_that_it_does_not_name() {
    pairs(|shape, document, patch, which| {
        let mut after = document.clone();
        strategic::apply(shape, &mut after, patch.clone()).expect("it fits");
        let place = Place {
            shape,
            id: Some(shape.root()),
            patch: None,
        };
        kept(&place, document, &after, patch, which);
    });
}

/// Where a value stands, and how patches treat it there.
struct Place<'a> {
    shape: &'a Shape,
    id: Option<ShapeId>,
    patch: Option<&'a Patch>,
}

impl<'a> Place<'a> {
    fn field(&self, name: &str) -> Self {
        let form = self.id.map(|id| &self.shape.table().node(id).form);
        let (id, patch) = match form {
            Some(Form::Struct(fields)) => match fields.field(name) {
                Some(field) => (Some(field.shape), field.patch.as_deref()),
                None => (None, None),
            },
            Some(Form::Map { value, .. }) => (Some(*value), None),
            _ => (None, None),
        };
        Self {
            shape: self.shape,
            id,
            patch,
        }
    }

    fn item(&self) -> Self {
        let id = match self.id.map(|id| &self.shape.table().node(id).form) {
            Some(Form::List { item, .. }) => Some(*item),
            _ => None,
        };
        Self {
            shape: self.shape,
            id,
            patch: None,
        }
    }
}

/// Checks that a strategic patch left what it does not name.
fn kept(place: &Place<'_>, before: &Value, after: &Value, patch: &Value, which: &str) {
    if place.patch.is_some_and(|patch| patch.replace) {
        return;
    }
    match (before, patch) {
        (Value::Object(known), Value::Object(named)) => {
            for (name, part) in known.iter() {
                match (named.get(name), after.get(name)) {
                    (None, found) => {
                        assert_eq!(found, Some(part), "{which}: {name} was lost");
                    }
                    (Some(Value::Null), found) => {
                        assert_eq!(found, None, "{which}: {name} was removed");
                    }
                    (Some(change), Some(found)) => {
                        kept(&place.field(name), part, found, change, which);
                    }
                    (Some(_), None) => panic!("{which}: {name} was lost"),
                }
            }
        }
        (Value::Array(known), Value::Array(named)) => {
            let Some(rules) = place.patch.filter(|patch| patch.merge) else {
                assert_eq!(after, patch, "{which}: a list without a key is replaced");
                return;
            };
            let found = after.as_array().expect("a list stays one");
            let Some(key) = rules.merge_key.as_deref() else {
                assert!(known.iter().all(|item| found.contains(item)), "{which}");
                return;
            };
            for item in known {
                let same = |other: &&Value| other.get(key) == item.get(key);
                let left = found.iter().find(same).expect("an item stays");
                match named.iter().find(same) {
                    None => assert_eq!(left, item, "{which}: an item was changed"),
                    Some(change) => kept(&place.item(), item, left, change, which),
                }
            }
        }
        _ => {}
    }
}
