//! Subresources that fold what they are given into their object, and kinds whose versions differ.

use super::{Bench, Reply, at};

const PODS: &str = "/api/v1/namespaces/a/pods";
const POD: &str = r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;

fn refusal(reply: &Reply) -> String {
    let (reason, message) = (at(&reply.body, "reason"), at(&reply.body, "message"));
    format!("{} {reason}: {message}", reply.code)
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let bench = Bench::new();
    bench.ok(&format!("POST {PODS}"), POD).await;
    let binding = |node: &str| {
        format!(
            r#"{{"metadata":{{"name":"p","labels":{{"zone":"z"}}}},"target":{{"kind":"Node","name":"{node}"}}}}"#
        )
    };
    let url = format!("POST {PODS}/p/binding");
    let bound = bench.send(&url, &binding("n")).await;
    assert_eq!(
        (bound.code, at(&bound.body, "status")),
        (201, "Success".to_owned())
    );
    let pod = bench.ok(&format!("GET {PODS}/p"), "").await;
    assert_eq!(at(&pod, "spec/nodeName"), "n");
    assert_eq!(at(&pod, "metadata/labels/zone"), "z");
    assert!(
        pod.contains(r#""type":"PodScheduled","status":"True""#) || pod.contains("PodScheduled")
    );
    assert_eq!(
        refusal(&bench.send(&url, &binding("m")).await),
        r#"409 Conflict: Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n""#
    );
    let pod = bench.ok(&format!("GET {PODS}/p"), "").await;
    assert_eq!(at(&pod, "spec/nodeName"), "n");
}

#[tokio::test]
async fn a_request_is_approved_through_its_own_door_only() {
    let bench = Bench::new();
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let csr = r#"{"metadata":{"name":"x"},"spec":{"request":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QmRUQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCTGU3M1Y3dG9oMlc4bVk1L1A5aFZXQmlmMzdCekZMdzFyUHY2WHRJZWh2NE5lS1VzS3Bnd3FaaEx4bSt4VXFyCldzYUpwR00yUW93Q01yNzR1eEEyVWFPZ0FEQUtCZ2dxaGtqT1BRUURBZ05JQURCRkFpQlRJelN6VzVjRGdlcWsKeUpoT3RXZWdKUXRVMXp6Zmg3djBLUE8wcXJOSW1RSWhBSzFQMjBHdHFmd0hTQmVyN3FSVTNLVXZlbVB3SDVmdQpGNnY5TmpVZTFhajQKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==","signerName":"a.b/c","usages":["client auth"]}}"#;
    bench.ok(&format!("POST {requests}"), csr).await;
    let condition = r#"{"type":"Approved","status":"True","reason":"R","message":"m"}"#;
    let patch = format!(r#"merge {{"status":{{"conditions":[{condition}]}}}}"#);
    for (door, code, expected) in [
        ("", 200, "-"),
        ("/status", 422, "-"),
        ("/approval", 200, "Approved"),
    ] {
        let url = format!("PATCH {requests}/x{door}");
        let reply = bench.send(&url, &patch).await;
        assert_eq!(reply.code, code, "{}", reply.body);
        assert!(
            code < 300
                || reply
                    .body
                    .contains("updates may not add a condition of type")
        );
        let found = bench.ok(&format!("GET {requests}/x"), "").await;
        let first = api::json::read(found.as_bytes()).expect("it is JSON").value;
        let conditions = first.at(&["status", "conditions"]);
        let first = conditions
            .and_then(api::Value::as_array)
            .and_then(|all| all.first()?.str_at(&["type"]));
        assert_eq!(first.unwrap_or("-"), expected, "through {door:?}");
    }
}

#[tokio::test]
async fn a_fold_shows_its_object_and_minds_its_version() {
    let bench = Bench::new();
    let namespace = r#"{"metadata":{"name":"a"}}"#;
    let made = bench.ok("POST /api/v1/namespaces", namespace).await;
    let (uid, revision) = (
        at(&made, "metadata/uid"),
        at(&made, "metadata/resourceVersion"),
    );
    let body = |uid: &str, revision: &str| {
        format!(
            r#"{{"kind":"Namespace","apiVersion":"v1","metadata":{{"name":"a","uid":"{uid}","resourceVersion":"{revision}"}},"spec":{{"finalizers":["x.y/z"]}}}}"#
        )
    };
    let url = "PUT /api/v1/namespaces/a/finalize";
    let stale = bench.send(url, &body(&uid, "1")).await;
    assert_eq!(stale.code, 409, "{}", stale.body);
    let other = bench.send(url, &body("other", &revision)).await;
    assert_eq!(other.code, 409, "{}", other.body);
    let folded = bench.ok(url, &body(&uid, &revision)).await;
    assert_eq!(at(&folded, "spec/finalizers"), r#"["x.y/z"]"#);
    let found = bench.ok("GET /api/v1/namespaces/a", "").await;
    assert_eq!(at(&found, "spec/finalizers"), r#"["x.y/z"]"#);
}

const AUTOSCALERS: &str = "namespaces/a/horizontalpodautoscalers";

#[tokio::test]
async fn an_autoscaler_is_one_object_in_two_versions() {
    let bench = Bench::new();
    let old = r#"{"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d","apiVersion":"apps/v1"},"maxReplicas":5,"targetCPUUtilizationPercentage":70}}"#;
    let (v1, v2) = (
        format!("/apis/autoscaling/v1/{AUTOSCALERS}"),
        format!("/apis/autoscaling/v2/{AUTOSCALERS}"),
    );
    let made = bench.ok(&format!("POST {v1}"), old).await;
    assert_eq!(at(&made, "apiVersion"), "autoscaling/v1");
    let new = bench.ok(&format!("GET {v2}/h"), "").await;
    assert_eq!(at(&new, "apiVersion"), "autoscaling/v2");
    assert_eq!(
        at(&new, "spec/metrics"),
        r#"[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}}]"#
    );
    assert_eq!(
        at(&new, "metadata/resourceVersion"),
        at(&made, "metadata/resourceVersion")
    );
    // What only the new version can say travels through the old one in annotations.
    let patch = r#"merge {"spec":{"metrics":[{"type":"Resource","resource":{"name":"memory","target":{"type":"Utilization","averageUtilization":60}}}],"behavior":{"scaleDown":{"stabilizationWindowSeconds":9}}}}"#;
    bench.ok(&format!("PATCH {v2}/h"), patch).await;
    let seen = bench.ok(&format!("GET {v1}/h"), "").await;
    assert_eq!(at(&seen, "spec/targetCPUUtilizationPercentage"), "-");
    let wider = bench.ok(&format!("GET {v1}/h"), "").await;
    let wider = wider.replace(r#""maxReplicas":5"#, r#""maxReplicas":6"#);
    bench.ok(&format!("PUT {v1}/h"), &wider).await;
    let new = bench.ok(&format!("GET {v2}/h"), "").await;
    assert_eq!(at(&new, "spec/maxReplicas"), "6");
    assert_eq!(
        at(&new, "spec/behavior/scaleDown/stabilizationWindowSeconds"),
        "9"
    );
    assert!(at(&new, "spec/metrics").contains("memory"), "{new}");
    assert_eq!(at(&new, "metadata/annotations"), "-");
    // Lists and watches speak the version they were asked in.
    let list = bench.ok(&format!("GET {v2}"), "").await;
    assert_eq!(at(&list, "apiVersion"), "autoscaling/v2");
    assert!(list.contains("averageUtilization"), "{list}");
    let mut watch = bench.watch(&format!("{v1}?watch=1")).await;
    let first = watch.wait().await;
    assert!(
        first.contains(r#""apiVersion":"autoscaling/v1""#) && !first.contains(r#""metrics":"#),
        "{first}"
    );
}

#[tokio::test]
async fn an_event_is_one_object_in_two_groups() {
    let bench = Bench::new();
    let old = r#"{"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","namespace":"a","name":"p"},"reason":"R","message":"m","source":{"component":"c"},"type":"Normal"}"#;
    bench.ok("POST /api/v1/namespaces/a/events", old).await;
    let new = bench
        .ok("GET /apis/events.k8s.io/v1/namespaces/a/events/e", "")
        .await;
    assert_eq!(at(&new, "regarding/name"), "p");
    assert_eq!(at(&new, "note"), "m");
    assert_eq!(at(&new, "deprecatedSource/component"), "c");
    assert_eq!(at(&new, "message"), "-");
}
