//! What a webhook may make of an object: anything but another object.
//!
//! Of the metadata only labels and annotations are taken over, and they must be good; the rest is
//! put back as it was.

use api::{
    GroupVersion, Value,
    field::{Path, aggregate},
    meta::{Meta, check},
};

use crate::write::meta;

/// Why an object that came back is not taken.
#[derive(Debug, PartialEq)]
pub(super) enum Wrong {
    /// It is another object, or a bad one; goes on "conversion webhook for …".
    Converted(String),
    /// It is no object at all, of which upstream says no more.
    NoObject(String),
}

/// Returns the object that `converted` makes of `original`, at place `index` of a review.
///
/// # Errors
/// [`Wrong`], in upstream's words.
pub(super) fn converted(
    original: &Value,
    mut converted: Value,
    target: &GroupVersion,
    index: usize,
) -> Result<Value, Wrong> {
    is_object(&converted).map_err(Wrong::NoObject)?;
    let invalid = |why: String| Wrong::Converted(format!("returned invalid object{why}"));
    let text = |object: &Value, name: &str| object.str_at(&[name]).unwrap_or_default().to_owned();
    let (wanted, found) = (target.to_string(), text(&converted, "apiVersion"));
    if found != wanted {
        return Err(invalid(format!(
            " at index {index}: invalid groupVersion (expected {wanted}, received {found})"
        )));
    }
    let (wanted, found) = (text(original, "kind"), text(&converted, "kind"));
    if found != wanted {
        return Err(invalid(format!(
            " at index {index}: invalid kind (expected {wanted}, received {found})"
        )));
    }
    for (name, shown) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let (wanted, found) = (meta::text(original, name), meta::text(&converted, name));
        if wanted != found {
            return Err(invalid(format!(
                ": must have the same {shown}: {wanted} != {found}"
            )));
        }
    }
    restore(original, &mut converted)
        .map_err(|why| Wrong::Converted(format!("returned invalid metadata: {why}")))?;
    Ok(converted)
}

