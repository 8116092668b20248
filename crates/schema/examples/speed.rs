//! How long the hot paths of this room take: `cargo run --release -p schema --example speed`.
//!
//! With a word behind `--` only the measurements whose names hold it run.
//!
//! CPU time of one thread by the wall, medians of many runs; nothing else should run beside it.

#[path = "../tests/all/loader.rs"]
mod loader;

use std::{hint::black_box, time::Instant};

use api::{Value, json};
use schema::{Form, Shape, Unknown, apply, decode, default, proto, structural, validate};

const POD: &str = include_str!("pod.json");
const RUNS: usize = 2_000;

/// Prints the median time of `work` in microseconds, `setup` not counted.
#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn measure<T, R>(name: &str, mut setup: impl FnMut() -> T, mut work: impl FnMut(T) -> R) {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if !name.contains(&wanted) {
        return;
    }
    let mut times: Vec<u128> = (0..RUNS)
        .map(|_| {
            let input = setup();
            let start = Instant::now();
            let done = black_box(work(black_box(input)));
            let time = start.elapsed().as_nanos();
            drop(done);
            time
        })
        .collect();
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!(
        "{name:<44} {:>8}.{:02} µs",
        median / 1000,
        median % 1000 / 10
    );
}

/// One version of pods, of which nothing is reset.
struct Pods<'a>(&'a Shape);

impl apply::Versions for Pods<'_> {
    fn shape(&self, version: &str) -> Option<&Shape> {
        (version == "v1").then_some(self.0)
    }
    fn convert(&self, object: &Value, _version: &str) -> Result<Value, String> {
        Ok(object.clone())
    }
    fn resets(&self, _version: &str) -> Option<&apply::Set> {
        None
    }
    fn blank(&self, _version: &str) -> Value {
        schema::decode::zero(self.0)
    }
}

/// Measures what it costs to keep managed fields.
fn owners(pod: &Shape, canonical: &Value) {
    let pods = Pods(pod);
    let writer = |manager| apply::Writer {
        versions: &pods,
        version: "v1",
        manager,
        subresource: "",
        now: "2026-01-02T03:04:05Z",
    };
    let mut bare = canonical.clone();
    bare.remove_at(&["metadata", "managedFields"]);
    let track_new = |mut object: Value| {
        writer("maker").track_new(&mut object);
        object
    };
    measure("track a new object", || bare.clone(), track_new);
    let tracked = track_new(bare.clone());
    let update = |mut object: Value| {
        writer("other").track_update(&tracked, &mut object);
        object
    };
    measure(
        "track an update that changes nothing",
        || tracked.clone(),
        update,
    );
    let mut changed = tracked.clone();
    changed.set_at(&["metadata", "labels", "changed"], Value::from("yes"));
    measure("track an update of one label", || changed.clone(), update);
    let config = bare.clone();
    let apply_to = |live: Option<&Value>, config: &Value| {
        writer("me")
            .apply(live, config, apply::Force::Yes)
            .expect("it applies")
    };
    measure("apply a new object", || (), |()| apply_to(None, &config));
    let applied = apply_to(None, &config);
    measure(
        "apply what is there",
        || (),
        |()| apply_to(Some(&applied), &config),
    );
    let mut other = config.clone();
    other.set_at(&["metadata", "labels", "changed"], Value::from("yes"));
    measure(
        "apply one label more",
        || (),
        |()| apply_to(Some(&applied), &other),
    );
}

