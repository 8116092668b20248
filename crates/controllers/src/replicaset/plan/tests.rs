//! Tests of replicaset/plan.

use std::sync::Arc;

use expect_test::{Expect, expect};
use kit::Time;

use super::{ReplicaSet, STEPS_MAX, Seen, plan, status};
use crate::pod::Pod;

const NOW: Time = Time { secs: 1_000_000 };

fn set(text: &str) -> Arc<ReplicaSet> {
    let mut set = serde_json::json!({
        "metadata": {"name": "rs", "namespace": "n", "uid": "rs", "generation": 4},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "x"}},
                 "template": {"metadata": {"labels": {"app": "x"}}, "spec": {}}},
    });
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("ready", secs)) => {
                set["spec"]["minReadySeconds"] = secs.parse::<i32>().unwrap().into()
            }
            Some(("failed", reason)) => {
                set["status"]["conditions"] = serde_json::json!([{"type": "ReplicaFailure", "status": "True", "reason": reason}]);
            }
            None if word == "leaving" => {
                set["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            _ => set["spec"]["replicas"] = word.parse::<i32>().unwrap().into(),
        }
    }
    Arc::new(serde_json::from_value(set).unwrap())
}

/// A pod by words: its name (with `-` if it leaves, `?` if nobody owns it), then `node=n`, `age=5`,
/// `ready=5` (for 5 s), `cost=3`, `restarts=2`, a phase, `app=y`.
fn pod(text: &str) -> Arc<Pod> {
    let mut words = text.split(':');
    let name = words.next().unwrap();
    let plain = name.trim_end_matches(['-', '?']);
    let mut pod = serde_json::json!({
        "metadata": {"name": plain, "namespace": "n", "uid": plain, "labels": {"app": "x"}},
        "status": {"phase": "Running"},
    });
    if !name.ends_with('?') {
        pod["metadata"]["ownerReferences"] = serde_json::json!([{"uid": "rs", "controller": true}]);
    }
    if name.ends_with('-') {
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    }
    let ago = |secs: &str| {
        Time {
            secs: NOW.secs - secs.parse::<i64>().unwrap(),
        }
        .to_string()
    };
    for word in words {
        match word.split_once('=') {
            Some(("node", node)) => pod["spec"]["nodeName"] = node.into(),
            Some(("age", secs)) => pod["metadata"]["creationTimestamp"] = ago(secs).into(),
            Some(("ready", secs)) => {
                pod["status"]["conditions"] = serde_json::json!([
                    {"type": "Ready", "status": "True", "lastTransitionTime": ago(secs)}]);
            }
            Some(("cost", cost)) => {
                pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] =
                    cost.into();
            }
            Some(("restarts", count)) => {
                pod["status"]["containerStatuses"] = serde_json::json!([{"name": "c", "restartCount": count.parse::<i32>().unwrap()}]);
            }
            Some(("app", app)) => pod["metadata"]["labels"]["app"] = app.into(),
            _ => pod["status"]["phase"] = word.into(),
        }
    }
    Arc::new(serde_json::from_value(pod).unwrap())
}

fn pods(text: &str) -> Vec<Arc<Pod>> {
    text.split_whitespace().map(pod).collect()
}

/// The only function that plans: what is wanted, what is seen, and the step.
#[track_caller]
fn check(wanted: &str, seen: &str, expected: &Expect) {
    let (set, pods) = (set(wanted), pods(seen));
    let seen = Seen {
        set,
        related: pods.clone(),
        pods,
    };
    expected.assert_eq(&plan(&seen, NOW).step.to_string());
}

#[test]
fn creates_what_is_missing() {
    check("2", "", &expect!["create 2"]);
    check("3", "a", &expect!["create 2"]);
}

#[test]
fn does_nothing_when_content() {
    check("2", "a b", &expect![""]);
}

#[test]
fn does_not_count_what_leaves_or_is_over() {
    check("2", "a b- c:Failed d:Succeeded", &expect!["create 1"]);
}

#[test]
fn counts_what_it_adopts_and_not_what_it_releases() {
    check("2", "a? b", &expect![""]);
    check("2", "a:app=y b", &expect!["create 1"]);
}

#[test]
fn does_nothing_while_it_leaves() {
    check("2 leaving", "", &expect![""]);
    check("0 leaving", "a", &expect![""]);
}

