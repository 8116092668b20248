//! Tests of what the server sets on single kinds.

use api::{GroupVersion, Text, Value, json, time};
use schema::{Asker, Occasion};

use super::{Owned, prepare};

fn read(text: &str) -> Value {
    json::read(text.as_bytes()).expect("it is JSON").value
}

/// Prepares an object that comes through a door, as if the server owned no part of the kind.
#[track_caller]
fn check(kind: &str, door: &str, object: &str, old: Option<&str>, expected: &str) {
    let group_version = GroupVersion::new("", "v1");
    let occasion = Occasion {
        now: time::parse("2026-01-01T00:00:00Z").expect("it is a time"),
        group_version: &group_version,
        asked: &group_version,
        subresource: door,
        asker: Asker {
            name: "me",
            groups: &[Text::const_new("mine")],
            ..Asker::NOBODY
        },
    };
    let mut object = read(object);
    let old = old.map(read);
    prepare(&Owned::default(), kind, occasion, &mut object, old.as_ref());
    let mut expected = read(expected);
    sort(&mut object);
    sort(&mut expected);
    assert_eq!(object, expected);
}

/// Sorts what is put in order only later.
fn sort(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.iter_mut().for_each(|(_, value)| sort(value));
            object.sort();
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

#[test]
fn a_signing_request_says_who_makes_it() {
    check(
        "CertificateSigningRequest",
        "",
        r#"{"spec":{"request":"eA==","username":"you","uid":"1","groups":["yours"],"extra":{"a":["b"]}}}"#,
        None,
        r#"{"spec":{"request":"eA==","username":"me","groups":["mine"]}}"#,
    );
}

const PENDING: &str = r#""status":{"phase":"Pending","qosClass":"BestEffort"}"#;

#[track_caller]
fn check_pod(pod: &str, expected: &str) {
    check(
        "Pod",
        "",
        &format!("{{{pod}}}"),
        None,
        &format!("{{{expected},{PENDING}}}"),
    );
}

#[test]
fn a_gated_pod_says_so() {
    check(
        "Pod",
        "",
        r#"{"spec":{"schedulingGates":[{"name":"g"}]}}"#,
        None,
        r#"{"spec":{"schedulingGates":[{"name":"g"}]},"status":{"phase":"Pending","qosClass":"BestEffort",
            "conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated",
            "message":"Scheduling is blocked due to non-empty scheduling gates","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#,
    );
}

#[test]
fn label_keys_become_part_of_selectors() {
    check_pod(
        r#""metadata":{"labels":{"a":"1","b":"2"}},"spec":{"affinity":{"podAffinity":{
            "requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{},"matchLabelKeys":["a","x"],"mismatchLabelKeys":["b"]}]},
            "podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"matchLabelKeys":["a"]}}]}},
            "topologySpreadConstraints":[{"labelSelector":{"matchExpressions":[{"key":"k","operator":"Exists"}]},"matchLabelKeys":["a"]}]}"#,
        r#""metadata":{"labels":{"a":"1","b":"2"}},"spec":{"affinity":{"podAffinity":{
            "requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchExpressions":[
            {"key":"a","operator":"In","values":["1"]},{"key":"b","operator":"NotIn","values":["2"]}]},"matchLabelKeys":["a","x"],"mismatchLabelKeys":["b"]}]},
            "podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"matchLabelKeys":["a"]}}]}},
            "topologySpreadConstraints":[{"labelSelector":{"matchExpressions":[{"key":"k","operator":"Exists"},
            {"key":"a","operator":"In","values":["1"]}]},"matchLabelKeys":["a"]}]}"#,
    );
}

#[test]
fn profiles_of_annotations_become_fields() {
    let annotations = r#""metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/a":"localhost/p",
        "container.apparmor.security.beta.kubernetes.io/b":"runtime/default",
        "container.apparmor.security.beta.kubernetes.io/c":"odd"}}"#;
    check_pod(
        &format!(
            r#"{annotations},"spec":{{"securityContext":{{"appArmorProfile":{{"type":"RuntimeDefault"}}}},
            "containers":[{{"name":"a"}},{{"name":"b"}},{{"name":"c"}}]}}"#
        ),
        &format!(
            r#"{annotations},"spec":{{"securityContext":{{"appArmorProfile":{{"type":"RuntimeDefault"}}}},
            "containers":[{{"name":"a","securityContext":{{"appArmorProfile":{{"type":"Localhost","localhostProfile":"p"}}}}}},
            {{"name":"b"}},{{"name":"c"}}]}}"#
        ),
    );
}

