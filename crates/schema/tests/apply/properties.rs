//! Properties of applies over made-up objects, of a made-up kind and of built-in ones, and bytes
//! that are none.
//!
//! A longer search: set `ROUNDS` higher and run it with `--release`.

use api::{Object, Text, Value, json, value};
use base::Rng;
use schema::{
    Shape, Unknown,
    apply::{self, Force, OwnershipError, Set, Versions, Writer},
    structural,
};

use crate::objects;

/// How many made-up histories each property is tried on, for the made-up kind.
const ROUNDS: u64 = 400;

/// Histories of each built-in kind are fewer by this: its objects are larger.
const BUILTIN_SHARE: u64 = 10;

/// A kind, and how configurations of it are made.
struct Subject {
    shape: Shape,
    config: fn(&Shape, &mut Rng) -> Value,
    rounds: u64,
}

fn subjects() -> Vec<Subject> {
    let made_up = Subject {
        shape: shape(),
        config: |_, rng| config(rng),
        rounds: ROUNDS,
    };
    let builtins = objects::shapes().into_iter().map(|shape| Subject {
        shape,
        config: objects::config,
        rounds: ROUNDS / BUILTIN_SHARE,
    });
    [made_up].into_iter().chain(builtins).collect()
}

/// Tries a property on every subject with every seed.
fn try_all(property: impl Fn(&Subject, &mut Rng, &str)) {
    for (place, subject) in subjects().iter().enumerate() {
        for seed in 0..subject.rounds {
            let mut rng = Rng::from_seed(seed);
            property(subject, &mut rng, &format!("subject {place}, seed {seed}"));
        }
    }
}

