//! Patches of a pod: JSON patch, merge patch, strategic merge patch. See `schema::fuzz::patches`.
#![no_main]

use std::sync::LazyLock;

use api::Value;
use schema::Shape;

#[path = "../src/shapes.rs"]
mod shapes;

const POD: &str = r#"{"metadata":{"name":"p","labels":{"a":"b"},"finalizers":["x"]},"spec":{"volumes":[{"name":"v","secret":{"secretName":"s"}}],"containers":[{"name":"a","image":"1","ports":[{"containerPort":80}],"env":[{"name":"e","value":"1"}]}],"tolerations":[{"key":"k"}]}}"#;

static STATE: LazyLock<(Shape, Value)> = LazyLock::new(|| {
    let pod = api::json::read(POD.as_bytes()).expect("it is JSON").value;
    (shapes::several().swap_remove(0), pod)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (shape, pod) = &*STATE;
    schema::fuzz::patches(shape, pod, data);
});
