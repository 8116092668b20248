//! Subresources that definitions name themselves, one test for each rule.

use std::sync::Arc;

use access::User;
use expect_test::{Expect, expect};

use super::{Accepted, Bench, Reply, at};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const SITES: &str = "/apis/example.com/v1/namespaces/a/sites";

/// A definition with these subresources of its own, as names and annotations.
fn definition(subresources: &[(&str, &str)]) -> String {
    let annotations = subresources.iter().map(|(name, text)| {
        let text = super::write(&api::Value::from(*text));
        format!(r#""subresources.pintle.dev/{name}":{text}"#)
    });
    let annotations: Vec<String> = annotations.collect();
    let schema = r#"{"type":"object","properties":{
        "spec":{"type":"object","properties":{
            "count":{"type":"integer","default":0,"maximum":5},
            "text":{"type":"string"},
            "list":{"type":"array","items":{"type":"string"}},
            "approval":{"type":"object","properties":{
                "by":{"type":"string"},"note":{"type":"string"},"at":{"type":"string","format":"date-time"}}}}},
        "status":{"type":"object","properties":{"phase":{"type":"string"},"seen":{"type":"integer"}}}}}"#;
    format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{{"name":"sites.example.com","annotations":{{{}}}}},
        "spec":{{"group":"example.com","scope":"Namespaced",
        "names":{{"plural":"sites","kind":"Site","singular":"site"}},
        "versions":[{{"name":"v1","served":true,"storage":true,"subresources":{{"status":{{}}}},
            "schema":{{"openAPIV3Schema":{schema}}}}}]}}}}"#,
        annotations.join(",")
    )
}

const ALL: [(&str, &str); 7] = [
    ("approval", "path: .spec.approval"),
    ("phase", "path: .status.phase"),
    (
        "approve",
        "parameters: {type: object, properties: {note: {type: string, maxLength: 9, default: fine}}}\nrules:\n- rule: '!has(self.spec.approval)'\n  message: it is approved already\nexpression: |\n  {'spec': {'approval': {'by': request.userInfo.username, 'note': request.body.note, 'at': request.time}}}\n",
    ),
    (
        "bump",
        "expression: \"{'spec': {'count': self.spec.count + 1}, 'status': {'seen': self.spec.count}}\"",
    ),
    (
        "forget",
        "expression: \"{'spec': {'list': null, 'text': 'x', 'odd': 1}, 'metadata': {'labels': {'seen': 'yes'}}}\"",
    ),
    ("free", "expression: \"{'metadata': {'finalizers': []}}\""),
    (
        "fail",
        "expression: \"{'spec': {'text': self.spec.list[3]}}\"",
    ),
];

async fn defined() -> Bench {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    bench.ok(&format!("POST {CRDS}"), &definition(&ALL)).await;
    served(&bench).await;
    bench
}

async fn served(bench: &Bench) {
    bench
        .until(&format!("GET {SITES}"), |list| list.code == 200)
        .await;
}

/// Returns who owns what, one line each: `manager Operation subresource fields`.
fn owners(body: &str) -> String {
    let value = api::json::read(body.as_bytes()).expect("it is JSON").value;
    let entries = value.at(&["metadata", "managedFields"]);
    let entries = entries.and_then(api::Value::as_array).unwrap_or_default();
    let line = |entry: &api::Value| {
        let text = |name: &str| entry.str_at(&[name]).unwrap_or("-").to_owned();
        let fields = entry.get("fieldsV1").map(super::write).unwrap_or_default();
        let words = [
            text("manager"),
            text("operation"),
            text("subresource"),
            fields,
        ];
        words.join(" ")
    };
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn refusal(reply: &Reply) -> String {
    format!("{} {}", reply.code, at(&reply.body, "message"))
}

fn site(spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"example.com/v1","kind":"Site","metadata":{{"name":"x"}},"spec":{spec}}}"#
    )
}

#[track_caller]
fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

