//! Requests through the phases, in process: method, path and headers to code and body.

use std::{sync::Arc, time::Duration};

use access::allow::Mode;
use api::Status;
use expect_test::{Expect, expect};
use server::{
    Answer, Limits,
    answer::Page,
    mount::{Mounts, Point, Service},
};

use crate::harness::{Local, Options, server};

/// Sends one request as somebody who may do everything.
async fn check(line: &str, headers: &str, expected: Expect) {
    let (server, _tasks) = server(Options::default()).await;
    let answer = Local::of(&server, "me", &["system:masters"])
        .send(line, headers, "")
        .await;
    expected.assert_eq(&answer.to_string());
}

#[tokio::test]
async fn says_what_is_not_there() {
    let page = || expect!["404 text/plain; charset=utf-8 404 page not found\n"];
    check("GET /nothing", "", page()).await;
    check("GET /apis/foo.bar", "", page()).await;
    check("GET /apis/foo.bar/v1", "", page()).await;
    check("GET /apis/foo.bar/v1/things", "", page()).await;
    let status = || {
        expect![[r#"
            404 application/json {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}
        "#]]
    };
    check("GET /api/v2", "", status()).await;
    check("GET /apis/apps/v9/things", "", status()).await;
    check("GET /api/v1/things", "", status()).await;
    check("GET /apis/apps/v1/things", "", status()).await;
    check("GET /api/v1/namespaces/default/pods/x/nosuch", "", status()).await;
    check("GET /api/v1/namespaces/default/nodes", "", status()).await;
    check("GET /api/v1/namespaces/default/nodes/x", "", status()).await;
    check("GET /api/v1/pods/x", "", status()).await;
}

#[tokio::test]
async fn says_what_is_not_allowed_on_a_resource() {
    let status = || {
        expect![[r#"
            405 application/json {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server does not allow this method on the requested resource","reason":"MethodNotAllowed","details":{},"code":405}
        "#]]
    };
    check("PUT /api/v1/pods", "", status()).await;
    check("OPTIONS /api/v1/pods", "", status()).await;
    check("POST /version", "", status()).await;
    check("POST /api/v1/pods", "", status()).await;
    check("PATCH /api/v1/namespaces/default/pods", "", status()).await;
    check("POST /api/v1/namespaces/default/pods/x", "", status()).await;
    check("DELETE /api/v1/pods", "", status()).await;
    check("HEAD /api/v1/pods", "", expect!["405 application/json "]).await;
}

#[tokio::test]
async fn refuses_media_types() {
    check(
        "GET /api/v1/pods",
        "accept: text/html",
        expect![[r#"
            406 application/json {
              "kind": "Status",
              "apiVersion": "v1",
              "metadata": {},
              "status": "Failure",
              "message": "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch",
              "reason": "NotAcceptable",
              "details": {},
              "code": 406
            }"#]],
    )
    .await;
    check(
        "PATCH /api/v1/namespaces/default/configmaps/x",
        "content-type: application/json",
        expect![[r#"
            415 application/json {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"415: Unsupported Media Type","reason":"UnsupportedMediaType","details":{},"code":415}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn writes_refusals_as_the_client_reads() {
    let path = "GET /api/v1/namespaces/default/pods/x";
    check(
        path,
        "accept: application/yaml",
        expect![[r#"
            404 application/yaml apiVersion: v1
            code: 404
            details:
              kind: pods
              name: x
            kind: Status
            message: pods "x" not found
            metadata: {}
            reason: NotFound
            status: Failure
        "#]],
    )
    .await;
    check(
        path,
        "user-agent: curl/8",
        expect![[r#"
            404 application/json {
              "kind": "Status",
              "apiVersion": "v1",
              "metadata": {},
              "status": "Failure",
              "message": "pods \"x\" not found",
              "reason": "NotFound",
              "details": {
                "name": "x",
                "kind": "pods"
              },
              "code": 404
            }"#]],
    )
    .await;
    let (server, _tasks) = server(Options::default()).await;
    let accept = "accept: application/vnd.kubernetes.protobuf";
    let answer = Local::of(&server, "me", &[]).send(path, accept, "").await;
    assert_eq!(
        answer.header("content-type"),
        "application/vnd.kubernetes.protobuf"
    );
    assert!(answer.body.starts_with(b"k8s\0") && answer.text().contains("pods \"x\" not found"));
}

#[tokio::test]
async fn refuses_what_cannot_be_read() {
    check(
        "GET /api/v1/pods?timeout=x",
        "",
        expect![[r#"
            400 application/json {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"invalid timeout specified in the request URL - time: invalid duration \"x\"","reason":"BadRequest","code":400}
        "#]],
    )
    .await;
    check(
        "GET /api/v1/pods?limit=x",
        "",
        expect![[r#"
            400 application/json {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"strconv.ParseInt: parsing \"x\": invalid syntax","reason":"BadRequest","code":400}
        "#]],
    )
    .await;
    check(
        "GET /api/v1/watch",
        "",
        expect![[r#"
            500 text/plain; charset=utf-8 Internal Server Error: "/api/v1/watch": failed to create RequestInfo: unable to determine kind and namespace from url, /api/v1/watch
        "#]],
    )
    .await;
    check(
        "GET /%zz",
        "",
        expect!["400 text/plain; charset=utf-8 400 Bad Request\n"],
    )
    .await;
}

#[tokio::test]
async fn puts_the_usual_headers_on_every_answer() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    for line in ["GET /version", "GET /nothing", "GET /api/v1/pods"] {
        let answer = local.send(line, "audit-id: mine", "").await;
        assert_eq!(answer.header("audit-id"), "mine");
        assert_eq!(answer.header("cache-control"), "no-cache, private");
        assert_eq!(local.send(line, "", "").await.header("audit-id").len(), 36);
    }
    assert_eq!(
        local
            .send("GET /nothing", "", "")
            .await
            .header("x-content-type-options"),
        "nosniff"
    );
}

#[tokio::test]
async fn asks_who_may() {
    let (server, _tasks) = server(Options {
        mode: Mode::Rbac,
        ..Options::default()
    })
    .await;
    let check = async |name: &str, groups: &[&str], line: &str, headers: &str, expected: &str| {
        let answer = Local::of(&server, name, groups)
            .send(line, headers, "")
            .await;
        let status = api::json::read(&answer.body).ok();
        let status = status.and_then(|one| Some(one.value.str_at(&["message"])?.to_owned()));
        let shown = format!("{} {}", answer.code, status.unwrap_or_default());
        assert_eq!(shown, expected, "{line}");
    };
    check(
        "bob",
        &[],
        "GET /api/v1/pods",
        "",
        r#"403 pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope"#,
    )
    .await;
    check(
        "bob",
        &[],
        "GET /metrics",
        "",
        r#"403 forbidden: User "bob" cannot get path "/metrics""#,
    )
    .await;
    check("me", &["system:masters"], "GET /api/v1/pods", "", "200 ").await;
    check(
        "me",
        &["system:masters"],
        "GET /api/v1/pods",
        "impersonate-user: bob",
        r#"403 pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope"#,
    )
    .await;
    check(
        "alice",
        &[],
        "GET /api/v1/namespaces/default",
        "impersonate-user: bob",
        r#"403 namespaces "default" is forbidden: User "alice" cannot impersonate-on:user-info:get resource "namespaces" in API group "" in the namespace "default""#,
    )
    .await;
    check(
        "alice",
        &[],
        "GET /api/v1/pods",
        "impersonate-user: system:serviceaccount:a:b",
        r#"403 pods is forbidden: User "alice" cannot impersonate-on:serviceaccount:list resource "pods" in API group "" at the cluster scope"#,
    )
    .await;
    check(
        "me",
        &["system:masters"],
        "GET /api/v1/pods",
        "impersonate-user: bob\nimpersonate-group: system:masters",
        "200 ",
    )
    .await;
}

/// A service that panics, one that never answers, and one that says who asked.
fn services() -> Mounts {
    let panics: Service = Arc::new(|_| Box::pin(async { panic!("on purpose") }));
    let hangs: Service = Arc::new(|_| Box::pin(std::future::pending()));
    let says: Service = Arc::new(|visit| {
        Box::pin(async move {
            let names: Vec<&str> = visit
                .request
                .headers
                .keys()
                .map(|name| name.as_str())
                .collect();
            Ok(Answer::Page(Page::text(
                200,
                format!("{} {names:?}", visit.user.name),
            )))
        })
    });
    let refuses: Service =
        Arc::new(|_| Box::pin(async { Err(Status::too_many_requests("later", 7).into()) }));
    Mounts::default()
        .with(Point::new("", "pods", "eviction"), panics)
        .with(Point::new("", "pods", "resize"), hangs)
        .with(Point::new("", "pods", "log"), says)
        .with(Point::new("", "pods", "binding"), refuses)
}

#[tokio::test]
async fn lets_mounted_services_answer() {
    let (clock, handle) = base::Clock::fake(base::WallTime::from_secs(1_800_000_000));
    let (server, _tasks) = server(Options {
        clock,
        mounts: services(),
        ..Options::default()
    })
    .await;
    let local = Local::of(&server, "me", &["system:masters"]);
    let pod = "/api/v1/namespaces/a/pods/p";
    let panicked = local.send(&format!("POST {pod}/eviction"), "", "").await;
    assert_eq!(
        panicked.to_string(),
        "500 text/plain; charset=utf-8 This request caused apiserver to panic. Look in the logs for details.\n"
    );
    let refused = local.send(&format!("POST {pod}/binding"), "", "").await;
    assert_eq!((refused.code, refused.header("retry-after")), (429, "7"));
    // Credentials and the headers of impersonation are gone.
    let headers = "authorization: Bearer x\nx-remote-user: root\nimpersonate-user: bob\naccept: y";
    let said = local.send(&format!("GET {pod}/log"), headers, "").await;
    assert_eq!(said.text(), r#"bob ["accept"]"#);
    let line = format!("GET {pod}/resize?timeout=5s");
    let hanging = local.send(&line, "", "");
    let advance = async {
        while handle.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        handle.advance(Duration::from_secs(5));
    };
    let (late, ()) = tokio::join!(hanging, advance);
    assert_eq!(late.code, 504);
    assert!(
        late.text()
            .contains("Timeout: request did not complete within the allotted timeout")
    );
}

#[tokio::test]
async fn turns_away_what_is_too_much() {
    let (server, _tasks) = server(Options {
        limits: Limits {
            reads_max: 0,
            ..Limits::default()
        },
        ..Options::default()
    })
    .await;
    let anyone = Local::of(&server, "bob", &[]);
    let answer = anyone.send("GET /api/v1/pods", "", "").await;
    assert_eq!((answer.code, answer.header("retry-after")), (429, "1"));
    let master = Local::of(&server, "me", &["system:masters"]);
    assert_eq!(master.send("GET /api/v1/pods", "", "").await.code, 200);
}

#[tokio::test]
async fn refuses_bodies_that_are_too_large() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    let body = "[".repeat(3 * 1024 * 1024 + 1);
    let line = "POST /api/v1/namespaces/default/configmaps";
    let answer = local
        .send(line, "content-type: application/json", &body)
        .await;
    assert_eq!(answer.code, 413);
    assert!(
        answer
            .text()
            .contains("Request entity too large: limit is 3145728")
    );
}

#[tokio::test]
async fn counts_requests() {
    let (server, _tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    assert_eq!(local.send("GET /api/v1/pods", "", "").await.code, 200);
    assert_eq!(
        local.send("GET /api/v1/what-is-this", "", "").await.code,
        404
    );
    let text = local.send("GET /metrics", "", "").await.text();
    let total = r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 1"#;
    assert!(text.contains(total), "{text}");
    assert!(!text.contains("what-is-this"));
}

#[tokio::test]
async fn is_ready_between_start_and_stop() {
    let (server, tasks) = server(Options::default()).await;
    let local = Local::of(&server, "me", &[]);
    assert_eq!(local.send("GET /readyz", "", "").await.code, 200);
    tasks.request_drain();
    assert_eq!(local.send("GET /readyz", "", "").await.code, 500);
    assert_eq!(local.send("GET /livez", "", "").await.code, 200);
}