fn is_object(converted: &Value) -> Result<(), String> {
    if converted.is_null() {
        return Err("unexpected end of JSON input".to_owned());
    }
    if converted.as_object().is_none() {
        let found = converted.go_type_name();
        return Err(format!(
            "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        ));
    }
    if converted.str_at(&["kind"]).unwrap_or_default().is_empty() {
        let mut text = Vec::new();
        api::json::write(converted, &mut text);
        let text = String::from_utf8_lossy(&text);
        return Err(format!("Object 'Kind' is missing in '{text}'"));
    }
    Ok(())
}

/// Puts the metadata of the original back, with labels and annotations as they were converted.
fn restore(original: &Value, converted: &mut Value) -> Result<(), String> {
    let Some(given) = converted.get_mut("metadata").map(std::mem::take) else {
        return Err("missing metadata in converted object".to_owned());
    };
    if given.as_object().is_none() {
        let kind = type_name(&given);
        return Err(format!(
            "invalid metadata of type {kind} in converted object"
        ));
    }
    let mut restored = original.get("metadata").cloned().unwrap_or_default();
    let fields = restored.make_object();
    for name in ["labels", "annotations"] {
        let Some(given) = given.get(name).filter(|given| !given.is_null()) else {
            fields.remove(name);
            continue;
        };
        check_texts(name, given)?;
        if fields.get(name) != Some(given) {
            check_names(name, &given_as(name, given))?;
        }
        fields.insert(name, given.clone());
    }
    converted.make_object().insert("metadata", restored);
    Ok(())
}

/// Labels and annotations are texts.
fn check_texts(name: &str, given: &Value) -> Result<(), String> {
    let Some(fields) = given.as_object() else {
        let kind = type_name(given);
        return Err(format!(
            "invalid metadata.{name} of type {kind} in converted object"
        ));
    };
    for (key, value) in fields.iter() {
        if value.as_str().is_none() {
            let kind = type_name(value);
            return Err(format!(
                "metadata.{name}[{key}] must be a string, but is {kind} in converted object"
            ));
        }
    }
    Ok(())
}

/// Returns an object that has nothing but these labels or annotations.
fn given_as(name: &str, given: &Value) -> Value {
    let mut object = Value::object();
    object.set_at(&["metadata", name], given.clone());
    object
}

fn check_names(name: &str, object: &Value) -> Result<(), String> {
    let meta = Meta::of(object);
    let root = Path::new("metadata");
    let mut errors = Vec::new();
    if name == "labels" {
        check::labels(meta.labels(), &root.child("labels"), &mut errors);
    } else {
        // Upstream's own slip of the pen.
        check::annotations(meta.annotations(), &root.child("annotation"), &mut errors);
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(aggregate(&errors))
}

/// Returns what Go calls a value of unstructured data.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use api::{GroupVersion, Value, json, value};
    use expect_test::{Expect, expect};

    use super::{Wrong, converted};

    fn original() -> Value {
        value!({
            "apiVersion": "example.com/v1", "kind": "Foo",
            "metadata": {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "labels": {"l": "1"}, "finalizers": ["a/b"]},
        })
    }

    /// Converts by replacing what is given at the top and in the metadata.
    #[track_caller]
    fn check(top: &Value, metadata: &Value, expected: &Expect) {
        let mut object = original();
        object.set_at(&["apiVersion"], Value::from("example.com/v2"));
        for (name, value) in metadata.as_object().expect("fields").iter() {
            object.set_at(&["metadata", name], value.clone());
        }
        for (name, value) in top.as_object().expect("fields").iter() {
            object.set_at(&[name], value.clone());
        }
        expected.assert_eq(&outcome(object));
    }

    fn outcome(object: Value) -> String {
        let target = GroupVersion::new("example.com", "v2");
        match converted(&original(), object, &target, 3) {
            Ok(object) => {
                let mut out = Vec::new();
                json::write(&object, &mut out);
                String::from_utf8(out).expect("it is text")
            }
            Err(Wrong::Converted(why) | Wrong::NoObject(why)) => why,
        }
    }

    #[test]
    fn takes_labels_and_annotations_and_nothing_else_of_the_metadata() {
        check(
            &value!({"spec": 1}),
            &value!({"labels": {"a": "b"}, "annotations": {"x": "y"}, "finalizers": [], "resourceVersion": "9"}),
            &expect![[
                r#"{"apiVersion":"example.com/v2","kind":"Foo","metadata":{"name":"x","namespace":"n","uid":"u","resourceVersion":"7","labels":{"a":"b"},"finalizers":["a/b"],"annotations":{"x":"y"}},"spec":1}"#
            ]],
        );
        check(
            &value!({}),
            &value!({"labels": null}),
            &expect![[
                r#"{"apiVersion":"example.com/v2","kind":"Foo","metadata":{"name":"x","namespace":"n","uid":"u","resourceVersion":"7","finalizers":["a/b"]}}"#
            ]],
        );
    }

    #[test]
    fn refuses_another_object() {
        let top = |top: Value, expected: Expect| check(&top, &value!({}), &expected);
        top(
            value!({"kind": "Bar"}),
            expect![
                "returned invalid object at index 3: invalid kind (expected Foo, received Bar)"
            ],
        );
        top(
            value!({"apiVersion": "o/v3"}),
            expect![
                "returned invalid object at index 3: invalid groupVersion (expected example.com/v2, received o/v3)"
            ],
        );
        top(
            value!({"metadata": "x"}),
            expect!["returned invalid object: must have the same name: x != "],
        );
        let within = |metadata: Value, expected: Expect| check(&value!({}), &metadata, &expected);
        within(
            value!({"name": "y"}),
            expect!["returned invalid object: must have the same name: x != y"],
        );
        within(
            value!({"namespace": "m"}),
            expect!["returned invalid object: must have the same namespace: n != m"],
        );
        within(
            value!({"uid": "v"}),
            expect!["returned invalid object: must have the same UID: u != v"],
        );
    }

    #[test]
    fn refuses_bad_labels() {
        let within = |metadata: Value, expected: Expect| check(&value!({}), &metadata, &expected);
        within(
            value!({"labels": {"a": 1}}),
            expect![
                "returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object"
            ],
        );
        within(
            value!({"labels": "x"}),
            expect![
                "returned invalid metadata: invalid metadata.labels of type string in converted object"
            ],
        );
        within(
            value!({"annotations": {"a b": "-"}}),
            expect![
                "returned invalid metadata: metadata.annotation: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ],
        );
        within(
            value!({"labels": {"a b": ""}}),
            expect![
                "returned invalid metadata: metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ],
        );
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert_eq!(outcome(Value::Null), "unexpected end of JSON input");
        assert_eq!(
            outcome(Value::from("x")),
            "json: cannot unmarshal string into Go value of type map[string]interface {}"
        );
        assert_eq!(outcome(value!({})), "Object 'Kind' is missing in '{}'");
    }
}
