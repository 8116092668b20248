//! Comparing, merging, naming, removing, checking: one walk each.

use api::Value;
use schema::{
    Shape,
    apply::{self, Duplicates, Set},
};

use crate::{schemas::Schemas, shown, table};

/// Cases there must be at least; the table is not to shrink unseen.
const CASES_MIN: usize = 500;

fn set(value: &Value) -> Set {
    Set::from_value(value).expect("the case gives a set")
}

/// Returns what is wrong with one case.
fn run(case: &Value, shape: &Shape) -> Result<(), String> {
    let at = |name: &str| case.get(name).unwrap_or(&Value::Null);
    let expect = |name: &str, found: &Set| {
        if set(at(name)) == *found {
            return Ok(());
        }
        Err(format!("{name}: {:?}", found.paths()))
    };
    let refused = |error: apply::Refusal| error.to_string();
    match case.str_at(&["do"]).unwrap_or_default() {
        "compare" => {
            let found = apply::compare(shape, at("old"), at("new")).map_err(refused)?;
            expect("removed", &found.removed)?;
            expect("modified", &found.modified)?;
            expect("added", &found.added)
        }
        "fields" => {
            let found = apply::fields(shape, at("object")).map_err(refused)?;
            expect("set", &found)?;
            // The canonical form is upstream's, byte for byte.
            let (written, wanted) = (shown(&found.to_value()), shown(at("set")));
            if written == wanted {
                Ok(())
            } else {
                Err(written)
            }
        }
        "merge" => {
            let found = apply::merge(shape, at("live"), at("applied")).map_err(refused)?;
            if sorted(&found) == sorted(at("merged")) {
                Ok(())
            } else {
                Err(shown(&found))
            }
        }
        "remove" => {
            let found = apply::remove(shape, at("object"), &set(at("set")));
            if sorted(&found) == sorted(at("left")) {
                Ok(())
            } else {
                Err(shown(&found))
            }
        }
        "reconcile" => {
            let found = apply::reconcile(shape, &set(at("set"))).map_err(refused)?;
            match (&found, at("now")) {
                (None, Value::Null) => Ok(()),
                (Some(found), now) if *found == set(now) => Ok(()),
                _ => Err(format!("{:?}", found.map(|found| found.paths()))),
            }
        }
        "check" => {
            let duplicates = match at("duplicates") {
                Value::Bool(true) => Duplicates::Allowed,
                _ => Duplicates::Refused,
            };
            let found = apply::check(shape, at("object"), duplicates).err();
            let found = found.map(|refusal| refusal.to_string()).unwrap_or_default();
            // Those tests read YAML into maps of Go's other sort.
            let wanted = case.str_at(&["refused"]).unwrap_or_default();
            let wanted = wanted.replace("map[interface {}]", "map[string]");
            // Upstream walks maps in no order, and prints addresses of some values.
            let comparable = !wanted.contains("errors:") && !wanted.contains("got &{");
            let agrees = if comparable {
                found == wanted || wanted.contains("field not declared")
            } else {
                true
            };
            if agrees && found.is_empty() == wanted.is_empty() {
                Ok(())
            } else {
                Err(found)
            }
        }
        other => Err(format!("unknown case {other}")),
    }
}

fn sorted(value: &Value) -> String {
    let mut value = value.clone();
    crate::writes::sort_deep(&mut value);
    shown(&value)
}

#[test]
fn walks_are_upstreams() {
    let mut schemas = Schemas::default();
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for case in table(include_str!("typed.txt")) {
        if schemas.add(&case) {
            continue;
        }
        let number = case.get("in").and_then(Value::as_int).unwrap_or_default();
        let name = case.str_at(&["type"]).unwrap_or_default();
        match schemas.shape(number, name) {
            None => skipped += 1,
            Some(shape) => match run(&case, shape) {
                Ok(()) => passed += 1,
                Err(why) => failed.push(format!("{}\n    {why}", shown(&case))),
            },
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
