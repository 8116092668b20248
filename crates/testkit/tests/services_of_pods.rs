//! What pods and their like offer beside their objects: tokens, evictions, bindings, and ways in.

use testkit::{Cluster, Controllers};

const IN: &str = "/api/v1/namespaces/default";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

async fn start() -> Cluster {
    let cluster = Cluster::start_with(Controllers::None).await;
    let account = r#"{"metadata":{"name":"default"}}"#;
    cluster
        .ok(&format!("POST {IN}/serviceaccounts"), account)
        .await;
    cluster
}

async fn pod(cluster: &Cluster, name: &str) {
    let body = format!(
        r#"{{"metadata":{{"name":"{name}","labels":{{"a":"b"}}}},"spec":{{"containers":[{{"name":"c","image":"i"}}]}}}}"#
    );
    cluster.ok(&format!("POST {IN}/pods"), &body).await;
}

#[tokio::test]
async fn a_token_is_signed_and_believed() {
    let cluster = start().await;
    let line = format!("POST {IN}/serviceaccounts/default/token");
    let token = cluster
        .ok(&line, r#"{"spec":{"expirationSeconds":600}}"#)
        .await;
    assert_eq!(token.code, 201);
    assert_eq!(token.text(&["kind"]), "TokenRequest");
    assert_eq!(
        token.json(&["spec", "audiences"]),
        r#"["https://kubernetes.default.svc.cluster.local"]"#
    );
    assert!(!token.text(&["status", "expirationTimestamp"]).is_empty());
    let review = format!(
        r#"{{"spec":{{"token":"{}"}}}}"#,
        token.text(&["status", "token"])
    );
    let review = cluster
        .ok("POST /apis/authentication.k8s.io/v1/tokenreviews", &review)
        .await;
    assert_eq!(review.json(&["status", "authenticated"]), "true");
    assert_eq!(
        review.text(&["status", "user", "username"]),
        "system:serviceaccount:default:default"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_token_lives_with_what_it_is_bound_to() {
    let cluster = start().await;
    pod(&cluster, "p").await;
    let line = format!("POST {IN}/serviceaccounts/default/token");
    let bound = r#"{"spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}}}"#;
    let token = cluster.ok(&line, bound).await;
    let review = format!(
        r#"{{"spec":{{"token":"{}"}}}}"#,
        token.text(&["status", "token"])
    );
    let path = "POST /apis/authentication.k8s.io/v1/tokenreviews";
    assert_eq!(
        cluster
            .ok(path, &review)
            .await
            .json(&["status", "authenticated"]),
        "true"
    );
    cluster.ok(&format!("DELETE {IN}/pods/p"), "").await;
    assert_ne!(
        cluster
            .ok(path, &review)
            .await
            .json(&["status", "authenticated"]),
        "true"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_token_request_is_refused_as_upstream_does() {
    let cluster = start().await;
    pod(&cluster, "p").await;
    let check = async |account: &str, body: &str, expected: &str| {
        let line = format!("POST {IN}/serviceaccounts/{account}/token");
        assert_eq!(cluster.ask(&line, body).await.refusal(), expected, "{body}");
    };
    check(
        "default",
        r#"{"spec":{"expirationSeconds":599}}"#,
        r#"422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes"#,
    )
    .await;
    check(
        "default",
        r#"{"spec":{"expirationSeconds":4294967297}}"#,
        r#"422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds"#,
    )
    .await;
    check(
        "default",
        r#"{"metadata":{"name":"zz"}}"#,
        r#"422 TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "zz": must match the service account name if specified"#,
    )
    .await;
    check(
        "default",
        r#"{"metadata":{"namespace":"zz"}}"#,
        "400 the namespace of the provided object does not match the namespace sent on the request",
    )
    .await;
    check("nope", "{}", r#"404 serviceaccounts "nope" not found"#).await;
    let to = |kind: &str, name: &str, uid: &str| {
        format!(
            r#"{{"spec":{{"boundObjectRef":{{"kind":"{kind}","apiVersion":"v1","name":"{name}","uid":"{uid}"}}}}}}"#
        )
    };
    check(
        "default",
        &to("Secret", "x", ""),
        r#"404 secrets "x" not found"#,
    )
    .await;
    check(
        "default",
        &to("ConfigMap", "x", ""),
        "400 cannot bind token to object of type /v1, Kind=ConfigMap",
    )
    .await;
    check(
        "default",
        &to("Pod", "p", "zz"),
        r#"409 Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (zz) does not match the UID in record. The object might have been deleted and then recreated"#,
    )
    .await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_pod_is_bound_once_by_either_door() {
    let cluster = start().await;
    pod(&cluster, "p").await;
    let bind = async |line: &str, body: &str| cluster.ask(&format!("POST {IN}/{line}"), body).await;
    let to_n = r#"{"metadata":{"name":"p"},"target":{"kind":"Node","name":"n"}}"#;
    assert_eq!(
        bind("pods/p/binding", &to_n.replace("Node", "Foo"))
            .await
            .refusal(),
        r#"500 target.kind: Unsupported value: "Foo": supported values: "Node", "<empty>""#
    );
    assert_eq!(
        bind("pods/p/binding", &to_n.replace(r#""n""#, r#""""#))
            .await
            .refusal(),
        "500 target.name: Required value"
    );
    assert_eq!(
        bind("pods/p/binding", &to_n.replace(r#""p""#, r#""q""#))
            .await
            .refusal(),
        "400 name in URL does not match name in Binding object"
    );
    assert_eq!(
        bind("bindings", r#"{"target":{"name":"n"}}"#)
            .await
            .refusal(),
        "400 Name parameter required."
    );
    let bound = bind("bindings", to_n).await;
    assert_eq!((bound.code, bound.text(&["status"])), (201, "Success"));
    assert_eq!(
        bind("pods/p/binding", to_n).await.refusal(),
        r#"409 Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n""#
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_patch_goes_as_far_as_its_door() {
    let cluster = start().await;
    pod(&cluster, "p").await;
    let patch = r#"strategic {"metadata":{"labels":{"zz":"y"}},"spec":{"ephemeralContainers":[{"name":"e","image":"i"}],"nodeName":"other"}}"#;
    let patched = cluster
        .ok(&format!("PATCH {IN}/pods/p/ephemeralcontainers"), patch)
        .await;
    assert_eq!(patched.json(&["metadata", "labels"]), r#"{"a":"b"}"#);
    assert_eq!(patched.json(&["spec", "nodeName"]), "-");
    assert!(
        patched
            .json(&["spec", "ephemeralContainers"])
            .contains(r#""name":"e""#)
    );
    assert_eq!(patched.json(&["metadata", "generation"]), "2");
    cluster.stop().await;
}

#[tokio::test]
async fn without_a_node_there_is_no_way_in() {
    let cluster = start().await;
    pod(&cluster, "p").await;
    let check = async |path: &str, expected: &str| {
        assert_eq!(
            cluster.ask(&format!("GET {path}"), "").await.refusal(),
            expected,
            "{path}"
        );
    };
    let pods = format!("{IN}/pods");
    assert_eq!(
        cluster.ask(&format!("GET {pods}/p/log"), "").await.code,
        204
    );
    for way in ["exec?command=x", "attach", "portforward"] {
        check(
            &format!("{pods}/p/{way}"),
            "400 pod p does not have a host assigned",
        )
        .await;
        check(
            &format!("{pods}/nope/{way}"),
            r#"404 pods "nope" not found"#,
        )
        .await;
    }
    check(&format!("{pods}/p/proxy"), "400 address not allowed").await;
    check(
        &format!("{pods}/p/log?container=zz"),
        "400 container zz is not valid for pod p",
    )
    .await;
    check(
        &format!("{pods}/p/log?tailLines=-1"),
        r#"422 PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0"#,
    )
    .await;
    let services = format!("{IN}/services");
    check(
        &format!("{services}/nope/proxy"),
        r#"503 no endpoints available for service "nope""#,
    )
    .await;
    check(
        &format!("{services}/kubernetes:9/proxy"),
        r#"503 no service port 9 found for service "kubernetes""#,
    )
    .await;
    check(
        &format!("{services}/kubernetes/proxy/x"),
        r#"503 no endpoints available for service "kubernetes""#,
    )
    .await;
    check("/api/v1/nodes/nope/proxy", r#"404 nodes "nope" not found"#).await;
    cluster
        .ok("POST /api/v1/nodes", r#"{"metadata":{"name":"n"}}"#)
        .await;
    check(
        "/api/v1/nodes/n/proxy/x",
        "500 no preferred addresses found; known addresses: []",
    )
    .await;
    let bound = r#"{"metadata":{"name":"p"},"target":{"kind":"Node","name":"n"}}"#;
    cluster.ok(&format!("POST {pods}/p/binding"), bound).await;
    check(
        &format!("{pods}/p/log"),
        "500 no preferred addresses found; known addresses: []",
    )
    .await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_budget_decides_about_evictions() {
    let cluster = start().await;
    pod(&cluster, "p").await;
    let evict = async |query: &str, body: &str| {
        let line = format!("POST {IN}/pods/p/eviction{query}");
        cluster.ask(&line, body).await
    };
    let this = r#"{"metadata":{"name":"p"}}"#;
    assert_eq!(
        evict("", r#"{"metadata":{"name":"q"}}"#).await.refusal(),
        "400 name in URL does not match name in Eviction object"
    );
    let running = r#"strategic {"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#;
    cluster
        .ok(&format!("PATCH {IN}/pods/p/status"), running)
        .await;
    let budget = r#"{"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"b"}}}}"#;
    cluster.ok(&format!("POST {BUDGETS}"), budget).await;
    let refused = evict("", this).await;
    assert_eq!(
        refused.refusal(),
        "429 Cannot evict pod as it would violate the pod's disruption budget."
    );
    assert_eq!(
        refused.json(&["details"]),
        r#"{"causes":[{"reason":"DisruptionBudget","message":"The disruption budget b is still being processed by the server."}],"retryAfterSeconds":10}"#
    );
    let spent = r#"merge {"status":{"observedGeneration":1,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1,"disruptionsAllowed":0}}"#;
    cluster
        .ok(&format!("PATCH {BUDGETS}/b/status"), spent)
        .await;
    assert_eq!(
        evict("", this).await.json(&["details"]),
        r#"{"causes":[{"reason":"DisruptionBudget","message":"The disruption budget b needs 1 healthy pods and has 1 currently"}]}"#
    );
    let allowed = r#"merge {"status":{"disruptionsAllowed":1}}"#;
    cluster
        .ok(&format!("PATCH {BUDGETS}/b/status"), allowed)
        .await;
    assert_eq!(evict("?dryRun=All", this).await.code, 201);
    let status = async || cluster.ok(&format!("GET {BUDGETS}/b"), "").await;
    assert_eq!(status().await.json(&["status", "disruptionsAllowed"]), "1");
    let evicted = evict("", this).await;
    assert_eq!((evicted.code, evicted.text(&["status"])), (201, "Success"));
    assert_eq!(status().await.json(&["status", "disruptionsAllowed"]), "0");
    assert!(
        status()
            .await
            .json(&["status", "disruptedPods"])
            .starts_with(r#"{"p":"#)
    );
    assert_eq!(cluster.ask(&format!("GET {IN}/pods/p"), "").await.code, 404);
    assert_eq!(evict("", this).await.refusal(), r#"404 pods "p" not found"#);
    cluster.stop().await;
}
