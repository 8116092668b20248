//! Pods leave with grace: how long, who may hurry them, and when they are gone at once.

use std::time::Duration;

use super::{Bench, at};

const POD: &str = "/api/v1/namespaces/a/pods/p";

/// 2026-01-02T03:04:05Z, the bench's beginning, and this many seconds.
fn after(secs: u32) -> String {
    format!(
        "2026-01-02T03:{:02}:{:02}Z",
        4 + (5 + secs) / 60,
        (5 + secs) % 60
    )
}

/// Returns a bench with a pod that has this spec beside its container, and this phase.
async fn with(spec: &str, phase: &str) -> Bench {
    let bench = Bench::new();
    let body = format!(
        r#"{{"metadata":{{"name":"p"}},"spec":{{{spec}"containers":[{{"name":"c","image":"i"}}]}}}}"#
    );
    bench.ok("POST /api/v1/namespaces/a/pods", &body).await;
    let status = format!(r#"merge {{"status":{{"phase":"{phase}"}}}}"#);
    bench.ok(&format!("PATCH {POD}/status"), &status).await;
    bench
}

/// Deletes the pod and compares what it says of its end: when, and with how many seconds; `gone`
/// if it is no longer there.
async fn check(bench: &Bench, query: &str, expected: &str) {
    let answer = bench.ok(&format!("DELETE {POD}?{query}"), "").await;
    let found = bench.send(&format!("GET {POD}"), "").await;
    let said = |body: &str| {
        let (until, grace) = (
            at(body, "metadata/deletionTimestamp"),
            at(body, "metadata/deletionGracePeriodSeconds"),
        );
        format!("{until} {grace}")
    };
    if found.code == 404 {
        assert_eq!("gone", expected, "{query}: {answer}");
        return;
    }
    assert_eq!(said(&found.body), expected, "{query}");
    assert_eq!(said(&answer), expected, "{query}: the answer shows the pod");
}

const BOUND: &str = r#""nodeName":"n","terminationGracePeriodSeconds":30,"#;

#[tokio::test]
async fn a_running_pod_has_its_own_grace_or_the_one_asked_for() {
    let short = r#""nodeName":"n","terminationGracePeriodSeconds":7,"#;
    for (spec, query, secs) in [
        (BOUND, "", 30),
        (short, "", 7),
        (short, "gracePeriodSeconds=40", 40),
        (short, "gracePeriodSeconds=-1", 1),
    ] {
        let bench = with(spec, "Running").await;
        check(&bench, query, &format!("{} {secs}", after(secs))).await;
    }
}

#[tokio::test]
async fn what_does_not_run_is_gone_at_once() {
    for (spec, phase, query, expected) in [
        ("", "Pending", "", "gone"),
        (BOUND, "Succeeded", "", "gone"),
        (BOUND, "Failed", "gracePeriodSeconds=50", "gone"),
        (BOUND, "Running", "gracePeriodSeconds=0", "gone"),
    ] {
        let bench = with(spec, phase).await;
        check(&bench, query, expected).await;
    }
}

#[tokio::test]
async fn a_leaving_pod_can_be_hurried_but_not_kept() {
    let bench = with(BOUND, "Running").await;
    let thirty = format!("{} 30", after(30));
    check(&bench, "", &thirty).await;
    let before = bench.ok(&format!("GET {POD}"), "").await;
    let revision = |body: &str| at(body, "metadata/resourceVersion");
    // Asking again, or for longer, writes nothing.
    check(&bench, "gracePeriodSeconds=30", &thirty).await;
    check(&bench, "gracePeriodSeconds=90", &thirty).await;
    check(&bench, "", &thirty).await;
    let after_all = bench.ok(&format!("GET {POD}"), "").await;
    assert_eq!(revision(&before), revision(&after_all));
    bench.clock.advance(Duration::from_secs(3));
    // The shorter period counts from when the first one was asked for.
    check(
        &bench,
        "gracePeriodSeconds=10",
        &format!("{} 10", after(10)),
    )
    .await;
    bench.clock.advance(Duration::from_secs(4));
    // It would have ended already: at once, but for the second of whoever ends it.
    check(&bench, "gracePeriodSeconds=5", &format!("{} 1", after(7))).await;
    check(&bench, "gracePeriodSeconds=0", "gone").await;
}

#[tokio::test]
async fn leaving_is_a_new_generation_once() {
    let bench = with(BOUND, "Running").await;
    let generation = |body: &str| at(body, "metadata/generation");
    let before = bench.ok(&format!("GET {POD}"), "").await;
    assert_eq!(generation(&before), "1");
    let held = bench.ok(&format!("DELETE {POD}"), "").await;
    assert_eq!(generation(&held), "2");
    let url = format!("DELETE {POD}?gracePeriodSeconds=5");
    assert_eq!(generation(&bench.ok(&url, "").await), "2");
}

#[tokio::test]
async fn finalizers_hold_a_pod_whose_grace_is_over() {
    let bench = with(BOUND, "Running").await;
    let hold = r#"merge {"metadata":{"finalizers":["a.b/c"]}}"#;
    bench.ok(&format!("PATCH {POD}"), hold).await;
    check(&bench, "gracePeriodSeconds=0", &format!("{} 0", after(0))).await;
    let free = r#"merge {"metadata":{"finalizers":null}}"#;
    bench.ok(&format!("PATCH {POD}"), free).await;
    assert_eq!(bench.send(&format!("GET {POD}"), "").await.code, 404);
}

#[tokio::test]
async fn only_the_last_finalizer_of_a_pod_without_grace_ends_it() {
    // It still has its grace: letting go of the finalizer leaves it to the kubelet.
    let bench = with(BOUND, "Running").await;
    let hold = r#"merge {"metadata":{"finalizers":["a.b/c"]}}"#;
    bench.ok(&format!("PATCH {POD}"), hold).await;
    let thirty = format!("{} 30", after(30));
    check(&bench, "", &thirty).await;
    let free = r#"merge {"metadata":{"finalizers":null}}"#;
    let held = bench.ok(&format!("PATCH {POD}"), free).await;
    assert_eq!(at(&held, "metadata/deletionGracePeriodSeconds"), "30");
    assert_eq!(bench.send(&format!("GET {POD}"), "").await.code, 200);
    check(&bench, "gracePeriodSeconds=0", "gone").await;
}

#[tokio::test]
async fn watchers_see_a_pod_marked_and_then_gone() {
    let bench = with(BOUND, "Running").await;
    let mut watch = bench
        .watch("/api/v1/namespaces/a/pods?watch=1&resourceVersion=3")
        .await;
    bench.ok(&format!("DELETE {POD}"), "").await;
    bench
        .ok(&format!("DELETE {POD}?gracePeriodSeconds=0"), "")
        .await;
    assert_eq!(watch.events(), "MODIFIED p= @4, DELETED p= @5");
}
