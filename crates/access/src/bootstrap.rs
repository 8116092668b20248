//! The roles and bindings that every cluster begins with, and how they are kept.
//!
//! `data/bootstrap-rbac.json` is made by `cargo xtask kinds` from upstream's own fixtures.

use api::{Meta, Object, Text, Value, json};

use crate::{allow::Rule, world::Resource};

const DATA: &str = include_str!("../data/bootstrap-rbac.json");

/// Annotation that switches the keeping off when it says `false`.
const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// Returns the objects, cluster roles first.
#[must_use]
pub fn objects() -> Vec<Value> {
    let parsed = json::read(DATA.as_bytes()).expect("the data file is JSON");
    match parsed.value {
        Value::Array(objects) => objects,
        _ => Vec::new(),
    }
}

/// Returns the resource of a role or binding, by its kind.
#[must_use]
pub fn resource_of(object: &Value) -> Option<Resource> {
    match object.get("kind")?.as_str()? {
        "ClusterRole" => Some(Resource::CLUSTER_ROLES),
        "ClusterRoleBinding" => Some(Resource::CLUSTER_ROLE_BINDINGS),
        "Role" => Some(Resource::ROLES),
        "RoleBinding" => Some(Resource::ROLE_BINDINGS),
        _ => None,
    }
}

/// What is to be done about one bootstrap object.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// All is well, or the object is not to be kept.
    Keep,
    /// It is missing: create it.
    Create(Value),
    /// Something is missing in it: write it so.
    Update(Value),
    /// Its `roleRef` is another, which cannot be changed: delete it and create it so.
    Replace(Value),
}

/// Says what is to be done about one bootstrap object, given what is there.
///
/// Rules and subjects that are missing are added, and others are left alone. An object that is
/// annotated `autoupdate=false` is never touched.
#[must_use]
pub fn reconcile(wanted: &Value, found: Option<&Value>) -> Step {
    let Some(found) = found else {
        return Step::Create(wanted.clone());
    };
    if Meta::of(found).annotation(AUTOUPDATE) == Some("false") {
        return Step::Keep;
    }
    if wanted.get("roleRef").is_some() {
        return reconcile_binding(wanted, found);
    }
    let mut merged = found.clone();
    let mut changed = add_metadata(&mut merged, wanted);
    changed |= match wanted.get("aggregationRule").filter(|rule| !rule.is_null()) {
        // The rules of an aggregated role belong to the controller that gathers them.
        Some(_) => add_selectors(&mut merged, wanted),
        None => add_rules(&mut merged, wanted),
    };
    if changed {
        Step::Update(merged)
    } else {
        Step::Keep
    }
}

fn reconcile_binding(wanted: &Value, found: &Value) -> Step {
    let mut merged = found.clone();
    let mut changed = add_metadata(&mut merged, wanted);
    changed |= add_items(&mut merged, "subjects", wanted);
    if wanted.get("roleRef") != found.get("roleRef") {
        let mut replaced = wanted.clone();
        add_items(&mut replaced, "subjects", found);
        return Step::Replace(replaced);
    }
    if changed {
        Step::Update(merged)
    } else {
        Step::Keep
    }
}

/// Adds labels and annotations; those that are there win over the wanted ones.
fn add_metadata(object: &mut Value, wanted: &Value) -> bool {
    let mut changed = false;
    for name in ["labels", "annotations"] {
        let Some(Value::Object(entries)) = wanted.at(&["metadata", name]) else {
            continue;
        };
        for (key, value) in entries.iter() {
            if object.at(&["metadata", name, key]).is_none() {
                object.set_at(&["metadata", name, key], value.clone());
                changed = true;
            }
        }
    }
    changed
}

/// Adds the rules of `wanted` that are not covered yet.
fn add_rules(object: &mut Value, wanted: &Value) -> bool {
    let own = Rule::all_of(object);
    let covered = |rule: &Rule| {
        let mut atoms = rule.atoms().into_iter();
        atoms.all(|atom| own.iter().any(|rule| rule.covers(&atom)))
    };
    // As upstream, a rule is split into its atoms, and those that are missing are added.
    let missing: Vec<Value> = Rule::all_of(wanted)
        .iter()
        .filter(|rule| !covered(rule))
        .flat_map(Rule::atoms)
        .filter(|atom| !own.iter().any(|rule| rule.covers(atom)))
        .map(|atom| atom.to_value())
        .collect();
    append(object, "rules", missing)
}

fn add_selectors(object: &mut Value, wanted: &Value) -> bool {
    let Some(rule) = wanted.get("aggregationRule") else {
        return false;
    };
    let place = object.make_object().entry("aggregationRule");
    if !matches!(place, Value::Object(_)) {
        *place = Value::Object(Object::default());
    }
    add_items(place, "clusterRoleSelectors", rule)
}

/// Adds the items of a list of `wanted` that are not there yet.
fn add_items(object: &mut Value, name: &str, wanted: &Value) -> bool {
    let items = wanted
        .get(name)
        .and_then(Value::as_array)
        .unwrap_or_default();
    let known = object
        .get(name)
        .and_then(Value::as_array)
        .unwrap_or_default();
    let same = |a: &Value, b: &Value| sorted(a) == sorted(b);
    let missing: Vec<Value> = items
        .iter()
        .filter(|item| !known.iter().any(|known| same(known, item)))
        .cloned()
        .collect();
    append(object, name, missing)
}

fn append(object: &mut Value, name: &str, items: Vec<Value>) -> bool {
    if items.is_empty() {
        return false;
    }
    let place = object.make_object().entry(name);
    match place {
        Value::Array(known) => known.extend(items),
        other => *other = Value::Array(items),
    }
    true
}

/// Returns the fields in one order, so that two objects can be compared.
fn sorted(value: &Value) -> Vec<(Text, Value)> {
    let mut object = value.as_object().cloned().unwrap_or_default();
    object.sort();
    object.fields().to_vec()
}