fn shape() -> Shape {
    let schema = value!({"type": "object", "properties": {
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "list": {"type": "array", "items": {"type": "string"}},
        "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"],
            "items": {"type": "object", "required": ["a"], "properties": {
                "a": {"type": "string"}, "b": {"type": "string", "default": "0"},
                "value": {"type": "string"}, "more": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
        "inner": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
    }});
    structural::compile(&schema, &Shape::any()).expect("the schema compiles")
}

struct One(Shape);

impl Versions for One {
    fn shape(&self, version: &str) -> Option<&Shape> {
        (version == "v1").then_some(&self.0)
    }
    fn convert(&self, object: &Value, _version: &str) -> Result<Value, String> {
        Ok(object.clone())
    }
    fn resets(&self, _version: &str) -> Option<&Set> {
        None
    }
    fn blank(&self, _version: &str) -> Value {
        value!({"apiVersion": "v1", "kind": "K"})
    }
}

/// The world of one history: an object and who writes to it.
struct World {
    one: One,
    live: Option<Value>,
}

impl World {
    fn new(subject: &Subject) -> Self {
        Self {
            one: One(subject.shape.clone()),
            live: None,
        }
    }

    fn with<T>(&self, manager: &str, run: impl FnOnce(&Writer<'_>) -> T) -> T {
        run(&Writer {
            versions: &self.one,
            version: "v1",
            manager,
            subresource: "",
            now: "2026-01-02T03:04:05Z",
        })
    }

    fn normal(&self, mut object: Value) -> Value {
        schema::decode(&self.one.0, &mut object, &mut Unknown::ignore()).expect("it fits");
        schema::default(&self.one.0, &mut object);
        object
    }

    fn apply(&mut self, manager: &str, config: &Value, force: Force) -> bool {
        match self.with(manager, |writer| {
            writer.apply(self.live.as_ref(), config, force)
        }) {
            Ok(made) => {
                let mut made = self.normal(made);
                // Whatever comes of an apply was stored once: it has a uid from then on.
                made.set_at(&["metadata", "uid"], Value::from("u"));
                self.live = Some(made);
                true
            }
            Err(apply::ApplyError::Ownership(OwnershipError::Conflicts(conflicts))) => {
                assert!(!conflicts.is_empty() && force == Force::No);
                false
            }
            Err(error) => panic!("{error}: {config:?}"),
        }
    }

    fn update(&mut self, manager: &str, object: Value) {
        let mut object = self.normal(object);
        let old = self.live.clone();
        self.with(manager, |writer| match &old {
            Some(old) => writer.track_update(old, &mut object),
            None => writer.track_new(&mut object),
        });
        self.live = Some(object);
    }

    fn shown(&self) -> String {
        let mut live = self.live.clone().unwrap_or_default();
        crate::writes::sort_deep(&mut live);
        crate::shown(&live)
    }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[usize::try_from(rng.below(from.len() as u64)).unwrap_or(0)]
}

fn chance(rng: &mut Rng) -> bool {
    rng.below(2) == 0
}

fn words(rng: &mut Rng) -> Vec<Value> {
    let all = ["p", "q", "r", "s"];
    all.iter()
        .filter(|_| chance(rng))
        .map(|word| Value::from(*word))
        .collect()
}

fn texts(rng: &mut Rng) -> Value {
    let mut object = Object::default();
    for name in ["k", "l", "m"] {
        if chance(rng) {
            object.insert(name, Value::from(pick(rng, &["1", "2", "3"])));
        }
    }
    if object.is_empty() {
        object.insert("k", Value::from("1"));
    }
    Value::Object(object)
}

fn items(rng: &mut Rng) -> Value {
    let mut items = Vec::new();
    for (a, b) in [("i", ""), ("i", "1"), ("j", "2")] {
        if chance(rng) {
            let mut item = value!({"a": a});
            if !b.is_empty() {
                item.set_at(&["b"], Value::from(b));
            }
            if chance(rng) {
                item.set_at(&["value"], Value::from(pick(rng, &["1", "2"])));
            }
            if chance(rng) {
                item.set_at(&["more"], texts(rng));
            }
            items.push(item);
        }
    }
    if chance(rng) {
        items.reverse();
    }
    Value::Array(items)
}

/// Makes a configuration. Empty lists whose items are told apart are left out, because nobody owns
/// one and the second apply takes it away, and so are empty maps, because one that was emptied by
/// removing its keys becomes `null` first and empty by the second apply: upstream's rules.
fn config(rng: &mut Rng) -> Value {
    let mut made = value!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}});
    for name in ["map", "whole", "set", "list", "items", "inner", "free"] {
        if !chance(rng) {
            continue;
        }
        let part = match name {
            "set" | "list" => Value::Array(words(rng)),
            "items" => items(rng),
            "inner" => value!({"x": (pick(rng, &["1", "2"]))}),
            "free" => value!({"deep": (texts(rng)), "n": 1}),
            _ => texts(rng),
        };
        if matches!(name, "set" | "items") && part == Value::Array(Vec::new()) {
            continue;
        }
        made.set_at(&[name], part);
    }
    made
}

/// Lives through a few writes of several hands.
fn history(subject: &Subject, rng: &mut Rng) -> World {
    let mut world = World::new(subject);
    for _ in 0..rng.below(6) {
        let manager = pick(rng, &["a", "b", "c"]);
        let made = (subject.config)(&subject.shape, rng);
        match rng.below(3) {
            0 => world.update(manager, made),
            1 => {
                world.apply(manager, &made, Force::No);
            }
            _ => {
                world.apply(manager, &made, Force::Yes);
            }
        }
        if let Some(live) = &mut world.live {
            live.set_at(&["metadata", "uid"], Value::from("u"));
        }
    }
    world
}

#[test]
fn applying_twice_is_applying_once() {
    try_all(|subject, rng, which| {
        let mut world = history(subject, rng);
        let made = (subject.config)(&subject.shape, rng);
        world.apply("a", &made, Force::Yes);
        let once = world.shown();
        assert!(
            world.apply("a", &made, Force::No),
            "{which}: nobody else owns it now"
        );
        assert_eq!(world.shown(), once, "{which}");
    });
}

