//! Objects nest as deep as upstream lets them, through every door and on the stack of a test.

use api::json;

use crate::harness::{Answer, Local, Options, server};

/// As deep as may be, with room for what says who owns all of it.
const LEVELS: usize = json::DEPTH_MAX - 20;

const BAGS: &str = "/apis/deep.example.com/v1/namespaces/a/bags";
const REVISIONS: &str = "/apis/apps/v1/namespaces/a/controllerrevisions";
const DEFINITION: &str = r#"{
    "metadata": {"name": "bags.deep.example.com"},
    "spec": {
        "group": "deep.example.com", "scope": "Namespaced",
        "names": {"plural": "bags", "kind": "Bag"},
        "versions": [{
            "name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
                }
            }}
        }]
    }
}"#;

fn braces(levels: usize) -> String {
    r#"{"z":"#.repeat(levels) + "1" + &"}".repeat(levels)
}

fn bag(name: &str, deep: &str) -> String {
    format!(
        r#"{{"apiVersion":"deep.example.com/v1","kind":"Bag","metadata":{{"name":"{name}"}},"spec":{{"z":{deep}}}}}"#
    )
}

struct Deep(Local);

impl Deep {
    async fn send(&self, line: &str, media: &str, body: impl AsRef<[u8]>) -> Answer {
        let headers = format!("accept: application/json\ncontent-type: {media}");
        self.0.send(line, &headers, body).await
    }

    #[track_caller]
    fn check(answer: &Answer, code: u16) {
        let text: String = answer.text().chars().take(300).collect();
        assert_eq!(answer.code, code, "{text}");
    }

    async fn ok(&self, line: &str, media: &str, body: impl AsRef<[u8]>, code: u16) {
        Self::check(&self.send(line, media, body).await, code);
    }

    async fn get(&self, line: &str, accept: &str) -> Answer {
        let answer = self.0.send(line, &format!("accept: {accept}"), "").await;
        Self::check(&answer, 200);
        answer
    }
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";

#[tokio::test]
async fn custom_resources_go_as_deep_as_upstream() {
    let (server, _tasks) = server(Options::default()).await;
    let deep = Deep(Local::of(&server, "me", &["system:masters"]));
    let namespace = r#"{"metadata":{"name":"a"}}"#;
    deep.ok("POST /api/v1/namespaces", JSON, namespace, 201)
        .await;
    let crds = "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    deep.ok(crds, JSON, DEFINITION, 201).await;
    while deep.send(&format!("GET {BAGS}"), JSON, "").await.code != 200 {
        tokio::task::yield_now().await;
    }
    let levels = braces(LEVELS);
    deep.ok(&format!("POST {BAGS}"), JSON, bag("b", &levels), 201)
        .await;
    let one = format!("{BAGS}/b");
    let found = deep.get(&format!("GET {one}"), JSON).await;
    deep.ok(&format!("PUT {one}"), JSON, &found.body, 200).await;
    let merge = format!(r#"{{"spec":{{"y":{levels}}}}}"#);
    deep.ok(
        &format!("PATCH {one}"),
        "application/merge-patch+json",
        merge,
        200,
    )
    .await;
    let json = format!(r#"[{{"op":"add","path":"/spec/x","value":{levels}}}]"#);
    deep.ok(
        &format!("PATCH {one}"),
        "application/json-patch+json",
        json,
        200,
    )
    .await;
    let apply = format!("PATCH {one}?fieldManager=m&force=true");
    let media = "application/apply-patch+yaml";
    deep.ok(&apply, media, bag("b", &levels), 200).await;
    for accept in [JSON, TABLE] {
        deep.get(&format!("GET {one}"), accept).await;
        deep.get(&format!("GET {BAGS}"), accept).await;
    }
    // One level more than can be kept with its owners is refused, and nothing breaks.
    let post = format!("POST {BAGS}");
    let body = bag("c", &braces(json::DEPTH_MAX - 2));
    let answer = deep.send(&post, JSON, body).await;
    Deep::check(&answer, 400);
    assert!(answer.text().contains("nest"), "{answer}");
    deep.ok(&format!("DELETE {one}"), JSON, "", 200).await;
}

#[tokio::test]
async fn built_in_objects_go_as_deep_as_upstream() {
    let (server, _tasks) = server(Options::default()).await;
    let deep = Deep(Local::of(&server, "me", &["system:masters"]));
    let namespace = r#"{"metadata":{"name":"a"}}"#;
    deep.ok("POST /api/v1/namespaces", JSON, namespace, 201)
        .await;
    let levels = braces(LEVELS);
    let revision = format!(r#"{{"metadata":{{"name":"r"}},"revision":1,"data":{levels}}}"#);
    deep.ok(&format!("POST {REVISIONS}"), JSON, revision, 201)
        .await;
    let one = format!("{REVISIONS}/r");
    let message = deep.get(&format!("GET {one}"), PROTOBUF).await;
    deep.ok(&format!("PUT {one}"), PROTOBUF, &message.body, 200)
        .await;
    deep.get(&format!("GET {REVISIONS}"), PROTOBUF).await;
    deep.get(&format!("GET {REVISIONS}"), TABLE).await;
    // Inside of what a strategic patch cannot know it is still walked.
    let annotations = format!(r#"{{"metadata":{{"annotations":{levels}}}}}"#);
    let media = "application/strategic-merge-patch+json";
    deep.ok(&format!("PATCH {one}"), media, annotations, 422)
        .await;
    deep.ok(&format!("DELETE {one}"), JSON, &levels, 200).await;
}
