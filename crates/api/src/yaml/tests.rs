//! Refusals and bounds; what is read and written is compared with Go in `tests/oracle.rs`.

use super::{YamlError, read};
use crate::{json, value};

#[track_caller]
fn check(text: &str, expected: &str) {
    let printed = match read(text.as_bytes()) {
        Ok(parsed) => {
            let mut out = Vec::new();
            json::write(&parsed.value, &mut out);
            let json = String::from_utf8(out).expect("JSON is UTF-8");
            match parsed.strict {
                Some(strict) => format!("{json} strict: {strict}"),
                None => json,
            }
        }
        Err(error) => format!("! {error}"),
    };
    assert_eq!(printed, expected);
}

#[test]
fn reports_repeated_keys_with_lines() {
    check(
        "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n",
        "{\"a\":3,\"b\":{\"c\":2}} strict: yaml: unmarshal errors:\n  line 4: key \"c\" already set in map\n  line 5: key \"a\" already set in map",
    );
    let many: String = (0..200).map(|n| format!("k{n}: {n}\n")).collect();
    let twice = read(format!("{many}{many}").as_bytes()).expect("it is YAML");
    assert_eq!(twice.value.as_object().expect("a map").len(), 200);
    assert_eq!(twice.strict.expect("repeated").lines().count(), 101);
}

#[test]
fn refuses() {
    assert_eq!(read(b"\xff"), Err(YamlError::Encoding));
    check("? [a]\n: b", "! yaml: invalid map key");
    check(
        "~: b",
        "! unsupported map key of type: %!s(<nil>), key: <nil>",
    );
    check(
        "<<: 1",
        "! yaml: map merge requires map or sequence of maps as the value",
    );
    check(
        "<<: [[]]",
        "! yaml: map merge requires map or sequence of maps as the value",
    );
    check("!!int x", "! yaml: cannot decode !!str `x` as a !!int");
    check(
        "!!binary \"?\"",
        "! yaml: !!binary value contains invalid base64 data",
    );
    check(".nan", "! json: unsupported value: NaN");
    check("-.inf", "! json: unsupported value: -Inf");
    check(".inf", "! json: unsupported value: +Inf");
    check("&a [*a]", "! yaml: anchor value contains itself");
    assert!(matches!(
        read(b"a: b: c"),
        Err(YamlError::Grammar { line: 1, .. })
    ));
    assert!(matches!(read(b"*a"), Err(YamlError::Grammar { .. })));
}

#[test]
fn bounds_depth_and_aliases() {
    let deep = "- ".repeat(json::DEPTH_MAX + 1) + "x";
    assert_eq!(
        read(deep.as_bytes()),
        Err(YamlError::TooDeep(json::DEPTH_MAX))
    );
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..10 {
        let before = format!("*a{}", n - 1);
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![before; 10].join(","));
    }
    assert_eq!(read(bomb.as_bytes()), Err(YamlError::Aliases));
    let mut chain = String::from("a0: &a0 [x]\n");
    for n in 1..900 {
        chain += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
    }
    assert!(read(chain.as_bytes()).is_err());
}

#[test]
fn merges_maps() {
    check(
        "a: &a {x: 1, w: 2}\nb: {<<: *a, w: 3}\nc: {<<: [*a, {z: 4, x: 5}]}\n",
        r#"{"a":{"x":1,"w":2},"b":{"x":1,"w":3},"c":{"z":4,"x":1,"w":2}} strict: yaml: unmarshal errors:
  line 2: key "w" already set in map
  line 1: key "x" already set in map"#,
    );
}

#[test]
fn reads_only_the_first_document() {
    check("a: 1\n---\nb: 2\n", r#"{"a":1}"#);
    check("", "null");
    check("---\n", "null");
    assert_eq!(
        read(b"# nothing").map(|parsed| parsed.value),
        Ok(value!(null))
    );
}