#[test]
fn applying_what_was_read_changes_nothing_but_its_owners() {
    try_all(|subject, rng, which| {
        let mut world = history(subject, rng);
        let Some(live) = world.live.clone() else {
            return;
        };
        let mut got = live;
        got.remove_at(&["metadata", "managedFields"]);
        world.apply("a", &got, Force::Yes);
        let after = world.live.clone().expect("it was applied");
        let change = apply::compare(&subject.shape, &got, &after).expect("they compare");
        let change = change.without(&Set::of_fields(&[&["metadata", "managedFields"]]));
        assert!(change.is_empty(), "{which}: {change:?}");
        // And what was read then is what is there, owners and all.
        let once = world.shown();
        assert!(world.apply("a", &got, Force::No), "{which}: all is its own");
        assert_eq!(world.shown(), once, "{which}");
    });
}

#[test]
fn an_object_read_and_put_back_changes_nothing() {
    try_all(|subject, rng, which| {
        let mut world = history(subject, rng);
        let Some(live) = world.live.clone() else {
            return;
        };
        let before = world.shown();
        world.update("z", live.clone());
        assert_eq!(world.shown(), before, "{which}");
        let mut bare = live;
        bare.remove_at(&["metadata", "managedFields"]);
        world.update("z", bare);
        assert_eq!(world.shown(), before, "{which}: without the entries");
    });
}

#[test]
fn managers_who_do_not_conflict_commute() {
    for subject in subjects() {
        let mut counted = 0;
        for seed in 0..subject.rounds {
            let mut rng = Rng::from_seed(seed);
            counted += u64::from(commute(&subject, &mut rng, seed));
        }
        assert!(
            counted > subject.rounds / 20,
            "only {counted} pairs did not conflict"
        );
    }
}

/// Returns whether the two did not conflict.
fn commute(subject: &Subject, rng: &mut Rng, seed: u64) -> bool {
    let mut made = || (subject.config)(&subject.shape, rng);
    let (one, two) = (made(), made());
    let both = |first: (&str, &Value), second: (&str, &Value)| {
        let mut world = World::new(subject);
        let well =
            world.apply(first.0, first.1, Force::No) && world.apply(second.0, second.1, Force::No);
        well.then(|| regardless_of_order(&world))
    };
    let there = both(("a", &one), ("b", &two));
    let back = both(("b", &two), ("a", &one));
    assert_eq!(there, back, "seed {seed}");
    there.is_some()
}

/// Shows an object and its owners without what tells who was first: times, and the order of items.
fn regardless_of_order(world: &World) -> (String, Vec<String>) {
    let mut live = world.live.clone().unwrap_or_default();
    let entries = live.remove_at(&["metadata", "managedFields"]);
    let entries = entries.as_ref().and_then(Value::as_array);
    let mut owned: Vec<String> = entries
        .unwrap_or_default()
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry.remove_at(&["time"]);
            crate::shown(&entry)
        })
        .collect();
    owned.sort();
    crate::writes::sort_deep(&mut live);
    objects::sort_items(&mut live);
    (crate::shown(&live), owned)
}

