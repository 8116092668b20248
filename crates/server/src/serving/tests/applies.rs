//! Server-side apply and who owns what, one test for each rule.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::{Bench, Reply, at};

const NOTES: &str = "/api/v1/namespaces/a/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/a/deployments";

/// Returns who owns what, one line each: `manager Operation version subresource time fields`.
fn owners(body: &str) -> String {
    let value = api::json::read(body.as_bytes()).expect("it is JSON").value;
    let entries = value.at(&["metadata", "managedFields"]);
    let entries = entries.and_then(api::Value::as_array).unwrap_or_default();
    let line = |entry: &api::Value| {
        let text = |name: &str| entry.str_at(&[name]).unwrap_or("-").to_owned();
        let time = text("time");
        let fields = entry.get("fieldsV1").map(super::write).unwrap_or_default();
        [
            text("manager"),
            text("operation"),
            text("apiVersion"),
            text("subresource"),
            time.get(11..).unwrap_or("-").to_owned(),
            fields,
        ]
        .join(" ")
    };
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

fn note(data: &str) -> String {
    format!(
        r#"apply {{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x"}},"data":{data}}}"#
    )
}

impl Bench {
    async fn apply(&self, manager: &str, body: &str) -> Reply {
        self.send(&format!("PATCH {NOTES}/x?fieldManager={manager}"), body)
            .await
    }
}

fn refusal(reply: &Reply) -> String {
    let message = at(&reply.body, "message");
    let causes = at(&reply.body, "details/causes");
    format!(
        "{} {} {message}\n{causes}",
        reply.code,
        at(&reply.body, "reason")
    )
}

#[tokio::test]
async fn an_apply_creates_and_says_so() {
    let bench = Bench::new();
    let made = bench.apply("me", &note(r#"{"a":"1","b":"2"}"#)).await;
    assert_eq!(made.code, 201, "{}", made.body);
    check(
        &owners(&made.body),
        &expect![[r#"me Apply v1 - 03:04:05Z {"f:data":{"f:a":{},"f:b":{}}}"#]],
    );
    bench.clock.advance(Duration::from_secs(60));
    let again = bench.apply("me", &note(r#"{"b":"2","a":"1"}"#)).await;
    assert_eq!(
        (again.code, &again.body),
        (200, &made.body),
        "what changes nothing is no write"
    );
}

#[tokio::test]
async fn what_is_named_no_more_goes_unless_somebody_else_owns_it() {
    let bench = Bench::new();
    bench
        .apply("me", &note(r#"{"a":"1","b":"2","c":"3"}"#))
        .await;
    bench.apply("you", &note(r#"{"b":"2"}"#)).await;
    let left = bench.apply("me", &note(r#"{"c":"3"}"#)).await;
    assert_eq!(at(&left.body, "data"), r#"{"b":"2","c":"3"}"#);
    check(
        &owners(&left.body),
        &expect![[r#"
            you Apply v1 - - {"f:data":{"f:b":{}}}
            me Apply v1 - 03:04:05Z {"f:data":{"f:c":{}}}"#]],
    );
}

#[tokio::test]
async fn a_conflict_names_every_field_and_force_takes_them() {
    let bench = Bench::new();
    bench.apply("me", &note(r#"{"a":"1","b":"2"}"#)).await;
    bench
        .ok(
            &format!("PATCH {NOTES}/x?fieldManager=hand"),
            r#"merge {"data":{"c":"3"}}"#,
        )
        .await;
    let one = bench.apply("you", &note(r#"{"a":"9"}"#)).await;
    check(
        &refusal(&one),
        &expect![[r#"
            409 Conflict Apply failed with 1 conflict: conflict with "me": .data.a
            [{"reason":"FieldManagerConflict","message":"conflict with \"me\"","field":".data.a"}]"#]],
    );
    let all = bench
        .apply("you", &note(r#"{"a":"9","b":"9","c":"9"}"#))
        .await;
    check(
        &refusal(&all),
        &expect![[r#"
            409 Conflict Apply failed with 3 conflicts: conflicts with "hand" using v1:
            - .data.c
            conflicts with "me":
            - .data.a
            - .data.b
            [{"reason":"FieldManagerConflict","message":"conflict with \"hand\" using v1","field":".data.c"},{"reason":"FieldManagerConflict","message":"conflict with \"me\"","field":".data.a"},{"reason":"FieldManagerConflict","message":"conflict with \"me\"","field":".data.b"}]"#]],
    );
    let forced = bench
        .apply("you&force=true", &note(r#"{"a":"9","c":"9"}"#))
        .await;
    assert_eq!(at(&forced.body, "data"), r#"{"a":"9","b":"2","c":"9"}"#);
    check(
        &owners(&forced.body),
        &expect![[r#"
            me Apply v1 - 03:04:05Z {"f:data":{"f:b":{}}}
            you Apply v1 - 03:04:05Z {"f:data":{"f:a":{},"f:c":{}}}"#]],
    );
}

#[tokio::test]
async fn other_writes_give_what_they_change_to_their_manager() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x","labels":{"l":"1"}},"data":{"a":"1"}}"#;
    let made = bench
        .ok(&format!("POST {NOTES}?fieldManager=maker"), body)
        .await;
    check(
        &owners(&made),
        &expect![[
            r#"maker Update v1 - 03:04:05Z {"f:data":{".":{},"f:a":{}},"f:metadata":{"f:labels":{".":{},"f:l":{}}}}"#
        ]],
    );
    bench.clock.advance(Duration::from_secs(60));
    let changed = made
        .replace(r#""a":"1""#, r#""a":"2","b":"3""#)
        .replace(r#"{"l":"1"}"#, "{}");
    let put = bench
        .ok(&format!("PUT {NOTES}/x?fieldManager=other"), &changed)
        .await;
    check(
        &owners(&put),
        &expect![[r#"
            maker Update v1 - 03:04:05Z {"f:data":{}}
            other Update v1 - 03:05:05Z {"f:data":{"f:a":{},"f:b":{}}}"#]],
    );
    bench.clock.advance(Duration::from_secs(60));
    let same = bench
        .ok(&format!("PUT {NOTES}/x?fieldManager=third"), &put)
        .await;
    assert_eq!(same, put, "what changes nothing gives nothing away");
    let dry = r#"merge {"data":{"a":"7"}}"#;
    let dry = bench
        .ok(
            &format!("PATCH {NOTES}/x?fieldManager=third&dryRun=All"),
            dry,
        )
        .await;
    check(
        &owners(&dry),
        &expect![[r#"
            maker Update v1 - 03:04:05Z {"f:data":{}}
            other Update v1 - 03:05:05Z {"f:data":{"f:b":{}}}
            third Update v1 - 03:06:05Z {"f:data":{"f:a":{}}}"#]],
    );
    assert_eq!(bench.ok(&format!("GET {NOTES}/x"), "").await, put);
}

#[tokio::test]
async fn the_user_agent_is_the_manager_of_who_names_none() {
    let bench = Bench::new();
    let long = "x".repeat(200);
    for (agent, manager) in [
        ("kubectl/v1.37.1 (linux/amd64)", "kubectl"),
        ("tab\tbed\u{7}é/1", "tabbedé"),
        ("", "unknown"),
        (long.as_str(), &long[..128]),
    ] {
        let line = format!("POST {NOTES}");
        let body = r#"{"metadata":{"generateName":"n-"},"data":{"a":"1"}}"#;
        let mut call = bench.call(&line, body, crate::Accepted::default());
        call.user_agent = agent.into();
        let resource = bench.serving.find(&call.path).expect("it is served");
        let answer = bench.serving.serve(&mut call, &resource).await;
        let (_, body) =
            super::text(answer.unwrap_or_else(|status| panic!("{}", status.message))).await;
        assert_eq!(
            at(&body, "metadata/managedFields").split('"').nth(3),
            Some(manager)
        );
    }
}

#[tokio::test]
async fn forgetting_all_managers_and_the_first_apply_after_it() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x"},"data":{"a":"1"}}"#;
    bench.ok(&format!("POST {NOTES}"), body).await;
    for reset in ["[{}]", "[]"] {
        let reset = format!(r#"merge {{"metadata":{{"managedFields":{reset}}}}}"#);
        let bare = bench.ok(&format!("PATCH {NOTES}/x"), &reset).await;
        assert_eq!(at(&bare, "metadata/managedFields"), "-");
    }
    let untracked = bench
        .ok(&format!("PATCH {NOTES}/x"), r#"merge {"data":{"b":"2"}}"#)
        .await;
    assert_eq!(
        at(&untracked, "metadata/managedFields"),
        "-",
        "only an apply begins anew"
    );
    let conflict = bench.apply("me", &note(r#"{"a":"9"}"#)).await;
    check(
        &refusal(&conflict),
        &expect![[r#"
            409 Conflict Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a
            [{"reason":"FieldManagerConflict","message":"conflict with \"before-first-apply\" using v1","field":".data.a"}]"#]],
    );
    let applied = bench.apply("me", &note(r#"{"a":"1","c":"3"}"#)).await;
    check(
        &owners(&applied.body),
        &expect![[r#"
            me Apply v1 - 03:04:05Z {"f:data":{"f:a":{},"f:c":{}}}
            before-first-apply Update v1 - 03:04:05Z {"f:data":{".":{},"f:a":{},"f:b":{}}}"#]],
    );
    let garbage = r#"merge {"metadata":{"managedFields":[{"manager":"m","operation":"Update"}]},"data":{"d":"4"}}"#;
    let kept = bench
        .ok(&format!("PATCH {NOTES}/x?fieldManager=hand"), garbage)
        .await;
    assert_eq!(owners(&kept).lines().count(), 3, "{kept}");
}

#[tokio::test]
async fn refuses_what_is_no_configuration() {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    for (body, expected) in [
        (
            "apply {}",
            expect!["400 BadRequest invalid object type: /, Kind=\n-"],
        ),
        (
            r#"apply {"apiVersion":"apps/v1","kind":"ConfigMap"}"#,
            expect!["400 BadRequest invalid object type: apps/v1, Kind=ConfigMap\n-"],
        ),
        (
            r#"apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","managedFields":[]}}"#,
            expect!["400 BadRequest metadata.managedFields must be nil\n-"],
        ),
        (
            r#"apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"y"}}"#,
            expect![
                "400 BadRequest the name of the object (y) does not match the name on the URL (x)\n-"
            ],
        ),
        (
            r#"apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"date":{"a":"1"}}"#,
            expect![
                "500 - failed to create typed patch object (/x; /v1, Kind=ConfigMap): .date: field not declared in schema\n-"
            ],
        ),
        (
            r#"apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1}}"#,
            expect![
                "500 - failed to create typed patch object (/x; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}\n-"
            ],
        ),
        (
            r#"apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","resourceVersion":"1"},"data":{"a":"1"}}"#,
            expect![
                "409 Conflict Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes to the latest version and try again\n-"
            ],
        ),
        (
            "apply [",
            expect![[r#"
                400 BadRequest error encoding patch: yaml: line 1: did not find expected node content
                -"#]],
        ),
        (
            "apply 1",
            expect![[r#"
            400 BadRequest error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go value of type map[string]interface {}
            -"#]],
        ),
    ] {
        let reply = bench.apply("me", body).await;
        check(&refusal(&reply), &expected);
    }
    let uid = r#"apply {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"z","uid":"u"}}"#;
    let reply = bench
        .send(&format!("PATCH {NOTES}/z?fieldManager=me"), uid)
        .await;
    check(
        &refusal(&reply),
        &expect![[r#"
            409 Conflict Operation cannot be fulfilled on configmaps "z": uid mismatch: the provided object specified uid u, and no existing object was found
            -"#]],
    );
    let missing = format!("PATCH {DEPLOYMENTS}/z/status?fieldManager=me");
    let body = r#"apply {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"z"}}"#;
    assert_eq!(bench.send(&missing, body).await.code, 404);
}

#[tokio::test]
async fn keys_given_twice_are_told_as_asked() {
    let bench = Bench::new();
    let body =
        "apply apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: '1'\n  a: '2'\n";
    let strict = bench.apply("me&fieldValidation=Strict", body).await;
    check(
        &refusal(&strict),
        &expect![[r#"
            400 BadRequest error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:
              line 6: key "a" already set in map
            -"#]],
    );
    let warned = bench.apply("me&fieldValidation=Warn", body).await;
    check(
        &format!("{} {:?}", warned.code, warned.warnings),
        &expect![[
            r#"201 ["error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key \"a\" already set in map"]"#
        ]],
    );
    let ignored = bench.apply("me&fieldValidation=Ignore", body).await;
    assert_eq!((ignored.code, ignored.warnings.len()), (200, 0));
    assert_eq!(at(&ignored.body, "data/a"), "2");
}

fn deployment(spec: &str) -> String {
    format!(
        r#"apply {{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web"}},"spec":{{{spec}"selector":{{"matchLabels":{{"a":"b"}}}},"template":{{"metadata":{{"labels":{{"a":"b"}}}},"spec":{{"containers":[{{"name":"c","image":"i","ports":[{{"containerPort":80}}]}}]}}}}}}}}"#
    )
}

#[tokio::test]
async fn defaults_are_nobodys_and_doors_own_their_side() {
    let bench = Bench::new();
    let url = format!("{DEPLOYMENTS}/web");
    let line = format!("PATCH {url}?fieldManager=me");
    let made = bench.ok(&line, &deployment(r#""replicas":2,"#)).await;
    check(
        &owners(&made),
        &expect![[
            r#"me Apply apps/v1 - 03:04:05Z {"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}}"#
        ]],
    );
    let status = r#"apply {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"x":"y"}},"spec":{"replicas":9},"status":{"replicas":1}}"#;
    let seen = bench
        .ok(&format!("PATCH {url}/status?fieldManager=eye"), status)
        .await;
    assert_eq!(at(&seen, "spec/replicas"), "2");
    assert_eq!(at(&seen, "status/replicas"), "1");
    check(
        owners(&seen)
            .lines()
            .find(|line| line.starts_with("eye"))
            .unwrap_or_default(),
        &expect![[r#"eye Apply apps/v1 status 03:04:05Z {"f:status":{"f:replicas":{}}}"#]],
    );
    let scale = r#"merge {"spec":{"replicas":5}}"#;
    bench
        .ok(&format!("PATCH {url}/scale?fieldManager=scaler"), scale)
        .await;
    let scaled = bench.ok(&format!("GET {url}"), "").await;
    assert_eq!(at(&scaled, "spec/replicas"), "5");
    check(
        &owners(&scaled),
        &expect![[r#"
        eye Apply apps/v1 status 03:04:05Z {"f:status":{"f:replicas":{}}}
        me Apply apps/v1 - 03:04:05Z {"f:spec":{"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}}
        scaler Update apps/v1 scale - {"f:spec":{"f:replicas":{}}}"#]],
    );
    let refused = bench.send(&line, &deployment(r#""replicas":2,"#)).await;
    check(
        &refusal(&refused),
        &expect![[r#"
        409 Conflict Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas
        [{"reason":"FieldManagerConflict","message":"conflict with \"scaler\" with subresource \"scale\" using apps/v1","field":".spec.replicas"}]"#]],
    );
    let given_up = bench.ok(&line, &deployment("")).await;
    assert_eq!(
        at(&given_up, "spec/replicas"),
        "5",
        "what somebody else owns stays"
    );
    let scale = r#"apply {"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"web"},"spec":{"replicas":7}}"#;
    let refused = bench
        .send(&format!("PATCH {url}/scale?fieldManager=hpa"), scale)
        .await;
    check(
        &refusal(&refused),
        &expect![[r#"
        409 Conflict Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using autoscaling/v1: .spec.replicas
        [{"reason":"FieldManagerConflict","message":"conflict with \"scaler\" with subresource \"scale\" using autoscaling/v1","field":".spec.replicas"}]"#]],
    );
    bench
        .ok(
            &format!("PATCH {url}/scale?fieldManager=hpa&force=true"),
            scale,
        )
        .await;
    let scaled = bench.ok(&format!("GET {url}"), "").await;
    assert_eq!(at(&scaled, "spec/replicas"), "7");
    check(
        &owners(&scaled),
        &expect![[r#"
        hpa Apply apps/v1 scale - {"f:spec":{"f:replicas":{}}}
        eye Apply apps/v1 status 03:04:05Z {"f:status":{"f:replicas":{}}}
        me Apply apps/v1 - 03:04:05Z {"f:spec":{"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}}"#]],
    );
}

#[tokio::test]
async fn client_side_apply_is_taken_over_by_kubectl() {
    let bench = Bench::new();
    let last = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{},"name":"x","namespace":"a"},"data":{"a":"1"}}"#;
    let annotation = api::quote::quote(last);
    let body = format!(
        r#"{{"metadata":{{"name":"x","annotations":{{"kubectl.kubernetes.io/last-applied-configuration":{annotation}}}}},"data":{{"a":"1"}}}}"#
    );
    bench
        .ok(
            &format!("POST {NOTES}?fieldManager=kubectl-client-side-apply"),
            &body,
        )
        .await;
    let refused = bench.apply("other", &note(r#"{"a":"2"}"#)).await;
    assert_eq!(refused.code, 409);
    let taken = bench.apply("kubectl", &note(r#"{"a":"2"}"#)).await;
    assert_eq!(taken.code, 200, "{}", taken.body);
    check(
        &at(
            &taken.body,
            "metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        ),
        &expect!["-"],
    );
    check(
        &at(&taken.body, "metadata/annotations"),
        &expect![[
            r#"{"kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"v1\",\"data\":{\"a\":\"2\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}\n"}"#
        ]],
    );
    check(
        &owners(&taken.body),
        &expect![[r#"
        kubectl Apply v1 - 03:04:05Z {"f:data":{"f:a":{}}}
        kubectl-client-side-apply Update v1 - 03:04:05Z {"f:data":{},"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/last-applied-configuration":{}}}}"#]],
    );
}

#[tokio::test]
async fn old_updaters_become_one() {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    let mut body = String::new();
    for n in 0..12 {
        bench.clock.advance(Duration::from_secs(1));
        let patch = format!(r#"merge {{"data":{{"k{n:02}":"v"}}}}"#);
        body = bench
            .ok(&format!("PATCH {NOTES}/x?fieldManager=m{n:02}"), &patch)
            .await;
    }
    let lines = owners(&body);
    assert_eq!(lines.lines().count(), 10);
    check(
        lines.lines().next().unwrap_or_default(),
        &expect![[
            r#"ancient-changes Update v1 - 03:04:08Z {"f:data":{".":{},"f:k00":{},"f:k01":{},"f:k02":{},"f:text":{}}}"#
        ]],
    );
}
