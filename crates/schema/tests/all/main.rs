//! Tests of this room against the shapes of the built-in kinds.

mod bundles;
mod custom;
mod decoding;
mod fuzzing;
mod golden;
mod loader;
mod protobuf;
mod strategic;

use std::collections::HashMap;

use api::{Value, json};
use schema::Shape;

fn shapes() -> HashMap<String, Shape> {
    loader::load(include_str!("../../../kinds/data/kinds.txt"))
}

fn read(bytes: &[u8]) -> Value {
    json::read(bytes).expect("the test gives JSON").value
}

fn compact(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Returns the shape of `ObjectMeta`.
fn meta() -> Shape {
    let pod = shapes().remove("v1 Pod").expect("pods have a shape");
    let schema::Form::Struct(fields) = &pod.node().form else {
        panic!("a pod is a struct");
    };
    let metadata = fields.field("metadata").expect("pods have metadata");
    pod.part(metadata.shape)
}