#[test]
fn never_does_more_than_the_limit() {
    check("2000", "", &expect!["create 500"]);
    let many: Vec<String> = (0..600).map(|number| format!("p{number}")).collect();
    let (set, pods) = (set("0"), pods(&many.join(" ")));
    let seen = Seen {
        set,
        related: Vec::new(),
        pods,
    };
    let super::Step::Delete(pods) = plan(&seen, NOW).step else {
        panic!("pods are deleted");
    };
    assert_eq!(pods.len(), STEPS_MAX);
}

#[test]
fn gives_up_the_unassigned_first() {
    check("1", "a:node=n b", &expect!["delete b"]);
}

#[test]
fn then_by_phase() {
    check(
        "1",
        "a:node=n b:node=n:Unknown c:node=n:Pending",
        &expect!["delete c b"],
    );
}

#[test]
fn then_the_not_ready() {
    check("1", "a:ready=9 b", &expect!["delete b"]);
}

#[test]
fn then_the_cheap() {
    check("1", "a b:cost=-1 c:cost=5", &expect!["delete b a"]);
}

#[test]
fn then_where_it_is_crowded() {
    check("2", "a:node=n b:node=m c:node=m", &expect!["delete b"]);
}

#[test]
fn then_the_latest_ready_by_magnitude() {
    check("1", "a:ready=1000 b:ready=10", &expect!["delete b"]);
    check(
        "1",
        "a:ready=1000:age=9999 b:ready=1001:age=9",
        &expect!["delete b"],
    );
}

#[test]
fn then_the_often_restarted() {
    check("1", "a:restarts=1 b:restarts=3", &expect!["delete b"]);
}

#[test]
fn then_the_young() {
    check("1", "a:age=1000 b:age=10 c", &expect!["delete c b"]);
    check("1", "b:age=1000 a:age=1001", &expect!["delete a"]);
}

/// The only function that asks for a status.
#[track_caller]
fn check_status(wanted: &str, seen: &str, failed: Option<&str>, expected: &Expect) {
    let active: Vec<Arc<Pod>> = pods(seen)
        .into_iter()
        .filter(|pod| pod.is_active())
        .collect();
    let (status, next) = status(&set(wanted), &active, 1, failed, NOW);
    let next = next.map_or("-".to_owned(), |at| (at.secs - NOW.secs).to_string());
    expected.assert_eq(&format!(
        "{} next {next}",
        serde_json::to_string(&status).unwrap()
    ));
}

#[test]
fn counts_pods_for_the_status() {
    check_status(
        "3 ready=30",
        "a:ready=40 b:ready=10 c",
        None,
        &expect![[
            r#"{"replicas":3,"fullyLabeledReplicas":3,"readyReplicas":2,"availableReplicas":1,"terminatingReplicas":1,"observedGeneration":4} next 20"#
        ]],
    );
    check_status(
        "1",
        "a:ready=0",
        None,
        &expect![[
            r#"{"replicas":1,"fullyLabeledReplicas":1,"readyReplicas":1,"availableReplicas":1,"terminatingReplicas":1,"observedGeneration":4} next -"#
        ]],
    );
}

#[test]
fn says_why_it_could_not() {
    check_status(
        "2",
        "a",
        Some("exceeded quota"),
        &expect![[
            r#"{"replicas":1,"fullyLabeledReplicas":1,"terminatingReplicas":1,"observedGeneration":4,"conditions":[{"type":"ReplicaFailure","status":"True","lastTransitionTime":"1970-01-12T13:46:40Z","reason":"FailedCreate","message":"exceeded quota"}]} next -"#
        ]],
    );
}

#[test]
fn keeps_the_first_failure_and_takes_it_back() {
    check_status(
        "2 failed=Old",
        "a",
        Some("again"),
        &expect![[
            r#"{"replicas":1,"fullyLabeledReplicas":1,"terminatingReplicas":1,"observedGeneration":4,"conditions":[{"type":"ReplicaFailure","status":"True","reason":"Old"}]} next -"#
        ]],
    );
    check_status(
        "1 failed=Old",
        "a",
        None,
        &expect![[
            r#"{"replicas":1,"fullyLabeledReplicas":1,"terminatingReplicas":1,"observedGeneration":4} next -"#
        ]],
    );
}
