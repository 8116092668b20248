//! Tests of deployment/plan.

use std::sync::Arc;

use expect_test::{Expect, expect};
use kit::Time;

use super::{
    DESIRED, Deployment, MAX, Plan, REVISION, ReplicaSet, Seen, longer_history, plan, set_name,
};
use crate::pod::Pod;

const NOW: Time = Time { secs: 10_000 };

fn ago(secs: &str) -> String {
    Time {
        secs: NOW.secs - secs.parse::<i64>().unwrap(),
    }
    .to_string()
}

/// A deployment by words: a number of replicas, `surge=`, `unavailable=`, `deadline=`, `history=`,
/// `recreate`, `paused`, `leaving`, `image=b` (the default is `new`), `note=x` (an annotation),
/// `at=3` (revision), `progress=Reason@5` (5 s ago), `counts=replicas/updated/ready/available`.
fn deployment(text: &str) -> Arc<Deployment> {
    let mut deployment = serde_json::json!({
        "metadata": {"name": "web", "namespace": "n", "uid": "web", "generation": 7, "annotations": {}},
        "spec": {"replicas": 10, "selector": {"matchLabels": {"app": "x"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}},
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"image": "new"}}},
        "status": {"observedGeneration": 7},
    });
    for word in text.split_whitespace() {
        let number = |text: &str| serde_json::json!(text.parse::<i32>().unwrap());
        match word.split_once('=') {
            Some(("surge", amount)) => {
                deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = number(amount);
            }
            Some(("unavailable", amount)) => {
                deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = number(amount);
            }
            Some(("deadline", secs)) => {
                deployment["spec"]["progressDeadlineSeconds"] = number(secs);
            }
            Some(("history", limit)) => deployment["spec"]["revisionHistoryLimit"] = number(limit),
            Some(("image", image)) => {
                deployment["spec"]["template"]["spec"]["image"] = image.into();
            }
            Some(("note", text)) => deployment["metadata"]["annotations"]["note"] = text.into(),
            Some(("at", revision)) => {
                deployment["metadata"]["annotations"][REVISION] = revision.into();
            }
            Some(("progress", text)) => {
                let (reason, secs) = text.split_once('@').unwrap();
                deployment["status"]["conditions"] = serde_json::json!([{
                    "type": "Progressing", "status": "True", "reason": reason,
                    "lastUpdateTime": ago(secs), "lastTransitionTime": ago(secs)}]);
            }
            Some(("counts", text)) => {
                let counts: Vec<i32> = text.split('/').map(|n| n.parse().unwrap()).collect();
                let status = &mut deployment["status"];
                status["replicas"] = counts[0].into();
                status["updatedReplicas"] = counts[1].into();
                status["readyReplicas"] = counts[2].into();
                status["availableReplicas"] = counts[3].into();
            }
            None if word == "recreate" => {
                deployment["spec"]["strategy"] = serde_json::json!({"type": "Recreate"});
            }
            None if word == "paused" => deployment["spec"]["paused"] = true.into(),
            None if word == "leaving" => {
                deployment["metadata"]["deletionTimestamp"] = ago("1").into();
            }
            None if word == "everything" => deployment["spec"]["selector"] = serde_json::json!({}),
            _ => deployment["spec"]["replicas"] = number(word),
        }
    }
    Arc::new(serde_json::from_value(deployment).unwrap())
}

/// A replica set as `name:image:replicas/available:revision`, oldest first; `!` behind the name
/// says that it was scaled for another number (5, at most 6), `x` that its pods fail.
fn set(text: &str, place: usize, parent: &Deployment) -> Arc<ReplicaSet> {
    let parts: Vec<&str> = text.split(':').collect();
    let (replicas, available) = parts[2].split_once('/').unwrap();
    let (replicas, available): (i32, i32) = (replicas.parse().unwrap(), available.parse().unwrap());
    let name = parts[0].trim_end_matches(['!', 'x']);
    let (desired, max) = if parts[0].contains('!') {
        (5, 6)
    } else {
        (parent.replicas, parent.replicas_max())
    };
    let conditions = if parts[0].contains('x') {
        serde_json::json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "quota", "lastTransitionTime": ago("9")}])
    } else {
        serde_json::json!([])
    };
    Arc::new(
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "namespace": "n", "uid": name, "generation": 1,
                "resourceVersion": "100", "creationTimestamp": ago(&(1_000 - place).to_string()),
                "annotations": {REVISION: parts[3], DESIRED: desired.to_string(), MAX: max.to_string()}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "x"}},
                "template": {"metadata": {"labels": {"app": "x", "pod-template-hash": name}},
                             "spec": {"image": parts[1]}}},
            "status": {"replicas": replicas, "readyReplicas": available, "availableReplicas": available,
                "observedGeneration": 1, "terminatingReplicas": 0, "conditions": conditions},
        }))
        .unwrap(),
    )
}

