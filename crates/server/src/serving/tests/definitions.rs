//! Rules of definitions, one test each.

use expect_test::{Expect, expect};

use super::{Bench, Reply, TABLE, at, names};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const FOOS: &str = "/apis/example.com/v1/namespaces/a/foos";

#[track_caller]
fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

/// A definition with two versions, status, scale and a column.
fn definition(group: &str, plural: &str, kind: &str) -> String {
    let singular = kind.to_lowercase();
    let schema = r#"{"type":"object","properties":{
        "spec":{"type":"object","properties":{
            "replicas":{"type":"integer","default":1,"minimum":0},
            "text":{"type":"string"}}},
        "status":{"type":"object","properties":{
            "replicas":{"type":"integer"},"selector":{"type":"string"},"phase":{"type":"string"}}}}}"#;
    let more = r#""subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas","labelSelectorPath":".status.selector"}},"additionalPrinterColumns":[{"name":"Phase","type":"string","jsonPath":".status.phase"}],"selectableFields":[{"jsonPath":".spec.text"}]"#;
    format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{{"name":"{plural}.{group}"}},
        "spec":{{"group":"{group}","scope":"Namespaced",
        "names":{{"plural":"{plural}","kind":"{kind}","singular":"{singular}","shortNames":["{singular}s1"]}},
        "versions":[
            {{"name":"v1","served":true,"storage":true,"schema":{{"openAPIV3Schema":{schema}}},{more}}},
            {{"name":"v1beta1","served":true,"storage":false,"deprecated":true,"schema":{{"openAPIV3Schema":{schema}}},{more}}}]}}}}"#
    )
}

async fn defined() -> Bench {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    let body = definition("example.com", "foos", "Foo");
    bench.ok(&format!("POST {CRDS}"), &body).await;
    established(&bench, "foos.example.com").await;
    bench
}

fn conditions(body: &str) -> String {
    let value = api::json::read(body.as_bytes()).expect("it is JSON").value;
    let list = value.at(&["status", "conditions"]);
    let list = list.and_then(api::Value::as_array).unwrap_or_default();
    let lines: Vec<String> = list
        .iter()
        .map(|one| {
            let text = |name| one.str_at(&[name]).unwrap_or_default().to_owned();
            format!("{}={} {}", text("type"), text("status"), text("reason"))
        })
        .collect();
    lines.join(", ")
}

async fn established(bench: &Bench, name: &str) -> Reply {
    bench
        .until(&format!("GET {CRDS}/{name}"), |reply| {
            conditions(&reply.body).contains("Established=True")
        })
        .await
}

