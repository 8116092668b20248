//! Rules of deletes, one test each.

use expect_test::{Expect, expect};

use super::{Bench, Reply, at, names};

const NOTES: &str = "/api/v1/namespaces/a/configmaps";
const PODS: &str = "/api/v1/namespaces/a/pods";

#[track_caller]
fn check(found: &str, expected: &Expect) {
    expected.assert_eq(found);
}

fn refusal(reply: &Reply) -> String {
    let (reason, message) = (at(&reply.body, "reason"), at(&reply.body, "message"));
    format!("{} {reason}: {message}", reply.code)
}

#[tokio::test]
async fn answers_with_a_status() {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    let reply = bench.send(&format!("DELETE {NOTES}/x"), "").await;
    assert_eq!(reply.code, 200);
    check(
        &reply.body,
        &expect![[
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"x","kind":"configmaps","uid":"9bc2036f-7fd0-45cf-8de0-3f96324142bf"}}"#
        ]],
    );
    let reply = bench.send(&format!("DELETE {NOTES}/x"), "").await;
    check(
        &refusal(&reply),
        &expect![[r#"404 NotFound: configmaps "x" not found"#]],
    );
}

#[tokio::test]
async fn finalizers_hold() {
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x","finalizers":["a.b/c","a.b/d"]}}"#;
    bench.ok(&format!("POST {NOTES}"), body).await;
    let held = bench.ok(&format!("DELETE {NOTES}/x"), "").await;
    assert_eq!(
        at(&held, "metadata/deletionTimestamp"),
        "2026-01-02T03:04:05Z"
    );
    assert_eq!(at(&held, "metadata/deletionGracePeriodSeconds"), "0");
    let revision = at(&held, "metadata/resourceVersion");
    let again = bench.ok(&format!("DELETE {NOTES}/x"), "").await;
    assert_eq!(at(&again, "metadata/resourceVersion"), revision);
    let url = format!("PATCH {NOTES}/x");
    let more = r#"merge {"metadata":{"finalizers":["a.b/c","a.b/e"]}}"#;
    check(
        &refusal(&bench.send(&url, more).await),
        &expect![[
            r#"422 Invalid: ConfigMap "x" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/e"}"#
        ]],
    );
    let less = r#"merge {"metadata":{"finalizers":["a.b/d"]}}"#;
    bench.ok(&url, less).await;
    let last = r#"merge {"metadata":{"finalizers":[]}}"#;
    let gone = bench.send(&url, last).await;
    assert_eq!(
        (gone.code, at(&gone.body, "metadata/name").as_str()),
        (200, "x")
    );
    assert_eq!(bench.send(&format!("GET {NOTES}/x"), "").await.code, 404);
}

#[tokio::test]
async fn policies_become_finalizers() {
    for (query, expected) in [
        ("", "-"),
        ("propagationPolicy=Background", "-"),
        ("propagationPolicy=Foreground", r#"["foregroundDeletion"]"#),
        ("propagationPolicy=Orphan", r#"["orphan"]"#),
        ("orphanDependents=true", r#"["orphan"]"#),
        ("orphanDependents=false", "-"),
    ] {
        let bench = Bench::new();
        bench.note("a", "x", "1").await;
        let body = bench.ok(&format!("DELETE {NOTES}/x?{query}"), "").await;
        assert_eq!(at(&body, "metadata/finalizers"), expected, "{query}");
    }
    let bench = Bench::new();
    let body = r#"{"metadata":{"name":"x","finalizers":["orphan","a.b/c"]}}"#;
    bench.ok(&format!("POST {NOTES}"), body).await;
    let url = format!("DELETE {NOTES}/x?propagationPolicy=Foreground");
    let body = bench.ok(&url, "").await;
    assert_eq!(
        at(&body, "metadata/finalizers"),
        r#"["a.b/c","foregroundDeletion"]"#
    );
    let body = r#"{"propagationPolicy":"Sometimes"}"#;
    let reply = bench.send(&format!("DELETE {NOTES}/x"), body).await;
    assert_eq!(reply.code, 422, "{}", reply.body);
}

#[tokio::test]
async fn preconditions_must_hold() {
    let bench = Bench::new();
    let made = bench.note("a", "x", "1").await;
    let url = format!("DELETE {NOTES}/x");
    let wrong = r#"{"preconditions":{"uid":"other"}}"#;
    let reply = bench.send(&url, wrong).await;
    let shown = refusal(&reply).replace(&at(&made, "metadata/uid"), "UID");
    check(
        &shown,
        &expect![[
            r#"409 Conflict: Operation cannot be fulfilled on ConfigMap "x": the UID in the precondition (other) does not match the UID in record (UID). The object might have been deleted and then recreated"#
        ]],
    );
    let wrong = r#"{"preconditions":{"resourceVersion":"1"}}"#;
    check(
        &refusal(&bench.send(&url, wrong).await),
        &expect![[
            r#"409 Conflict: Operation cannot be fulfilled on ConfigMap "x": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (2). The object might have been modified"#
        ]],
    );
    let right = format!(
        r#"{{"preconditions":{{"uid":"{}","resourceVersion":"2"}}}}"#,
        at(&made, "metadata/uid")
    );
    bench.ok(&url, &right).await;
}

#[tokio::test]
async fn a_dry_delete_leaves_everything() {
    let bench = Bench::new();
    bench.note("a", "x", "1").await;
    bench.ok(&format!("DELETE {NOTES}/x?dryRun=All"), "").await;
    bench
        .ok(&format!("DELETE {NOTES}/x"), r#"{"dryRun":["All"]}"#)
        .await;
    bench.ok(&format!("GET {NOTES}/x"), "").await;
}

#[tokio::test]
async fn collections_are_deleted_by_selectors() {
    let bench = Bench::new();
    for name in ["x", "y", "z"] {
        let label = if name == "z" { "b" } else { "a" };
        let body = format!(r#"{{"metadata":{{"name":"{name}","labels":{{"l":"{label}"}}}}}}"#);
        bench.ok(&format!("POST {NOTES}"), &body).await;
    }
    let gone = bench
        .ok(&format!("DELETE {NOTES}?labelSelector=l%3Da"), "")
        .await;
    assert_eq!(names(&gone), "x y");
    assert_eq!(names(&bench.ok(&format!("GET {NOTES}"), "").await), "z");
    let body = r#"{"metadata":{"name":"h","finalizers":["a.b/c"]}}"#;
    bench.ok(&format!("POST {NOTES}"), body).await;
    bench.ok(&format!("DELETE {NOTES}"), "").await;
    assert_eq!(names(&bench.ok(&format!("GET {NOTES}"), "").await), "h");
}

#[tokio::test]
async fn a_namespace_waits_for_its_own_finalizers() {
    let bench = Bench::new();
    // Every namespace has this one, asked for or not.
    let made = bench
        .ok("POST /api/v1/namespaces", r#"{"metadata":{"name":"a"}}"#)
        .await;
    assert_eq!(at(&made, "spec/finalizers"), r#"["kubernetes"]"#);
    assert_eq!(at(&made, "status/phase"), "Active");
    let held = bench.ok("DELETE /api/v1/namespaces/a", "").await;
    assert_eq!(at(&held, "spec/finalizers"), r#"["kubernetes"]"#);
    assert_eq!(at(&held, "status/phase"), "Terminating");
    let until = at(&held, "metadata/deletionTimestamp");
    assert_eq!(until, "2026-01-02T03:04:05Z");
    let found = bench.ok("GET /api/v1/namespaces/a", "").await;
    assert_eq!(at(&found, "metadata/deletionTimestamp"), until);
    // Asking again changes nothing.
    bench.ok("DELETE /api/v1/namespaces/a", "").await;
    let again = bench.ok("GET /api/v1/namespaces/a", "").await;
    assert_eq!(again, found);
    let free = found.replace(r#"["kubernetes"]"#, "[]");
    bench.ok("PUT /api/v1/namespaces/a/finalize", &free).await;
    assert_eq!(bench.send("GET /api/v1/namespaces/a", "").await.code, 404);
}

#[tokio::test]
async fn many_pods_leave_at_once() {
    let bench = Bench::new();
    for n in 0..150 {
        let body = format!(
            r#"{{"metadata":{{"name":"p{n}"}},"spec":{{"containers":[{{"name":"c","image":"i"}}]}}}}"#
        );
        bench.ok(&format!("POST {PODS}"), &body).await;
    }
    bench
        .ok(&format!("DELETE {PODS}?gracePeriodSeconds=0"), "")
        .await;
    assert_eq!(names(&bench.ok(&format!("GET {PODS}"), "").await), "");
}
