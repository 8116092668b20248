//! Tests of convert.

use api::{GroupVersion, Value, json};
use schema::{Kind, Unknown};

use crate::load;

/// One object a line: as it was, in the other version, and back again, all by upstream's own
/// conversion (`cargo xtask kinds`).
const CONVERSIONS: &str = include_str!("../../tests/tables/conversions.jsonl");

fn compact(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Converts as the server does: the new version's shape brings the result into normal form.
fn convert(kind: &Kind, object: &Value, like: &Value) -> String {
    let version = like.str_at(&["apiVersion"]).expect("it has a version");
    let version = GroupVersion::parse(version).expect("it is a version");
    let mut made = kind
        .behavior
        .convert(object.clone(), &version)
        .expect("it can be converted");
    let shape = &kind.version(&version).expect("it is served").shape;
    schema::decode(shape, &mut made, &mut Unknown::ignore()).expect("it is of that shape");
    compact(&made)
}

#[test]
fn converts_as_upstream_does_there_and_back() {
    let builtins = load();
    let mut wrong = String::new();
    for line in CONVERSIONS.lines() {
        let line = json::read(line.as_bytes()).expect("it is JSON").value;
        let part = |name: &str| line.get(name).expect("the part is there");
        let (from, to, back) = (part("from"), part("to"), part("back"));
        let name = from.str_at(&["kind"]).expect("it has a kind");
        let kind = builtins
            .kinds
            .iter()
            .find(|kind| kind.names.kind == name)
            .expect("the kind is built in");
        for (from, to) in [(from, to), (to, back)] {
            let made = convert(kind, from, to);
            if made != compact(to) {
                wrong.push_str(&format!(
                    "{}\nmade   {made}\nwanted {}\n",
                    compact(from),
                    compact(to)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
