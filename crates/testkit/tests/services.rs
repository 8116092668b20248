//! Services take addresses and ports and give them back, and a cluster begins with one of its own.

use testkit::{Cluster, Controllers};

const SERVICES: &str = "/api/v1/namespaces/default/services";
const ADDRESSES: &str = "/apis/networking.k8s.io/v1/ipaddresses";

fn service(name: &str, spec: &str) -> String {
    format!(r#"{{"metadata":{{"name":"{name}"}},"spec":{{"ports":[{{"port":80}}]{spec}}}}}"#)
}

/// Creates a Service and says what it got, or why not.
async fn create(cluster: &Cluster, name: &str, spec: &str) -> String {
    let reply = cluster
        .ask(&format!("POST {SERVICES}"), &service(name, spec))
        .await;
    match reply.code {
        201 => reply.json(&["spec", "clusterIPs"]),
        _ => reply.refusal(),
    }
}

async fn start() -> Cluster {
    Cluster::start_with(Controllers::None).await
}

#[tokio::test]
async fn a_cluster_begins_with_its_range_and_its_own_service() {
    let cluster = start().await;
    let range = cluster
        .ok("GET /apis/networking.k8s.io/v1/servicecidrs/kubernetes", "")
        .await;
    assert_eq!(range.json(&["spec", "cidrs"]), r#"["10.0.0.0/24"]"#);
    let conditions = range.json(&["status", "conditions"]);
    assert!(
        conditions.contains(r#""type":"Ready""#) && conditions.contains(r#""True""#),
        "{conditions}"
    );
    let own = cluster.ok(&format!("GET {SERVICES}/kubernetes"), "").await;
    assert_eq!(own.json(&["spec", "clusterIPs"]), r#"["10.0.0.1"]"#);
    assert_eq!(own.json(&["spec", "ipFamilies"]), r#"["IPv4"]"#);
    let address = cluster.ok(&format!("GET {ADDRESSES}/10.0.0.1"), "").await;
    assert_eq!(
        address.json(&["spec"]),
        r#"{"parentRef":{"resource":"services","namespace":"default","name":"kubernetes"}}"#
    );
    assert_eq!(
        address.json(&["metadata", "labels"]),
        r#"{"ipaddress.kubernetes.io/ip-family":"IPv4","ipaddress.kubernetes.io/managed-by":"ipallocator.k8s.io"}"#
    );
    // Where this machine has an address, it is found in both forms.
    let endpoints = cluster
        .ask("GET /api/v1/namespaces/default/endpoints/kubernetes", "")
        .await;
    let slice = cluster
        .ask(
            "GET /apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes",
            "",
        )
        .await;
    assert_eq!(endpoints.code, slice.code);
    cluster.stop().await;
}

#[tokio::test]
async fn an_address_has_one_holder() {
    let cluster = start().await;
    let five = r#","clusterIP":"10.0.0.5""#;
    assert_eq!(create(&cluster, "a", five).await, r#"["10.0.0.5"]"#);
    assert_eq!(
        create(&cluster, "b", five).await,
        r#"422 Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.5"]: failed to allocate IP 10.0.0.5: provided IP is already allocated"#
    );
    // A name that is taken costs nothing.
    assert_eq!(
        create(&cluster, "a", r#","clusterIP":"10.0.0.6""#).await,
        r#"409 services "a" already exists"#
    );
    assert_eq!(
        cluster
            .ask(&format!("GET {ADDRESSES}/10.0.0.6"), "")
            .await
            .code,
        404
    );
    assert_eq!(
        create(&cluster, "c", r#","clusterIP":"10.0.0.6""#).await,
        r#"["10.0.0.6"]"#
    );
    cluster.ok(&format!("DELETE {SERVICES}/a"), "").await;
    assert_eq!(
        cluster
            .ask(&format!("GET {ADDRESSES}/10.0.0.5"), "")
            .await
            .code,
        404
    );
    assert_eq!(create(&cluster, "b", five).await, r#"["10.0.0.5"]"#);
    cluster.stop().await;
}

#[tokio::test]
async fn an_address_object_of_others_is_respected() {
    let cluster = start().await;
    let foreign = r#"{"metadata":{"name":"10.0.0.7"},"spec":{"parentRef":{"resource":"gateways","group":"example.com","name":"g"}}}"#;
    cluster.ok(&format!("POST {ADDRESSES}"), foreign).await;
    let refused = create(&cluster, "a", r#","clusterIP":"10.0.0.7""#).await;
    assert!(
        refused.ends_with("provided IP is already allocated"),
        "{refused}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_range_is_given_out_to_the_last() {
    let cluster = start().await;
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..253 {
        let got = create(&cluster, &format!("s{number}"), "").await;
        assert!(
            got.starts_with("[\"10.0.0.") && seen.insert(got.clone()),
            "{got}"
        );
    }
    assert_eq!(
        create(&cluster, "more", "").await,
        r#"500 Internal error occurred: failed to allocate a serviceIP for Service "more": range is full"#
    );
    let another = r#"{"metadata":{"name":"more"},"spec":{"cidrs":["10.0.1.0/28"]}}"#;
    cluster
        .ok("POST /apis/networking.k8s.io/v1/servicecidrs", another)
        .await;
    let got = create(&cluster, "more", "").await;
    assert!(got.starts_with("[\"10.0.1."), "{got}");
    cluster.ok(&format!("DELETE {SERVICES}"), "").await;
    let left = cluster.ok(&format!("GET {ADDRESSES}"), "").await;
    assert_eq!(
        left.json(&["items"]),
        "[]",
        "even the cluster's own is gone"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_change_of_type_takes_and_gives_back() {
    let cluster = start().await;
    create(&cluster, "a", r#","clusterIP":"10.0.0.5""#).await;
    let path = format!("PATCH {SERVICES}/a");
    let external = r#"merge {"spec":{"type":"ExternalName","externalName":"a.b"}}"#;
    let changed = cluster.ok(&path, external).await;
    assert_eq!(changed.json(&["spec", "clusterIP"]), "-");
    assert_eq!(
        cluster
            .ask(&format!("GET {ADDRESSES}/10.0.0.5"), "")
            .await
            .code,
        404
    );
    let node = r#"merge {"spec":{"type":"NodePort","externalName":null,"ports":[{"port":80,"nodePort":30001}]}}"#;
    let changed = cluster.ok(&path, node).await;
    assert!(changed.text(&["spec", "clusterIP"]).starts_with("10.0.0."));
    let wanted = r#","type":"NodePort""#;
    let body = service("b", wanted).replace(r#""port":80"#, r#""port":80,"nodePort":30001"#);
    let taken = cluster.ask(&format!("POST {SERVICES}"), &body).await;
    assert_eq!(
        taken.refusal(),
        r#"422 Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated"#
    );
    let inner = cluster
        .ok(&path, r#"merge {"spec":{"type":"ClusterIP"}}"#)
        .await;
    assert!(!inner.json(&["spec", "ports"]).contains("nodePort"));
    cluster.ok(&format!("POST {SERVICES}"), &body).await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_dry_run_takes_nothing() {
    let cluster = start().await;
    let line = format!("POST {SERVICES}?dryRun=All");
    let shown = cluster
        .ok(&line, &service("a", r#","type":"NodePort""#))
        .await;
    assert_eq!(shown.json(&["spec", "clusterIPs"]), r#"["10.0.0.0"]"#);
    cluster
        .ok(&line, &service("a", r#","clusterIP":"10.0.0.5""#))
        .await;
    assert_eq!(
        create(&cluster, "b", r#","clusterIP":"10.0.0.5""#).await,
        r#"["10.0.0.5"]"#
    );
    cluster.stop().await;
}

#[tokio::test]
async fn writes_at_the_same_time_never_share() {
    let cluster = start().await;
    let five = r#","clusterIP":"10.0.0.5""#;
    let wishes = (0..8).map(|number| {
        let name = format!("s{number}");
        let cluster = &cluster;
        async move { create(cluster, &name, five).await }
    });
    let mut wishes: Vec<_> = wishes.map(Box::pin).collect();
    let mut got = Vec::new();
    std::future::poll_fn(|ctx| {
        wishes.retain_mut(|wish| match wish.as_mut().poll(ctx) {
            std::task::Poll::Ready(answer) => {
                got.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if wishes.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    assert_eq!(
        got.iter().filter(|one| *one == r#"["10.0.0.5"]"#).count(),
        1,
        "{got:?}"
    );
    drop(wishes);
    cluster.stop().await;
}
