//! Seeded loops that break good input in many ways; a seed that fails names itself.

use base::Rng;
use schema::{Shape, fuzz, proto};

use crate::{compact, meta, read, shapes};

/// How often each loop breaks its input: a second or two on a slow machine.
const ROUNDS: u64 = 3_000;

const POD: &str = r#"{"metadata":{"name":"p","labels":{"a":"b"},"creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"fieldsV1":{"f:a":{}}}]},"spec":{"volumes":[{"name":"v","secret":{"secretName":"s"}}],"containers":[{"name":"a","image":"1","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1500m"}},"livenessProbe":{"httpGet":{"port":"http"}}}],"tolerations":[{"key":"k"}]}}"#;

const PATCH: &str = r#"{"metadata":{"labels":{"a":null,"c":"d"},"$deleteFromPrimitiveList/finalizers":["x"]},"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b","$patch":"delete"},{"name":"a","image":"2"}],"volumes":[{"$retainKeys":["name"],"name":"v"}]}}"#;

const OPERATIONS: &str = r#"[{"op":"add","path":"/spec/containers/-","value":{"name":"z"}},{"op":"move","from":"/spec/volumes/0","path":"/spec/x"},{"op":"copy","from":"/spec","path":"/a"},{"op":"test","path":"/spec/containers/0/name","value":"a"},{"op":"remove","path":"/metadata/labels"}]"#;

const SCHEMA: &str = r#"{"type":"object","properties":{"spec":{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1,"multipleOf":2,"default":2},"b":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string","pattern":"^[a-z]+$","format":"date-time"}}},"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"]},"c":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]},"d":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true},"e":{"type":"object","additionalProperties":{"type":"string","nullable":true}}},"oneOf":[{"required":["a"]},{"not":{"required":["b"]}}]}}}"#;

const RESOURCE: &str = r#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"n"},"spec":{"a":3,"b":[{"k":"x"},{"k":null}],"c":"5%","d":{"apiVersion":"v1","kind":"Pod","metadata":{"name":1}},"e":{"x":null},"f":1}}"#;

/// Words that are interesting wherever they stand.
const WORDS: [&str; 18] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e308",
    "9223372036854775807",
    "1.5",
    "true",
    "\"$patch\":",
    "\"default\":",
    "\"not\":",
    "[[",
    "{\"a\":",
    "\"x-kubernetes-embedded-resource\":true,",
    "\\u0000",
    "~1",
];

fn broken(rng: &mut Rng, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=rng.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = usize::try_from(rng.below(bytes.len() as u64)).expect("it is small");
        let end = (at + usize::try_from(rng.below(12)).expect("it is small")).min(bytes.len());
        match rng.below(6) {
            0 => bytes[at] = u8::try_from(rng.below(256)).expect("it is a byte"),
            1 => bytes[at] ^= 1 << rng.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => {
                let word =
                    WORDS[usize::try_from(rng.below(WORDS.len() as u64)).expect("it is small")];
                bytes.splice(at..end, word.bytes());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Runs one target on broken forms of `good`; the round that panics is in the test's output.
fn run(name: &str, good: &[u8], mut target: impl FnMut(&[u8])) {
    target(good);
    for round in 0..ROUNDS {
        let mut rng = Rng::from_seed(round);
        let bytes = broken(&mut rng, good);
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&bytes)));
        assert!(
            seen.is_ok(),
            "{name} fails with seed {round}: {}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

fn pod() -> Shape {
    shapes().remove("v1 Pod").expect("pods have a shape")
}

#[test]
fn messages() {
    let shape = pod();
    let mut value = read(POD.as_bytes());
    schema::decode(&shape, &mut value, &mut schema::Unknown::ignore()).expect("it decodes");
    let message = proto::object(&shape, &value);
    run("protobuf", &message, |data| fuzz::protobuf(&shape, data));
}

#[test]
fn schemas_in_messages() {
    let shape = shapes()
        .remove("apiextensions.k8s.io/v1 CustomResourceDefinition")
        .expect("CRDs have a shape");
    let crd = format!(
        r#"{{"spec":{{"group":"g","names":{{}},"scope":"Cluster","versions":[{{"name":"v1","schema":{{"openAPIV3Schema":{SCHEMA}}}}}]}}}}"#
    );
    let mut value = read(crd.as_bytes());
    schema::decode(&shape, &mut value, &mut schema::Unknown::ignore()).expect("it decodes");
    let message = proto::object(&shape, &value);
    let back = proto::read(&shape, &message).expect("it reads");
    assert_eq!(compact(&back), compact(&value));
    run("protobuf of CRDs", &message, |data| {
        fuzz::protobuf(&shape, data)
    });
    run("CRDs", crd.as_bytes(), |data| fuzz::decoding(&shape, data));
}

#[test]
fn objects() {
    let shape = pod();
    run("decoding", POD.as_bytes(), |data| {
        fuzz::decoding(&shape, data)
    });
    let custom =
        schema::structural::compile(&read(SCHEMA.as_bytes()), &meta()).expect("it compiles");
    run("custom", RESOURCE.as_bytes(), |data| {
        fuzz::decoding(&custom, data)
    });
}

#[test]
fn patches() {
    let (shape, object) = (pod(), read(POD.as_bytes()));
    run("strategic", PATCH.as_bytes(), |data| {
        fuzz::patches(&shape, &object, data)
    });
    run("operations", OPERATIONS.as_bytes(), |data| {
        fuzz::patches(&shape, &object, data)
    });
}

#[test]
fn schemas() {
    let (meta, object) = (meta(), read(RESOURCE.as_bytes()));
    run("schema", SCHEMA.as_bytes(), |data| {
        fuzz::schema(&meta, &object, data)
    });
    let path = br#".status.conditions[?(@.type=="Ready")].a[1:2:3]['x']..b"#;
    run("path", path, |data| fuzz::json_path(&object, data));
}
