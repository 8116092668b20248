//! Small words that clients look at: addresses, warnings, generations, patches, health, figures.

use testkit::{Cluster, Controllers};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

async fn start() -> Cluster {
    Cluster::start_with(Controllers::None).await
}

/// Returns a definition of widgets with these versions.
fn definition(versions: &[&str]) -> String {
    let versions: Vec<String> = versions
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let (name, more) = one.split_once(' ').unwrap_or((one, ""));
            let storage = place == 0;
            format!(
                r#"{{"name":"{name}","served":true,"storage":{storage}{more},"schema":{{"openAPIV3Schema":{{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}},"subresources":{{"scale":{{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas"}}}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"metadata":{{"name":"widgets.example.com"}},"spec":{{"group":"example.com","scope":"Namespaced","names":{{"plural":"widgets","kind":"Widget"}},"versions":[{}]}}}}"#,
        versions.join(",")
    )
}

#[tokio::test]
async fn the_address_of_the_server_is_told() {
    let cluster = start().await;
    let versions = cluster.ok("GET /api", "").await;
    let told = versions.json(&["serverAddressByClientCIDRs"]);
    assert!(
        told.starts_with(r#"[{"clientCIDR":"0.0.0.0/0","serverAddress":""#),
        "{told}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_definition_is_served_when_its_write_is_answered() {
    let cluster = start().await;
    let widgets = |version: &str| format!("GET /apis/example.com/{version}/widgets");
    for _ in 0..20 {
        let created = cluster
            .ok(&format!("POST {DEFINITIONS}"), &definition(&["v1"]))
            .await;
        assert_eq!(cluster.ask(&widgets("v1"), "").await.code, 200);
        let mut changed = definition(&["v1", "v2"]);
        let version = created.text(&["metadata", "name"]).to_owned();
        let now = cluster
            .ok(&format!("GET {DEFINITIONS}/{version}"), "")
            .await;
        let revision = format!(
            r#""resourceVersion":"{}","name":"#,
            now.text(&["metadata", "resourceVersion"])
        );
        changed = changed.replacen(r#""name":"#, &revision, 1);
        let put = cluster
            .ask(&format!("PUT {DEFINITIONS}/{version}"), &changed)
            .await;
        // The status of the first may be written between the read and this.
        if put.code == 200 {
            assert_eq!(cluster.ask(&widgets("v2"), "").await.code, 200);
        } else {
            assert_eq!(put.code, 409, "{}", put.refusal());
        }
        cluster
            .ok(&format!("DELETE {DEFINITIONS}/{version}"), "")
            .await;
        while cluster
            .ask(&format!("GET {DEFINITIONS}/{version}"), "")
            .await
            .code
            != 404
        {
            tokio::task::yield_now().await;
        }
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_deprecated_version_names_a_better_one() {
    let cluster = start().await;
    let versions = ["v1", r#"v1beta1 ,"deprecated":true"#, "v2"];
    cluster
        .ok(&format!("POST {DEFINITIONS}"), &definition(&versions))
        .await;
    let listed = cluster
        .ok("GET /apis/example.com/v1beta1/widgets", "")
        .await;
    assert_eq!(
        listed.warnings,
        [r#"299 - "example.com/v1beta1 Widget is deprecated; use example.com/v2 Widget""#]
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_scale_needs_its_number() {
    let cluster = start().await;
    cluster
        .ok(&format!("POST {DEFINITIONS}"), &definition(&["v1"]))
        .await;
    let widgets = "/apis/example.com/v1/namespaces/default/widgets";
    let check = async |name: &str, spec: &str, expected: &str| {
        let body = format!(
            r#"{{"apiVersion":"example.com/v1","kind":"Widget","metadata":{{"name":"{name}"}},"spec":{spec}}}"#
        );
        cluster.ok(&format!("POST {widgets}"), &body).await;
        let scale = cluster
            .ask(&format!("GET {widgets}/{name}/scale"), "")
            .await;
        assert_eq!(scale.refusal(), expected);
    };
    check(
        "a",
        "{}",
        r#"500 Internal error occurred: the spec replicas field ".spec.replicas" does not exist"#,
    )
    .await;
    check(
        "b",
        r#"{"replicas":"x"}"#,
        "500 .spec.replicas accessor error: x is of the type string, expected int64",
    )
    .await;
    cluster.stop().await;
}

#[tokio::test]
async fn generations_move_as_upstream_moves_them() {
    let cluster = start().await;
    let check = async |collection: &str, object: &str, patch: &str, expected: &str| {
        let created = cluster.ok(&format!("POST {collection}"), object).await;
        let name = created.text(&["metadata", "name"]);
        let patched = cluster
            .ok(&format!("PATCH {collection}/{name}"), patch)
            .await;
        assert_eq!(
            patched.json(&["metadata", "generation"]),
            expected,
            "{collection}"
        );
    };
    let template =
        r#"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;
    let workload = format!(
        r#"{{"metadata":{{"name":"w"}},"spec":{{"selector":{{"matchLabels":{{"a":"b"}}}},"template":{template}}}}}"#
    );
    let annotated = r#"merge {"metadata":{"annotations":{"x":"y"}}}"#;
    let labelled = r#"merge {"metadata":{"labels":{"x":"y"}}}"#;
    check(
        "/apis/apps/v1/namespaces/default/deployments",
        &workload,
        annotated,
        "2",
    )
    .await;
    check(
        "/apis/apps/v1/namespaces/default/replicasets",
        &workload,
        annotated,
        "1",
    )
    .await;
    check(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        r#"{"metadata":{"name":"s"},"addressType":"IPv4","endpoints":[]}"#,
        labelled,
        "2",
    )
    .await;
    check(
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        r#"{"metadata":{"name":"p"},"value":1}"#,
        r#"merge {"description":"x"}"#,
        "1",
    )
    .await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_json_patch_is_a_list_of_operations() {
    let cluster = start().await;
    let map = r#"{"metadata":{"name":"m"}}"#;
    cluster
        .ok("POST /api/v1/namespaces/default/configmaps", map)
        .await;
    let check = async |patch: &str, expected: &str| {
        let line = "PATCH /api/v1/namespaces/default/configmaps/m";
        let reply = cluster.ask(line, &format!("json-patch {patch}")).await;
        assert_eq!(reply.refusal(), expected);
    };
    let begin = "400 error decoding patch: json: cannot unmarshal";
    check(
        r#"{"op":"add"}"#,
        &format!("{begin} object into Go value of type []handlers.jsonPatchOp"),
    )
    .await;
    check(
        r#""x""#,
        &format!("{begin} string into Go value of type []handlers.jsonPatchOp"),
    )
    .await;
    check(
        "[1]",
        &format!("{begin} number into Go value of type handlers.jsonPatchOp"),
    )
    .await;
    check("x", "400 invalid JSON patch").await;
    cluster.stop().await;
}

#[tokio::test]
async fn the_store_is_among_the_checks_and_the_process_among_the_figures() {
    let cluster = start().await;
    let text = async |path: &str| {
        let reply = cluster.ok(&format!("GET {path}"), "").await;
        reply.body.as_str().unwrap_or_default().to_owned()
    };
    let ready = text("/readyz?verbose").await;
    assert!(
        ready.starts_with(
            "[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]etcd-readiness ok\n[+]informer-sync ok\n"
        ),
        "{ready}"
    );
    assert!(!text("/livez?verbose").await.contains("etcd-readiness"));
    assert_eq!(text("/readyz/etcd").await, "ok");
    let figures = text("/metrics").await;
    for name in [
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_start_time_seconds ",
    ] {
        assert!(figures.lines().any(|line| line.starts_with(name)), "{name}");
    }
    assert!(figures.contains("apiserver_resource_objects{group=\"\",resource=\"namespaces\"} 4\n"));
    cluster.stop().await;
}
