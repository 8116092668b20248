//! Schemas of CRDs, objects of one, and the paths of printer columns; the first byte chooses. See
//! `schema::fuzz`.
#![no_main]

use std::sync::LazyLock;

use api::Value;
use schema::{Form, Shape, structural};

#[path = "../src/shapes.rs"]
mod shapes;

const OBJECT: &str = r#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"n"},"spec":{"a":3,"b":[{"k":"x"},{"k":null}],"c":"5%","d":{"apiVersion":"v1","kind":"Pod","metadata":{"name":1}},"e":{"x":null},"f":1.5}}"#;

const SCHEMA: &str = r#"{"type":"object","properties":{"spec":{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1,"multipleOf":2,"default":2},"b":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string","pattern":"^[a-z]+$","format":"date-time"}}},"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"]},"c":{"x-kubernetes-int-or-string":true},"d":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true},"e":{"type":"object","additionalProperties":{"type":"string","nullable":true}}}}}}"#;

struct State {
    meta: Shape,
    object: Value,
    custom: Shape,
}

static STATE: LazyLock<State> = LazyLock::new(|| {
    let read = |text: &str| api::json::read(text.as_bytes()).expect("it is JSON").value;
    let pod = shapes::several().swap_remove(0);
    let Form::Struct(fields) = &pod.node().form else {
        panic!("a pod is a struct");
    };
    let meta = pod.part(fields.field("metadata").expect("pods have metadata").shape);
    State {
        custom: structural::compile(&read(SCHEMA), &meta).expect("it compiles"),
        object: read(OBJECT),
        meta,
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let State {
        meta,
        object,
        custom,
    } = &*STATE;
    match data.split_first() {
        Some((b'.', _)) => schema::fuzz::json_path(object, data),
        Some((b'!', rest)) => schema::fuzz::decoding(custom, rest),
        _ => schema::fuzz::schema(meta, object, data),
    }
});
