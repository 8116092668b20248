//! Sequences of applies and updates, with the state after each.

use std::collections::{BTreeMap, BTreeSet};

use api::{Object, Text, Value};
use schema::{
    Shape,
    apply::{
        self, Duplicates, Force, Identity, Operation, Owned, Owners, OwnershipError, Set, Task,
        Versions,
    },
};

use crate::{schemas::Schemas, shown, table};

/// Cases there must be at least; the table is not to shrink unseen.
const CASES_MIN: usize = 200;

pub(crate) fn sort_deep(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.iter_mut().for_each(|(_, value)| sort_deep(value));
            object.sort();
        }
        Value::Array(items) => items.iter_mut().for_each(sort_deep),
        _ => {}
    }
}

fn normal(value: &Value) -> String {
    let mut value = value.clone();
    sort_deep(&mut value);
    shown(&value)
}

/// The versions of a case: all alike, or with fields named after them.
struct Case<'a> {
    schemas: &'a Schemas,
    schema: i64,
    /// The one type of all versions; versions name their types otherwise.
    one: Option<&'a str>,
    converter: &'a str,
    from: Text,
    ignored: BTreeMap<String, Set>,
}

impl Versions for Case<'_> {
    fn shape(&self, version: &str) -> Option<&Shape> {
        if self.converter == "repeating" && !version.strip_prefix('v').is_some_and(is_number) {
            return None;
        }
        self.schemas.shape(self.schema, self.one.unwrap_or(version))
    }

    fn convert(&self, object: &Value, version: &str) -> Result<Value, String> {
        match self.converter {
            "renaming" => {
                // The version in which an object stands shows in its fields.
                let versions = ["v1", "v2", "v3", "v4", "v5"];
                Ok(versions.iter().fold(object.clone(), |object, from| {
                    rename(&object, &|name| match name.strip_suffix(from) {
                        Some(stem) => format!("{stem}{version}"),
                        None => name.to_owned(),
                    })
                }))
            }
            "reliantFields" => {
                let (from, to) = match version {
                    "v1" => ("required_field_bar", "field_foo_rely_on_bar"),
                    _ => ("field_foo_rely_on_bar", "required_field_bar"),
                };
                if version == "v1" && object.get(from).is_none() && object.get(to).is_none() {
                    return Err("missing required field bar".to_owned());
                }
                Ok(rename(object, &|name| {
                    if name == from {
                        to.to_owned()
                    } else {
                        name.to_owned()
                    }
                }))
            }
            "repeating" => {
                let times: usize = version[1..].parse().unwrap_or(1);
                let mut object = object.clone();
                for (_, value) in object.make_object().iter_mut() {
                    *value = rename(value, &|name| name[..1].repeat(times));
                }
                Ok(object)
            }
            _ => Ok(object.clone()),
        }
    }

    fn resets(&self, version: &str) -> Option<&Set> {
        self.ignored.get(version)
    }

    fn blank(&self, _version: &str) -> Value {
        Value::object()
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn rename(value: &Value, name: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(object) => {
            let fields = object
                .iter()
                .map(|(old, value)| (name(old), rename(value, name)));
            Value::Object(fields.collect::<Object>())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| rename(item, name)).collect()),
        other => other.clone(),
    }
}

fn who(manager: &str) -> Identity {
    Identity::new(manager, Operation::Apply, "", "")
}

/// The object and its owners between steps.
#[derive(Default)]
struct State {
    live: Value,
    owners: Owners,
    applied: BTreeMap<String, bool>,
}

