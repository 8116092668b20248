//! Rules of writes, one test each.

use expect_test::{Expect, expect};

use super::{Bench, Reply, at};

const NOTES: &str = "/api/v1/namespaces/a/configmaps";

#[track_caller]
fn check(reply: &Reply, expected: &Expect) {
    let message = at(&reply.body, "message");
    let text = if reply.code < 400 {
        format!("{} {}", reply.code, at(&reply.body, "metadata/name"))
    } else {
        format!("{} {}: {message}", reply.code, at(&reply.body, "reason"))
    };
    expected.assert_eq(&text);
}

async fn post(body: &str, expected: &Expect) -> Reply {
    let bench = Bench::new();
    let reply = bench.send(&format!("POST {NOTES}"), body).await;
    check(&reply, expected);
    reply
}

#[tokio::test]
async fn refuses_bodies_it_does_not_understand() {
    post("", &expect!["400 BadRequest: the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"]).await;
    post("[]", &expect![[r#"400 BadRequest: the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" } (5b5d)"#]]).await;
    post("{\"metadata\":", &expect![[r#"400 BadRequest: the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({"metadata":)"#]]).await;
    post(
        r#"{"apiVersion":"apps/v1","kind":"ConfigMap"}"#,
        &expect![[r#"400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "apps/v1" in scheme "pkg/runtime/scheme.go:111""#]],
    )
    .await;
    post(r#"{"apiVersion":"v1","kind":"Secret"}"#, &expect![[r#"400 BadRequest: Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion"#]]).await;
    post(r#"{"metadata":{"name":"x","labels":[1]}}"#, &expect![[r#"400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string"#]]).await;
    post(r#"{"metadata":{"name":"x","namespace":"b"}}"#, &expect!["400 BadRequest: the namespace of the provided object does not match the namespace sent on the request"]).await;
    post(
        r#"{"metadata":{"name":"x","resourceVersion":"7"}}"#,
        &expect!["500 -: resourceVersion should not be set on objects to be created"],
    )
    .await;
    // A dry run never comes to the place where upstream looks; clients try copies of what they read.
    let copy = r#"{"metadata":{"name":"x","resourceVersion":"7"}}"#;
    let url = "POST /api/v1/namespaces/a/configmaps?dryRun=All";
    assert_eq!(Bench::new().send(url, copy).await.code, 201);
    post(r#"{"metadata":{}}"#, &expect![[r#"422 Invalid: ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required"#]]).await;
    post("yaml metadata: {name: x, name: y}", &expect![[r#"400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string"#]]).await;
}

#[tokio::test]
async fn tells_about_unknown_fields() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x"},"colour":"red","data":{"a":"1","a":"2"}}"#;
    let reply = bench.send(&format!("POST {NOTES}?dryRun=All"), body).await;
    assert_eq!(reply.code, 201);
    assert_eq!(
        reply.warnings,
        [r#"unknown field "colour""#, r#"duplicate field "data.a""#]
    );
    let url = format!("POST {NOTES}?dryRun=All&fieldValidation=Ignore");
    assert!(bench.send(&url, body).await.warnings.is_empty());
    let url = format!("POST {NOTES}?dryRun=All&fieldValidation=Strict");
    check(
        &bench.send(&url, body).await,
        &expect![[
            r#"400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "colour", duplicate field "data.a""#
        ]],
    );
}

#[tokio::test]
async fn a_dry_create_leaves_nothing() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x"}}"#;
    let reply = bench.send(&format!("POST {NOTES}?dryRun=All"), body).await;
    assert_eq!(reply.code, 201);
    assert_eq!(at(&reply.body, "metadata/resourceVersion"), "-");
    assert_ne!(at(&reply.body, "metadata/uid"), "-");
    assert_eq!(bench.send(&format!("GET {NOTES}/x"), "").await.code, 404);
    bench.ok(&format!("POST {NOTES}"), body).await;
    let reply = bench.send(&format!("POST {NOTES}?dryRun=All"), body).await;
    check(
        &reply,
        &expect![[r#"409 AlreadyExists: configmaps "x" already exists"#]],
    );
}

#[tokio::test]
async fn makes_names() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"generateName":"web-"}}"#;
    let one = at(
        &bench.ok(&format!("POST {NOTES}"), body).await,
        "metadata/name",
    );
    let two = at(
        &bench.ok(&format!("POST {NOTES}"), body).await,
        "metadata/name",
    );
    assert!(one.starts_with("web-") && one.len() == 9, "{one}");
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x","finalizers":["a.b/c"]}}"#;
    bench.ok(&format!("POST {NOTES}"), body).await;
    check(
        &bench.send(&format!("POST {NOTES}"), body).await,
        &expect![[r#"409 AlreadyExists: configmaps "x" already exists"#]],
    );
    bench.ok(&format!("DELETE {NOTES}/x"), "").await;
    check(
        &bench.send(&format!("POST {NOTES}"), body).await,
        &expect![[r#"409 AlreadyExists: object is being deleted: configmaps "x" already exists"#]],
    );
}

#[tokio::test]
async fn replaces_what_was_seen() {
    let bench = Bench::new();
    let made = bench.note("a", "x", "1").await;
    let url = format!("PUT {NOTES}/x");
    let next = made.replace(r#""text":"1""#, r#""text":"2""#);
    let changed = bench.ok(&url, &next).await;
    assert_eq!(at(&changed, "data/text"), "2");
    assert_eq!(at(&changed, "metadata/uid"), at(&made, "metadata/uid"));
    // The same once more is stale; without a version it overwrites.
    check(
        &bench.send(&url, &next.replace("\"2\"}", "\"3\"}")).await,
        &expect![[
            r#"409 Conflict: Operation cannot be fulfilled on configmaps "x": the object has been modified; please apply your changes to the latest version and try again"#
        ]],
    );
    let blind = r#"{"metadata":{"name":"x"},"data":{"text":"4"}}"#;
    assert_eq!(at(&bench.ok(&url, blind).await, "data/text"), "4");
    check(
        &bench.send(&url, r#"{"metadata":{"name":"y"}}"#).await,
        &expect![
            "400 BadRequest: the name of the object (y) does not match the name on the URL (x)"
        ],
    );
    check(
        &bench.send(&url, r#"{"metadata":{}}"#).await,
        &expect![
            "400 BadRequest: the name of the object (x based on URL) was undeterminable: name must be provided"
        ],
    );
    let other = r#"{"metadata":{"name":"x","uid":"other"}}"#;
    check(
        &bench.send(&url, other).await,
        &expect![[
            r#"409 Conflict: Operation cannot be fulfilled on configmaps "x": StorageError: invalid object, Code: 4, Key: /configmaps/a/x, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: 9bc2036f-7fd0-45cf-8de0-3f96324142bf"#
        ]],
    );
    let missing = r#"{"metadata":{"name":"none"}}"#;
    check(
        &bench.send(&format!("PUT {NOTES}/none"), missing).await,
        &expect![[r#"404 NotFound: configmaps "none" not found"#]],
    );
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let bench = Bench::new();
    let made = bench.note("a", "x", "1").await;
    let url = format!("PUT {NOTES}/x");
    let again = bench.ok(&url, &made).await;
    assert_eq!(again, made);
    let patched = bench
        .ok(
            &format!("PATCH {NOTES}/x"),
            r#"merge {"data":{"text":"1"}}"#,
        )
        .await;
    assert_eq!(patched, made);
}

#[tokio::test]
async fn what_the_server_owns_stays() {
    let bench = Bench::new();
    let made = bench.note("a", "x", "1").await;
    let patch = r#"merge {"metadata":{"creationTimestamp":"2001-01-01T00:00:00Z","deletionTimestamp":"2001-01-01T00:00:00Z","generation":7,"managedFields":[{"manager":"m"}],"labels":{"a":"b"}}}"#;
    let patched = bench.send(&format!("PATCH {NOTES}/x"), patch).await;
    check(
        &patched,
        &expect![[
            r#"422 Invalid: ConfigMap "x" is invalid: metadata.deletionTimestamp: Invalid value: "2001-01-01T00:00:00Z": field is immutable"#
        ]],
    );
    let patch = r#"merge {"metadata":{"creationTimestamp":"2001-01-01T00:00:00Z","generation":7,"managedFields":[{"manager":"m","operation":"Update"}],"labels":{"a":"b"}}}"#;
    let patched = bench.ok(&format!("PATCH {NOTES}/x"), patch).await;
    for name in ["uid", "creationTimestamp", "generation"] {
        let path = format!("metadata/{name}");
        assert_eq!(at(&patched, &path), at(&made, &path), "{name}");
    }
    assert_eq!(at(&patched, "metadata/labels/a"), "b");
}

#[tokio::test]
async fn patches_in_three_ways() {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    let url = format!("PATCH {NOTES}/x");
    for (body, expected) in [
        (r#"merge {"data":{"b":"2"}}"#, r#"{"b":"2","text":"1"}"#),
        (r#"strategic {"data":{"text":null}}"#, r#"{"b":"2"}"#),
        (
            r#"json-patch [{"op":"add","path":"/data/c","value":"3"}]"#,
            r#"{"b":"2","c":"3"}"#,
        ),
    ] {
        assert_eq!(at(&bench.ok(&url, body).await, "data"), expected, "{body}");
    }
    for (body, expected) in [
        ("merge {", expect!["400 BadRequest: invalid JSON patch"]),
        (
            "merge []",
            expect![
                "400 BadRequest: error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
            ],
        ),
        (
            r#"json-patch [{"op":"test","path":"/data/c","value":"4"}]"#,
            expect!["422 Invalid: the server rejected our request due to an error in our request"],
        ),
        (
            r#"merge {"metadata":{"resourceVersion":"2"},"data":{"d":"4"}}"#,
            expect![[
                r#"409 Conflict: Operation cannot be fulfilled on configmaps "x": the object has been modified; please apply your changes to the latest version and try again"#
            ]],
        ),
        (
            r#"merge {"data":{"d":4}}"#,
            expect![[
                r#"422 Invalid:  "" is invalid: patch: Invalid value: "{\"apiVersion\":\"v1\",\"data\":{\"b\":\"2\",\"c\":\"3\",\"d\":4},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\",\"namespace\":\"a\",\"uid\":\"9bc2036f-7fd0-45cf-8de0-3f96324142bf\",\"resourceVersion\":\"5\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"managedFields\":[{\"manager\":\"unknown\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-01-02T03:04:05Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\".\":{},\"f:b\":{},\"f:c\":{}}}}]}}": json: cannot unmarshal number into Go struct field ConfigMap.data of type string"#
            ]],
        ),
        (
            r#"merge {"metadata":{"name":"y"}}"#,
            expect![
                "400 BadRequest: the name of the object (y) does not match the name on the URL (x)"
            ],
        ),
    ] {
        check(&bench.send(&url, body).await, &expected);
    }
    check(
        &bench.send(&format!("PATCH {NOTES}/none"), "merge {}").await,
        &expect![[r#"404 NotFound: configmaps "none" not found"#]],
    );
}

#[tokio::test]
async fn patches_of_many_hands_all_land() {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    let url = format!("PATCH {NOTES}/x");
    let patches: Vec<String> = (0..20)
        .map(|n| format!(r#"merge {{"data":{{"k{n}":"v"}}}}"#))
        .collect();
    let mut sent: Vec<_> = patches
        .iter()
        .map(|body| Box::pin(bench.ok(&url, body)))
        .collect();
    std::future::poll_fn(|ctx| {
        sent.retain_mut(|one| one.as_mut().poll(ctx).is_pending());
        if sent.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    let body = bench.ok(&format!("GET {NOTES}/x"), "").await;
    assert_eq!(body.matches(r#":"v""#).count(), 20, "{body}");
}

#[tokio::test]
async fn a_status_has_a_door_of_its_own() {
    let bench = Bench::new();
    let deployments = "/apis/apps/v1/namespaces/a/deployments";
    let body = r#"{"metadata":{"name":"web"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}},"status":{"replicas":9}}"#;
    let made = bench.ok(&format!("POST {deployments}"), body).await;
    assert_eq!(at(&made, "metadata/generation"), "1");
    let patch = r#"merge {"spec":{"replicas":3},"status":{"replicas":2}}"#;
    let body = bench
        .ok(&format!("PATCH {deployments}/web/status"), patch)
        .await;
    assert_eq!(at(&body, "status/replicas"), "2");
    assert_eq!(at(&body, "spec/replicas"), "2");
    assert_eq!(at(&body, "metadata/generation"), "1");
    let patch = r#"merge {"spec":{"replicas":3},"status":{"replicas":7}}"#;
    let body = bench.ok(&format!("PATCH {deployments}/web"), patch).await;
    assert_eq!(at(&body, "status/replicas"), "2");
    assert_eq!(at(&body, "metadata/generation"), "2");
    let scale = bench.ok(&format!("GET {deployments}/web/scale"), "").await;
    assert_eq!(at(&scale, "status/selector"), "a=b");
    let scale = r#"{"metadata":{"name":"web","namespace":"a"},"spec":{"replicas":5}}"#;
    let scale = bench
        .ok(&format!("PUT {deployments}/web/scale"), scale)
        .await;
    assert_eq!(at(&scale, "spec/replicas"), "5");
    let body = bench.ok(&format!("GET {deployments}/web"), "").await;
    assert_eq!(at(&body, "metadata/generation"), "3");
}

#[tokio::test]
async fn owners_are_named_once() {
    let bench = Bench::new();
    let owner = r#"{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u"}"#;
    let body = format!(r#"{{"metadata":{{"name":"x","ownerReferences":[{owner},{owner}]}}}}"#);
    let reply = bench.send(&format!("POST {NOTES}"), &body).await;
    assert_eq!(reply.warnings.len(), 1, "{:?}", reply.warnings);
    assert_eq!(reply.body.matches(r#""uid":"u""#).count(), 1);
}

#[tokio::test]
async fn says_what_it_does_not_do() {
    let bench = Bench::new();
    for line in [
        "POST /api/v1/configmaps",
        "GET /api/v1/configmaps/x",
        "GET /api/v1/namespaces/a/nodes",
        "GET /api/v1/namespaces/a/configmaps/x/status",
        "DELETE /api/v1/namespaces",
    ] {
        let reply = bench.send(line, "{}").await;
        assert!(
            matches!(reply.code, 404 | 405),
            "{line}: {} {}",
            reply.code,
            reply.body
        );
    }
}