#[allow(clippy::too_many_lines, reason = "one line a measurement")]
fn main() {
    let shapes = loader::load(include_str!("../../kinds/data/kinds.txt"));
    let pod = &shapes["v1 Pod"];
    let read = |text: &str| json::read(text.as_bytes()).expect("the pod is JSON").value;
    let mut canonical = read(POD);
    decode(pod, &mut canonical, &mut Unknown::ignore()).expect("the pod decodes");
    let mut sorted = canonical.clone();
    sort(&mut sorted);
    let message = proto::object(pod, &canonical);
    println!(
        "pod: {} bytes JSON, {} bytes protobuf",
        POD.len(),
        message.len()
    );

    measure("parse", || POD, read);
    measure("clone", || (), |()| canonical.clone());
    measure(
        "decode, fields in order",
        || canonical.clone(),
        |mut value| {
            decode(pod, &mut value, &mut Unknown::ignore()).expect("it decodes");
            value
        },
    );
    measure(
        "decode, fields sorted by name",
        || sorted.clone(),
        |mut value| {
            decode(pod, &mut value, &mut Unknown::collect()).expect("it decodes");
            value
        },
    );
    measure(
        "default",
        || canonical.clone(),
        |mut value| {
            default(pod, &mut value);
            value
        },
    );
    measure(
        "write JSON",
        || (),
        |()| {
            let mut out = Vec::with_capacity(POD.len() + 1024);
            json::write(&canonical, &mut out);
            out
        },
    );
    measure("write protobuf", || (), |()| proto::object(pod, &canonical));
    measure(
        "parse and write protobuf",
        || (),
        |()| proto::object(pod, &read(POD)),
    );
    measure(
        "transcode JSON to protobuf",
        || (),
        |()| proto::transcode(pod, POD.trim_end().as_bytes()),
    );
    measure("read protobuf", || (), |()| proto::read(pod, &message));

    owners(pod, &canonical);

    let Form::Struct(fields) = &pod.node().form else {
        return;
    };
    let meta = pod.part(fields.field("metadata").expect("pods have metadata").shape);
    let schema = crd();
    let mut text = Vec::new();
    json::write(&schema, &mut text);
    println!("schema: {} bytes", text.len());
    let path = api::field::Path::new("schema");
    measure(
        "check a schema",
        || (),
        |()| structural::check(&schema, &path, &meta, structural::CheckOptions::default()),
    );
    measure(
        "compile a schema",
        || (),
        |()| structural::compile(&schema, &meta),
    );
    let shape = structural::compile(&schema, &meta).expect("it compiles");
    println!(
        "nodes: {}, of {} bytes each",
        shape.table().len(),
        size_of::<schema::Node>()
    );
    let object = resource();
    measure(
        "decode a custom resource",
        || object.clone(),
        |mut value| {
            decode(&shape, &mut value, &mut Unknown::collect()).expect("it decodes");
            value
        },
    );
    measure(
        "validate a custom resource",
        || (),
        |()| validate::validate(&shape, &object, None),
    );
}

fn sort(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.iter_mut().for_each(|(_, value)| sort(value));
            object.sort();
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

/// A schema of about 18 KB: 8 groups of 20 fields.
fn crd() -> Value {
    let mut groups = api::Object::default();
    for group in 0..8 {
        let mut fields = api::Object::default();
        for field in 0..20 {
            let description =
                "A field with a description that says what it is for, at some length.";
            let mut one = json::read(match field % 4 {
                0 => br#"{"type":"string","maxLength":63}"#.as_slice(),
                1 => br#"{"type":"integer","format":"int32","minimum":0}"#,
                2 => {
                    br#"{"type":"array","items":{"type":"string"},"x-kubernetes-list-type":"set"}"#
                }
                _ => br#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            })
            .expect("it is JSON")
            .value;
            one.set_at(&["description"], Value::from(description));
            fields.push(format!("field{field}").into(), one);
        }
        let mut inner = json::read(br#"{"type":"object"}"#)
            .expect("it is JSON")
            .value;
        inner.set_at(&["properties"], Value::Object(fields));
        groups.push(format!("group{group}").into(), inner);
    }
    let mut schema = json::read(br#"{"type":"object","properties":{"spec":{"type":"object"}}}"#)
        .expect("it is JSON")
        .value;
    schema.set_at(&["properties", "spec", "properties"], Value::Object(groups));
    schema
}

fn resource() -> Value {
    let mut object = json::read(br#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"n","namespace":"default","labels":{"a":"b"}}}"#)
        .expect("it is JSON")
        .value;
    for group in 0..8 {
        let group = format!("group{group}");
        for field in 0..20 {
            let value = match field % 4 {
                0 => Value::from("some text of ordinary length"),
                1 => Value::Int(field),
                2 => Value::Array(vec![Value::from("a"), Value::from("b")]),
                _ => json::read(br#"{"x":"y"}"#).expect("it is JSON").value,
            };
            object.set_at(
                &[
                    "spec",
                    &group,
                    &format!("field{field:02}")[..6 + usize::from(field > 9)],
                ],
                value,
            );
        }
    }
    object
}
