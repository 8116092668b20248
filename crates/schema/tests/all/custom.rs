//! Custom resources: schemas, pruning, defaults and validation.

use api::{Value, field};
use schema::{
    Unknown, decode, default,
    structural::{CheckOptions, StatusDoor, check as check_schema, compile},
    validate::validate,
};

use crate::{compact, meta, read};

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 5, "format": "int32"},
                "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
                "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4},
                "when": {"type": "string", "format": "date-time"},
                "ratio": {"type": "number", "multipleOf": 0.5},
                "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "nothing": {"type": "string", "nullable": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
                "items": {"type": "array", "maxItems": 2, "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "boolean", "default": true}}, "required": ["k"]}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
                "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}}},
                "template": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
                "choice": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
            }
        }
    }
}"#;

/// Decodes, defaults and prints a resource whose `spec` is given, with what was unknown.
#[track_caller]
fn check_pruned(spec: &str, expected: &str, unknown_paths: &[&str]) {
    let shape = compile(&read(SCHEMA.as_bytes()), &meta()).expect("it compiles");
    let mut value = read(format!(r#"{{"spec":{spec}}}"#).as_bytes());
    let mut unknown = Unknown::collect();
    let done = decode(&shape, &mut value, &mut unknown);
    default(&shape, &mut value);
    let done = match done {
        Ok(()) => compact(value.get("spec").expect("it stays")),
        Err(error) => error.to_string(),
    };
    assert_eq!(done, expected);
    assert_eq!(unknown.paths(), unknown_paths);
}

/// Validates a resource whose `spec` is given, optionally as a change of another.
#[track_caller]
fn check_valid(spec: &str, old: Option<&str>, expected: &[&str]) {
    let shape = compile(&read(SCHEMA.as_bytes()), &meta()).expect("it compiles");
    let object = |spec: &str| read(format!(r#"{{"spec":{spec}}}"#).as_bytes());
    let errors = validate(&shape, &object(spec), old.map(object).as_ref());
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn prunes_and_defaults() {
    check_pruned(
        r#"{"size":1,"foo":{"a":1},"name":null,"nothing":null,"mode":null,"items":[{"k":"x","z":1}]}"#,
        r#"{"items":[{"k":"x","v":true}],"mode":"fast","nothing":null,"size":1}"#,
        &["spec.foo", "spec.items[0].z"],
    );
    check_pruned(
        r#"{"size":1,"mode":"slow","free":{"x":{"z":1,"y":2},"known":{"a":"b","c":"d"}}}"#,
        r#"{"free":{"known":{"a":"b"},"x":{"y":2,"z":1}},"mode":"slow","size":1}"#,
        &["spec.free.known.c"],
    );
    check_pruned(
        r#"{"mode":"slow","template":{"kind":"K","apiVersion":"v1","metadata":{"name":"n","foo":1,"creationTimestamp":null},"x":1}}"#,
        r#"{"mode":"slow","template":{"apiVersion":"v1","kind":"K","metadata":{"name":"n"},"x":1}}"#,
        &["spec.template.metadata.foo"],
    );
    check_pruned(
        r#"{"template":{"kind":1}}"#,
        "spec.template.kind: Invalid value: 1: must be a string",
        &[],
    );
}

#[test]
fn writes_metadata_sorted() {
    let shape = compile(&read(SCHEMA.as_bytes()), &meta()).expect("it compiles");
    let mut value = read(
        br#"{"metadata":{"name":"a","labels":{"b":"1","a":"2"},"uid":"u","creationTimestamp":"2026-01-01T00:00:00+01:00"},"kind":"K","apiVersion":"g/v1"}"#,
    );
    decode(&shape, &mut value, &mut Unknown::ignore()).expect("it decodes");
    assert_eq!(
        compact(&value),
        r#"{"apiVersion":"g/v1","kind":"K","metadata":{"creationTimestamp":"2025-12-31T23:00:00Z","labels":{"a":"2","b":"1"},"name":"a","uid":"u"}}"#
    );
}

#[test]
fn validates_values() {
    check_valid(r#"{"size":3}"#, None, &[]);
    check_valid("{}", None, &["spec.size: Required value"]);
    check_valid(
        r#"{"size":0,"mode":"odd"}"#,
        None,
        &[
            r#"spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"#,
            r#"spec.mode: Unsupported value: "odd": supported values: "fast", "slow""#,
        ],
    );
    check_valid(
        r#"{"size":"3"}"#,
        None,
        &[
            r#"spec.size: Invalid value: "string": spec.size in body must be of type integer: "string""#,
        ],
    );
    check_valid(
        r#"{"size":1,"name":"A1"}"#,
        None,
        &[r#"spec.name: Invalid value: "A1": spec.name in body should match '^[a-z]+$'"#],
    );
    check_valid(
        r#"{"size":1,"name":"a"}"#,
        None,
        &[r#"spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long"#],
    );
    check_valid(
        r#"{"size":1,"when":"today"}"#,
        None,
        &[
            r#"spec.when: Invalid value: "today": spec.when in body must be of type date-time: "today""#,
        ],
    );
    check_valid(
        r#"{"size":1,"labels":{"a":"1","b":2},"ratio":0.7,"port":"http"}"#,
        None,
        &[
            "spec.labels: Too many: 2: must have at most 1 item",
            r#"spec.labels.b: Invalid value: "integer": spec.labels.b in body must be of type string: "integer""#,
            "spec.ratio: Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5",
        ],
    );
    check_valid(
        r#"{"size":1,"choice":{"a":"1","b":"2"}}"#,
        None,
        &[
            r#"<nil>: Invalid value: "": "spec.choice" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
        ],
    );
    check_valid(
        r#"{"size":1,"choice":{}}"#,
        None,
        &[
            r#"<nil>: Invalid value: "": "spec.choice" must validate one and only one schema (oneOf). Found none valid"#,
            "spec.choice.a: Required value",
        ],
    );
    check_valid(
        r#"{"size":1,"set":["a","a"],"items":[{"k":"x"},{"k":"x","v":false}]}"#,
        None,
        &[
            r#"spec.set[1]: Duplicate value: "a""#,
            r#"spec.items[1]: Duplicate value: {"k":"x"}"#,
        ],
    );
    check_valid(
        r#"{"size":1,"template":{"metadata":{"labels":{"-":"x"}}}}"#,
        None,
        &[
            "spec.template.apiVersion: Required value",
            "spec.template.kind: Required value",
            r#"spec.template.metadata.labels: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#,
        ],
    );
}

#[test]
fn does_not_hold_the_past_against_anybody() {
    check_valid(r#"{"size":0,"name":"ab"}"#, Some(r#"{"size":0}"#), &[]);
    check_valid(
        r#"{"size":0,"name":"A"}"#,
        Some(r#"{"size":9,"name":"A"}"#),
        &["spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"],
    );
    check_valid(
        r#"{"size":1,"items":[{"k":"y","v":true},{"k":"x","v":1}]}"#,
        Some(r#"{"size":1,"items":[{"k":"x","v":1}]}"#),
        &[],
    );
    check_valid(
        r#"{"size":1,"set":["a","a"],"mode":"slow"}"#,
        Some(r#"{"size":1,"set":["a","a"]}"#),
        &[],
    );
}

/// Checks a schema that is given as the `properties` of the root.
#[track_caller]
fn check_refused(properties: &str, expected: &[&str]) {
    let schema = read(format!(r#"{{"type":"object","properties":{properties}}}"#).as_bytes());
    let path = field::Path::new("schema");
    let errors = check_schema(&schema, &path, &meta(), CheckOptions::default());
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn takes_sound_schemas() {
    let schema = read(SCHEMA.as_bytes());
    let path = field::Path::new("schema");
    for options in [
        CheckOptions::default(),
        CheckOptions {
            status: StatusDoor::Present,
            ..CheckOptions::default()
        },
    ] {
        let errors = check_schema(&schema, &path, &meta(), options);
        assert_eq!(errors, []);
    }
}

#[test]
fn refuses_schemas_in_upstreams_words() {
    check_refused(
        r#"{"a":{},"b":{"type":"array"},"c":{"type":"array","items":{}}}"#,
        &[
            "schema.properties[a].type: Required value: must not be empty for specified object fields",
            "schema.properties[b].items: Required value: must be specified",
            "schema.properties[c].items.type: Required value: must not be empty for specified array items",
        ],
    );
    check_refused(
        r#"{"a":{"type":"object","anyOf":[{"type":"object","properties":{"x":{"minimum":1}}}]}}"#,
        &[
            // That `x` is said of nowhere else is looked at only at the root.
            "schema.properties[a].anyOf[0].type: Forbidden: must be empty to be structural",
        ],
    );
    check_refused(
        r#"{"metadata":{"type":"object","properties":{"labels":{"type":"object"}}}}"#,
        &[
            "schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
        ],
    );
    check_refused(
        r#"{"c":{"type":"string","pattern":"("}}"#,
        &[
            "schema.properties[c].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp: unclosed group",
        ],
    );
    check_refused(
        r##"{"a":{"type":"string","$ref":"#/b"},"b":{"type":"text"}}"##,
        &[
            "schema.properties[a].$ref: Forbidden: $ref is not supported",
            r#"schema.properties[b].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string""#,
        ],
    );
    check_refused(
        r#"{"a":{"type":"object","properties":{"b":{"type":"string"}},"default":{"b":1,"c":2}}}"#,
        &[
            r#"schema.properties[a].default: Invalid value: {"b":1,"c":2}: must not have unknown fields"#,
            r#"schema.properties[a].default.b: Invalid value: "integer": b in body must be of type string: "integer""#,
        ],
    );
    check_refused(
        r#"{"a":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string"}}},"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k","z"]}}"#,
        &[
            r#"schema.properties[a].x-kubernetes-list-map-keys: Invalid value: ["k","z"]: entries must all be names of item properties"#,
            "schema.properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ],
    );
    check_refused(
        r#"{"a":{"type":"object","properties":{"x":{"type":"string"}},"additionalProperties":{"type":"string"}},"b":{"type":"object","x-kubernetes-embedded-resource":true}}"#,
        &[
            "schema.properties[b].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
            "schema.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ],
    );
    check_refused(
        r#"{"a":{"type":"string","x-kubernetes-validations":[{"rule":""},{"rule":"true","reason":"Odd"}]}}"#,
        &[
            "schema.properties[a].x-kubernetes-validations[0].rule: Required value: rule is not specified",
            r#"schema.properties[a].x-kubernetes-validations[1].reason: Unsupported value: "Odd": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired""#,
        ],
    );
}

#[test]
fn refuses_what_is_too_large() {
    let mut schema = read(br#"{"type":"string"}"#);
    for _ in 0..1_100 {
        let mut outer = read(br#"{"type":"array"}"#);
        outer.set_at(&["items"], schema);
        schema = outer;
    }
    let error = compile(&schema, &meta()).expect_err("it is too deep");
    assert_eq!(error.to_string(), "the schema is too large");
    // Dropping a tree so deep by recursion is fine on any stack that tests have.
    drop::<Value>(schema);
}