#[tokio::test]
async fn is_established_and_served() {
    let bench = defined().await;
    let reply = bench
        .send(&format!("GET {CRDS}/foos.example.com"), "")
        .await;
    check(
        &conditions(&reply.body),
        &expect!["NamesAccepted=True NoConflicts, Established=True InitialNamesAccepted"],
    );
    check(
        &at(&reply.body, "status/acceptedNames"),
        &expect![[
            r#"{"plural":"foos","singular":"foo","shortNames":["foos1"],"kind":"Foo","listKind":"FooList"}"#
        ]],
    );
    assert_eq!(at(&reply.body, "status/storedVersions"), r#"["v1"]"#);
    assert_eq!(at(&reply.body, "metadata/generation"), "1");
    let body = r#"{"kind":"Foo","metadata":{"name":"x"},"spec":{"text":"t","unknown":1},"status":{"phase":"p"}}"#;
    let reply = bench.send(&format!("POST {FOOS}"), body).await;
    assert_eq!(reply.code, 201, "{}", reply.body);
    assert_eq!(reply.warnings, [r#"unknown field "spec.unknown""#]);
    check(
        &reply.body,
        &expect![[
            r#"{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"creationTimestamp":"2026-01-02T03:04:05Z","generation":1,"managedFields":[{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{},"f:replicas":{},"f:text":{}}},"manager":"unknown","operation":"Update","time":"2026-01-02T03:04:05Z"}],"name":"x","namespace":"a","resourceVersion":"3","uid":"20f5aa57-577d-4319-9656-cd059f1108bf"},"spec":{"replicas":1,"text":"t"}}"#
        ]],
    );
}

#[tokio::test]
async fn checks_objects_by_the_schema() {
    let bench = defined().await;
    for (body, expected) in [
        (
            r#"{"kind":"Foo","metadata":{"name":"x"},"spec":{"replicas":"many"}}"#,
            expect![[
                r#"422 Foo.example.com "x" is invalid: spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string""#
            ]],
        ),
        (
            r#"{"kind":"Foo","metadata":{"name":"x"},"spec":{"replicas":-1}}"#,
            expect![[
                r#"422 Foo.example.com "x" is invalid: spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0"#
            ]],
        ),
        (
            r#"{"kind":"Bar","metadata":{"name":"x"}}"#,
            expect![[
                r#"422 Bar.example.com "x" is invalid: kind: Invalid value: "Bar": must be Foo"#
            ]],
        ),
        (
            r#"{"apiVersion":"example.com/v2","kind":"Foo","metadata":{"name":"x"}}"#,
            expect![
                "400 the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)"
            ],
        ),
        (
            r#"{"kind":"Foo","metadata":{"name":"X"}}"#,
            expect![[
                r#"422 Foo.example.com "X" is invalid: metadata.name: Invalid value: "X": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
            ]],
        ),
    ] {
        let reply = bench.send(&format!("POST {FOOS}"), body).await;
        check(
            &format!("{} {}", reply.code, at(&reply.body, "message")),
            &expected,
        );
    }
}

#[tokio::test]
async fn status_and_scale_have_doors_of_their_own() {
    let bench = defined().await;
    let body = r#"{"kind":"Foo","metadata":{"name":"x"},"spec":{"text":"t"}}"#;
    bench.ok(&format!("POST {FOOS}"), body).await;
    let body =
        r#"merge {"spec":{"text":"no"},"status":{"phase":"up","replicas":2,"selector":"a=b"}}"#;
    let body = bench.ok(&format!("PATCH {FOOS}/x/status"), body).await;
    assert_eq!(at(&body, "spec/text"), "t");
    assert_eq!(at(&body, "status/phase"), "up");
    assert_eq!(at(&body, "metadata/generation"), "1");
    let body = r#"merge {"spec":{"text":"yes"},"status":{"phase":"down"}}"#;
    let body = bench.ok(&format!("PATCH {FOOS}/x"), body).await;
    assert_eq!(at(&body, "spec/text"), "yes");
    assert_eq!(at(&body, "status/phase"), "up");
    assert_eq!(at(&body, "metadata/generation"), "2");
    let scale = bench.ok(&format!("GET {FOOS}/x/scale"), "").await;
    check(
        &scale,
        &expect![[
            r#"{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"x","namespace":"a","uid":"20f5aa57-577d-4319-9656-cd059f1108bf","resourceVersion":"5","creationTimestamp":"2026-01-02T03:04:05Z"},"spec":{"replicas":1},"status":{"replicas":2,"selector":"a=b"}}"#
        ]],
    );
    let scale = bench
        .ok(
            &format!("PATCH {FOOS}/x/scale"),
            r#"merge {"spec":{"replicas":5}}"#,
        )
        .await;
    assert_eq!(at(&scale, "spec/replicas"), "5");
    let body = bench.ok(&format!("GET {FOOS}/x"), "").await;
    assert_eq!(at(&body, "spec/replicas"), "5");
    assert_eq!(at(&body, "metadata/generation"), "3");
    let reply = bench
        .send(
            &format!("PATCH {FOOS}/x/scale"),
            r#"merge {"spec":{"replicas":-5}}"#,
        )
        .await;
    check(
        &at(&reply.body, "message"),
        &expect![[
            r#"Scale.autoscaling "x" is invalid: spec.replicas: Invalid value: -5: must be greater than or equal to 0"#
        ]],
    );
}

#[tokio::test]
async fn refuses_what_custom_resources_do_not_take() {
    let bench = defined().await;
    bench
        .ok(
            &format!("POST {FOOS}"),
            r#"{"kind":"Foo","metadata":{"name":"x"}}"#,
        )
        .await;
    let reply = bench.send(&format!("PATCH {FOOS}/x"), "strategic {}").await;
    assert_eq!(reply.code, 415, "{}", reply.body);
    let reply = bench
        .send(
            &format!("PUT {FOOS}/x"),
            r#"{"kind":"Foo","metadata":{"name":"x"}}"#,
        )
        .await;
    assert_eq!(reply.code, 422);
    check(
        &at(&reply.body, "message"),
        &expect![[
            r#"foos.example.com "x" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"#
        ]],
    );
}

#[tokio::test]
async fn shows_every_version_and_selects() {
    let bench = defined().await;
    for name in ["x", "y"] {
        let body = format!(
            r#"{{"kind":"Foo","metadata":{{"name":"{name}"}},"spec":{{"text":"{name}"}}}}"#
        );
        bench.ok(&format!("POST {FOOS}"), &body).await;
    }
    let other = FOOS.replace("v1", "v1beta1");
    let reply = bench.send(&format!("GET {other}/x"), "").await;
    assert_eq!(at(&reply.body, "apiVersion"), "example.com/v1beta1");
    assert_eq!(
        reply.warnings,
        ["example.com/v1beta1 Foo is deprecated; use example.com/v1 Foo"]
    );
    let body = r#"{"kind":"Foo","metadata":{"name":"z"},"spec":{"text":"z"}}"#;
    let made = bench.ok(&format!("POST {other}"), body).await;
    assert_eq!(at(&made, "apiVersion"), "example.com/v1beta1");
    let list = bench
        .ok(&format!("GET {FOOS}?fieldSelector=spec.text%3Dz"), "")
        .await;
    assert_eq!(names(&list), "z");
    assert!(list.contains(r#""apiVersion":"example.com/v1""#), "{list}");
    let table = bench.send_as(&format!("GET {FOOS}"), "", TABLE).await;
    let table = api::json::read(table.body.as_bytes())
        .expect("it is JSON")
        .value;
    let columns = table
        .get("columnDefinitions")
        .and_then(api::Value::as_array);
    let columns: Vec<&str> = columns
        .expect("a table has columns")
        .iter()
        .map(|column| column.str_at(&["name"]).unwrap_or_default())
        .collect();
    assert_eq!(columns, ["Name", "Phase"]);
}

#[tokio::test]
async fn names_are_taken_once() {
    let bench = defined().await;
    let body = definition("example.com", "bars", "Foo");
    bench.ok(&format!("POST {CRDS}"), &body).await;
    let url = format!("GET {CRDS}/bars.example.com");
    let reply = bench
        .until(&url, |reply| reply.body.contains("Conflict"))
        .await;
    check(
        &conditions(&reply.body),
        &expect!["NamesAccepted=False ListKindConflict, Established=False NotAccepted"],
    );
    let bars = "/apis/example.com/v1/namespaces/a/bars";
    assert_eq!(bench.send(&format!("GET {bars}"), "").await.code, 404);
    // Once the first goes, the second gets its names.
    bench
        .ok(&format!("DELETE {CRDS}/foos.example.com"), "")
        .await;
    established(&bench, "bars.example.com").await;
    bench.ok(&format!("GET {bars}"), "").await;
}

#[tokio::test]
async fn takes_its_objects_along() {
    let bench = defined().await;
    bench
        .ok(
            &format!("POST {FOOS}"),
            r#"{"kind":"Foo","metadata":{"name":"x"}}"#,
        )
        .await;
    let held = r#"{"kind":"Foo","metadata":{"name":"y","finalizers":["example.com/hold"]}}"#;
    bench.ok(&format!("POST {FOOS}"), held).await;
    let mut watch = bench
        .watch(&format!("{FOOS}?watch=1&resourceVersion=0"))
        .await;
    let body = bench
        .ok(&format!("DELETE {CRDS}/foos.example.com"), "")
        .await;
    check(
        &at(&body, "metadata/finalizers"),
        &expect![[r#"["customresourcecleanup.apiextensions.k8s.io"]"#]],
    );
    bench
        .until(&format!("GET {FOOS}/x"), |reply| reply.code == 404)
        .await;
    let reply = bench
        .send(
            &format!("POST {FOOS}"),
            r#"{"kind":"Foo","metadata":{"name":"z"}}"#,
        )
        .await;
    assert_eq!(reply.code, 403);
    check(
        &at(&reply.body, "message"),
        &expect![[
            r#"foos.example.com "z" is forbidden: create not allowed while custom resource definition is terminating"#
        ]],
    );
    // The one that is held keeps the definition.
    let body = bench.ok(&format!("GET {CRDS}/foos.example.com"), "").await;
    check(
        &conditions(&body),
        &expect![
            "NamesAccepted=True NoConflicts, Established=True InitialNamesAccepted, Terminating=True InstanceDeletionInProgress"
        ],
    );
    bench
        .ok(
            &format!("PATCH {FOOS}/y"),
            r#"merge {"metadata":{"finalizers":null}}"#,
        )
        .await;
    let url = format!("GET {CRDS}/foos.example.com");
    bench.until(&url, |reply| reply.code == 404).await;
    bench
        .until(&format!("GET {FOOS}"), |reply| reply.code == 404)
        .await;
    let said = watch.events();
    assert!(said.ends_with("end"), "{said}");
}

#[tokio::test]
async fn a_changed_schema_ends_watches_and_shows_new_defaults() {
    let bench = defined().await;
    bench
        .ok(
            &format!("POST {FOOS}"),
            r#"{"kind":"Foo","metadata":{"name":"x"},"spec":{}}"#,
        )
        .await;
    let mut watch = bench.watch(&format!("{FOOS}?watch=1")).await;
    assert_eq!(watch.events(), "ADDED x= @3");
    let patch = r#"json-patch [{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/colour","value":{"type":"string","default":"red"}}]"#;
    bench
        .ok(&format!("PATCH {CRDS}/foos.example.com"), patch)
        .await;
    let url = format!("GET {FOOS}/x");
    bench
        .until(&url, |reply| at(&reply.body, "spec/colour") == "red")
        .await;
    assert_eq!(watch.events(), "end");
    let list = bench.ok(&format!("GET {FOOS}"), "").await;
    assert!(list.contains(r#""colour":"red""#), "{list}");
}

#[tokio::test]
async fn is_served_again_after_a_restart() {
    let bench = defined().await;
    bench
        .ok(
            &format!("POST {FOOS}"),
            r#"{"kind":"Foo","metadata":{"name":"x"}}"#,
        )
        .await;
    let again = bench.restarted();
    assert_eq!(again.send(&format!("GET {FOOS}"), "").await.code, 404);
    again.serving.open().await.expect("the store reads");
    assert_eq!(names(&again.ok(&format!("GET {FOOS}"), "").await), "x");
}

#[tokio::test]
async fn refuses_definitions_that_make_no_sense() {
    let bench = Bench::new();
    let good = definition("example.com", "foos", "Foo");
    for (from, to, expected) in [
        (
            r#""name":"foos.example.com""#,
            r#""name":"foo""#,
            expect![[
                r#"422 CustomResourceDefinition.apiextensions.k8s.io "foo" is invalid: metadata.name: Invalid value: "foo": must be spec.names.plural+"."+spec.group"#
            ]],
        ),
        (
            r#""storage":true"#,
            r#""storage":false"#,
            expect![[
                r#"422 CustomResourceDefinition.apiextensions.k8s.io "foos.example.com" is invalid: [spec.versions: Invalid value: [{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null},{"Name":"v1beta1","Served":true,"Storage":false,"Deprecated":true,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]: must have exactly one version marked as storage version, status.storedVersions: Invalid value: null: must have at least one sto"#
            ]],
        ),
        (
            r#""scope":"Namespaced""#,
            r#""scope":"Moon""#,
            expect![[
                r#"422 CustomResourceDefinition.apiextensions.k8s.io "foos.example.com" is invalid: spec.scope: Unsupported value: "Moon": supported values: "Cluster", "Namespaced""#
            ]],
        ),
        (
            ".status.replicas\"",
            ".spec.other\"",
            expect![[
                r#"422 CustomResourceDefinition.apiextensions.k8s.io "foos.example.com" is invalid: spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.other": should be a json path under .status"#
            ]],
        ),
        (
            r#""type":"integer","default":1"#,
            r#""type":"integer","default":"x""#,
            expect![[
                r#"422 CustomResourceDefinition.apiextensions.k8s.io "foos.example.com" is invalid: spec.validation.openAPIV3Schema.properties[spec].properties[replicas].default: Invalid value: "string":  in body must be of type integer: "string""#
            ]],
        ),
        (
            "example.com",
            "example.k8s.io",
            expect![[
                r#"422 CustomResourceDefinition.apiextensions.k8s.io "foos.example.k8s.io" is invalid: metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111"#
            ]],
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let reply = bench
            .send(&format!("POST {CRDS}"), &good.replace(from, to))
            .await;
        let message = at(&reply.body, "message");
        let message: String = message.chars().take(600).collect();
        check(&format!("{} {message}", reply.code), &expected);
    }
}

#[tokio::test]
async fn custom_resources_are_applied_by_their_schema() {
    let bench = defined().await;
    let apply = |manager: &str, sub: &str| format!("PATCH {FOOS}/x{sub}?fieldManager={manager}");
    let body = |rest: &str| {
        format!(
            r#"apply {{"apiVersion":"example.com/v1","kind":"Foo","metadata":{{"name":"x"}},{rest}}}"#
        )
    };
    let made = bench
        .send(&apply("me", ""), &body(r#""spec":{"text":"t"}"#))
        .await;
    assert_eq!(made.code, 201, "{}", made.body);
    assert_eq!(at(&made.body, "spec"), r#"{"replicas":1,"text":"t"}"#);
    let owned = |body: &str| at(body, "metadata/managedFields");
    check(
        &owned(&made.body),
        &expect![[
            r#"[{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:text":{}}},"manager":"me","operation":"Apply","time":"2026-01-02T03:04:05Z"}]"#
        ]],
    );
    let seen = bench
        .ok(&apply("eye", "/status"), &body(r#""status":{"phase":"p"}"#))
        .await;
    check(
        &owned(&seen),
        &expect![[
            r#"[{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:phase":{}}},"manager":"eye","operation":"Apply","subresource":"status","time":"2026-01-02T03:04:05Z"},{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:text":{}}},"manager":"me","operation":"Apply","time":"2026-01-02T03:04:05Z"}]"#
        ]],
    );
    let other = bench
        .send(&apply("you", ""), &body(r#""spec":{"text":"u"}"#))
        .await;
    assert_eq!(other.code, 409);
    let wrong = bench
        .send(&apply("you", ""), &body(r#""spec":{"size":1}"#))
        .await;
    check(
        &at(&wrong.body, "message"),
        &expect![
            "failed to create typed patch object (/x; example.com/v1, Kind=Foo): .spec.size: field not declared in schema"
        ],
    );
    let made = r#"{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"y"},"spec":{"text":"t"}}"#;
    let made = bench
        .ok(&format!("POST {FOOS}?fieldManager=maker"), made)
        .await;
    check(
        &owned(&made),
        &expect![[
            r#"[{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{},"f:replicas":{},"f:text":{}}},"manager":"maker","operation":"Update","time":"2026-01-02T03:04:05Z"}]"#
        ]],
    );
    // An older version of the object is applied in its own words.
    let old = r#"apply {"apiVersion":"example.com/v1beta1","kind":"Foo","metadata":{"name":"x"},"spec":{"text":"t"}}"#;
    let old = bench
        .ok(&apply("me", "").replace("/v1/", "/v1beta1/"), old)
        .await;
    check(
        &owned(&old),
        &expect![[
            r#"[{"apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:phase":{}}},"manager":"eye","operation":"Apply","subresource":"status","time":"2026-01-02T03:04:05Z"},{"apiVersion":"example.com/v1beta1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:text":{}}},"manager":"me","operation":"Apply","time":"2026-01-02T03:04:05Z"}]"#
        ]],
    );
}

#[tokio::test]
async fn objects_leave_when_their_definition_says_so() {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    let with = |ttl: &str| {
        let body = definition("example.com", "foos", "Foo");
        let named = r#""metadata":{"#;
        let annotated = format!(r#""metadata":{{"annotations":{{"pintle.dev/ttl":"{ttl}"}},"#);
        body.replacen(named, &annotated, 1)
    };
    let refused = bench.send(&format!("POST {CRDS}"), &with("soon")).await;
    assert_eq!(refused.code, 422, "{}", refused.body);
    let wrong =
        r#"metadata.annotations[pintle.dev/ttl]: Invalid value: \"soon\": must be a duration"#;
    assert!(refused.body.contains(wrong), "{}", refused.body);
    bench
        .ok(&format!("POST {CRDS}"), &with(".spec.text+1m"))
        .await;
    let foo = |name: &str, text: &str| {
        let kind = r#""apiVersion":"example.com/v1","kind":"Foo""#;
        format!(r#"{{{kind},"metadata":{{"name":"{name}"}},"spec":{{"text":"{text}"}}}}"#)
    };
    bench
        .until(&format!("GET {FOOS}"), |list| list.code == 200)
        .await;
    for (name, text) in [
        ("short", "1h"),
        ("long", "2026-01-02T05:00:00Z"),
        ("endless", ""),
    ] {
        bench.ok(&format!("POST {FOOS}"), &foo(name, text)).await;
    }
    for _ in 0..100 {
        bench.clock.advance(std::time::Duration::from_secs(36));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let here = bench.ok(&format!("GET {FOOS}"), "").await;
    assert_eq!(
        here.matches(r#""name":"#).count(),
        3,
        "an hour is not yet an hour and a minute"
    );
    bench.clock.advance(std::time::Duration::from_secs(60));
    let gone = |list: &Reply| !list.body.contains(r#""name":"short""#);
    bench.until(&format!("GET {FOOS}"), gone).await;
    bench.clock.advance(std::time::Duration::from_secs(3_600));
    let left = bench
        .until(&format!("GET {FOOS}"), |list| {
            !list.body.contains(r#""name":"long""#)
        })
        .await;
    assert!(left.body.contains(r#""name":"endless""#), "{}", left.body);
}

#[tokio::test]
async fn columns_and_conversions_are_computed() {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    let with = |annotations: &str| {
        let body = definition("example.com", "foos", "Foo");
        let annotated = format!(r#""metadata":{{"annotations":{{{annotations}}},"#);
        body.replacen(r#""metadata":{"#, &annotated, 1)
    };
    for (annotation, why) in [
        (
            r#""columns.pintle.dev/Sum":"self.spec.nope""#,
            "undefined field 'nope'",
        ),
        (
            r#""conversion.pintle.dev/v1":"{}""#,
            "must be named FROM-to-TO after two versions",
        ),
        (
            r#""conversion.pintle.dev/v1-to-v9":"{}""#,
            "there is no version v9",
        ),
        (
            r#""conversion.pintle.dev/v1-to-v1beta1":"metadata.name: '1'""#,
            "must be the path of a field beside metadata",
        ),
        (
            r#""conversion.pintle.dev/v1-to-v1beta1":"spec.text: 1 +""#,
            "Syntax error",
        ),
    ] {
        let refused = bench.send(&format!("POST {CRDS}"), &with(annotation)).await;
        assert_eq!(refused.code, 422, "{annotation}: {}", refused.body);
        assert!(refused.body.contains(why), "{why}: {}", refused.body);
    }
    let good = r#""columns.pintle.dev/Twice":"self.spec.replicas * 2",
        "conversion.pintle.dev/v1-to-v1beta1":"spec.text: \"'old ' + self.spec.text\"\nspec.replicas: self.spec.replicas + 100",
        "conversion.pintle.dev/v1beta1-to-v1":"spec.text: self.spec.text.replace('old ', '')\nspec.replicas: self.spec.replicas - 100""#;
    bench.ok(&format!("POST {CRDS}"), &with(good)).await;
    bench
        .until(&format!("GET {FOOS}"), |list| list.code == 200)
        .await;
    let foo = r#"{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"f"},"spec":{"text":"x","replicas":3}}"#;
    bench.ok(&format!("POST {FOOS}"), foo).await;
    let older = FOOS.replace("/v1/", "/v1beta1/");
    let shown = bench.ok(&format!("GET {older}/f"), "").await;
    assert!(
        shown.contains(r#""spec":{"replicas":103,"text":"old x"}"#),
        "{shown}"
    );
    let patched = bench
        .ok(
            &format!("PATCH {older}/f"),
            r#"merge {"spec":{"text":"old y"}}"#,
        )
        .await;
    assert!(
        patched.contains(r#""replicas":103,"text":"old y""#),
        "{patched}"
    );
    let stored = bench.ok(&format!("GET {FOOS}/f"), "").await;
    assert!(
        stored.contains(r#""spec":{"replicas":3,"text":"y"}"#),
        "{stored}"
    );
    let table = bench.send_as(&format!("GET {FOOS}"), "", TABLE).await;
    assert!(
        table.body.contains(r#""name":"Twice","type":"integer""#),
        "{}",
        table.body
    );
    assert!(
        table.body.contains(r#""cells":["f","#) && table.body.contains(",6]"),
        "{}",
        table.body
    );
}
