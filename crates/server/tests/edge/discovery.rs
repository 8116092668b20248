//! Discovery of the built-in kinds, byte for byte as kube-apiserver v1.37.1 answers.
//!
//! The files in `upstream/` are bodies that it sent.

use crate::harness::{Local, Options, server};

const AGGREGATED: &str =
    "accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Compares one document with upstream's; a difference is shown where it begins.
async fn check(path: &str, headers: &str, content_type: &str, upstream: &str) {
    let (server, _tasks) = server(Options::default()).await;
    let answer = Local::of(&server, "me", &[])
        .send(&format!("GET {path}"), headers, "")
        .await;
    assert_eq!(
        (answer.code, answer.header("content-type")),
        (200, content_type)
    );
    let ours = answer.text();
    let same = ours
        .bytes()
        .zip(upstream.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    if ours != upstream {
        let cut = |text: &str| {
            let bytes = text.as_bytes();
            let end = bytes.len().min(same + 300);
            String::from_utf8_lossy(&bytes[same.saturating_sub(200).min(end)..end]).into_owned()
        };
        panic!(
            "{path}\nours:     {}\nupstream: {}",
            cut(&ours),
            cut(upstream)
        );
    }
}

#[tokio::test]
async fn tells_groups_and_resources_as_upstream() {
    let json = "application/json";
    check("/apis", "", json, include_str!("upstream/apis.json")).await;
    check(
        "/apis/apps",
        "",
        json,
        include_str!("upstream/apis-apps.json"),
    )
    .await;
    check(
        "/apis/apps/v1",
        "",
        json,
        include_str!("upstream/apis-apps-v1.json"),
    )
    .await;
    check("/api/v1", "", json, include_str!("upstream/api-v1.json")).await;
    check(
        "/apis/apps/v1",
        "accept: application/yaml",
        "application/yaml",
        include_str!("upstream/apis-apps-v1-yaml.yaml"),
    )
    .await;
}

#[tokio::test]
async fn tells_everything_at_once_as_upstream() {
    let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let groups = include_str!("upstream/apis-aggregated.json");
    check("/apis", AGGREGATED, content_type, groups).await;
    let core = include_str!("upstream/api-aggregated.json");
    check("/api", AGGREGATED, content_type, core).await;
    // What the client would take next is given when the first is a form of the past.
    let old = "accept: application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    check(
        "/apis",
        old,
        "application/json",
        include_str!("upstream/apis.json"),
    )
    .await;
}

#[tokio::test]
async fn says_when_nothing_has_changed() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    let first = local.send("GET /apis", AGGREGATED, "").await;
    let etag = first.header("etag").to_owned();
    assert!(etag.len() == 130 && first.header("vary") == "Accept");
    assert_eq!(first.header("cache-control"), "public");
    let headers = format!("{AGGREGATED}\nif-none-match: {etag}");
    let second = local.send("GET /apis", &headers, "").await;
    assert_eq!((second.code, second.body.len()), (304, 0));
    assert_eq!(second.header("etag"), etag);
    let other = format!("{AGGREGATED}\nif-none-match: \"x\"");
    assert_eq!(local.send("GET /apis", &other, "").await.code, 200);
}

#[tokio::test]
async fn names_every_path() {
    let (server, _tasks) = server(Options::default()).await;
    let answer = Local::of(&server, "me", &[]).send("GET /", "", "").await;
    let text = answer.text();
    for path in [
        "/api/v1",
        "/apis/apps/v1",
        "/readyz/shutdown",
        "/metrics",
        "/openid/v1/jwks",
    ] {
        assert!(
            text.contains(&format!("    \"{path}\"")),
            "{path} in {text}"
        );
    }
}

#[tokio::test]
async fn publishes_shapes_by_hash() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    let get =
        async |path: &str, headers: &str| local.send(&format!("GET {path}"), headers, "").await;
    let index = api::json::read(&get("/openapi/v3", "").await.body).expect("it is JSON");
    let url = index
        .value
        .str_at(&["paths", "apis/apps/v1", "serverRelativeURL"])
        .expect("apps/v1 is served")
        .to_owned();
    let document = get(&url, "").await;
    assert_eq!(document.header("cache-control"), "public, immutable");
    let read = api::json::read(&document.body).expect("it is JSON").value;
    assert_eq!(read.str_at(&["openapi"]), Some("3.0.0"));
    let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    assert!(read.at(&["paths", path]).is_some());
    let plain = get("/openapi/v3/apis/apps/v1", "").await;
    assert_eq!(
        (plain.code, plain.header("cache-control")),
        (200, "no-cache, private")
    );
    assert_eq!(plain.header("etag"), document.header("etag"));
    let held = format!("if-none-match: {}", plain.header("etag"));
    assert_eq!(get(&url, &held).await.code, 304);
    let moved = get("/openapi/v3/apis/apps/v1?hash=AA", "").await;
    assert_eq!((moved.code, moved.header("location")), (301, url.as_str()));
    assert_eq!(get("/openapi/v3/apis/none/v1", "").await.code, 404);
}
