//! JSON objects of built-in kinds, decoded, defaulted, validated and written as protobuf; the first
//! byte chooses the kind. See `schema::fuzz::decoding`.
#![no_main]

use std::sync::LazyLock;

use schema::Shape;

#[path = "../src/shapes.rs"]
mod shapes;

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(shapes::several);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((choice, rest)) = data.split_first() {
        schema::fuzz::decoding(&SHAPES[usize::from(*choice) % SHAPES.len()], rest);
    }
});
