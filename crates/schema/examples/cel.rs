//! How long rules in CEL take to evaluate: `cargo run --release -p schema --example cel`.
//!
//! The rules are those of `conformance/cel/speed/speed.json`, which a program in Go beside it measures
//! with cel-go. It prints a line per rule: its name, the median of nanoseconds per evaluation, and its
//! cost. The time is that of the thread on a processor. With a word behind `--` only rules of that name
//! run, and for longer, as a profiler likes it.

use std::hint::black_box;

use api::{Value, json};
use schema::{
    Shape,
    cel::{
        Dialect, Env, Program, Type, Val, Version,
        declared::{Declarer, Place},
        rules::CALL_COST_MAX,
        value::Declared,
    },
    structural::compile,
};

const INPUT: &str = include_str!("../../../conformance/cel/speed/speed.json");

/// Samples, and how long each lasts at least: the time is only told to four milliseconds.
const SAMPLES: usize = 30;
const SAMPLE_NANOS: f64 = 4e7;

/// Returns how many nanoseconds this thread was on a processor.
fn spent_nanos() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let first = text.split_whitespace().next().unwrap_or_default();
    first.parse().expect("it is a number")
}

fn main() {
    let wanted = std::env::args().nth(1);
    let samples = wanted.as_ref().map_or(SAMPLES, |_| SAMPLES * 100);
    let input = json::read(INPUT.as_bytes()).expect("it is JSON").value;
    let schema = input.get("schema").expect("there is a schema");
    let object = input.get("object").expect("there is an object");
    let shape = compile(schema, &Shape::any()).expect("the schema is sound");
    let mut declarer = Declarer::default();
    let root = declarer.declare(shape.table(), shape.root(), Place::Root);
    let decls = declarer.decls;
    let rules = input.get("rules").and_then(Value::as_array);
    for rule in rules.unwrap_or_default() {
        let text = |name: &str| rule.str_at(&[name]).unwrap_or_default();
        if wanted.as_ref().is_some_and(|wanted| wanted != text("name")) {
            continue;
        }
        let own = decls.type_of(root).unwrap_or(Type::Dyn);
        let env = Env {
            version: Version::Stored,
            dialect: Dialect::Kubernetes,
            variables: vec![("self", own)],
            decls: &decls,
        };
        let program = Program::compile(text("rule"), &env, Some(root)).expect("it compiles");
        let declared = Declared {
            decls: &decls,
            id: root,
        };
        let variables = [Some(
            Val::declared(object, declared).expect("it is an object"),
        )];
        let run = program.run(&variables, CALL_COST_MAX);
        assert!(
            matches!(run.outcome, Ok(Val::Bool(true))),
            "{:?}",
            run.outcome
        );
        let mut times: Vec<f64> = (0..samples)
            .map(|_| {
                let (start, mut count) = (spent_nanos(), 0.0);
                loop {
                    for _ in 0..100 {
                        let run = black_box(&program).run(black_box(&variables), CALL_COST_MAX);
                        black_box(&run.outcome)
                            .as_ref()
                            .expect("it went well before");
                    }
                    count += 100.0;
                    let spent = spent_nanos() - start;
                    if spent >= SAMPLE_NANOS {
                        break spent / count;
                    }
                }
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{} {:.0} {}",
            text("name"),
            times[times.len() / 2],
            run.cost
        );
    }
}
