//! A conversion webhook in this process, on loopback, that does as its path says.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::{Text, Value, json, value};
use base::Tasks;
use base64::Engine;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the webhook has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    /// How many objects each review had, in order.
    pub(crate) reviews: Mutex<Vec<usize>>,
    /// The last review.
    pub(crate) last: Mutex<Value>,
}

pub(crate) struct Webhook {
    pub(crate) port: u16,
    /// Its certificate in PEM, in base64, as a definition has it.
    pub(crate) bundle: String,
    pub(crate) seen: Arc<Seen>,
}

impl Webhook {
    /// Opens a webhook whose tasks end with `tasks`.
    pub(crate) async fn open(tasks: &Tasks) -> Self {
        let names = vec!["127.0.0.1".to_owned(), "hook.infra.svc".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("they fit");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Seen::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        drop(tasks.spawn(
            "test-webhook",
            accept(listener, acceptor, Arc::clone(&seen), tasks.clone()),
        ));
        Self {
            port,
            bundle: base64::engine::general_purpose::STANDARD.encode(made.cert.pem()),
            seen,
        }
    }

    /// Returns how many objects each review had so far, and forgets it.
    pub(crate) fn reviews(&self) -> Vec<usize> {
        std::mem::take(&mut self.seen.reviews.lock())
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<Seen>, tasks: Tasks) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        let serve = async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            seen.connections.fetch_add(1, Ordering::Relaxed);
            let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A webhook that breaks off is one of the cases.
            let _ = connection.await;
        };
        drop(tasks.spawn("test-webhook-connection", serve));
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Seen>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let case = request.uri().path().trim_matches('/').to_owned();
    let body = request
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let review = json::read(&body).expect("JSON").value;
    let objects = review.at(&["request", "objects"]).and_then(Value::as_array);
    let objects = objects.expect("objects").to_vec();
    seen.reviews.lock().push(objects.len());
    *seen.last.lock() = review.clone();
    if case == "hang" {
        std::future::pending::<()>().await;
    }
    let mut made = convert(&review, objects);
    let (code, text) = misbehave(&case, &mut made);
    let text = text.unwrap_or_else(|| {
        let mut out = Vec::new();
        json::write(&made, &mut out);
        String::from_utf8(out).expect("text")
    });
    let response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    Ok(response.body(Full::from(text)).expect("a response"))
}

/// Moves the field of one version to that of the other: `a` in v1 is `b` in v2.
fn convert(review: &Value, mut objects: Vec<Value>) -> Value {
    let wanted = review.str_at(&["request", "desiredAPIVersion"]);
    let wanted = wanted.expect("a version").to_owned();
    let (old, new) = if wanted.ends_with("/v2") {
        ("a", "b")
    } else {
        ("b", "a")
    };
    for object in &mut objects {
        object.set_at(&["apiVersion"], Value::from(wanted.as_str()));
        if let Some(text) = object.remove_at(&["spec", old]) {
            object.set_at(&["spec", new], text);
        }
    }
    let uid = review.at(&["request", "uid"]).cloned().unwrap_or_default();
    value!({
        "kind": "ConversionReview",
        "apiVersion": (review.get("apiVersion").cloned().unwrap_or_default()),
        "response": {
            "uid": (uid),
            "result": {"status": "Success"},
            "convertedObjects": (Value::Array(objects)),
        },
    })
}

/// Makes of a good answer the bad one that the case names.
fn misbehave(case: &str, made: &mut Value) -> (u16, Option<String>) {
    let each = |made: &mut Value, change: &dyn Fn(&mut Value)| {
        let objects = made.at_mut(&["response", "convertedObjects"]);
        let objects = objects.and_then(Value::as_array_mut).expect("objects");
        objects.iter_mut().for_each(change);
    };
    let set = |made: &mut Value, path: &[&str], value: Value| {
        each(made, &|object| object.set_at(path, value.clone()));
    };
    match case {
        "uid" => made.set_at(&["response", "uid"], Value::from("lie")),
        "fewer" => {
            let objects = made.at_mut(&["response", "convertedObjects"]);
            objects
                .and_then(Value::as_array_mut)
                .expect("objects")
                .pop();
        }
        "failed" => made.set_at(
            &["response", "result"],
            value!({"status": "Failure", "message": "I will not"}),
        ),
        "noresponse" => {
            made.make_object().remove("response");
        }
        "name" => set(made, &["metadata", "name"], Value::from("other")),
        "namespace" => set(made, &["metadata", "namespace"], Value::from("other")),
        "uidmeta" => set(made, &["metadata", "uid"], Value::from("other")),
        "kind" => set(made, &["kind"], Value::from("Other")),
        "version" => set(made, &["apiVersion"], Value::from("other/v3")),
        "metadata" => {
            set(made, &["metadata", "labels"], value!({"converted": "yes"}));
            set(
                made,
                &["metadata", "finalizers"],
                value!(["bad.example.com/hold"]),
            );
            set(made, &["metadata", "generation"], Value::Int(99));
            set(made, &["metadata", "resourceVersion"], Value::from("7"));
            set(
                made,
                &["metadata", "ownerReferences"],
                value!([{"uid": "u"}]),
            );
        }
        "badlabel" => set(made, &["metadata", "labels"], value!({"a": 1})),
        "text" => each(made, &|object| *object = Value::from("x")),
        "notjson" => return (200, Some("hello".to_owned())),
        "nothing" => return (200, Some(String::new())),
        "long" => return (200, Some(" ".repeat(17 << 20))),
        "e404" => return (404, Some("no".to_owned())),
        "e500" => return (500, Some("broken".to_owned())),
        "estatus" => {
            let status = r#"{"kind":"Status","apiVersion":"v1","message":"own words"}"#;
            return (422, Some(status.to_owned()));
        }
        _ => {}
    }
    (200, None)
}

/// Returns a definition whose objects this webhook converts: `a` in v1, `b` in v2.
pub(crate) fn definition(config: &str, storage: &str, more: &str) -> Text {
    let version = |name: &str, field: &str| {
        let is_stored = name == storage;
        format!(
            r#"{{"name":"{name}","served":true,"storage":{is_stored},{more}"selectableFields":[{{"jsonPath":".spec.{field}"}}],"subresources":{{"status":{{}},"scale":{{"specReplicasPath":".spec.n","statusReplicasPath":".status.n"}}}},
            "schema":{{"openAPIV3Schema":{{"type":"object","properties":{{
                "spec":{{"type":"object","properties":{{"{field}":{{"type":"string"}},"n":{{"type":"integer"}}}}}},
                "status":{{"type":"object","properties":{{"n":{{"type":"integer"}}}}}}}}}}}}}}"#
        )
    };
    Text::from(format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{{"name":"foos.example.com"}},
        "spec":{{"group":"example.com","scope":"Namespaced",
        "names":{{"plural":"foos","kind":"Foo","singular":"foo","listKind":"FooList"}},
        "conversion":{{"strategy":"Webhook","webhook":{{"conversionReviewVersions":["v1"],"clientConfig":{config}}}}},
        "versions":[{},{}]}}}}"#,
        version("v1", "a"),
        version("v2", "b")
    ))
}
