//! Configurations applied to an object, with owners out of bytes; the first byte chooses the shape.
//! See `schema::fuzz::applies`.
#![no_main]

use std::sync::LazyLock;

use schema::Shape;

#[path = "../src/shapes.rs"]
mod shapes;

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(shapes::several);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    schema::fuzz::applies(&SHAPES[usize::from(*first) % SHAPES.len()], rest);
});