#[test]
fn a_whole_pod_asks_for_what_its_containers_do() {
    let containers = r#""containers":[{"resources":{"limits":{"cpu":"2","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}}}],
        "initContainers":[{"restartPolicy":"Always","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"500m"}}},
        {"resources":{"limits":{"cpu":"4"},"requests":{"cpu":"3"}}}]"#;
    check(
        "Pod",
        "",
        &format!(r#"{{"spec":{{"resources":{{"limits":{{"memory":"2Gi"}}}},{containers}}}}}"#),
        None,
        &format!(
            r#"{{"spec":{{"resources":{{"limits":{{"cpu":"5","memory":"2Gi"}},"requests":{{"cpu":"3500m","memory":"1Gi"}}}},{containers}}},
            "status":{{"phase":"Pending","qosClass":"Burstable"}}}}"#
        ),
    );
    let bare = r#""containers":[{"name":"c"}]"#;
    check(
        "Pod",
        "",
        &format!(
            r#"{{"spec":{{"resources":{{"limits":{{"cpu":"1","hugepages-2Mi":"4Mi"}}}},{bare}}}}}"#
        ),
        None,
        &format!(
            r#"{{"spec":{{"resources":{{"limits":{{"cpu":"1","hugepages-2Mi":"4Mi"}},"requests":{{"cpu":"1","hugepages-2Mi":"4Mi"}}}},{bare}}},
            "status":{{"phase":"Pending","qosClass":"Burstable"}}}}"#
        ),
    );
    let page = r#""containers":[{"resources":{"limits":{"hugepages-2Mi":"4Mi"},"requests":{"hugepages-2Mi":"4Mi"}}}]"#;
    check(
        "Pod",
        "resize",
        &format!(r#"{{"spec":{{{page}}}}}"#),
        Some(r#"{"spec":{"resources":{"requests":{"cpu":"1"}}}}"#),
        &format!(
            r#"{{"spec":{{"resources":{{"limits":{{"hugepages-2Mi":"4Mi"}},"requests":{{"cpu":"1","hugepages-2Mi":"4Mi"}}}},{page}}}}}"#
        ),
    );
}

#[test]
fn writers_of_a_pods_status_keep_what_they_do_not_know() {
    check(
        "Pod",
        "status",
        r#"{"metadata":{"ownerReferences":[{"uid":"new"}]},"status":{"conditions":[{"type":"A"},{"type":"A"},{"type":"B"}]}}"#,
        Some(
            r#"{"metadata":{},"status":{"qosClass":"Guaranteed","observedGeneration":2,
            "conditions":[{"type":"A","observedGeneration":1},{"type":"A","observedGeneration":2}]}}"#,
        ),
        r#"{"metadata":{},"status":{"qosClass":"Guaranteed","observedGeneration":2,
            "conditions":[{"type":"A","observedGeneration":1},{"type":"A","observedGeneration":2},{"type":"B"}]}}"#,
    );
}

#[test]
fn a_job_selects_its_own_pods() {
    check(
        "Job",
        "",
        r#"{"metadata":{"name":"j","uid":"u"},"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}"#,
        None,
        r#"{"metadata":{"name":"j","uid":"u","labels":{"a":"b","batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"j",
            "controller-uid":"u","job-name":"j"}},"spec":{"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"u"}},
            "template":{"metadata":{"labels":{"a":"b","batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"j",
            "controller-uid":"u","job-name":"j"}}}}}"#,
    );
    let own = r#"{"metadata":{"name":"j"},"spec":{"manualSelector":true}}"#;
    check("Job", "", own, None, own);
}

