//! JSON patch (RFC 6902) as evanphx/json-patch v4 does it, texts and oddities included.
//!
//! Oddities that clients may rely on: `replace` of a missing field adds it, negative indices count
//! from the end, `copy` of a missing field writes `null`.

use api::{Text, Value, json, quote::quote};

use super::PatchError;

/// How many operations a patch may have, as upstream.
pub const OPERATIONS_MAX: usize = 10_000;

/// How many bytes all copies of one patch may add, as upstream.
pub const COPY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The names an operation may have; strict validation reports others.
const NAMES: [&str; 4] = ["op", "path", "from", "value"];

/// Applies a patch, which must be a list of operations, to a document.
///
/// # Errors
/// [`PatchError`]; the document may then have been changed in part and must be thrown away.
pub fn apply(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations = match patch {
        Value::Array(operations) => operations.as_slice(),
        Value::Null => &[],
        other => return Err(malformed(other, "[]handlers.jsonPatchOp")),
    };
    for operation in operations {
        if !matches!(operation, Value::Object(_) | Value::Null) {
            return Err(malformed(operation, "handlers.jsonPatchOp"));
        }
    }
    if operations.len() > OPERATIONS_MAX {
        return Err(PatchError::TooManyOperations {
            limit: OPERATIONS_MAX,
            count: operations.len(),
        });
    }
    let mut copied = 0;
    for operation in operations {
        run(document, operation, &mut copied).map_err(PatchError::Unfit)?;
    }
    Ok(())
}

/// Returns what strict validation says of an already parsed patch: `json patch unknown field "[0].foo"`.
#[must_use]
pub fn strict_errors(patch: &Value) -> Vec<String> {
    let operations = patch.as_array().unwrap_or_default();
    let fields = operations
        .iter()
        .enumerate()
        .flat_map(|(place, operation)| {
            let names = operation
                .as_object()
                .into_iter()
                .flat_map(|object| object.iter());
            names.map(move |(name, _)| (place, name))
        });
    fields
        .filter(|(_, name)| !NAMES.contains(name))
        .map(|(place, name)| {
            let path = format!("[{place}].{name}");
            format!("json patch unknown field {}", quote(&path))
        })
        .collect()
}

fn malformed(value: &Value, wanted: &str) -> PatchError {
    PatchError::Malformed(format!(
        "error decoding patch: json: cannot unmarshal {} into Go value of type {wanted}",
        value.go_type_name()
    ))
}

fn run(document: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), String> {
    let text = |name: &str| operation.str_at(&[name]);
    let value = operation.get("value");
    match text("op").unwrap_or("unknown") {
        "add" => {
            let path = text("path").ok_or("add operation failed to decode path: missing value")?;
            let (holder, key) = find(document, path).ok_or_else(|| {
                format!(
                    "add operation does not apply: doc is missing path: \"{path}\": missing value"
                )
            })?;
            add(holder, &key, value.cloned().unwrap_or_default())
                .map_err(|error| format!("error in add for path: '{path}': {error}"))
        }
        "remove" => {
            let path =
                text("path").ok_or("remove operation failed to decode path: missing value")?;
            let (holder, key) = find(document, path).ok_or_else(|| {
                format!(
                    "remove operation does not apply: doc is missing path: \"{path}\": missing value"
                )
            })?;
            match remove(holder, &key) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("error in remove for path: '{path}': {error}")),
            }
        }
        "replace" => replace(document, text("path"), value),
        "move" => relocate(document, text("from"), text("path")),
        "test" => test(document, text("path"), value),
        "copy" => copy(document, text("from"), text("path"), copied),
        other => Err(format!("Unexpected kind: {other}")),
    }
}

fn replace(document: &mut Value, path: Option<&str>, value: Option<&Value>) -> Result<(), String> {
    let path = path.ok_or(
        "replace operation failed to decode path: operation missing path field: missing value",
    )?;
    if path.is_empty() {
        return match value {
            Some(value @ (Value::Object(_) | Value::Array(_))) => {
                *document = value.clone();
                Ok(())
            }
            _ => Err("replace operation value must be object or array: %!w(<nil>)".to_owned()),
        };
    }
    let (holder, key) = find(document, path).ok_or_else(|| {
        format!("replace operation does not apply: doc is missing path: {path}: missing value")
    })?;
    match holder {
        Value::Object(object) => {
            object.insert(key, value.cloned().unwrap_or_default());
            Ok(())
        }
        holder => {
            let place = get(holder, &key).map_err(|_| {
                format!(
                    "replace operation does not apply: doc is missing key: {path}: missing value"
                )
            })?;
            if let Some(place) = place {
                *place = value.cloned().unwrap_or_default();
            }
            Ok(())
        }
    }
}

