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
    check(
        "? [a]\n: b",
        r#"! yaml: invalid map key: []interface {}{"a"}"#,
    );
    check(
        "? {b: [1, ~], a: true}\n: b",
        r#"! yaml: invalid map key: map[interface {}]interface {}{"a":true, "b":[]interface {}{1, interface {}(nil)}}"#,
    );
    check(
        "~: b",
        "! unsupported map key of type: %!s(<nil>), key: <nil>, value: \"b\"",
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
    check("&a [*a]", "! yaml: anchor 'a' value contains itself");
    check("*b", "! yaml: unknown anchor 'b' referenced");
}

#[test]
fn says_what_is_wrong_as_upstream() {
    check(
        "a: b: c",
        "! yaml: mapping values are not allowed in this context",
    );
    check(
        "a:\n\tb: 1\n",
        "! yaml: line 2: found character that cannot start any token",
    );
    check(
        "a: {b: 'x\n",
        "! yaml: line 2: found unexpected end of stream",
    );
    check(
        "a: [1\nb: 2\n",
        "! yaml: line 1: did not find expected ',' or ']'",
    );
    check(
        "a: 1\n b: 2\n",
        "! yaml: line 2: mapping values are not allowed in this context",
    );
    check("a: \"\\q\"", "! yaml: found unknown escape character");
    check(
        "a\nb: 1\n",
        "! yaml: line 2: mapping values are not allowed in this context",
    );
}

#[test]
fn refuses_directives_as_upstream() {
    check(
        "%YAML 3.0\n---\na: 1\n",
        "! yaml: found incompatible YAML document",
    );
    check("%FOO\n---\na: 1\n", "! yaml: found unknown directive name");
    check("%YAML 1.1\n---\na: 1\n", r#"{"a":1}"#);
    check(".nan: 1\n-.inf: 2\n", r#"{".nan":1,"-.inf":2}"#);
}

fn bounds_depth() {
    let brackets = |count: usize| "[".repeat(count) + &"]".repeat(count);
    let deepest = brackets(json::DEPTH_MAX);
    check(&deepest, &deepest);
    let too_deep = "! invalid character '[' exceeded max depth";
    check(&format!("- {deepest}"), too_deep);
    let far_too_deep = "! yaml: exceeded max depth of 10000";
    check(&"[".repeat(1 << 20), far_too_deep);
    check(&("- ".repeat(json::DEPTH_MAX + 2) + "x"), far_too_deep);
    let second = "a: 1\nb: ".to_owned() + &"[".repeat(json::DEPTH_MAX + 1);
    check(&second, "! yaml: line 2: exceeded max depth of 10000");
}

#[test]
fn bounds_depth_and_aliases() {
    base::stack::deep(bounds_depth);
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
