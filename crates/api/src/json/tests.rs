//! One table for reading, one for writing; expectations come from Go (conformance/go-oracle).

use super::{read, scan, write, write_pretty};

/// Reads and writes again; an error or a list of duplicates is printed instead or behind.
#[track_caller]
fn check(input: &str, expected: &str) {
    check_bytes(input.as_bytes(), expected);
}

#[track_caller]
fn check_bytes(input: &[u8], expected: &str) {
    let printed = match read(input) {
        Err(error) => format!("! {error}"),
        Ok(parsed) => {
            let mut out = Vec::new();
            write(&parsed.value, &mut out);
            let text = String::from_utf8(out).expect("JSON is UTF-8");
            if parsed.duplicates.is_empty() {
                text
            } else {
                format!("{text} twice: {}", parsed.duplicates.join(", "))
            }
        }
    };
    assert_eq!(printed, expected);
}

#[test]
fn keeps_values_and_order() {
    check(
        " { \"b\" : [ 1 , -2.50 , true , false , null , \"x\" ] , \"a\" : { } , \"c\" : [ ] } ",
        r#"{"b":[1,-2.5,true,false,null,"x"],"a":{},"c":[]}"#,
    );
    check("0", "0");
    check(r#""""#, r#""""#);
}

#[test]
fn tells_integers_from_floats() {
    check("9223372036854775807", "9223372036854775807");
    check("-9223372036854775808", "-9223372036854775808");
    check("9223372036854775808", "9223372036854776000");
    check("18446744073709551616", "18446744073709552000");
    check("-0", "0");
    check("-0.0", "-0");
    check("1e3", "1000");
    check("1.0", "1");
    check("1e21", "1e+21");
    check("123456789012345680000.0", "123456789012345680000");
    check("0.000001", "0.000001");
    check("0.0000001", "1e-7");
    check("1.5e-10", "1.5e-10");
    check("5e-324", "5e-324");
    check("1.7976931348623157e308", "1.7976931348623157e+308");
    check("1e-400", "0");
    check(
        "[1e400, 1e500]",
        "! json: cannot unmarshal number 1e400 into Go value of type float64",
    );
    check("[1e400", "! unexpected end of JSON input");
}

#[test]
fn escapes_as_go() {
    check(
        r#""\u0000\u001f\b\f\n\r\t\"\\\/<>&\u2028\u2029\u007f""#,
        "\"\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\\u003c\\u003e\\u0026\\u2028\\u2029\u{7f}\"",
    );
    check(r#""\u00e9\u20AC\ud83d\ude00""#, "\"é€😀\"");
    check(
        r#""\ud83dx\ud83d\ud83d\ude00\ude00""#,
        "\"\u{fffd}x\u{fffd}😀\u{fffd}\"",
    );
    check(r#""\ud83d\u0041""#, "\"\u{fffd}A\"");
    check("\"â\u{2030}\"", "\"â\u{2030}\"");
    check_bytes(
        b"\"a\xff\xe2\x82b\xc3\xa9\"",
        "\"a\u{fffd}\u{fffd}\u{fffd}bé\"",
    );
    check_bytes(b"\"\xed\xa0\x80\"", "\"\u{fffd}\u{fffd}\u{fffd}\"");
}

#[test]
fn reports_duplicates_and_keeps_the_last() {
    check(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2} twice: a"#);
    check(
        r#"{"spec":{"x":[{"n":0},{"n":1,"n":2,"n":3}],"y":{"q":1,"q":{"z":1,"z":2}}}}"#,
        r#"{"spec":{"x":[{"n":0},{"n":3}],"y":{"q":{"z":2}}}} twice: spec.x[1].n, spec.y.q, spec.y.q.z"#,
    );
    check(r#"[[{"a":1,"a":2}]]"#, r#"[[{"a":2}]] twice: [0][0].a"#);
    check(r#"{"a":1,"A":2}"#, r#"{"a":1,"A":2}"#);
    check(r#"{"a":1,"\u0061":2}"#, r#"{"a":2} twice: a"#);
}

#[test]
fn finds_duplicates_in_large_objects() {
    let mut input = String::from("{");
    for n in 0..500 {
        input.push_str(&format!("\"key{n}\":{n},"));
    }
    input.push_str("\"key3\":0,\"key499\":1,\"key3\":7}");
    let parsed = read(input.as_bytes()).expect("it is JSON");
    assert_eq!(parsed.duplicates, ["key3", "key499"]);
    assert_eq!(parsed.value.as_object().expect("an object").len(), 500);
    assert_eq!(parsed.value.get("key3").and_then(|v| v.as_int()), Some(7));
}

#[test]
fn refuses_in_the_words_of_go() {
    check("", "! unexpected end of JSON input");
    check("  ", "! unexpected end of JSON input");
    check("{", "! unexpected end of JSON input");
    check("[1,", "! unexpected end of JSON input");
    check("\"abc", "! unexpected end of JSON input");
    check("{\"a\"", "! unexpected end of JSON input");
    check("\"\\", "! invalid character ' ' in string escape code");
    check(
        "tru",
        "! invalid character ' ' in literal true (expecting 'e')",
    );
    check("-", "! invalid character ' ' in numeric literal");
    check(
        "1.",
        "! invalid character ' ' after decimal point in numeric literal",
    );
    check(
        "x",
        "! invalid character 'x' looking for beginning of value",
    );
    check(
        "'",
        "! invalid character '\\'' looking for beginning of value",
    );
    check(
        "[1,]",
        "! invalid character ']' looking for beginning of value",
    );
    check(
        "{a",
        "! invalid character 'a' looking for beginning of object key string",
    );
    check(
        "{\"a\":1,}",
        "! invalid character '}' looking for beginning of object key string",
    );
    check("{\"a\" 1}", "! invalid character '1' after object key");
    check(
        "{\"a\":1 2}",
        "! invalid character '2' after object key:value pair",
    );
    check("[1 2]", "! invalid character '2' after array element");
    check("{} {", "! invalid character '{' after top-level value");
    check("01", "! invalid character '1' after top-level value");
    check(
        "nul1",
        "! invalid character '1' in literal null (expecting 'l')",
    );
    check(
        "fa1",
        "! invalid character '1' in literal false (expecting 'l')",
    );
    check("-a", "! invalid character 'a' in numeric literal");
    check(
        "1.a",
        "! invalid character 'a' after decimal point in numeric literal",
    );
    check(
        "1ea",
        "! invalid character 'a' in exponent of numeric literal",
    );
    check("\"\\x\"", "! invalid character 'x' in string escape code");
    check(
        "\"\\u00g0\"",
        "! invalid character 'g' in \\u hexadecimal character escape",
    );
    check("\"a\nb\"", "! invalid character '\\n' in string literal");
    check(
        "\"0123456\u{1}\"",
        "! invalid character '\\x01' in string literal",
    );
    check(
        "é",
        "! invalid character 'Ã' looking for beginning of value",
    );
}

#[test]
fn bounds_depth() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    base::stack::deep(|| {
        let text = deep(super::DEPTH_MAX);
        check(&text, &text);
    });
    check(
        &deep(super::DEPTH_MAX + 1),
        "! invalid character '[' exceeded max depth",
    );
    check(
        &"{\"a\":".repeat(100_000),
        "! invalid character '{' exceeded max depth",
    );
}

#[test]
fn sees_what_is_too_deep_without_reading() {
    let deep = |n: usize| format!("{}\"]]\"{}", "[".repeat(n), "]".repeat(n));
    assert!(!scan::is_too_deep(deep(super::DEPTH_MAX).as_bytes()));
    assert!(scan::is_too_deep(deep(super::DEPTH_MAX + 1).as_bytes()));
    assert!(!scan::is_too_deep(
        "[],".repeat(super::DEPTH_MAX).as_bytes()
    ));
}

#[test]
fn names_the_byte_that_was_sent() {
    let named = |bytes: &[u8]| match read(bytes) {
        Err(super::JsonError::Character { byte, offset, .. }) => (byte, offset),
        other => panic!("{other:?}"),
    };
    assert_eq!(named(b"{\"a\":1,\xc3\x28}"), (0xc3, 8));
    assert_eq!(named(b"[\"\xff\xff\",\xfe]"), (0xfe, 7));
    assert_eq!(named(b"[\"\xff\", x]"), (b'x', 7));
    assert_eq!(named("[\"é\", x]".as_bytes()), (b'x', 8));
}

#[test]
fn keeps_numbers_that_no_float_holds_for_whoever_asks() {
    let (parsed, error) = super::read_unbounded(b"[-1e400,1]").expect("it is JSON");
    let first = parsed.value.as_array().map(|items| items[0].clone());
    assert_eq!(first, Some(crate::Value::Float(f64::NEG_INFINITY)));
    assert_eq!(
        error.expect("it is told").to_string(),
        "json: cannot unmarshal number -1e400 into Go value of type float64"
    );
    assert!(super::read_unbounded(b"[1e400").is_err());
}

#[test]
fn counts_bytes_of_errors() {
    assert_eq!(read(b"[1,x]").unwrap_err().offset(), Some(4));
    assert_eq!(read(b"[").unwrap_err().offset(), None);
}

#[test]
fn indents_for_people() {
    let value = crate::value!({"a": [1, {"b": {}}], "c": [], "d": "x"});
    let mut out = Vec::new();
    write_pretty(&value, &mut out);
    let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": [],\n  \"d\": \"x\"\n}";
    assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
}

#[test]
fn finds_fields_without_a_tree() {
    let bytes = br#"{"kind":"P{\"","metadata":{"labels":{"a":"]}"},"name":"x","n":12},"z":[1,{"y":"\\"},3]}"#;
    let at = |path: &[&str]| {
        scan::find_field(bytes, path).map(|range| String::from_utf8_lossy(&bytes[range]))
    };
    assert_eq!(at(&["metadata", "name"]).as_deref(), Some("\"x\""));
    assert_eq!(at(&["metadata", "n"]).as_deref(), Some("12"));
    assert_eq!(
        at(&["metadata", "labels"]).as_deref(),
        Some(r#"{"a":"]}"}"#)
    );
    assert_eq!(at(&["z"]).as_deref(), Some(r#"[1,{"y":"\\"},3]"#));
    assert_eq!(at(&["metadata", "none"]), None);
    assert_eq!(at(&["kind", "none"]), None);
    assert_eq!(scan::find_str(bytes, &["metadata", "name"]), Some("x"));
    assert_eq!(scan::find_str(bytes, &["kind"]), None);
    let list = scan::find_field(bytes, &["z"]).expect("it is there");
    let items = scan::items_at(bytes, list.start).expect("an array");
    assert_eq!(items.map(|item| item.len()).collect::<Vec<_>>(), [1, 10, 1]);
    for end in 0..bytes.len() {
        let _ = scan::find_field(&bytes[..end], &["z", "q"]);
    }
}