#[test]
fn what_somebody_owns_is_there_and_nothing_unremoved_is_lost() {
    try_all(|subject, rng, which| {
        let mut world = history(subject, rng);
        let before = world.live.clone().unwrap_or_default();
        let mine = owned(&before, "a");
        let made = (subject.config)(&subject.shape, rng);
        if !world.apply("a", &made, Force::Yes) {
            return;
        }
        let after = world.live.clone().expect("it was applied");
        let change = apply::compare(&world.one.0, &before, &after).expect("they compare");
        let mut meta = Set::of_fields(&[&["metadata"]]);
        meta.insert(&[apply::Element::Field(Text::from("apiVersion"))]);
        let lost = change.removed.recursive_difference(&meta);
        let left = apply::fields(&subject.shape, &after).expect("it has fields");
        let had = apply::fields(&subject.shape, &before).expect("it has fields");
        let others = owned_by_others(&before, "a");
        let is_gone = |part: &[apply::Element]| !left.has(part) && below(&left, part).is_empty();
        lost.for_each(&mut |path| {
            let shown: String = path.iter().map(ToString::to_string).collect();
            let mut parts = (1..=path.len()).map(|end| &path[..end]);
            // What is emptied by taking the applier's own out of it goes with that.
            let is_hollow = |path: &[apply::Element]| {
                let parts = below(&had, path);
                !parts.is_empty() && parts.iter().all(|part| mine.has(part))
            };
            // An item of a list goes with whoever owns it, and with it what others own in it.
            let is_item = |part: &[apply::Element]| {
                part.len() < path.len() && mine.has(part) && !others.has(part) && is_gone(part)
            };
            assert!(
                !others.has(path) || parts.clone().any(is_item) || is_hollow(path),
                "{which}: {shown} was lost to somebody: {} became {}",
                crate::shown(&before),
                crate::shown(&after)
            );
            // What is gone was the applier's own and is not in what it applied, or lay in what is
            // gone with all that was the applier's: a default that nobody owns.
            let is_own = |part: &[apply::Element]| {
                mine.has(part) || (is_gone(part) && !below(&mine, part).is_empty())
            };
            assert!(
                parts.any(is_own) || before.is_null() || is_hollow(path),
                "{which}: {shown} was lost: {} became {}",
                crate::shown(&before),
                crate::shown(&after)
            );
        });
    });
}

fn below(set: &Set, path: &[apply::Element]) -> Vec<Vec<apply::Element>> {
    let mut found = Vec::new();
    set.for_each(&mut |member| {
        if member.len() > path.len() && member.starts_with(path) {
            found.push(member.to_vec());
        }
    });
    found
}

/// Returns what an applier owns.
fn owned(object: &Value, manager: &str) -> Set {
    union(object, |entry| is_by(entry, manager))
}

/// Returns what is owned beside what an applier owns.
fn owned_by_others(object: &Value, manager: &str) -> Set {
    union(object, |entry| !is_by(entry, manager))
}

fn is_by(entry: &Value, manager: &str) -> bool {
    entry.str_at(&["manager"]) == Some(manager) && entry.str_at(&["operation"]) == Some("Apply")
}

fn union(object: &Value, is_meant: impl Fn(&Value) -> bool) -> Set {
    let entries = object
        .at(&["metadata", "managedFields"])
        .and_then(Value::as_array);
    let mut all = Set::new();
    for entry in entries.unwrap_or_default() {
        if is_meant(entry) {
            let fields = entry.get("fieldsV1").unwrap_or(&Value::Null);
            all = all.union(&Set::from_value(fields).expect("entries are sound"));
        }
    }
    all
}

#[test]
fn seeded_garbage_breaks_nothing() {
    let shape = shape();
    let base = br#"{"apiVersion":"v1","metadata":{"managedFields":[{"manager":"a","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:items":{"k:{\"a\":\"i\",\"b\":\"0\"}":{".":{},"f:value":{}}},"f:set":{"v:\"p\"":{}},"f:map":{}}}]},"items":[{"a":"i","value":"1"},{"a":"i"}],"set":["p","p"],"map":{"k":null},"free":{"x":[1,{}]}}"#;
    for seed in 0..20_000 {
        let mut rng = Rng::from_seed(seed);
        let mut bytes = base.to_vec();
        for _ in 0..=rng.below(4) {
            let place = usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0);
            match rng.below(3) {
                0 => bytes[place] = u8::try_from(rng.below(128)).unwrap_or(0),
                1 => {
                    bytes.remove(place);
                }
                _ => bytes.insert(place, b"{}[]\":,0nfkvi."[place % 14]),
            }
        }
        schema::fuzz::applies(&shape, &bytes);
    }
    assert!(json::read(base).is_ok());
}
