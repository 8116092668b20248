//! Expressions that were made to do harm, and good ones that were broken in many ways.

use std::fs;

use base::Rng;
use schema::{Shape, fuzz, structural::compile};

/// How often each rule of the table is broken.
const ROUNDS: u64 = 12;

#[test]
fn broken_rules_do_no_harm() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/cel");
    let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).expect("the table");
    let shapes = api::json::read(read("shapes.json").as_bytes())
        .expect("JSON")
        .value;
    let schema = shapes.at(&["schemas", "all"]).expect("a schema");
    let shape = compile(schema, &Shape::any()).expect("the schema is sound");
    let object = shapes.at(&["objects", "full"]).expect("an object");
    let rules: Vec<String> = read("rules.txt")
        .lines()
        .map(|line| api::json::read(line.as_bytes()).expect("JSON").value)
        .map(|line| line.str_at(&["rule"]).expect("a rule").to_owned())
        .collect();
    let mut rng = Rng::from_seed(7);
    for _ in 0..ROUNDS {
        for rule in &rules {
            let other = &rules[usize::try_from(rng.below(rules.len() as u64)).expect("small")];
            let at = usize::try_from(rng.below(rule.len() as u64)).expect("small");
            let from = usize::try_from(rng.below(other.len() as u64)).expect("small");
            let mut bytes = rule.as_bytes()[..at].to_vec();
            match rng.below(3) {
                0 => bytes.extend_from_slice(&other.as_bytes()[from..]),
                1 => bytes.extend_from_slice(&rule.as_bytes()[(at + 1).min(rule.len())..]),
                _ => {
                    bytes.push(
                        b"()[]{}.,?:!=<>&|+-*/%'\"x1"
                            [usize::try_from(rng.below(25)).expect("small")],
                    );
                    bytes.extend_from_slice(&rule.as_bytes()[at..]);
                }
            }
            fuzz::expression(&shape, object, &bytes);
        }
    }
}

#[test]
fn deep_and_growing_expressions_are_bounded() {
    let any = Shape::any();
    let object = api::Value::object();
    let nested = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for times in [50, 120, 249, 400, 20_000] {
        for source in [
            nested("(", "1", ")", times),
            nested("[", "1", "]", times),
            nested("{1: ", "1", "}", times),
            nested("!(", "true", ")", times),
            nested("size([", "1", "])", times),
            nested("[1].all(x, ", "x > 0", ")", times),
            nested("[1].map(x, [x, x].map(y, ", "1", "))", times),
            nested("true ? ", "1", " : 1", times),
            nested("optional.of(1).optMap(v, ", "v", ").value()", times),
            format!("{}1", "1 + ".repeat(times)),
            format!("{}true", "true && ".repeat(times)),
            format!("[]{}", "[0]".repeat(times)),
        ] {
            fuzz::expression(&any, &object, source.as_bytes());
        }
    }
    // The type of each variable is twice that of the one before.
    let mut doubling = String::from("1");
    for depth in (0..40).rev() {
        doubling = format!("[{{v{depth}: v{depth}}}].map(v{}, {doubling})", depth + 1);
    }
    fuzz::expression(&any, &object, format!("[1].map(v0, {doubling})").as_bytes());
}

/// Runs a program without variables with the budget of a rule.
#[track_caller]
fn costs(source: &str, expected: Option<bool>) {
    use schema::cel::{
        Dialect, Env, Program, Version, declared::Decls, rules::CALL_COST_MAX, value::Fault,
    };
    let decls = Decls::default();
    let env = Env {
        version: Version::Stored,
        dialect: Dialect::Kubernetes,
        variables: Vec::new(),
        decls: &decls,
    };
    let program = Program::compile(source, &env, None).expect("it compiles");
    let run = program.run(&[], CALL_COST_MAX);
    let found = match &run.outcome {
        Err(Fault::Budget) => None,
        Ok(schema::cel::Val::Bool(flag)) => Some(*flag),
        other => panic!("{source}: {other:?}"),
    };
    assert_eq!(found, expected, "{source}: {}", run.cost);
}

/// A list in a list and so on, each twice in the next: a few words that are gone through 2^depth times.
fn doubled(depth: usize) -> String {
    format!("[1]{}", ".map(x, [x, x])".repeat(depth))
}

#[test]
fn values_that_double_are_bounded_wherever_they_are_gone_through() {
    let big = doubled(40);
    costs(&format!("{big} == {big}"), None);
    costs(&format!("{big} != {big}"), None);
    costs(&format!("{big} in [{big}]"), None);
    costs(&format!("sets.contains([{big}], [{big}])"), None);
    costs(&format!("'%s'.format([{big}]) == ''"), None);
    costs(&format!("[{big}].indexOf({big}) == 0"), None);
    // Small ones are compared.
    let small = doubled(10);
    costs(&format!("{small} == {small}"), Some(true));
    costs(&format!("{small} in [{small}]"), Some(true));
    // What is only carried about costs nothing.
    costs(&format!("size({big}) == 1"), Some(true));
}

#[test]
fn what_would_run_for_minutes_is_stopped_by_its_cost() {
    let list = format!("[{}]", vec!["1"; 100].join(","));
    let walk = |inner: &str| format!("{list}.all(a, {list}.all(b, {list}.all(c, {inner})))");
    costs(&walk("a + b + c > 0"), None);
    costs(
        &format!("{list}.map(a, {list}.map(b, {list}.map(c, a * b * c))).size() == 100"),
        None,
    );
    costs(&format!("{list}.all(a, {list}.all(b, a == b))"), Some(true));
}