fn plan_for(wanted: &str, sets: &str, pods: &str) -> Plan {
    let deployment = deployment(wanted);
    let sets = sets
        .split_whitespace()
        .enumerate()
        .map(|(place, text)| set(text, place, &deployment))
        .collect();
    let pods = pods
        .split_whitespace()
        .map(|word| {
            let (owner, phase) = word.split_once(':').unwrap();
            let pod: Pod = serde_json::from_value(serde_json::json!({
                "metadata": {"name": "p", "ownerReferences": [{"uid": owner, "controller": true}]},
                "status": {"phase": phase}}))
            .unwrap();
            Arc::new(pod)
        })
        .collect();
    plan(
        &Seen {
            deployment,
            sets,
            pods,
        },
        NOW,
    )
}

/// Asks for the steps.
#[track_caller]
fn check(wanted: &str, sets: &str, expected: &Expect) {
    let plan = plan_for(wanted, sets, "");
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    expected.assert_eq(&steps.join(", "));
}

/// Asks for the steps of a deployment whose pods are looked at.
#[track_caller]
fn check_pods(wanted: &str, sets: &str, pods: &str, expected: &Expect) {
    let plan = plan_for(wanted, sets, pods);
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    expected.assert_eq(&steps.join(", "));
}

/// Asks for the conditions, and when to look again.
#[track_caller]
fn check_conditions(wanted: &str, sets: &str, expected: &Expect) {
    let plan = plan_for(wanted, sets, "");
    let status = plan
        .status
        .unwrap_or_else(|| deployment(wanted).status.clone());
    let mut lines: Vec<String> = status
        .conditions
        .iter()
        .map(|held| {
            let time = |time: Option<Time>| time.map_or(-1, |time| NOW.secs - time.secs);
            let (update, transition) =
                (time(held.last_update_time), time(held.last_transition_time));
            format!(
                "{}={} {} @{update}/{transition}: {}",
                held.kind, held.status, held.reason, held.message
            )
        })
        .collect();
    if let Some(again) = plan.again {
        lines.push(format!("again in {}", again.secs - NOW.secs));
    }
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn begins_with_a_new_set_within_the_surge() {
    check(
        "10",
        "",
        &expect!["create new at 10 desired-replicas=10 max-replicas=13 revision=1"],
    );
    check(
        "10 note=x",
        "a:old:10/10:1",
        &expect![
            "create new at 3 desired-replicas=10 max-replicas=13 revision=2 note=x, change a 10->8"
        ],
    );
}

#[test]
fn goes_up_before_it_goes_down() {
    check("10", "a:old:8/8:1 b:new:3/0:2", &expect!["change b 3->5"]);
    check("10", "a:old:8/8:1 b:new:5/0:2", &expect![""]);
    check("10", "a:old:8/8:1 b:new:5/5:2", &expect!["change a 8->3"]);
    check("10", "a:old:3/3:1 b:new:5/5:2", &expect!["change b 5->10"]);
    check("10", "a:old:3/3:1 b:new:10/10:2", &expect!["change a 3->0"]);
}

#[test]
fn gives_up_what_is_not_available_first() {
    check(
        "10",
        "a:old:4/4:1 b:old2:4/0:2 c:new:5/5:3",
        &expect!["change b 4->0, change a 4->3"],
    );
}

#[test]
fn takes_the_oldest_of_equal_templates() {
    check(
        "10",
        "a:new:5/5:1 b:new:5/5:2",
        &expect!["change a 5->8 revision=3 revision-history=1"],
    );
}

#[test]
fn a_template_that_comes_back_gets_a_new_revision_and_its_history() {
    check(
        "3",
        "a:new:0/0:1 b:old:3/3:2",
        &expect!["change a 0->3 revision=3 revision-history=1"],
    );
}

#[test]
fn copies_annotations_once() {
    check("10 note=x", "a:new:10/10:1", &expect!["change a note=x"]);
    check("10", "a:new:10/10:1", &expect![""]);
}

#[test]
fn scales_the_only_set_at_once() {
    check(
        "8",
        "a!:new:5/5:1",
        &expect!["change a 5->8 desired-replicas=8 max-replicas=11"],
    );
    check(
        "0",
        "a!:new:5/5:1",
        &expect!["change a 5->0 desired-replicas=0 max-replicas=3"],
    );
}

#[test]
fn scales_several_sets_in_proportion() {
    check(
        "10 surge=2",
        "a!:old:4/4:1 b!:new:2/0:2",
        &expect![
            "change a 4->8 desired-replicas=10 max-replicas=12, change b 2->4 desired-replicas=10 max-replicas=12"
        ],
    );
    check(
        "2 surge=1 unavailable=0",
        "a!:old:3/3:1 b!:new:3/0:2",
        &expect![
            "change a 3->1 desired-replicas=2 max-replicas=3, change b 3->2 desired-replicas=2 max-replicas=3"
        ],
    );
    check(
        "0",
        "a!:old:3/3:1 b!:new:3/0:2",
        &expect![
            "change a 3->0 desired-replicas=0 max-replicas=3, change b 3->0 desired-replicas=0 max-replicas=3"
        ],
    );
}

#[test]
fn a_pause_stops_the_rollout_and_not_the_scaling() {
    check("10 paused", "a:old:10/10:1", &expect![""]);
    check(
        "10 paused",
        "a!:old:5/5:1",
        &expect!["change a 5->10 desired-replicas=10 max-replicas=13"],
    );
}

#[test]
fn recreates_only_after_all_old_pods_are_gone() {
    check("3 recreate", "a:old:3/3:1", &expect!["change a 3->0"]);
    check_pods("3 recreate", "a:old:0/0:1", "a:Running", &expect![""]);
    check_pods(
        "3 recreate",
        "a:old:0/0:1",
        "a:Failed",
        &expect!["create new at 3 desired-replicas=3 max-replicas=3 revision=2"],
    );
    check(
        "3 recreate",
        "a:old:0/0:1 b:new:0/0:2",
        &expect!["change b 0->3"],
    );
}

#[test]
fn deletes_what_is_older_than_the_history() {
    let sets = "a:1:0/0:1 b:2:0/0:2 c:3:0/0:3 d:new:2/2:4";
    check(
        "2 history=1 counts=2/2/2/2",
        sets,
        &expect!["delete a, delete b"],
    );
    check("2 history=5 counts=2/2/2/2", sets, &expect![""]);
    check("2 counts=2/2/2/2", sets, &expect![""]);
    check("2 history=0 counts=2/2/2/1", sets, &expect![""]);
}

#[test]
fn does_nothing_while_it_leaves_or_means_everything() {
    check("10 leaving", "a:old:10/10:1", &expect![""]);
    check("10 everything", "", &expect![""]);
}

#[test]
fn notes_the_revision_of_the_new_set() {
    assert_eq!(
        plan_for("2", "a:new:2/2:4", "").revision.as_deref(),
        Some("4")
    );
    assert_eq!(plan_for("2 at=4", "a:new:2/2:4", "").revision, None);
    assert_eq!(
        plan_for("2 at=4", "a:old:2/2:4", "").revision.as_deref(),
        Some("5")
    );
}

#[test]
fn a_rollout_begins_and_ends_with_a_word() {
    check_conditions(
        "2 deadline=60",
        "",
        &expect![[r#"
            Progressing=True NewReplicaSetCreated @0/0: Created new replica set "web-9fd65cbf4"
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            again in 61"#]],
    );
    check_conditions(
        "2 deadline=60 progress=ReplicaSetUpdated@5",
        "a:new:2/2:1",
        &expect![[r#"
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            Progressing=True NewReplicaSetAvailable @0/5: ReplicaSet "a" has successfully progressed."#]],
    );
}

#[test]
fn what_moves_is_progress() {
    check_conditions(
        "2 deadline=60 progress=ReplicaSetUpdated@5 counts=1/1/0/0",
        "a:new:2/1:1",
        &expect![[r#"
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            Progressing=True ReplicaSetUpdated @0/5: ReplicaSet "a" is progressing.
            again in 61"#]],
    );
}

#[test]
fn what_stands_still_too_long_has_failed() {
    check_conditions(
        "2 deadline=60 progress=ReplicaSetUpdated@61 counts=2/2/0/0",
        "a:new:2/0:1",
        &expect![[r#"
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            Progressing=False ProgressDeadlineExceeded @0/0: ReplicaSet "a" has timed out progressing."#]],
    );
    check_conditions(
        "2 deadline=60 progress=ReplicaSetUpdated@50 counts=2/2/0/0",
        "a:new:2/0:1",
        &expect![[r#"
            Progressing=True ReplicaSetUpdated @50/50: 
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            again in 11"#]],
    );
}

#[test]
fn a_finished_rollout_is_not_judged_again() {
    check_conditions(
        "2 unavailable=0 deadline=60 progress=NewReplicaSetAvailable@999 counts=2/2/2/2",
        "a:new:2/1:1",
        &expect![[r#"
            Progressing=True NewReplicaSetAvailable @999/999: 
            Available=False MinimumReplicasUnavailable @0/0: Deployment does not have minimum availability.
            again in -938"#]],
    );
}

#[test]
fn a_pause_is_no_lack_of_progress() {
    check_conditions(
        "2 paused deadline=60 progress=ReplicaSetUpdated@99",
        "a:old:2/2:1",
        &expect![[r#"
            Progressing=Unknown DeploymentPaused @0/0: Deployment is paused
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability."#]],
    );
    check_conditions(
        "2 deadline=60 progress=DeploymentPaused@99",
        "a:new:2/0:1",
        &expect![[r#"
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            Progressing=True ReplicaSetUpdated @0/0: ReplicaSet "a" is progressing.
            again in 61"#]],
    );
}

#[test]
fn without_a_deadline_nothing_is_said_of_progress() {
    check_conditions(
        "2 progress=ReplicaSetUpdated@5",
        "a:new:2/2:1",
        &expect![
            "Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability."
        ],
    );
}

#[test]
fn the_failure_of_a_set_is_passed_on() {
    check_conditions(
        "2",
        "ax:new:2/2:1",
        &expect![[r#"
            Available=True MinimumReplicasAvailable @0/0: Deployment has minimum availability.
            ReplicaFailure=True FailedCreate @9/9: quota"#]],
    );
}

#[test]
fn counts_are_those_of_the_sets() {
    let plan = plan_for("10", "a:old:8/7:1 b:new:5/2:2", "");
    assert_eq!(
        serde_json::to_value(plan.status.map(|mut status| {
            status.conditions.clear();
            status
        }))
        .unwrap(),
        serde_json::json!({"observedGeneration": 7, "replicas": 13, "updatedReplicas": 5,
            "readyReplicas": 9, "availableReplicas": 9, "unavailableReplicas": 2,
            "terminatingReplicas": 0})
    );
}

#[test]
fn a_history_stays_within_its_length() {
    assert_eq!(longer_history("", "3").as_deref(), Some("3"));
    assert_eq!(longer_history("1,2", "3").as_deref(), Some("1,2,3"));
    let long: Vec<String> = (1_000..1_400).map(|number| number.to_string()).collect();
    let longer = longer_history(&long.join(","), "9999").unwrap();
    assert!(longer.len() <= 2_000 && longer.ends_with(",1399,9999") && longer.starts_with("100"));
}

#[test]
fn a_long_name_makes_room_for_the_hash() {
    assert_eq!(set_name("web", "abc"), "web-abc");
    assert_eq!(set_name(&"x".repeat(253), "abc").len(), 253);
}