#[test]
fn some_generations_begin_otherwise() {
    let made = r#"{"metadata":{"generation":1}}"#;
    check("PriorityClass", "", r#"{"metadata":{}}"#, None, made);
    check("CSIDriver", "", made, None, r#"{"metadata":{}}"#);
}

#[test]
fn a_daemon_set_counts_its_templates() {
    let set = |number: &str, image: &str| {
        let annotation = match number {
            "" => String::new(),
            number => format!(
                r#""annotations":{{"deprecated.daemonset.template.generation":"{number}"}}"#
            ),
        };
        format!(r#"{{"metadata":{{{annotation}}},"spec":{{"template":{{"image":"{image}"}}}}}}"#)
    };
    let check = |object: &str, old: Option<&str>, expected: &str| {
        check("DaemonSet", "", object, old, expected);
    };
    check(&set("", "a"), None, &set("1", "a"));
    check(&set("7", "a"), None, &set("7", "a"));
    check(&set("9", "a"), Some(&set("7", "a")), &set("7", "a"));
    check(&set("", "b"), Some(&set("7", "a")), &set("8", "b"));
}

#[test]
fn claims_say_their_source_twice() {
    let known = r#"{"kind":"PersistentVolumeClaim","name":"c"}"#;
    let both = format!(
        r#"{{"spec":{{"dataSource":{known},"dataSourceRef":{known}}},"status":{{"phase":"Pending"}}}}"#
    );
    for field in ["dataSource", "dataSourceRef"] {
        let one = format!(r#"{{"spec":{{"{field}":{known}}}}}"#);
        check("PersistentVolumeClaim", "", &one, None, &both);
    }
    check(
        "PersistentVolumeClaim",
        "",
        r#"{"spec":{"dataSource":{"kind":"Odd","name":"c"}}}"#,
        None,
        r#"{"spec":{},"status":{"phase":"Pending"}}"#,
    );
    let elsewhere = r#"{"spec":{"dataSourceRef":{"kind":"Odd","name":"c","namespace":"n"}}}"#;
    check(
        "PersistentVolumeClaim",
        "",
        elsewhere,
        Some("{}"),
        elsewhere,
    );
}

#[test]
fn a_volume_says_since_when_it_is_in_its_phase() {
    let volume = |phase: &str, since: &str| {
        format!(r#"{{"status":{{"phase":"{phase}","lastPhaseTransitionTime":"{since}"}}}}"#)
    };
    let (old, now) = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    let before = volume("Pending", old);
    let check = |object: &str, expected: &str| {
        check(
            "PersistentVolume",
            "status",
            object,
            Some(&before),
            expected,
        );
    };
    check(r#"{"status":{"phase":"Pending"}}"#, &volume("Pending", old));
    check(&volume("Bound", old), &volume("Bound", now));
    check(
        &volume("Bound", "2024-01-01T00:00:00Z"),
        &volume("Bound", "2024-01-01T00:00:00Z"),
    );
}

#[test]
fn old_fields_of_accounts_and_slices_are_dropped() {
    check(
        "ServiceAccount",
        "",
        r#"{"secrets":[{"name":"s","namespace":"n","uid":"u"}]}"#,
        None,
        r#"{"secrets":[{"name":"s"}]}"#,
    );
    let old = r#"{"endpoints":[{"addresses":["1.2.3.4"],"deprecatedTopology":{"kubernetes.io/hostname":"n1"}}]}"#;
    check("EndpointSlice", "", old, Some(old), old);
    check(
        "EndpointSlice",
        "",
        r#"{"endpoints":[{"addresses":["1.2.3.5"],"deprecatedTopology":{"kubernetes.io/hostname":"n1"}}]}"#,
        Some(old),
        r#"{"endpoints":[{"addresses":["1.2.3.5"],"nodeName":"n1"}]}"#,
    );
    check(
        "EndpointSlice",
        "",
        old,
        None,
        r#"{"endpoints":[{"addresses":["1.2.3.4"]}]}"#,
    );
}

#[test]
fn a_namespace_is_labelled_when_it_has_its_name() {
    check(
        "Namespace",
        "",
        r#"{"metadata":{"generateName":"n-","name":"n-x"}}"#,
        None,
        r#"{"metadata":{"generateName":"n-","name":"n-x","labels":{"kubernetes.io/metadata.name":"n-x"}},
            "spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#,
    );
}
