//! Rules of a schema held against objects: messages, places, old values, and what did not change.

use api::{Value, json};
use schema::{
    Shape,
    structural::{CheckOptions, check, compile},
    validate::validate,
};

fn read(text: &str) -> Value {
    json::read(text.as_bytes())
        .expect("the test gives JSON")
        .value
}

/// Returns a schema with these rules at the root and at the items of `spec.items`.
fn schema(root: &str, items: &str) -> Value {
    read(&format!(
        r#"{{"type":"object","x-kubernetes-validations":[{root}],"properties":{{"spec":{{"type":"object","properties":{{
        "n":{{"type":"integer"}},"s":{{"type":"string","maxLength":20}},
        "items":{{"type":"array","maxItems":10,"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
        "items":{{"type":"object","required":["k"],"x-kubernetes-validations":[{items}],
        "properties":{{"k":{{"type":"string","maxLength":5}},"v":{{"type":"integer"}}}}}}}}}}}}}}}}"#
    ))
}

/// Checks what rules say of an object; `old` is empty when it is created.
#[track_caller]
fn holds((root, items): (&str, &str), object: &str, old: &str, expected: &[&str]) {
    let shape = compile(&schema(root, items), &Shape::any()).expect("the schema is sound");
    let object = read(object);
    let old = (!old.is_empty()).then(|| read(old));
    let errors = validate(&shape, &object, old.as_ref());
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn says_what_is_wrong_and_where() {
    let object = r#"{"spec":{"n":5,"s":"a"}}"#;
    holds(
        (r#"{"rule":"self.spec.n < 3"}"#, ""),
        object,
        "",
        &["<nil>: Invalid value: failed rule: self.spec.n < 3"],
    );
    holds(
        (
            r#"{"rule":"self.spec.n < 3","message":" too many ","reason":"FieldValueForbidden","fieldPath":".spec.n"}"#,
            "",
        ),
        object,
        "",
        &["spec.n: Forbidden: too many"],
    );
    holds(
        (
            r#"{"rule":"self.spec.n < 3","messageExpression":"'n is ' + string(self.spec.n)"}"#,
            "",
        ),
        object,
        "",
        &["<nil>: Invalid value: n is 5"],
    );
    holds(
        (
            r#"{"rule":"self.spec.n < 3","message":"plain","messageExpression":"self.spec.s.substring(9)"}"#,
            "",
        ),
        object,
        "",
        &["<nil>: Invalid value: plain"],
    );
    holds(
        ("", r#"{"rule":"self.v > 0","reason":"FieldValueRequired"}"#),
        r#"{"spec":{"items":[{"k":"a","v":1},{"k":"b","v":0},{"k":"c"}]}}"#,
        "",
        &[
            "spec.items[1]: Required value: failed rule: self.v > 0",
            r#"spec.items[2]: Invalid value: "object": no such key: v evaluating rule: self.v > 0"#,
        ],
    );
}

#[test]
fn compares_with_what_was_before() {
    let rules = ("", r#"{"rule":"self.v >= oldSelf.v","message":"shrinks"}"#);
    let old = r#"{"spec":{"items":[{"k":"a","v":1},{"k":"b","v":5}]}}"#;
    let new = r#"{"spec":{"items":[{"k":"b","v":4},{"k":"c","v":0},{"k":"a","v":2}]}}"#;
    holds(rules, new, "", &[]);
    holds(rules, new, old, &["spec.items[0]: Invalid value: shrinks"]);
    let rule = r#"{"rule":"oldSelf.hasValue() || self.v > 0","optionalOldSelf":true,"message":"born empty"}"#;
    holds(
        ("", rule),
        new,
        old,
        &["spec.items[1]: Invalid value: born empty"],
    );
}

#[test]
fn does_not_hold_against_anybody_what_was_there_before() {
    let rules = ("", r#"{"rule":"self.v > 0","message":"empty"}"#);
    let old = r#"{"spec":{"n":1,"items":[{"k":"a","v":0},{"k":"b","v":0}]}}"#;
    let new = r#"{"spec":{"n":2,"items":[{"k":"a","v":0},{"k":"b","v":-1}]}}"#;
    holds(
        rules,
        old,
        "",
        &[
            "spec.items[0]: Invalid value: empty",
            "spec.items[1]: Invalid value: empty",
        ],
    );
    holds(rules, new, old, &["spec.items[1]: Invalid value: empty"]);
}

#[test]
fn rules_wait_until_the_object_is_what_they_are_written_for() {
    holds(
        (r#"{"rule":"self.spec.n < 3"}"#, ""),
        r#"{"spec":{"n":"x"}}"#,
        "",
        &[
            r#"spec.n: Invalid value: "string": spec.n in body must be of type integer: "string""#,
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        ],
    );
}

/// Checks what is wrong with the rules themselves; of each error the beginning is given.
#[track_caller]
fn refuses((root, items): (&str, &str), expected: &[&str]) {
    let place = api::field::Path::new("schema");
    let errors = check(
        &schema(root, items),
        &place,
        &Shape::any(),
        CheckOptions::default(),
    );
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}\nwanted {expected}");
    }
}

#[test]
fn refuses_rules_that_are_wrong_or_too_expensive() {
    refuses(
        (
            r#"{"rule":"self.spec.n < 3"}"#,
            r#"{"rule":"self.k == 'a'"}"#,
        ),
        &[],
    );
    refuses(
        (r#"{"rule":"self.spec.m"}"#, ""),
        &[
            r#"schema.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.spec.m","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:10: undefined field 'm'"#,
        ],
    );
    refuses(
        (r#"{"rule":"self.spec.n"}"#, ""),
        &[
            r#"schema.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.spec.n","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: cel expression must evaluate to a bool"#,
        ],
    );
    refuses(
        (r#"{"rule":"true","optionalOldSelf":true}"#, ""),
        &[
            "schema.x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
        ],
    );
    refuses(
        (r#"{"rule":"true","fieldPath":".spec.nothing"}"#, ""),
        &[
            r#"schema.x-kubernetes-validations[0].fieldPath: Invalid value: ".spec.nothing": must be a valid path"#,
        ],
    );
    refuses(
        (r#"{"rule":"lists.range(9000000).all(a, a >= 0)"}"#, ""),
        &[
            "schema.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 5.4x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)",
        ],
    );
}