fn relocate(document: &mut Value, from: Option<&str>, path: Option<&str>) -> Result<(), String> {
    let from = from.ok_or(
        "move operation failed to decode from: operation, missing from field: missing value",
    )?;
    let (holder, key) = find(document, from).ok_or_else(|| {
        format!("move operation does not apply: doc is missing from path: {from}: missing value")
    })?;
    let value = remove(holder, &key)
        .map_err(|error| format!("error in move for path: '{key}': {error}"))?;
    let path = path.ok_or(
        "move operation failed to decode path: operation missing path field: missing value",
    )?;
    let (holder, key) = find(document, path).ok_or_else(|| {
        format!(
            "move operation does not apply: doc is missing destination path: {path}: missing value"
        )
    })?;
    add(holder, &key, value).map_err(|error| format!("error in move for path: '{path}': {error}"))
}

fn test(document: &mut Value, path: Option<&str>, value: Option<&Value>) -> Result<(), String> {
    let path = path.ok_or(
        "test operation failed to decode path: operation missing path field: missing value",
    )?;
    let wanted = value.unwrap_or(&Value::Null);
    let failed = || format!("testing value {path} failed: test failed");
    if path.is_empty() {
        return if same(document, wanted) {
            Ok(())
        } else {
            Err(failed())
        };
    }
    let (holder, key) = find(document, path).ok_or_else(|| {
        format!("test operation does not apply: is missing path: {path}: missing value")
    })?;
    let found =
        get(holder, &key).map_err(|error| format!("error in test for path: '{path}': {error}"))?;
    if same(found.map_or(&Value::Null, |value| value), wanted) {
        Ok(())
    } else {
        Err(failed())
    }
}

fn copy(
    document: &mut Value,
    from: Option<&str>,
    path: Option<&str>,
    copied: &mut usize,
) -> Result<(), String> {
    let from = from.ok_or(
        "copy operation failed to decode from: operation, missing from field: missing value",
    )?;
    let (holder, key) = find(document, from).ok_or_else(|| {
        format!("copy operation does not apply: doc is missing from path: {from}: missing value")
    })?;
    let value = get(holder, &key)
        .map_err(|error| format!("error in copy for from: '{from}': {error}"))?
        .map_or(Value::Null, |value| value.clone());
    let path = path.ok_or("copy operation failed to decode path: missing value")?;
    let (holder, key) = find(document, path).ok_or_else(|| {
        format!(
            "copy operation does not apply: doc is missing destination path: {path}: missing value"
        )
    })?;
    let mut bytes = Vec::new();
    json::write(&value, &mut bytes);
    *copied += bytes.len();
    if *copied > COPY_BYTES_MAX {
        return Err(format!(
            "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit {COPY_BYTES_MAX}"
        ));
    }
    add(holder, &key, value)
        .map_err(|error| format!("error while adding value during copy: {error}"))
}

/// Finds the object or list that holds the place a pointer names, and the last part of the pointer.
fn find<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, Text)> {
    let mut parts = path.split('/');
    parts.next()?;
    let mut parts: Vec<&str> = parts.collect();
    let last = unescape(parts.pop()?);
    let mut holder = document;
    for part in parts {
        holder = get(holder, &unescape(part)).ok()??;
    }
    matches!(holder, Value::Object(_) | Value::Array(_)).then_some((holder, last))
}

fn unescape(part: &str) -> Text {
    if part.contains('~') {
        Text::from(part.replace("~1", "/").replace("~0", "~"))
    } else {
        Text::new(part)
    }
}

/// Returns a part of an object or list; a missing field is no error.
fn get<'a>(holder: &'a mut Value, key: &str) -> Result<Option<&'a mut Value>, String> {
    match holder {
        Value::Object(object) => Ok(object.get_mut(key)),
        Value::Array(items) => {
            let place = place(key, items.len(), items.len())?;
            Ok(items.get_mut(place))
        }
        _ => Ok(None),
    }
}

fn add(holder: &mut Value, key: &str, value: Value) -> Result<(), String> {
    match holder {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let place =
                place(key, items.len() + 1, items.len() + 1).map_err(|error| {
                    match error.strip_prefix("strconv") {
                        Some(_) => format!("value was not a proper array index: '{key}': {error}"),
                        None => error,
                    }
                })?;
            items.insert(place, value);
        }
        Value::Object(object) => {
            object.insert(key, value);
        }
        _ => {}
    }
    Ok(())
}

fn remove(holder: &mut Value, key: &str) -> Result<Value, String> {
    match holder {
        Value::Object(object) => object
            .remove(key)
            .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value")),
        Value::Array(items) => {
            let place = place(key, items.len(), items.len())?;
            Ok(items.remove(place))
        }
        _ => Ok(Value::Null),
    }
}

/// Reads an index; negative ones count from `length`.
fn place(key: &str, length: usize, limit: usize) -> Result<usize, String> {
    let index: i64 = key
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", quote(key)))?;
    let invalid = || format!("Unable to access invalid index: {index}: invalid index referenced");
    let place = if index < 0 {
        usize::try_from(index.unsigned_abs())
            .ok()
            .and_then(|back| length.checked_sub(back))
    } else {
        usize::try_from(index).ok()
    };
    place.filter(|place| *place < limit).ok_or_else(invalid)
}

