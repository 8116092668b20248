//! JSON is YAML: a text that is JSON at its plainest is read by the quicker reader.
//!
//! Clients that apply mostly send JSON. What the two languages understand differently (some escapes,
//! line breaks between tokens, long keys, floats, repeated keys) is left to the YAML reader.

use super::YamlParsed;
use crate::{Value, json};

/// Longer keys are no simple keys in YAML (1,024 characters with their quotes).
const KEY_BYTES_MAX: usize = 1_000;

/// Reads a text that means the same as JSON; none if it may not.
pub(super) fn read(text: &str) -> Option<YamlParsed> {
    if !text.starts_with('{') || !is_plain(text.as_bytes()) {
        return None;
    }
    let parsed = json::read(text.as_bytes()).ok()?;
    let same = parsed.duplicates.is_empty() && is_same(&parsed.value);
    same.then_some(YamlParsed {
        value: parsed.value,
        strict: None,
    })
}

/// Returns whether only such characters and escapes occur as both languages read alike.
fn is_plain(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'\\' => matches!(
                rest.next(),
                Some(b'n' | b't' | b'r' | b'b' | b'f' | b'"' | b'\\')
            ),
            b'\n' | b'\r' | b'\t' => false,
            _ => true,
        };
        if !plain {
            return false;
        }
    }
    true
}

fn is_same(value: &Value) -> bool {
    match value {
        Value::Float(_) => false,
        Value::Array(items) => items.iter().all(is_same),
        Value::Object(object) => object
            .iter()
            .all(|(key, value)| key.len() <= KEY_BYTES_MAX && key != "<<" && is_same(value)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{events::Quick, read::read_with};

    #[track_caller]
    fn check(text: &str, taken: bool) {
        let quick = super::read(text);
        assert_eq!(quick.is_some(), taken, "{text}");
        if let Some(quick) = quick {
            let slow = read_with(Quick::new(text)).expect(text);
            assert_eq!(quick.value, slow.value, "{text}");
            assert_eq!(quick.strict, slow.strict, "{text}");
            let written = |value| {
                let mut out = Vec::new();
                crate::json::write(value, &mut out);
                String::from_utf8(out).expect("it is UTF-8")
            };
            assert_eq!(written(&quick.value), written(&slow.value), "order of keys");
        }
    }

    #[test]
    fn takes_what_means_the_same() {
        check("{}", true);
        check(r#"{"b":1,"a":[true,false,null,-7,0,-0],"":""}"#, true);
        check(
            r##"{"a": "yes", "b": "1", "c": "~", "d" : "# no: comment"}"##,
            true,
        );
        check(r#"{"a":"x\n\t\"\\ \b\f\r é 漢 \\u0041"}"#, true);
        check(
            r#"{"a":9223372036854775807,"b":-9223372036854775808}"#,
            true,
        );
        check(
            r#"{"a":{"b":[{"c":[]},{"d":{}}]},"&x":"*x","!t":"%"}"#,
            true,
        );
        check(r#"{"a":"  spaces  ","- b":"? c"}"#, true);
    }

    #[test]
    fn leaves_the_rest_to_yaml() {
        for text in [
            "[1]",
            "a: 1",
            "{a: 1}",
            "{\"a\":\n1}",
            "{\"a\":\t1}",
            r#"{"a":1.5}"#,
            r#"{"a":1e3}"#,
            r#"{"a":18446744073709551615}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"<<":{"a":1}}"#,
            r#"{"a":1} {"b":2}"#,
        ] {
            check(text, false);
        }
        check(&format!(r#"{{"{}":1}}"#, "k".repeat(1_001)), false);
        check(&format!(r#"{{"{}":1}}"#, "k".repeat(1_000)), true);
    }

    #[test]
    fn agrees_with_yaml_on_a_pod() {
        check(
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"app.kubernetes.io/name":"x","on":"off"},"annotations":{"j":"{\"a\":[1]}"}},"spec":{"containers":[{"name":"c","image":"r/x:1","args":["--n=1","-v"],"ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"100m"}}}],"terminationGracePeriodSeconds":30}}"#,
            true,
        );
    }
}
