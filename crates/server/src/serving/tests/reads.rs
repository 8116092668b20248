//! Rules of reads, one test each.

use expect_test::{Expect, expect};

use super::{Bench, METADATA, PROTOBUF, TABLE, at, names};

const NOTES: &str = "/api/v1/namespaces/a/configmaps";

#[track_caller]
fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

async fn three() -> Bench {
    let bench = Bench::new();
    for name in ["x", "y", "z"] {
        bench.note("a", name, name).await;
    }
    bench.note("a-b", "w", "w").await;
    bench
}

#[tokio::test]
async fn shows_what_was_created() {
    let bench = Bench::new();
    bench.note("a", "x", "hello").await;
    let body = bench.ok("GET /api/v1/namespaces/a/configmaps/x", "").await;
    check(
        &body,
        &expect![[
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","namespace":"a","uid":"9bc2036f-7fd0-45cf-8de0-3f96324142bf","resourceVersion":"2","creationTimestamp":"2026-01-02T03:04:05Z","managedFields":[{"manager":"unknown","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:text":{}}}}]},"data":{"text":"hello"}}"#
        ]],
    );
}

#[tokio::test]
async fn says_what_is_not_there() {
    let bench = Bench::new();
    let reply = bench
        .send("GET /api/v1/namespaces/a/configmaps/x", "")
        .await;
    assert_eq!(reply.code, 404);
    check(
        &reply.body,
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"x\" not found","reason":"NotFound","details":{"name":"x","kind":"configmaps"},"code":404}"#
        ]],
    );
}