/// Compares as JSON does: the order of fields does not matter.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let index = b.index();
            a.len() == b.len()
                && a.iter()
                    .all(|(name, value)| index.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::{OPERATIONS_MAX, apply, strict_errors};
    use api::{Value, json};

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    #[track_caller]
    fn check(document: &str, patch: &str, expected: &str) {
        let mut value = read(document);
        let done = match apply(&mut value, &read(patch)) {
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
    fn does_the_six_operations() {
        check(
            r#"{"a":[1,3]}"#,
            r#"[{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4},{"op":"add","path":"/a/-2","value":9}]"#,
            r#"{"a":[1,2,3,9,4]}"#,
        );
        check(
            r#"{"a":{"b/c":1,"~":2}}"#,
            r#"[{"op":"remove","path":"/a/b~1c"},{"op":"replace","path":"/a/~0","value":3}]"#,
            r#"{"a":{"~":3}}"#,
        );
        check(
            r#"{"a":{"b":1}}"#,
            r#"[{"op":"move","from":"/a/b","path":"/c"},{"op":"copy","from":"/c","path":"/d"}]"#,
            r#"{"a":{},"c":1,"d":1}"#,
        );
        check(
            r#"{"a":{"x":1,"y":[]}}"#,
            r#"[{"op":"test","path":"/a","value":{"y":[],"x":1}},{"op":"test","path":"/b","value":null}]"#,
            r#"{"a":{"x":1,"y":[]}}"#,
        );
        check(
            r#"{}"#,
            r#"[{"op":"replace","path":"/a","value":1}]"#,
            r#"{"a":1}"#,
        );
        check(
            r#"{"a":1}"#,
            r#"[{"op":"replace","path":"","value":[]}]"#,
            "[]",
        );
    }

    #[test]
    fn says_what_upstream_says() {
        check(
            "{}",
            r#"[{"op":"test","path":"/a","value":1}]"#,
            "testing value /a failed: test failed",
        );
        check(
            "{}",
            r#"[{"op":"remove","path":"/a"}]"#,
            "error in remove for path: '/a': Unable to remove nonexistent key: a: missing value",
        );
        check(
            "{}",
            r#"[{"op":"add","path":"/a/b","value":1}]"#,
            "add operation does not apply: doc is missing path: \"/a/b\": missing value",
        );
        check(
            r#"{"a":[]}"#,
            r#"[{"op":"replace","path":"/a/0","value":1}]"#,
            "replace operation does not apply: doc is missing key: /a/0: missing value",
        );
        check(
            r#"{"a":[]}"#,
            r#"[{"op":"add","path":"/a/x","value":1}]"#,
            "error in add for path: '/a/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
        );
        check(
            r#"{"a":[]}"#,
            r#"[{"op":"add","path":"/a/1","value":1}]"#,
            "error in add for path: '/a/1': Unable to access invalid index: 1: invalid index referenced",
        );
        check(
            "{}",
            r#"[{"op":"spin","path":"/a"}]"#,
            "Unexpected kind: spin",
        );
        check(
            "{}",
            r#"{"op":"add"}"#,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        );
        check(
            "{}",
            r#"[{"op":"move","path":"/a"}]"#,
            "move operation failed to decode from: operation, missing from field: missing value",
        );
        assert_eq!(
            strict_errors(&read(r#"[{"op":"add","foo":1}]"#)),
            [r#"json patch unknown field "[0].foo""#]
        );
    }

    #[test]
    fn stops_at_its_limits() {
        let one = read(r#"{"op":"test","path":"/a","value":null}"#);
        let many = Value::Array(vec![one; OPERATIONS_MAX + 1]);
        let error = apply(&mut Value::object(), &many).expect_err("too many");
        assert_eq!(
            error.to_string(),
            "The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
        assert_eq!(error.status().code, 413);
        // Each operation doubles the document: without the limit twenty make a gigabyte.
        let mut document = read(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1000)));
        let double = read(r#"{"op":"copy","from":"/a","path":"/a/0"}"#);
        let wrap =
            read(r#"[{"op":"add","path":"/a","value":["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]}]"#);
        apply(&mut document, &wrap).expect("it applies");
        let grow = |place: usize| {
            read(&format!(
                r#"{{"op":"copy","from":"/a","path":"/a/{place}"}}"#
            ))
        };
        let bomb = Value::Array((0..40).map(|_| grow(0)).chain([double]).collect());
        let error = apply(&mut document, &bomb).expect_err("too large");
        assert!(
            error.to_string().starts_with("Unable to complete the copy"),
            "{error}"
        );
        assert_eq!(error.status().code, 422);
    }
}
