//! OpenAPI documents over HTTP: media types, hashes, and custom resources that come and go.

use api::{Value, json};

use crate::harness::{Answer, Local, Options, server};

const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const V3: &str = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn boats(field: &str) -> String {
    format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{{"name":"boats.example.com"}},
        "spec":{{"group":"example.com","scope":"Namespaced",
        "names":{{"plural":"boats","kind":"Boat","singular":"boat","listKind":"BoatList"}},
        "versions":[{{"name":"v1","served":true,"storage":true,"schema":{{"openAPIV3Schema":
            {{"type":"object","properties":{{"{field}":{{"type":"string","nullable":true}}}}}}}}}}]}}}}"#
    )
}

fn read(answer: &Answer) -> Value {
    json::read(&answer.body).expect("it is JSON").value
}

async fn get(local: &Local, path: &str, headers: &str) -> Answer {
    local.send(&format!("GET {path}"), headers, "").await
}

/// Names and URLs of the v3 documents.
async fn index(local: &Local) -> Vec<(String, String)> {
    let index = read(&get(local, "/openapi/v3", "").await);
    let paths = index.get("paths").and_then(Value::as_object);
    let entries = paths.expect("there are some").iter();
    entries
        .map(|(name, entry)| {
            let url = entry.str_at(&["serverRelativeURL"]).expect("it has one");
            (name.to_owned(), url.to_owned())
        })
        .collect()
}

/// Waits until the index holds what `good` looks for; definitions are taken up by a task.
async fn until(local: &Local, good: impl Fn(&[(String, String)]) -> bool) -> Vec<(String, String)> {
    loop {
        let index = index(local).await;
        if good(&index) {
            return index;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn writes_documents_as_asked() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    let check = async |path: &str, accept: &str, expected: &str| {
        let answer = get(&local, path, &format!("accept: {accept}")).await;
        let found = match answer.code {
            200 => answer.header("content-type").to_owned(),
            code => code.to_string(),
        };
        assert_eq!(found, expected, "{path} {accept}");
    };
    let apps = "/openapi/v3/apis/apps/v1";
    check(apps, "*/*", "application/json").await;
    check(apps, V3, V3).await;
    check(apps, &V3.replace(".v3.v1.0", ".v3@v1.0"), V3).await;
    check(apps, &format!("application/json;q=0.1, {V3}"), V3).await;
    check(apps, "text/html", "406").await;
    check(apps, V2, "406").await;
    check("/openapi/v2", "application/json", "application/json").await;
    check("/openapi/v2", V2, V2).await;
    check("/openapi/v2", &V2.replace(".v2.v1.0", ".v2@v1.0"), V2).await;
    check("/openapi/v2", "text/html", "406").await;
    check("/openapi/v4", "*/*", "404").await;
}

#[tokio::test]
async fn has_one_v2_document_of_everything() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    let answer = get(&local, "/openapi/v2", "").await;
    let document = read(&answer);
    assert_eq!(document.str_at(&["swagger"]), Some("2.0"));
    assert_eq!(document.str_at(&["info", "version"]), Some("1.37"));
    for path in ["/version/", "/apis/apps/", "/apis/apps/v1/deployments"] {
        assert!(document.at(&["paths", path]).is_some(), "{path}");
    }
    let reference = document.str_at(&[
        "definitions",
        "io.k8s.api.core.v1.Pod",
        "properties",
        "spec",
        "$ref",
    ]);
    assert_eq!(reference, Some("#/definitions/io.k8s.api.core.v1.PodSpec"));
    let etag = answer.header("etag");
    let held = get(&local, "/openapi/v2", &format!("if-none-match: {etag}")).await;
    assert_eq!((held.code, held.body.len()), (304, 0));
    // The same in protobuf: it is told apart by `Vary`.
    let protobuf = get(&local, "/openapi/v2", &format!("accept: {V2}")).await;
    assert_eq!(protobuf.header("etag"), etag);
    assert_eq!(protobuf.header("vary"), "Accept-Encoding, Accept");
}

#[tokio::test]
async fn makes_only_the_document_of_what_changed() {
    let (server, _tasks) = server(Options::default()).await;
    server.serving().open().await.expect("memory has no faults");
    let local = Local::of(&server, "me", &[]);
    let before = index(&local).await;
    let etag = get(&local, "/openapi/v2", "")
        .await
        .header("etag")
        .to_owned();

    let made = local
        .send(
            &format!("POST {CRDS}"),
            "content-type: application/json",
            boats("sail"),
        )
        .await;
    assert_eq!(made.code, 201, "{}", made.text());
    let boats_of = |index: &[(String, String)]| {
        let mut all = index.iter();
        all.find(|(name, _)| name == "apis/example.com/v1")
            .map(|(_, url)| url.clone())
    };
    let with = until(&local, |index| boats_of(index).is_some()).await;
    let others: Vec<_> = with
        .iter()
        .filter(|(name, _)| name != "apis/example.com/v1")
        .cloned()
        .collect();
    assert_eq!(others, before);
    let url = boats_of(&with).expect("it was just seen");
    let document = read(&get(&local, &url, "").await);
    let boat = document
        .at(&["components", "schemas", "com.example.v1.Boat"])
        .expect("it is defined");
    assert_eq!(
        boat.at(&["properties", "sail", "nullable"]),
        Some(&Value::Bool(true))
    );
    let v2 = get(&local, "/openapi/v2", "").await;
    assert_ne!(v2.header("etag"), etag);
    let v2 = read(&v2);
    let sail = v2.at(&["definitions", "com.example.v1.Boat", "properties", "sail"]);
    assert_eq!(sail, Some(&Value::object()));

    let gone = local
        .send(&format!("DELETE {CRDS}/boats.example.com"), "", "")
        .await;
    assert_eq!(gone.code, 200, "{}", gone.text());
    let after = until(&local, |index| boats_of(index).is_none()).await;
    assert_eq!(after, before);
    assert_eq!(get(&local, "/openapi/v2", "").await.header("etag"), etag);
    assert_eq!(
        get(&local, "/openapi/v3/apis/example.com/v1", "")
            .await
            .code,
        404
    );
}
