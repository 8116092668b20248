//! Rules in CEL on an object of a custom resource. See `schema::fuzz::expression`.
#![no_main]

use std::sync::LazyLock;

use api::Value;
use schema::{Shape, structural};

const SHAPES: &str = include_str!("../../conformance/cel/shapes.json");

static STATE: LazyLock<(Shape, Value)> = LazyLock::new(|| {
    let shapes = api::json::read(SHAPES.as_bytes()).expect("it is JSON").value;
    let part = |path: &[&str]| shapes.at(path).expect("it is there").clone();
    let schema = part(&["schemas", "all"]);
    let shape = structural::compile(&schema, &Shape::any()).expect("it compiles");
    (shape, part(&["objects", "full"]))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (shape, object) = &*STATE;
    schema::fuzz::expression(shape, object, data);
});
