//! Merge patch (RFC 7386) as evanphx/json-patch does it: `null` removes, objects merge, the rest replaces.

use api::{Object, Value};

use super::PatchError;

/// Applies a merge patch to a document.
///
/// # Errors
/// [`PatchError::Malformed`] when the patch is neither an object nor a list.
pub fn apply(document: &mut Value, patch: Value) -> Result<(), PatchError> {
    match (document, patch) {
        (Value::Object(document), Value::Object(patch)) => merge(document, patch),
        (document, mut patch @ (Value::Object(_) | Value::Array(_))) => {
            prune_nulls(&mut patch);
            *document = patch;
        }
        _ => return Err(PatchError::Malformed("Invalid JSON Patch".to_owned())),
    }
    Ok(())
}

fn merge(document: &mut Object, patch: Object) {
    for (name, mut value) in patch {
        if value.is_null() {
            document.remove(&name);
            continue;
        }
        match (document.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            // What replaces an object is taken as it is, nulls in lists included.
            (Some(old @ Value::Object(_)), new) => *old = new,
            (Some(old), new) => {
                value = new;
                prune_nulls(&mut value);
                *old = value;
            }
            (None, new) => {
                value = new;
                prune_nulls(&mut value);
                document.push(name, value);
            }
        }
    }
}

fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => object.retain(|_, value| {
            prune_nulls(value);
            !value.is_null()
        }),
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::apply;
    use api::json;

    fn check(document: &str, patch: &str, expected: &str) {
        let read = |text: &str| json::read(text.as_bytes()).expect("it is JSON").value;
        let mut value = read(document);
        let done = match apply(&mut value, read(patch)) {
            Ok(()) => {
                let mut out = Vec::new();
                json::write(&value, &mut out);
                String::from_utf8(out).expect("it is UTF-8")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(done, expected);
    }

    #[test]
    fn merges_removes_and_replaces() {
        check(
            r#"{"a":{"b":1,"c":2},"d":3}"#,
            r#"{"a":{"b":null,"e":{"f":null,"g":1}},"d":[null]}"#,
            r#"{"a":{"c":2,"e":{"g":1}},"d":[null]}"#,
        );
        check(r#"{"a":[1,2]}"#, r#"{"a":[3]}"#, r#"{"a":[3]}"#);
        check(r#"{"a":1}"#, r#"{"a":{"b":null}}"#, r#"{"a":{}}"#);
        check(r#"{"a":1}"#, r#"[1]"#, "[1]");
        check(r#"{"a":1}"#, r#""x""#, "Invalid JSON Patch");
    }
}