#[tokio::test]
async fn lists_in_the_order_of_keys() {
    let bench = three().await;
    let all = bench.ok("GET /api/v1/configmaps", "").await;
    // `a-b/` comes before `a/` in the order of keys.
    assert_eq!(names(&all), "w x y z");
    assert_eq!(at(&all, "metadata/resourceVersion"), "5");
    assert_eq!(names(&bench.ok(&format!("GET {NOTES}"), "").await), "x y z");
    let none = bench.ok("GET /api/v1/namespaces/none/configmaps", "").await;
    check(
        &none,
        &expect![[r#"
        {"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]}
    "#]],
    );
}

#[tokio::test]
async fn pages_stay_at_one_revision() {
    let bench = three().await;
    let first = bench.ok(&format!("GET {NOTES}?limit=1"), "").await;
    assert_eq!(names(&first), "x");
    assert_eq!(at(&first, "metadata/remainingItemCount"), "2");
    let token = at(&first, "metadata/continue");
    bench.note("a", "xx", "late").await;
    bench.ok(&format!("DELETE {NOTES}/z"), "").await;
    let second = bench
        .ok(&format!("GET {NOTES}?limit=5&continue={token}"), "")
        .await;
    assert_eq!(names(&second), "y z");
    assert_eq!(at(&second, "metadata/resourceVersion"), "5");
    assert_eq!(at(&second, "metadata/continue"), "-");
    // A selector leaves the count out, and promises a page while anything is left.
    let url = format!("GET {NOTES}?limit=1&fieldSelector=metadata.name!=q");
    let one = bench.ok(&url, "").await;
    assert_eq!(at(&one, "metadata/remainingItemCount"), "-");
    assert_ne!(at(&one, "metadata/continue"), "-");
}

#[tokio::test]
async fn reads_the_past() {
    let bench = three().await;
    bench.ok(&format!("DELETE {NOTES}/x"), "").await;
    let body = r#"merge {"data":{"text":"new"}}"#;
    bench.ok(&format!("PATCH {NOTES}/y"), body).await;
    let exact = |revision: u32| {
        format!("GET {NOTES}?resourceVersion={revision}&resourceVersionMatch=Exact")
    };
    assert_eq!(names(&bench.ok(&exact(2), "").await), "x");
    assert_eq!(names(&bench.ok(&exact(4), "").await), "x y z");
    assert_eq!(names(&bench.ok(&exact(6), "").await), "y z");
    let old = bench.ok(&exact(6), "").await;
    assert!(old.contains(r#""text":"y""#), "{old}");
    // With a limit and no match, a revision is exact as well.
    let legacy = bench
        .ok(&format!("GET {NOTES}?resourceVersion=2&limit=9"), "")
        .await;
    assert_eq!(names(&legacy), "x");
    let newer = bench
        .ok(&format!("GET {NOTES}?resourceVersion=2"), "")
        .await;
    assert_eq!(names(&newer), "y z");
}

#[tokio::test]
async fn a_forgotten_revision_is_gone() {
    use store::Store;
    let bench = three().await;
    let first = bench.ok(&format!("GET {NOTES}?limit=1"), "").await;
    let token = at(&first, "metadata/continue");
    for n in 0..3 {
        bench.note("b", &format!("n{n}"), "").await;
    }
    let compacted = bench.store.compact(store::Revision(7)).wait();
    compacted.expect("it is reached");
    // A second server has not seen the past that the first one remembers.
    let fresh = bench.restarted();
    let url = format!("GET {NOTES}?resourceVersion=3&resourceVersionMatch=Exact");
    let reply = fresh.send(&url, "").await;
    assert_eq!(
        (reply.code, at(&reply.body, "reason").as_str()),
        (410, "Expired")
    );
    check(
        &at(&reply.body, "message"),
        &expect!["The resourceVersion for the provided list is too old."],
    );
    let url = format!("GET {NOTES}?limit=1&continue={token}");
    let reply = fresh.send(&url, "").await;
    assert_eq!(reply.code, 410);
    let token = at(&reply.body, "metadata/continue");
    let rest = fresh.ok(&format!("GET {NOTES}?continue={token}"), "").await;
    assert_eq!(names(&rest), "y z");
}

#[tokio::test]
async fn a_list_whose_token_is_over_goes_on_at_another_revision() {
    let bench = three().await;
    let first = bench.ok(&format!("GET {NOTES}?limit=1"), "").await;
    let url = format!(
        "GET {NOTES}?limit=1&continue={}",
        at(&first, "metadata/continue")
    );
    let still = bench.ok(&url, "").await;
    let seconds = crate::list::PAGES_SECONDS_MAX.unsigned_abs() + 1;
    bench.clock.advance(std::time::Duration::from_secs(seconds));
    let reply = bench.send(&url, "").await;
    assert_eq!(reply.code, 410, "{}", reply.body);
    // Nothing was written meanwhile, and still it can be told from the first page's list.
    let token = at(&reply.body, "metadata/continue");
    let url = format!("GET {NOTES}?limit=1&continue={token}");
    let rest = bench.ok(&url, "").await;
    assert_eq!(names(&rest), names(&still));
    let revision = |body: &str| at(body, "metadata/resourceVersion");
    assert_eq!(revision(&still), revision(&first));
    assert_ne!(revision(&rest), revision(&first));
    // Asking again does not keep the store busy.
    let again = bench.ok(&url, "").await;
    assert_eq!(revision(&again), revision(&rest));
}

#[tokio::test]
async fn waits_for_a_revision_and_gives_up() {
    let bench = three().await;
    let url = format!("GET {NOTES}?resourceVersion=9");
    let list = bench.send(&url, "");
    let late = async {
        bench.clock.advance(std::time::Duration::from_secs(4));
    };
    let (reply, ()) = tokio::join!(list, late);
    assert_eq!(reply.code, 504);
    check(
        &reply.body,
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: Too large resource version: 9, current: 5","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}"#
        ]],
    );
    let url = format!("GET {NOTES}?resourceVersion=6");
    let (reply, _) = tokio::join!(bench.send(&url, ""), bench.note("b", "new", ""));
    assert_eq!(reply.code, 200, "{}", reply.body);
}

#[tokio::test]
async fn selects_by_labels_and_fields() {
    let bench = Bench::new();
    for (name, labels) in [
        ("x", r#"{"app":"web"}"#),
        ("y", r#"{"app":"db","tier":"1"}"#),
        ("z", "{}"),
    ] {
        let body = format!(r#"{{"metadata":{{"name":"{name}","labels":{labels}}}}}"#);
        bench.ok(&format!("POST {NOTES}"), &body).await;
    }
    for (query, expected) in [
        ("labelSelector=app", "x y"),
        ("labelSelector=app%3Dweb", "x"),
        ("labelSelector=app!%3Dweb", "y z"),
        ("labelSelector=app+in+(db,web),tier", "y"),
        ("fieldSelector=metadata.name%3Dz", "z"),
        ("fieldSelector=metadata.name!%3Dz", "x y"),
        ("fieldSelector=metadata.namespace%3Db", ""),
        ("fieldSelector=metadata.name%3Dx&labelSelector=app%3Ddb", ""),
    ] {
        let list = bench.ok(&format!("GET {NOTES}?{query}"), "").await;
        assert_eq!(names(&list), expected, "{query}");
    }
    let url = "GET /api/v1/configmaps?fieldSelector=metadata.namespace%3Da";
    assert_eq!(names(&bench.ok(url, "").await), "x y z");
    for query in [
        "labelSelector=a%2Bb",
        "fieldSelector=spec.nodeName%3Dn",
        "fieldSelector=x",
    ] {
        let reply = bench.send(&format!("GET {NOTES}?{query}"), "").await;
        assert_eq!(reply.code, 400, "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn shows_metadata_and_tables() {
    let bench = Bench::new();
    bench.note("a", "x", "hello").await;
    let list = bench.send_as(&format!("GET {NOTES}"), "", METADATA).await;
    check(
        &list.body,
        &expect![[r#"
            {"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"2"},"items":[{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"x","namespace":"a","uid":"9bc2036f-7fd0-45cf-8de0-3f96324142bf","resourceVersion":"2","creationTimestamp":"2026-01-02T03:04:05Z","managedFields":[{"manager":"unknown","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:text":{}}}}]}}]}
        "#]],
    );
    // What the cells say is the kind's business; what stands beside them is the request's.
    for (query, expected) in [
        ("", "PartialObjectMetadata"),
        ("?includeObject=Metadata", "PartialObjectMetadata"),
        ("?includeObject=Object", "ConfigMap"),
        ("?includeObject=None", "-"),
    ] {
        for url in [NOTES.to_owned(), format!("{NOTES}/x")] {
            let reply = bench.send_as(&format!("GET {url}{query}"), "", TABLE).await;
            let table = api::json::read(reply.body.as_bytes())
                .expect("it is JSON")
                .value;
            let rows = table.get("rows").and_then(api::Value::as_array);
            let row = &rows.expect("a table has rows")[0];
            let columns = table
                .get("columnDefinitions")
                .and_then(api::Value::as_array);
            let cells = row.get("cells").and_then(api::Value::as_array);
            assert_eq!(columns.map(<[_]>::len), cells.map(<[_]>::len));
            let kind = row.str_at(&["object", "kind"]).unwrap_or("-");
            assert_eq!(kind, expected, "{url}{query}");
        }
    }
    let reply = bench
        .send_as(&format!("GET {NOTES}?includeObject=All"), "", TABLE)
        .await;
    assert_eq!(reply.code, 400, "{}", reply.body);
}

#[tokio::test]
async fn speaks_protobuf() {
    let bench = Bench::new();
    bench.note("a", "x", "hello").await;
    for url in [NOTES.to_owned(), format!("{NOTES}/x")] {
        let reply = bench.send_as(&format!("GET {url}"), "", PROTOBUF).await;
        assert!(reply.body.starts_with("k8s\0"), "{url}");
        assert!(reply.body.contains("hello"), "{url}");
    }
}

#[tokio::test]
async fn a_question_is_no_table() {
    let bench = Bench::new();
    let url = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let question = r#"{"spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}"#;
    for form in [TABLE, METADATA] {
        let reply = bench.send_as(url, question, form).await;
        assert_eq!(
            (reply.code, at(&reply.body, "reason")),
            (406, "NotAcceptable".to_owned())
        );
    }
}
