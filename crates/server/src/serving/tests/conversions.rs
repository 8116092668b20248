//! Conversion by webhooks: what works, and one test for each way in which a webhook can be wrong.
//!
//! The texts were read from kube-apiserver 1.37.1 with a webhook that does the same.

mod webhook;

use std::{sync::atomic::Ordering, time::Duration};

use super::{Bench, METADATA, Reply, TABLE, at, names};
use webhook::{Webhook, definition};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const V1: &str = "/apis/example.com/v1/namespaces/a/foos";
const V2: &str = "/apis/example.com/v2/namespaces/a/foos";

/// A server, and a webhook that does as `case` says, defined for objects that are stored as v1.
struct Ground {
    bench: Bench,
    webhook: Webhook,
}

impl Ground {
    async fn new(case: &str) -> Self {
        let bench = Bench::new();
        bench.serving.open().await.expect("the store reads");
        let webhook = Webhook::open(&bench.serving.tasks).await;
        let ground = Self { bench, webhook };
        let body = definition(&ground.config(case), "v1", "");
        ground.ok(&format!("POST {CRDS}"), &body).await;
        ground.served().await;
        ground
    }

    /// As [`Self::new`], with objects x and y.
    async fn with_objects(case: &str) -> Self {
        let ground = Self::new(case).await;
        for (name, text) in [("x", "one"), ("y", "two")] {
            ground
                .put("v1", name, &format!(r#""a":"{text}","n":3"#))
                .await;
        }
        ground
    }

    fn config(&self, case: &str) -> String {
        let Webhook { port, bundle, .. } = &self.webhook;
        format!(r#"{{"url":"https://127.0.0.1:{port}/{case}","caBundle":"{bundle}"}}"#)
    }

    async fn served(&self) {
        let line = "GET /apis/example.com/v1/foos";
        self.bench.until(line, |list| list.code == 200).await;
    }

    async fn ok(&self, line: &str, body: &str) -> String {
        self.bench.ok(line, body).await
    }

    async fn put(&self, version: &str, name: &str, spec: &str) -> String {
        let body = object(version, name, spec);
        let line = format!("POST /apis/example.com/{version}/namespaces/a/foos");
        self.ok(&line, &body).await
    }

    /// Defines the kind anew: how the webhook is reached, and which version is stored.
    async fn redefine(&self, config: &str, storage: &str, more: &str) {
        let line = format!("{CRDS}/foos.example.com");
        let known = self.ok(&format!("GET {line}"), "").await;
        let version = at(&known, "metadata/resourceVersion");
        let named = format!(r#""metadata":{{"resourceVersion":"{version}","#);
        let body = definition(config, storage, more).replacen(r#""metadata":{"#, &named, 1);
        self.ok(&format!("PUT {line}"), &body).await;
    }

    async fn message(&self, line: &str, body: &str) -> String {
        let reply = self.bench.send(line, body).await;
        told(&reply)
    }
}

fn object(version: &str, name: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"example.com/{version}","kind":"Foo","metadata":{{"name":"{name}"}},"spec":{{{spec}}}}}"#
    )
}

fn told(reply: &Reply) -> String {
    let reason = at(&reply.body, "reason");
    format!("{} {reason} {}", reply.code, at(&reply.body, "message"))
}

#[tokio::test]
async fn shows_and_takes_every_version() {
    let ground = Ground::with_objects("ok").await;
    assert_eq!(
        ground.webhook.reviews(),
        [],
        "the stored version needs no webhook"
    );
    let shown = ground.ok(&format!("GET {V2}/x"), "").await;
    assert_eq!(at(&shown, "apiVersion"), "example.com/v2");
    assert_eq!(at(&shown, "spec"), r#"{"b":"one","n":3}"#);
    let list = ground.ok(&format!("GET {V2}"), "").await;
    assert_eq!(names(&list), "x y");
    assert!(list.contains(r#""b":"two""#), "{list}");
    assert_eq!(
        ground.webhook.reviews(),
        [1, 1],
        "what is known is not asked again"
    );

    let made = ground.put("v2", "z", r#""b":"three""#).await;
    assert_eq!(at(&made, "spec"), r#"{"b":"three"}"#);
    let stored = ground.ok(&format!("GET {V1}/z"), "").await;
    assert_eq!(at(&stored, "spec"), r#"{"a":"three"}"#);
    let patched = ground
        .ok(&format!("PATCH {V2}/x"), r#"merge {"spec":{"b":"new"}}"#)
        .await;
    assert_eq!(at(&patched, "spec"), r#"{"b":"new","n":3}"#);
    let stored = ground.ok(&format!("GET {V1}/x"), "").await;
    assert_eq!(at(&stored, "spec"), r#"{"a":"new","n":3}"#);
    let mut put = shown.replace("one", "put");
    put = put.replace(
        &format!(
            r#""resourceVersion":"{}""#,
            at(&shown, "metadata/resourceVersion")
        ),
        &format!(
            r#""resourceVersion":"{}""#,
            at(&stored, "metadata/resourceVersion")
        ),
    );
    let put = ground.ok(&format!("PUT {V2}/x"), &put).await;
    assert_eq!(at(&put, "spec/b"), "put");
    let scaled = ground
        .ok(
            &format!("PATCH {V2}/x/scale"),
            r#"merge {"spec":{"replicas":5}}"#,
        )
        .await;
    assert_eq!(at(&scaled, "spec/replicas"), "5");
    let stored = ground.ok(&format!("GET {V1}/x"), "").await;
    assert_eq!(at(&stored, "spec"), r#"{"a":"put","n":5}"#);
    ground.ok(&format!("DELETE {V2}/x"), "").await;
    assert_eq!(names(&ground.ok(&format!("GET {V1}"), "").await), "y z");
}

#[tokio::test]
async fn a_list_is_one_review_and_calls_share_a_connection() {
    let ground = Ground::new("ok").await;
    for number in 0..30 {
        let spec = format!(r#""a":"t{number}""#);
        ground.put("v1", &format!("x{number:02}"), &spec).await;
    }
    let list = ground.ok(&format!("GET {V2}"), "").await;
    assert!(list.contains(r#""b":"t29""#), "{list}");
    assert_eq!(ground.webhook.reviews(), [30]);
    let again = ground.ok(&format!("GET {V2}"), "").await;
    assert_eq!(again, list);
    assert_eq!(ground.webhook.reviews(), [], "it is kept");
    ground.put("v1", "x30", r#""a":"t30""#).await;
    let table = ground.bench.send_as(&format!("GET {V2}"), "", TABLE).await;
    assert_eq!(table.code, 200, "{}", table.body);
    assert_eq!(ground.webhook.reviews(), [1], "only what is new is asked");
    let connections = ground.webhook.seen.connections.load(Ordering::Relaxed);
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn fields_are_selected_where_the_version_has_them() {
    let ground = Ground::with_objects("ok").await;
    let list = ground
        .ok(&format!("GET {V2}?fieldSelector=spec.b%3Dtwo"), "")
        .await;
    assert_eq!(names(&list), "y");
    let list = ground
        .ok(&format!("GET {V1}?fieldSelector=spec.a%3Dtwo"), "")
        .await;
    assert_eq!(names(&list), "y");
    let mut watch = ground
        .bench
        .watch(&format!(
            "{V2}?watch=1&resourceVersion=0&fieldSelector=spec.b%3Dtwo"
        ))
        .await;
    let first = watch.wait().await;
    assert!(
        first.contains(r#""name":"y""#) && !first.contains(r#""name":"x""#),
        "{first}"
    );
    ground
        .ok(&format!("PATCH {V1}/y"), r#"merge {"spec":{"a":"three"}}"#)
        .await;
    let gone = watch.wait().await;
    assert!(gone.starts_with(r#"{"type":"DELETED""#), "{gone}");
    assert!(gone.contains(r#""apiVersion":"example.com/v2""#), "{gone}");
    assert!(gone.contains(r#""b":"two""#), "{gone}");
}

#[tokio::test]
async fn watches_show_every_event_in_their_version() {
    let ground = Ground::with_objects("ok").await;
    let url = format!("{V2}?watch=1&resourceVersion=0");
    let mut watch = ground.bench.watch(&url).await;
    let mut other = ground.bench.watch(&url).await;
    let first = watch.wait().await;
    assert!(
        first.contains(r#""b":"one""#) && first.contains(r#""b":"two""#),
        "{first}"
    );
    assert_eq!(
        ground.webhook.reviews(),
        [2],
        "initial objects are one review"
    );
    assert_eq!(other.wait().await, first);
    ground
        .ok(&format!("PATCH {V1}/x"), r#"merge {"spec":{"a":"new"}}"#)
        .await;
    ground.ok(&format!("DELETE {V1}/y"), "").await;
    let mut events = String::new();
    while !events.contains("DELETED") {
        events.push_str(&watch.wait().await);
    }
    let lines: Vec<&str> = events.lines().collect();
    assert!(lines[0].starts_with(r#"{"type":"MODIFIED""#), "{events}");
    assert!(lines[0].contains(r#""spec":{"b":"new","n":3}"#), "{events}");
    assert!(lines[1].starts_with(r#"{"type":"DELETED""#), "{events}");
    assert!(lines[1].contains(r#""spec":{"b":"two","n":3}"#), "{events}");
    let asked: usize = ground.webhook.reviews().iter().sum();
    let mut seen = String::new();
    while !seen.contains("DELETED") {
        seen.push_str(&other.wait().await);
    }
    assert_eq!(seen, events);
    assert_eq!(asked, 2);
    assert_eq!(
        ground.webhook.reviews(),
        [],
        "watchers share what was converted"
    );
}

#[tokio::test]
async fn a_review_is_in_the_form_upstream_sends() {
    let ground = Ground::with_objects("ok").await;
    ground.ok(&format!("GET {V2}/x"), "").await;
    let review = ground.webhook.seen.last.lock().clone();
    let text = |path: &[&str]| review.str_at(path).unwrap_or_default().to_owned();
    assert_eq!(text(&["apiVersion"]), "apiextensions.k8s.io/v1");
    assert_eq!(text(&["kind"]), "ConversionReview");
    assert_eq!(text(&["request", "desiredAPIVersion"]), "example.com/v2");
    assert_eq!(text(&["request", "uid"]).len(), 36);
}

#[tokio::test]
async fn owners_in_other_versions_keep_their_fields() {
    let ground = Ground::new("ok").await;
    let apply = |version: &str, manager: &str, spec: &str| {
        let line =
            format!("PATCH /apis/example.com/{version}/namespaces/a/foos/x?fieldManager={manager}");
        (line, format!("apply {}", object(version, "x", spec)))
    };
    let (line, body) = apply("v1", "one", r#""a":"t","n":1"#);
    ground.ok(&line, &body).await;
    // Another manager applies the same text in the other version: both own it, each in theirs.
    let (line, body) = apply("v2", "two", r#""b":"t""#);
    let shown = ground.ok(&line, &body).await;
    let fields = at(&shown, "metadata/managedFields");
    assert!(
        fields.contains(r#""f:b":{}"#) && fields.contains(r#""f:a":{}"#),
        "{fields}"
    );
    // A third, who changes it, is in the way of both.
    let (line, body) = apply("v2", "three", r#""b":"else""#);
    let conflict = ground.bench.send(&line, &body).await;
    assert_eq!(conflict.code, 409, "{}", conflict.body);
    let causes = at(&conflict.body, "details/causes");
    let by = |name: &str, field: &str| {
        format!(r#""message":"conflict with \"{name}\"","field":".spec.{field}""#)
    };
    assert!(causes.contains(&by("one", "a")), "{causes}");
    assert!(causes.contains(&by("two", "b")), "{causes}");
    // Without force an update takes the field from both.
    let patched = ground
        .ok(
            &format!("PATCH {V2}/x?fieldManager=four"),
            r#"merge {"spec":{"b":"mine"}}"#,
        )
        .await;
    let fields = at(&patched, "metadata/managedFields");
    assert!(!fields.contains(r#""f:a":{}"#), "{fields}");
}

/// Checks what a webhook's misbehaviour is answered with: a read, a list and a create in the other
/// version, and that nobody else notices.
async fn check(case: &str, why: &str, of_new: &str) {
    let ground = Ground::with_objects(case).await;
    let stored = ground.ok(&format!("GET {V1}/x"), "").await;
    let revision = at(&stored, "metadata/resourceVersion");
    let uid = at(&stored, "metadata/uid");
    let why = |kind: &str, own: &str| {
        let text = why
            .replace("{uid}", &uid)
            .replace("V/K", kind)
            .replace("NAME", own);
        text.replace("PORT", &ground.webhook.port.to_string())
    };
    let same = |found: String, expected: String| {
        // The uid of a review is drawn by chance.
        let found = match (case, found.split_once("response.uid=\"")) {
            ("uid", Some((start, rest))) => {
                format!("{start}response.uid=\"U{}", &rest[36..])
            }
            _ => found,
        };
        assert_eq!(found, expected, "{case}");
    };
    let reason = why("example.com/v1, Kind=Foo", "x");
    same(
        ground.message(&format!("GET {V2}/x"), "").await,
        format!(
            "500 InternalError Internal error occurred: StorageError: corrupt object, Code: 7, Key: /example.com/foos/a/x, ResourceVersion: 0, AdditionalErrorMsg: object not decodable revision={revision}: {reason}"
        ),
    );
    if case != "fewer" {
        same(
            ground.message(&format!("GET {V2}"), "").await,
            format!(
                "500 StorageReadError failed to read one or more foos.example.com from the storage: StorageError: corrupt object, Code: 7, Key: /registry/example.com/foos/a/x, ResourceVersion: 0, AdditionalErrorMsg: object not decodable revision={revision}: {reason} (and 1 more)"
            ),
        );
    }
    same(
        ground
            .message(&format!("PATCH {V2}/x"), r#"merge {"spec":{"b":"new"}}"#)
            .await,
        format!("500 - object not decodable revision={revision}: {reason}"),
    );
    let refused = ground
        .message(&format!("POST {V2}"), &object("v2", "z", r#""b":"q""#))
        .await;
    if of_new.is_empty() {
        same(
            refused,
            format!("500 - {}", why("example.com/v2, Kind=Foo", "z")),
        );
    } else {
        assert!(refused.contains(of_new), "{case}: {refused}");
    }
    let mut watch = ground
        .bench
        .watch(&format!("{V2}?watch=1&resourceVersion=0"))
        .await;
    let event = watch.wait().await;
    assert!(event.starts_with(r#"{"type":"ERROR""#), "{case}: {event}");
    nobody_notices(&ground).await;
}

/// Checks that everything works that does not need the webhook.
async fn nobody_notices(ground: &Ground) {
    assert_eq!(names(&ground.ok(&format!("GET {V1}"), "").await), "x y");
    ground
        .ok(&format!("PATCH {V1}/x"), r#"merge {"spec":{"a":"new"}}"#)
        .await;
    ground.bench.note("a", "other", "text").await;
    // What the garbage collector and the deletion of namespaces do, in whatever version.
    let metadata = ground
        .bench
        .send_as(&format!("GET {V2}"), "", METADATA)
        .await;
    assert_eq!(metadata.code, 200, "{}", metadata.body);
    ground.ok(&format!("DELETE {V2}/x"), "").await;
    let deleted = ground
        .bench
        .send_as(&format!("DELETE {V2}"), "", METADATA)
        .await;
    assert_eq!(deleted.code, 200, "{}", deleted.body);
    assert_eq!(names(&ground.ok(&format!("GET {V1}"), "").await), "");
}

#[tokio::test]
async fn refuses_a_lie_about_the_uid() {
    let why = r#"conversion webhook for V/K failed: expected response.uid="U", got "lie""#;
    check("uid", why, "").await;
}

#[tokio::test]
async fn refuses_fewer_objects() {
    check(
        "fewer",
        "conversion webhook for V/K returned 0 objects, expected 1",
        "",
    )
    .await;
    let ground = Ground::with_objects("fewer").await;
    let list = ground.message(&format!("GET {V2}"), "").await;
    assert!(
        list.ends_with("returned 1 objects, expected 2 (and 1 more)"),
        "{list}"
    );
}

#[tokio::test]
async fn refuses_another_object() {
    let invalid = "conversion webhook for V/K returned invalid object";
    for (case, why, of_new) in [
        ("name", ": must have the same name: NAME != other", ""),
        (
            "namespace",
            ": must have the same namespace: a != other",
            "",
        ),
        (
            "uidmeta",
            ": must have the same UID: {uid} != other",
            "must have the same UID: ",
        ),
        (
            "kind",
            " at index 0: invalid kind (expected Foo, received Other)",
            "invalid kind",
        ),
        (
            "version",
            " at index 0: invalid groupVersion (expected example.com/v2, received other/v3)",
            "expected example.com/v1, received other/v3",
        ),
    ] {
        check(case, &format!("{invalid}{why}"), of_new).await;
    }
}

#[tokio::test]
async fn refuses_failures_and_nonsense() {
    let failed = "conversion webhook for V/K failed: ";
    for (case, why) in [
        ("failed", "I will not"),
        ("noresponse", "no response provided"),
        (
            "nothing",
            "0-length response with status code: 200 and content type: application/json",
        ),
        (
            "notjson",
            "couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
        ),
        ("e404", "the server could not find the requested resource"),
        (
            "e500",
            "an error on the server (\"unknown\") has prevented the request from succeeding",
        ),
        ("estatus", "own words"),
        (
            "long",
            "Post \"https://127.0.0.1:PORT/long?timeout=30s\": the answer is longer than 16777216 bytes",
        ),
    ] {
        check(case, &format!("{failed}{why}"), "").await;
    }
    check(
        "text",
        "json: cannot unmarshal string into Go value of type map[string]interface {}",
        "",
    )
    .await;
}

#[tokio::test]
async fn refuses_bad_metadata() {
    let why = "conversion webhook for V/K returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object";
    check("badlabel", why, "").await;
}

#[tokio::test]
async fn of_the_metadata_only_labels_and_annotations_change() {
    let ground = Ground::with_objects("metadata").await;
    let stored = ground.ok(&format!("GET {V1}/x"), "").await;
    let shown = ground.ok(&format!("GET {V2}/x"), "").await;
    assert_eq!(at(&shown, "metadata/labels"), r#"{"converted":"yes"}"#);
    for field in [
        "finalizers",
        "generation",
        "resourceVersion",
        "ownerReferences",
        "uid",
    ] {
        let path = format!("metadata/{field}");
        assert_eq!(at(&shown, &path), at(&stored, &path), "{field}");
    }
    assert_eq!(at(&stored, "metadata/labels"), "-");
}

#[tokio::test]
async fn a_webhook_that_is_not_there_or_not_believed_is_told_of() {
    let ground = Ground::with_objects("ok").await;
    let config = ground.config("ok");
    let port = ground.webhook.port;
    let told = |reply: String| reply.split_once("failed: ").map(|(_, why)| why.to_owned());
    let bare = format!(r#"{{"url":"https://127.0.0.1:{port}/ok"}}"#);
    ground.redefine(&bare, "v1", "").await;
    let why = told(ground.message(&format!("GET {V2}/x"), "").await);
    let expected = format!(
        "Post \"https://127.0.0.1:{port}/ok?timeout=30s\": tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
    assert_eq!(why, Some(expected));
    let elsewhere = config.replace("127.0.0.1", "localhost");
    ground.redefine(&elsewhere, "v1", "").await;
    let why = told(ground.message(&format!("GET {V2}/x"), "").await).expect("it fails");
    assert!(why.contains("x509: certificate is valid for"), "{why}");
    assert!(why.ends_with(", not localhost"), "{why}");
    let refused = config.replace(&format!(":{port}/"), ":1/");
    ground.redefine(&refused, "v1", "").await;
    let why = told(ground.message(&format!("GET {V2}/x"), "").await);
    let expected = "Post \"https://127.0.0.1:1/ok?timeout=30s\": dial tcp 127.0.0.1:1: connect: connection refused";
    assert_eq!(why.as_deref(), Some(expected));
    ground.redefine(&config, "v1", "").await;
    ground.ok(&format!("GET {V2}/x"), "").await;
}

#[tokio::test]
async fn a_webhook_behind_a_service_is_found() {
    let ground = Ground::with_objects("ok").await;
    let Webhook { port, bundle, .. } = &ground.webhook;
    let config = format!(
        r#"{{"service":{{"namespace":"infra","name":"hook","path":"/ok","port":{port}}},"caBundle":"{bundle}"}}"#
    );
    ground.redefine(&config, "v1", "").await;
    let url = format!("Post \"https://hook.infra.svc:{port}/ok?timeout=30s\"");
    ground
        .bench
        .serving
        .converter
        .set_outside(kinds::ways::service_call(), Vec::new());
    let why = ground.message(&format!("GET {V2}/x"), "").await;
    assert!(
        why.ends_with(&format!("failed: {url}: service \"hook\" not found")),
        "{why}"
    );
    let service =
        r#"{"metadata":{"name":"hook"},"spec":{"type":"ExternalName","externalName":"localhost"}}"#;
    ground
        .ok("POST /api/v1/namespaces/infra/services", service)
        .await;
    let shown = ground.ok(&format!("GET {V2}/x"), "").await;
    assert_eq!(
        at(&shown, "spec/b"),
        "one",
        "it is believed by the name of the service"
    );
}

#[tokio::test]
async fn a_webhook_that_hangs_is_given_up() {
    let ground = Ground::with_objects("hang").await;
    let hanging = async {
        let told = ground.message(&format!("GET {V2}/x"), "").await;
        let port = ground.webhook.port;
        assert!(
            told.ends_with(&format!("conversion webhook for example.com/v1, Kind=Foo failed: Post \"https://127.0.0.1:{port}/hang?timeout=30s\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")),
            "{told}"
        );
    };
    let others = async {
        while ground.webhook.seen.reviews.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        nobody_notices(&ground).await;
        ground.bench.clock.advance(Duration::from_secs(31));
    };
    tokio::join!(hanging, others);
}

#[tokio::test]
async fn a_webhook_that_hangs_cannot_hold_every_request() {
    let ground = Ground::with_objects("hang").await;
    let line = format!("GET {V2}/x");
    let one = || Box::pin(ground.message(&line, ""));
    let mut waiting: Vec<_> = (0..100).map(|_| one()).collect();
    let mut ctx = std::task::Context::from_waker(std::task::Waker::noop());
    for call in &mut waiting {
        assert!(call.as_mut().poll(&mut ctx).is_pending());
    }
    let refused = ground.message(&line, "").await;
    assert!(
        refused.ends_with("too many requests wait for it already"),
        "{refused}"
    );
    ground.ok(&format!("GET {V1}/x"), "").await;
}

#[tokio::test]
async fn a_changed_storage_version_shows_what_was_stored_before() {
    let ground = Ground::with_objects("ok").await;
    let config = ground.config("ok");
    ground.redefine(&config, "v2", "").await;
    let line = format!("{CRDS}/foos.example.com");
    let known = ground.ok(&format!("GET {line}"), "").await;
    assert_eq!(at(&known, "status/storedVersions"), r#"["v1","v2"]"#);
    ground.webhook.reviews();
    let before = ground.ok(&format!("GET {V1}/x"), "").await;
    assert_eq!(at(&before, "spec"), r#"{"a":"one","n":3}"#);
    assert_eq!(ground.webhook.reviews(), [], "it still lies there as v1");
    let shown = ground.ok(&format!("GET {V2}/x"), "").await;
    assert_eq!(at(&shown, "spec"), r#"{"b":"one","n":3}"#);
    assert_eq!(ground.webhook.reviews(), [1]);
    // A write that changes nothing writes all the same, because it is stored otherwise now.
    let touched = ground.ok(&format!("PATCH {V2}/x"), "merge {}").await;
    assert_ne!(
        at(&touched, "metadata/resourceVersion"),
        at(&shown, "metadata/resourceVersion")
    );
    assert_eq!(at(&touched, "metadata/generation"), "1");
    let again = ground.ok(&format!("PATCH {V2}/x"), "merge {}").await;
    assert_eq!(
        at(&again, "metadata/resourceVersion"),
        at(&touched, "metadata/resourceVersion")
    );
    let broken = ground.config("e500");
    ground.redefine(&broken, "v2", "").await;
    ground.ok(&format!("GET {V2}/x"), "").await;
    ground.ok(&format!("GET {V1}/y"), "").await;
}

#[tokio::test]
async fn a_storage_version_can_be_changed_without_a_webhook() {
    let bench = Bench::new();
    bench.serving.open().await.expect("the store reads");
    let none = |storage: &str| {
        let body = definition("{}", storage, "");
        let start = body.find(r#""conversion""#).expect("it is there");
        let end = body.find(r#""versions""#).expect("it is there");
        format!("{}{}", &body[..start], &body[end..])
    };
    bench.ok(&format!("POST {CRDS}"), &none("v1")).await;
    bench
        .until(&format!("GET {V1}"), |list| list.code == 200)
        .await;
    bench
        .ok(&format!("POST {V1}"), &object("v1", "x", r#""n":3"#))
        .await;
    let line = format!("{CRDS}/foos.example.com");
    let patch = r#"json-patch [{"op":"replace","path":"/spec/versions/0/storage","value":false},{"op":"replace","path":"/spec/versions/1/storage","value":true}]"#;
    bench.ok(&format!("PATCH {line}"), patch).await;
    for version in ["v1", "v2"] {
        let url = format!("GET /apis/example.com/{version}/namespaces/a/foos/x");
        let shown = bench.until(&url, |reply| reply.code == 200).await;
        let expected = format!("example.com/{version}");
        assert_eq!(at(&shown.body, "apiVersion"), expected);
    }
    let shown = bench.ok(&format!("GET {V2}/x"), "").await;
    let touched = bench.ok(&format!("PATCH {V2}/x"), "merge {}").await;
    assert_ne!(
        at(&touched, "metadata/resourceVersion"),
        at(&shown, "metadata/resourceVersion")
    );
}
