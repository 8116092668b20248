//! Entry points for fuzzers: each takes any bytes and must neither panic nor hang.
//!
//! Where an invariant can be checked, it is: what was read is written and read again unchanged.

use api::{Value, field, json};

use crate::{
    Shape, Unknown,
    apply::{Force, Owners, Set, Versions, Writer},
    cel::{
        Dialect, Env, Program, Type, Val, Version,
        declared::{Declarer, Place},
        value::{Declared, Fault},
    },
    decode, default,
    patch::{json_patch, merge, strategic},
    proto,
    structural::{CheckOptions, StatusDoor, check, compile},
    validate::validate,
};

/// Reads bytes as a message of this shape; what can be read goes round.
///
/// # Panics
/// When it does not go round: that is what a fuzzer looks for.
pub fn protobuf(shape: &Shape, data: &[u8]) {
    let _ = proto::read_envelope(data);
    let Ok(value) = proto::read(shape, data) else {
        return;
    };
    let written = proto::object(shape, &value);
    let again = proto::read(shape, &written).expect("what was written can be read");
    assert_eq!(proto::object(shape, &again), written, "messages go round");
}

/// Decodes bytes as JSON of this shape; the normal form is its own normal form.
///
/// # Panics
/// When it is not: that is what a fuzzer looks for.
pub fn decoding(shape: &Shape, data: &[u8]) {
    let Ok(parsed) = json::read(data) else {
        return;
    };
    let mut value = parsed.value;
    if decode(shape, &mut value, &mut Unknown::collect()).is_err() {
        return;
    }
    let mut again = value.clone();
    decode(shape, &mut again, &mut Unknown::ignore()).expect("a normal form decodes");
    assert_eq!(again, value, "a normal form stays as it is");
    default(shape, &mut value);
    let mut defaulted = value.clone();
    default(shape, &mut defaulted);
    assert_eq!(defaulted, value, "defaults are set once");
    let _ = validate(shape, &value, Some(&again));
    if !shape.is_custom() {
        let mut canonical = Vec::new();
        json::write(&value, &mut canonical);
        let quick = proto::transcode(shape, &canonical).expect("what was written is JSON");
        assert_eq!(quick, proto::object(shape, &value), "both ways agree");
        protobuf(shape, &proto::object(shape, &value));
    }
}

/// Reads bytes as a rule on this object: whatever type-checks runs to its end or to its budget.
///
/// # Panics
/// When it costs more than its budget allows: that is what a fuzzer looks for.
pub fn expression(shape: &Shape, object: &Value, data: &[u8]) {
    /// Small, so that a fuzzer sees what stops expressions.
    const LIMIT: u64 = 20_000;
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let mut declarer = Declarer::default();
    let root = declarer.declare(shape.table(), shape.root(), Place::Root);
    let own = declarer.decls.type_of(root).unwrap_or(Type::Dyn);
    let env = Env {
        version: Version::Stored,
        dialect: Dialect::Kubernetes,
        variables: vec![("self", own.clone()), ("oldSelf", Type::optional(own))],
        decls: &declarer.decls,
    };
    let Ok(program) = Program::compile(source, &env, Some(root)) else {
        return;
    };
    let place = Declared {
        decls: &declarer.decls,
        id: root,
    };
    let Ok(value) = Val::declared(object, place) else {
        return;
    };
    let run = program.run(&[Some(value), Some(Val::Optional(None))], LIMIT);
    let stopped = matches!(run.outcome, Err(Fault::Budget));
    assert_eq!(stopped, run.cost > LIMIT, "{source} cost {}", run.cost);
}

/// Applies bytes as a patch of each sort to an object of this shape.
pub fn patches(shape: &Shape, object: &Value, data: &[u8]) {
    let Ok(parsed) = json::read(data) else {
        return;
    };
    let patch = parsed.value;
    let _ = json_patch::strict_errors(&patch);
    let _ = json_patch::apply(&mut object.clone(), &patch);
    let _ = merge::apply(&mut object.clone(), patch.clone());
    let mut patched = object.clone();
    if strategic::apply(shape, &mut patched, patch).is_ok() {
        let _ = decode(shape, &mut patched, &mut Unknown::ignore());
    }
}

/// Checks and compiles bytes as a CRD's schema, and decodes `object` by it.
pub fn schema(meta: &Shape, object: &Value, data: &[u8]) {
    let Ok(parsed) = json::read(data) else {
        return;
    };
    let path = field::Path::new("schema");
    let _ = check(
        &parsed.value,
        &path,
        meta,
        CheckOptions {
            status: StatusDoor::Present,
            ..CheckOptions::default()
        },
    );
    let Ok(shape) = compile(&parsed.value, meta) else {
        return;
    };
    let mut value = object.clone();
    if decode(&shape, &mut value, &mut Unknown::collect()).is_ok() {
        default(&shape, &mut value);
        let _ = validate(&shape, &value, Some(object));
    }
}

/// Reads bytes as a JSONPath and follows it.
pub fn json_path(object: &Value, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(path) = crate::columns::JsonPath::parse(&text) {
        let _ = path.first(object);
    }
}

/// Applies bytes as a configuration to bytes as an object, with owners out of bytes.
///
/// # Panics
/// When the entries of owners do not go round: that is what a fuzzer looks for.
pub fn applies(shape: &Shape, data: &[u8]) {
    struct One<'a>(&'a Shape);
    impl Versions for One<'_> {
        fn shape(&self, version: &str) -> Option<&Shape> {
            (version == "v1").then_some(self.0)
        }
        fn convert(&self, object: &Value, _version: &str) -> Result<Value, String> {
            Ok(object.clone())
        }
        fn resets(&self, _version: &str) -> Option<&Set> {
            None
        }
        fn blank(&self, _version: &str) -> Value {
            Value::object()
        }
    }
    let Ok(parsed) = json::read(data) else {
        return;
    };
    let config = parsed.value;
    let mut live = config.clone();
    if decode(shape, &mut live, &mut Unknown::ignore()).is_err() || live.as_object().is_none() {
        return;
    }
    let writer = Writer {
        versions: &One(shape),
        version: "v1",
        manager: "a",
        subresource: "",
        now: "2026-01-02T03:04:05Z",
    };
    let mut tracked = live.clone();
    writer.track_new(&mut tracked);
    writer.track_update(&live, &mut tracked);
    let entries = tracked.at(&["metadata", "managedFields"]);
    if let Some(Ok(owners)) = entries.and_then(Value::as_array).map(Owners::read) {
        let written = owners.write();
        let entries = written.as_ref().and_then(Value::as_array);
        let again = Owners::read(entries.unwrap_or_default()).expect("they were written");
        assert_eq!(again.write(), written, "entries go round");
    }
    let _ = writer.apply(Some(&live), &config, Force::No);
    // Not compared: by upstream's rules nobody owns an empty list, so a second apply may remove it.
    if let Ok(once) = writer.apply(Some(&live), &config, Force::Yes) {
        let _ = writer.apply(Some(&once), &config, Force::Yes);
    }
}
