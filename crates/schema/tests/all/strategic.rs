//! Strategic merge patches of real kinds.

use schema::{Unknown, decode, patch::strategic};

use crate::{compact, read, shapes};

/// Applies `patch` to `document` and prints what lies under `spec`, or the error.
#[track_caller]
fn check(kind: &str, document: &str, patch: &str, expected: &str) {
    let shape = &shapes()[kind];
    let mut value = read(document.as_bytes());
    let done = match strategic::apply(shape, &mut value, read(patch.as_bytes())) {
        Ok(()) => {
            decode(shape, &mut value, &mut Unknown::ignore()).expect("what comes out decodes");
            compact(
                value
                    .get("spec")
                    .or(value.get("metadata"))
                    .expect("it has one of them"),
            )
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(done, expected);
}

const POD: &str = r#"{"spec":{"containers":[{"name":"a","image":"1","ports":[{"containerPort":80}]},{"name":"b","image":"2"}]}}"#;

#[test]
fn merges_lists_by_their_keys() {
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"containers":[{"name":"b","image":"3"},{"name":"c"}]}}"#,
        r#"{"containers":[{"name":"a","image":"1","ports":[{"containerPort":80}],"resources":{}},{"name":"b","image":"3","resources":{}},{"name":"c","resources":{}}]}"#,
    );
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}"#,
        r#"{"containers":[{"name":"b","image":"2","resources":{}}]}"#,
    );
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"containers":[{"$patch":"replace"},{"name":"z"}]}}"#,
        r#"{"containers":[{"name":"z","resources":{}}]}"#,
    );
    // No merge strategy: the list is replaced.
    check(
        "v1 Pod",
        r#"{"spec":{"containers":[{"name":"a","args":["x","y"]}]}}"#,
        r#"{"spec":{"containers":[{"name":"a","args":["z"]}]}}"#,
        r#"{"containers":[{"name":"a","args":["z"],"resources":{}}]}"#,
    );
}

#[test]
fn keeps_the_order_that_is_asked_for() {
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"b"},{"name":"a"}],"containers":[{"name":"c"}]}}"#,
        r#"{"containers":[{"name":"c","resources":{}},{"name":"b","image":"2","resources":{}},{"name":"a","image":"1","ports":[{"containerPort":80}],"resources":{}}]}"#,
    );
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"$setElementOrder/containers":[{"name":"b"}],"containers":[{"name":"c"}]}}"#,
        "The order in patch list:\n[map[name:c]]\n doesn't match $setElementOrder list:\n[map[name:b]]\n",
    );
}

#[test]
fn merges_and_deletes_plain_values() {
    let document = r#"{"metadata":{"finalizers":["a","b","c"]}}"#;
    check(
        "v1 ConfigMap",
        document,
        r#"{"metadata":{"$deleteFromPrimitiveList/finalizers":["b"]}}"#,
        r#"{"finalizers":["a","c"]}"#,
    );
    check(
        "v1 ConfigMap",
        document,
        r#"{"metadata":{"finalizers":["c","d"]}}"#,
        r#"{"finalizers":["a","b","c","d"]}"#,
    );
    check(
        "v1 ConfigMap",
        document,
        r#"{"metadata":{"$setElementOrder/finalizers":["d","a"],"$deleteFromPrimitiveList/finalizers":["b","c"],"finalizers":["d"]}}"#,
        r#"{"finalizers":["d","a"]}"#,
    );
    check(
        "v1 ConfigMap",
        r#"{"metadata":{"labels":{"a":"1","b":"2"}}}"#,
        r#"{"metadata":{"labels":{"a":null,"c":"3"},"annotations":{"x":null}}}"#,
        r#"{"labels":{"b":"2","c":"3"}}"#,
    );
    check(
        "v1 ConfigMap",
        r#"{"metadata":{"labels":{"a":"1"}}}"#,
        r#"{"metadata":{"labels":{"$patch":"replace","b":"2"}}}"#,
        r#"{"labels":{"b":"2"}}"#,
    );
}

#[test]
fn retains_only_the_keys_named() {
    let document = r#"{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}},"selector":null,"template":{}}}"#;
    check(
        "apps/v1 Deployment",
        document,
        r#"{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}"#,
        r#"{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{"type":"Recreate"}}"#,
    );
    check(
        "apps/v1 Deployment",
        document,
        r#"{"spec":{"strategy":{"$retainKeys":["rollingUpdate"],"type":"Recreate"}}}"#,
        "invalid patch format of retainKeys",
    );
}

#[test]
fn refuses_in_upstreams_words() {
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"containers":[{"image":"x"}]}}"#,
        "map: map[image:x] does not contain declared merge key: name",
    );
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"$patch":"explode"}}"#,
        "unknown patch type: explode in map: map[$patch:explode]",
    );
    check(
        "v1 Pod",
        POD,
        r#"{"spec":{"containers":[{"name":"a"},"b"]}}"#,
        "list element types are not identical: [[map[image:1 name:a ports:[map[containerPort:80]]] map[image:2 name:b]] [map[name:a] b]]",
    );
    check(
        "v1 Pod",
        r#"{"spec":{"foo":{}}}"#,
        r#"{"spec":{"foo":{}}}"#,
        r#"unable to find api field in struct PodSpec for the json field "foo""#,
    );
    check(
        "v1 Pod",
        POD,
        "[]",
        "json: cannot unmarshal array into Go value of type map[string]interface {}",
    );
}