impl State {
    fn step(&mut self, case: &mut Case<'_>, step: &Value) -> Result<(), String> {
        let text = |name: &str| step.str_at(&[name]).unwrap_or_default();
        if text("op") == "schema" {
            case.schema = step.get("in").and_then(Value::as_int).unwrap_or_default();
            let shape = case.shape("v1").ok_or("no such shape")?;
            return apply::check(shape, &self.live, Duplicates::Refused).map_err(|e| e.to_string());
        }
        let (version, manager) = (text("version"), text("manager"));
        let object = step.get("object").unwrap_or(&Value::Null);
        let shape = case.shape(version).ok_or("no such version")?;
        let duplicates = match text("op") {
            "update" => Duplicates::Allowed,
            _ => Duplicates::Refused,
        };
        apply::check(shape, object, duplicates).map_err(|e| e.to_string())?;
        if !case.from.is_empty() && case.from != version && !self.live.is_null() {
            self.live = case.convert(&self.live, version)?;
        }
        case.from = version.into();
        let task = Task {
            versions: case,
            version,
        };
        let mut owners = self.owners.clone();
        let outcome = match text("op") {
            "update" => task.update(&self.live, object, &mut owners).map(|mut set| {
                if let Some(owned) = owners.get(&who(manager)) {
                    set = set.union(&owned.set);
                }
                if let Some(ignored) = case.resets(version) {
                    set = set.recursive_difference(ignored);
                }
                owners.remove(&who(manager));
                if !set.is_empty() {
                    owners.put(
                        who(manager),
                        Owned {
                            set,
                            version: version.into(),
                        },
                    );
                }
                self.applied.insert(manager.to_owned(), false);
                object.clone()
            }),
            op => {
                let force = if op == "force" { Force::Yes } else { Force::No };
                task.apply(&self.live, object, &mut owners, &who(manager), force)
            }
        };
        match outcome {
            Ok(live) => {
                if text("op") != "update" {
                    self.applied.insert(manager.to_owned(), true);
                }
                (self.live, self.owners) = (live, owners);
                Ok(())
            }
            Err(OwnershipError::Conflicts(conflicts)) => {
                let found: BTreeSet<String> = conflicts
                    .iter()
                    .map(|conflict| format!("{} {}", conflict.manager.manager, conflict.shown()))
                    .collect();
                Err(format!("conflicts: {found:?}"))
            }
            Err(other) => Err(other.to_string()),
        }
    }

    fn managers(&self) -> String {
        let owners = self.owners.iter().map(|(identity, owned)| {
            let manager = identity.manager.to_string();
            let applied = self.applied.get(&manager) == Some(&true);
            let entry = [
                Value::String(owned.version.clone()),
                applied.into(),
                owned.set.to_value(),
            ];
            (manager, Value::Array(entry.into()))
        });
        normal(&Value::Object(owners.collect::<Object>()))
    }
}

/// Returns what is wrong with one case.
fn run(schemas: &Schemas, case: &Value) -> Result<(), String> {
    let text = |name: &str| case.str_at(&[name]);
    let ignored = case.get("ignored").and_then(Value::as_object);
    let ignored = ignored
        .into_iter()
        .flat_map(Object::iter)
        .map(|(version, set)| {
            (
                version.to_owned(),
                Set::from_value(set).expect("the case gives a set"),
            )
        });
    let mut world = Case {
        schemas,
        schema: case.get("in").and_then(Value::as_int).unwrap_or_default(),
        one: case.get("same").and_then(|_| text("type")),
        converter: text("converter").unwrap_or_default(),
        from: Text::default(),
        ignored: ignored.collect(),
    };
    // A converter that does not convert leaves every version with the type of the first.
    if world.converter == "dummy" {
        world.one = text("type");
    }
    let mut state = State::default();
    let steps = case
        .get("steps")
        .and_then(Value::as_array)
        .unwrap_or_default();
    for (place, step) in steps.iter().enumerate() {
        let found = state.step(&mut world, step);
        let say = |what: String| format!("step {place}: {what}");
        if let Some(conflicts) = step.get("conflicts").and_then(Value::as_array) {
            let wanted: BTreeSet<String> = conflicts
                .iter()
                .filter_map(Value::as_array)
                .map(|pair| {
                    pair.iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            if found != Err(format!("conflicts: {wanted:?}")) {
                return Err(say(format!("{found:?}")));
            }
            continue;
        }
        match (step.get("refused"), &found) {
            (Some(_), Err(_)) => continue,
            (None, Ok(())) => {}
            _ => return Err(say(format!("{found:?}"))),
        }
        if let Some(live) = step.get("live")
            && normal(live) != normal(&state.live)
        {
            return Err(say(format!("live {}", shown(&state.live))));
        }
        if let Some(managers) = step.get("managers")
            && normal(managers) != state.managers()
        {
            return Err(say(format!("managers {}", state.managers())));
        }
    }
    Ok(())
}

#[test]
fn sequences_of_writes_are_upstreams() {
    let mut schemas = Schemas::default();
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for case in table(include_str!("writes.txt")) {
        if schemas.add(&case) {
            continue;
        }
        let number = case.get("in").and_then(Value::as_int).unwrap_or_default();
        let name = case.str_at(&["type"]).unwrap_or_default();
        if schemas.shape(number, name).is_none() {
            skipped += 1;
            continue;
        }
        match run(&schemas, &case) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}\n    {why}", shown(&case))),
        }
    }
    let count = failed.len();
    assert!(
        failed.is_empty(),
        "{count} of {}:\n{}",
        passed + count,
        failed.join("\n")
    );
    assert!(passed >= CASES_MIN, "{passed} passed, {skipped} skipped");
}