#[tokio::test]
async fn a_part_changes_through_its_door_only() {
    let bench = defined().await;
    let body = site(r#"{"text":"t","approval":{"by":"me"}}"#);
    let made = bench
        .ok(&format!("POST {SITES}?fieldManager=me"), &body)
        .await;
    assert_eq!(at(&made, "spec"), r#"{"count":0,"text":"t"}"#);
    let by_main = r#"merge {"spec":{"text":"u","approval":{"by":"me"}}}"#;
    let main = bench
        .ok(&format!("PATCH {SITES}/x?fieldManager=me"), by_main)
        .await;
    assert_eq!(at(&main, "spec"), r#"{"count":0,"text":"u"}"#);
    assert_eq!(at(&main, "metadata/generation"), "2");

    let both =
        r#"merge {"metadata":{"labels":{"a":"b"}},"spec":{"text":"no","approval":{"by":"me"}}}"#;
    let part = bench
        .ok(&format!("PATCH {SITES}/x/approval?fieldManager=boss"), both)
        .await;
    assert_eq!(
        at(&part, "spec"),
        r#"{"approval":{"by":"me"},"count":0,"text":"u"}"#
    );
    assert_eq!(at(&part, "metadata/labels"), "-");
    assert_eq!(at(&part, "metadata/generation"), "3");
    check(
        &owners(&part),
        &expect![[r#"
            boss Update approval {"f:spec":{"f:approval":{".":{},"f:by":{}}}}
            me Update - {"f:spec":{".":{},"f:count":{},"f:text":{}}}"#]],
    );
    assert_eq!(bench.ok(&format!("GET {SITES}/x/approval"), "").await, part);

    // A PUT of the whole through the main door loses nothing of the part, and takes nothing of it.
    let version = at(&part, "metadata/resourceVersion");
    let replaced = site(r#"{"text":"v"}"#).replace(
        r#""name":"x""#,
        &format!(r#""name":"x","resourceVersion":"{version}""#),
    );
    let main = bench.ok(&format!("PUT {SITES}/x"), &replaced).await;
    assert_eq!(
        at(&main, "spec"),
        r#"{"approval":{"by":"me"},"count":0,"text":"v"}"#
    );
    let stale = bench
        .send(&format!("PUT {SITES}/x/approval"), &replaced)
        .await;
    check(
        &refusal(&stale),
        &expect![[
            r#"409 Operation cannot be fulfilled on sites.example.com "x": the object has been modified; please apply your changes to the latest version and try again"#
        ]],
    );
    let unversioned = bench
        .send(&format!("PUT {SITES}/x/approval"), &site("{}"))
        .await;
    check(
        &refusal(&unversioned),
        &expect![[
            r#"422 sites.example.com "x" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"#
        ]],
    );
    let version = at(&main, "metadata/resourceVersion");
    let emptied = site(r#"{"text":"no"}"#).replace(
        r#""name":"x""#,
        &format!(r#""name":"x","resourceVersion":"{version}""#),
    );
    let part = bench.ok(&format!("PUT {SITES}/x/approval"), &emptied).await;
    assert_eq!(at(&part, "spec"), r#"{"count":0,"text":"v"}"#);
    let patch = r#"json-patch [{"op":"add","path":"/spec/approval","value":{"note":"n"}},{"op":"add","path":"/spec/count","value":3}]"#;
    let part = bench.ok(&format!("PATCH {SITES}/x/approval"), patch).await;
    assert_eq!(
        at(&part, "spec"),
        r#"{"approval":{"note":"n"},"count":0,"text":"v"}"#
    );
}

#[tokio::test]
async fn an_apply_owns_a_part_under_the_name_of_its_door() {
    let bench = defined().await;
    bench
        .ok(
            &format!("POST {SITES}?fieldManager=me"),
            &site(r#"{"text":"t"}"#),
        )
        .await;
    let apply = |by: &str| {
        let body = site(&format!(r#"{{"text":"no","approval":{{"by":"{by}"}}}}"#));
        format!("apply {body}")
    };
    let line = |who: &str| format!("PATCH {SITES}/x/approval?fieldManager={who}");
    let part = bench.ok(&line("boss"), &apply("b")).await;
    assert_eq!(
        at(&part, "spec"),
        r#"{"approval":{"by":"b"},"count":0,"text":"t"}"#
    );
    let other = bench.send(&line("other"), &apply("o")).await;
    check(
        &refusal(&other),
        &expect![[
            r#"409 Apply failed with 1 conflict: conflict with "boss" with subresource "approval": .spec.approval.by"#
        ]],
    );
    // Through the main door the part is neither changed nor owned.
    let main = bench
        .ok(
            &format!("PATCH {SITES}/x?fieldManager=other&force=true"),
            &apply("o"),
        )
        .await;
    assert_eq!(
        at(&main, "spec"),
        r#"{"approval":{"by":"b"},"count":0,"text":"no"}"#
    );
    check(
        &owners(&main),
        &expect![[r#"
        boss Apply approval {"f:spec":{"f:approval":{"f:by":{}}}}
        other Apply - {"f:spec":{"f:text":{}}}
        me Update - {"f:spec":{".":{},"f:count":{}}}"#]],
    );
    let gone = format!("apply {}", site("{}"));
    let part = bench.ok(&line("boss"), &gone).await;
    assert_eq!(at(&part, "spec"), r#"{"count":0,"text":"no"}"#);
    let missing = bench
        .send(
            &line("boss").replace("/x/", "/y/"),
            &gone.replace(r#""x""#, r#""y""#),
        )
        .await;
    check(
        &refusal(&missing),
        &expect![[r#"404 sites.example.com "y" not found"#]],
    );
}

#[tokio::test]
async fn a_part_of_the_status_is_not_the_statuss() {
    let bench = defined().await;
    bench.ok(&format!("POST {SITES}"), &site("{}")).await;
    let both = r#"merge {"status":{"phase":"up","seen":1}}"#;
    let status = bench.ok(&format!("PATCH {SITES}/x/status"), both).await;
    assert_eq!(at(&status, "status"), r#"{"seen":1}"#);
    let both = r#"merge {"status":{"phase":"up","seen":2}}"#;
    let part = bench.ok(&format!("PATCH {SITES}/x/phase"), both).await;
    assert_eq!(at(&part, "status"), r#"{"phase":"up","seen":1}"#);
    assert_eq!(at(&part, "metadata/generation"), "1");
    let without = r#"json-patch [{"op":"remove","path":"/status"}]"#;
    let status = bench.ok(&format!("PATCH {SITES}/x/status"), without).await;
    assert_eq!(at(&status, "status"), r#"{"phase":"up"}"#);
    let main = bench.ok(&format!("PATCH {SITES}/x"), without).await;
    assert_eq!(at(&main, "status"), r#"{"phase":"up"}"#);
}

#[tokio::test]
async fn a_part_is_validated_as_ever() {
    let bench = defined().await;
    bench.ok(&format!("POST {SITES}"), &site("{}")).await;
    let patch = r#"merge {"spec":{"approval":{"by":7,"odd":1}}}"#;
    let refused = bench
        .send(&format!("PATCH {SITES}/x/approval"), patch)
        .await;
    check(
        &refusal(&refused),
        &expect![[
            r#"422 Site.example.com "x" is invalid: spec.approval.by: Invalid value: "integer": spec.approval.by in body must be of type string: "integer""#
        ]],
    );
    assert_eq!(refused.warnings, [r#"unknown field "spec.approval.odd""#]);
}

/// Posts to an action of `x` as a user.
async fn act(bench: &Bench, line: &str, body: &str) -> Reply {
    let line = format!("POST {SITES}/x/{line}");
    let mut call = bench.call(&line, body, Accepted::default());
    call.user = Arc::new(User::named("ann"));
    call.user_agent = "tool/1".into();
    let resource = bench.serving.find(&call.path).expect("it is served");
    let outcome = bench.serving.serve(&mut call, &resource).await;
    let (code, body) = match outcome {
        Ok(answer) => super::text(answer).await,
        Err(status) => (status.code, super::write(&status.to_value())),
    };
    Reply {
        code,
        body,
        warnings: call.warnings,
    }
}

#[tokio::test]
async fn an_action_changes_the_object_as_its_expression_says() {
    let bench = defined().await;
    bench
        .ok(
            &format!("POST {SITES}?fieldManager=me"),
            &site(r#"{"text":"t"}"#),
        )
        .await;
    let dry = act(&bench, "approve?dryRun=All", r#"{"note":"dry"}"#).await;
    assert_eq!(dry.code, 200, "{}", dry.body);
    assert_eq!(at(&dry.body, "spec/approval/note"), "dry");
    let done = act(&bench, "approve", "").await;
    assert_eq!(done.code, 200, "{}", done.body);
    check(
        &at(&done.body, "spec"),
        &expect![[
            r#"{"approval":{"at":"2026-01-02T03:04:05Z","by":"ann","note":"fine"},"count":0,"text":"t"}"#
        ]],
    );
    assert_eq!(at(&done.body, "metadata/generation"), "2");
    check(
        &owners(&done.body),
        &expect![[r#"
        me Update - {"f:spec":{".":{},"f:count":{},"f:text":{}}}
        tool Update approve {"f:spec":{"f:approval":{".":{},"f:at":{},"f:by":{},"f:note":{}}}}"#]],
    );
    let again = act(&bench, "approve", "").await;
    check(
        &refusal(&again),
        &expect![[
            r#"422 Site.example.com "x" is invalid: approve: Forbidden: it is approved already"#
        ]],
    );
    check(
        &at(&again.body, "details"),
        &expect![[
            r#"{"name":"x","group":"example.com","kind":"Site","causes":[{"reason":"FieldValueForbidden","message":"Forbidden: it is approved already","field":"approve"}]}"#
        ]],
    );
    // What status and parts hold is an action's to change, too.
    let bumped = act(&bench, "bump", "{}").await;
    assert_eq!(at(&bumped.body, "spec/count"), "1");
    assert_eq!(at(&bumped.body, "status"), r#"{"seen":0}"#);
    let shown = bench.ok(&format!("GET {SITES}/x"), "").await;
    assert_eq!(shown, bumped.body);
}

#[tokio::test]
async fn what_is_posted_must_fit_the_parameters() {
    let bench = defined().await;
    bench.ok(&format!("POST {SITES}"), &site("{}")).await;
    for (body, expected) in [
        (
            r#"{"note":"far too long"}"#,
            expect![[
                r#"422 Site.example.com "x" is invalid: body.note: Too long: may not be more than 9 bytes"#
            ]],
        ),
        (
            r#"{"note":1}"#,
            expect![[
                r#"422 Site.example.com "x" is invalid: body.note: Invalid value: "integer": body.note in body must be of type string: "integer""#
            ]],
        ),
        (
            r#"{"not":"x"}"#,
            expect![[r#"400 strict decoding error: unknown field "body.not""#]],
        ),
        (
            r#"{"note":"a","note":"b"}"#,
            expect![[r#"400 strict decoding error: duplicate field "note""#]],
        ),
        (
            "[]",
            expect!["400 the body of the request could not be read: it must be an object"],
        ),
        (
            "{",
            expect!["400 the body of the request could not be read: unexpected end of JSON input"],
        ),
        (
            "yaml note: a\nnote: b",
            expect![[r#"
            400 strict decoding error: yaml: unmarshal errors:
              line 2: key "note" already set in map"#]],
        ),
        (
            "merge {}",
            expect![
                "415 the body of the request was in an unknown format - accepted media types include: application/json, application/yaml"
            ],
        ),
    ] {
        let refused = act(&bench, "approve", body).await;
        check(&refusal(&refused), &expected);
    }
    let yaml = act(&bench, "approve", "yaml note: why").await;
    assert_eq!(at(&yaml.body, "spec/approval/note"), "why");
    let more = act(&bench, "bump", r#"{"a":1}"#).await;
    check(
        &refusal(&more),
        &expect![[r#"400 strict decoding error: unknown field "body.a""#]],
    );
}

#[tokio::test]
async fn an_action_is_held_to_the_rules_of_writes() {
    let bench = defined().await;
    let body = site(r#"{"count":5,"list":["a"]}"#).replace(
        r#""name":"x""#,
        r#""name":"x","finalizers":["example.com/f"]"#,
    );
    bench.ok(&format!("POST {SITES}"), &body).await;
    // The schema's maximum.
    check(
        &refusal(&act(&bench, "bump", "").await),
        &expect![[
            r#"422 Site.example.com "x" is invalid: spec.count: Invalid value: 6: spec.count in body should be less than or equal to 5"#
        ]],
    );
    check(
        &refusal(&act(&bench, "fail", "").await),
        &expect![[
            r#"422 Site.example.com "x" is invalid: fail: Forbidden: expression: index out of bounds: 3"#
        ]],
    );
    check(
        &refusal(&act(&bench, "free", "").await),
        &expect!["500 the patch of the action free may not change metadata.finalizers"],
    );
    let forgot = act(&bench, "forget", "").await;
    assert_eq!(at(&forgot.body, "spec"), r#"{"count":5,"text":"x"}"#);
    assert_eq!(at(&forgot.body, "metadata/labels"), r#"{"seen":"yes"}"#);
    assert_eq!(
        at(&forgot.body, "metadata/finalizers"),
        r#"["example.com/f"]"#
    );
    assert_eq!(forgot.warnings, [r#"unknown field "spec.odd""#]);
}

#[tokio::test]
async fn who_comes_second_acts_on_what_the_first_has_left() {
    let bench = defined().await;
    bench.ok(&format!("POST {SITES}"), &site("{}")).await;
    let all = tokio::join!(
        act(&bench, "bump", ""),
        act(&bench, "bump", ""),
        act(&bench, "bump", "")
    );
    assert_eq!((all.0.code, all.1.code, all.2.code), (200, 200, 200));
    let shown = bench.ok(&format!("GET {SITES}/x"), "").await;
    assert_eq!(at(&shown, "spec/count"), "3");
    let both = tokio::join!(act(&bench, "approve", ""), act(&bench, "approve", ""));
    let mut codes = [both.0.code, both.1.code];
    codes.sort_unstable();
    assert_eq!(codes, [200, 422], "the second sees that it is approved");
}

#[tokio::test]
async fn there_is_nothing_that_is_not_named() {
    let bench = defined().await;
    bench.ok(&format!("POST {SITES}"), &site("{}")).await;
    for (line, expected) in [
        (
            format!("POST {SITES}/x/nothing"),
            expect!["404 the server could not find the requested resource"],
        ),
        (
            format!("GET {SITES}/x/approve"),
            expect!["405 the server does not allow this method on the requested resource"],
        ),
        (
            format!("POST {SITES}/x/approval"),
            expect!["405 the server does not allow this method on the requested resource"],
        ),
        (
            format!("DELETE {SITES}/x/approval"),
            expect!["405 the server does not allow this method on the requested resource"],
        ),
        (
            format!("POST {SITES}/y/bump"),
            expect![[r#"404 sites.example.com "y" not found"#]],
        ),
        (
            format!("GET {SITES}/y/approval"),
            expect![[r#"404 sites.example.com "y" not found"#]],
        ),
    ] {
        check(&refusal(&bench.send(&line, "").await), &expected);
    }
}

#[tokio::test]
async fn a_definition_says_anew_what_there_is() {
    let bench = defined().await;
    let wrong = definition(&[
        ("approval", "path: .spec.nothing"),
        ("b", "expression: self"),
    ]);
    let patch = format!(r#"merge {{"metadata":{}}}"#, at(&wrong, "metadata"));
    let refused = bench
        .send(&format!("PATCH {CRDS}/sites.example.com"), &patch)
        .await;
    check(
        &refusal(&refused),
        &expect![[
            r#"422 CustomResourceDefinition.apiextensions.k8s.io "sites.example.com" is invalid: [metadata.annotations[subresources.pintle.dev/approval].path: Invalid value: ".spec.nothing": version v1 has no such field, metadata.annotations[subresources.pintle.dev/b]: Invalid value: "expression: self": version v1: expression: must evaluate to a map, the JSON merge patch, not to selfType]"#
        ]],
    );
    bench.ok(&format!("POST {SITES}"), &site("{}")).await;
    let patch = r#"merge {"metadata":{"annotations":{"subresources.pintle.dev/approval":null}}}"#;
    bench
        .ok(&format!("PATCH {CRDS}/sites.example.com"), patch)
        .await;
    let line = format!("GET {SITES}/x/approval");
    bench.until(&line, |reply| reply.code == 404).await;
    // Nothing keeps the field from the main door now.
    let main = bench
        .ok(
            &format!("PATCH {SITES}/x"),
            r#"merge {"spec":{"approval":{"by":"me"}}}"#,
        )
        .await;
    assert_eq!(at(&main, "spec/approval"), r#"{"by":"me"}"#);
}
