//! The way to a server: in this process, or over the network.
//!
//! A [`Client`] is one identity's way in. In process it calls the server's HTTP service directly on
//! the caller's task: no socket, no copy, no extra task. Over the network it is kube-rs' client.
//! Code above this file cannot tell the two apart.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body::Body as _;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use kube::{client::Body, config::KubeConfigOptions};
use serde::de::DeserializeOwned;
use tower::{Service, ServiceExt};

use crate::error::{BoxError, Error};

/// The body of an answer, whatever the transport was.
pub type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;

/// A future that can be sent and stored.
type Sending = Pin<Box<dyn Future<Output = Result<Response<AnswerBody>, Error>> + Send>>;

/// What a client says it is, unless told otherwise.
const AGENT: HeaderValue = HeaderValue::from_static("pintle-kit");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How a patch is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// A JSON merge patch: members replace, `null` removes.
    Merge,
    /// A strategic merge patch: lists merge by key. Built-in kinds only.
    Strategic,
    /// A list of JSON patch operations.
    Json,
    /// An applied configuration.
    Apply,
}

impl Patch {
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        })
    }
}

/// One identity's way to one server. Cheap to clone.
///
/// ```
/// # async fn example() -> Result<(), kit::Error> {
/// # let client = kit::Client::in_process(tower::service_fn(|_request| async {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(bytes::Bytes::from(
/// #         r#"{"metadata":{"name":"default","uid":"u","resourceVersion":"7"}}"#))))
/// # }));
/// let namespace: kit::Partial = client.get("/api/v1/namespaces/default").await?;
/// assert_eq!(namespace.metadata.resource_version, 7);
/// # Ok(()) }
/// # futures_util::FutureExt::now_or_never(example()).unwrap().unwrap();
/// ```
#[derive(Clone)]
pub struct Client {
    way: Arc<dyn Way>,
    agent: HeaderValue,
}

trait Way: Send + Sync {
    fn send(&self, request: Request<Body>) -> Sending;
    fn kube(&self) -> kube::Client;
}

impl Client {
    /// Returns a client that calls a server of this process.
    ///
    /// The service already stands for one identity; whoever hands it over has put it in.
    #[must_use]
    pub fn in_process<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            way: Arc::new(InProcess(service)),
            agent: AGENT,
        }
    }

    /// Returns a client over one of kube-rs.
    #[must_use]
    pub fn from_kube(client: kube::Client) -> Self {
        Self {
            way: Arc::new(Remote(client)),
            agent: AGENT,
        }
    }

    /// Returns a client for the server a kubeconfig text describes (its current context).
    ///
    /// # Errors
    /// [`Error::Setup`] if the text is no kubeconfig or names what cannot be read.
    pub async fn from_kubeconfig(text: &str) -> Result<Self, Error> {
        let setup = |error: kube::config::KubeconfigError| Error::Setup(Box::new(error));
        let kubeconfig = kube::config::Kubeconfig::from_yaml(text).map_err(setup)?;
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Self::from_config(config.map_err(setup)?)
    }

    /// Returns a client for a configuration of kube-rs (a URL, a token, certificates).
    ///
    /// # Errors
    /// [`Error::Setup`] if the certificates or keys in it cannot be used.
    pub fn from_config(mut config: kube::Config) -> Result<Self, Error> {
        // A watch is quiet for minutes; its end is the server's to decide.
        config.read_timeout = None;
        let client =
            kube::Client::try_from(config).map_err(|error| Error::Setup(Box::new(error)))?;
        Ok(Self::from_kube(client))
    }

    /// Returns the same client with another `User-Agent`, which also names the field manager.
    #[must_use]
    pub fn with_agent(mut self, agent: &'static str) -> Self {
        self.agent = HeaderValue::from_static(agent);
        self
    }

    /// Returns a kube-rs client on the same transport, for code written with its types.
    ///
    /// It must be called inside a tokio runtime. Each call makes a new one with a task of its own,
    /// so keep it.
    #[must_use]
    pub fn kube(&self) -> kube::Client {
        self.way.kube()
    }

    /// Sends a request and returns the answer with its body unread, whatever its code.
    ///
    /// # Errors
    /// [`Error::Transport`] if there was no answer.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<AnswerBody>, Error> {
        let agent = request.headers_mut().entry(header::USER_AGENT);
        agent.or_insert_with(|| self.agent.clone());
        self.way.send(request.map(Body::from)).await
    }

    /// Sends a request and returns the body of a successful answer.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's status, or [`Error::Transport`].
    pub async fn call(&self, request: Request<Bytes>) -> Result<Bytes, Error> {
        read_answer(self.send(request).await?).await
    }

    /// Reads one object or list.
    ///
    /// # Errors
    /// As [`Client::call`], or [`Error::Decode`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.get_as(path, JSON).await
    }

    /// Reads one object or list in the form `accept` asks for.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_as<T: DeserializeOwned>(
        &self,
        path: &str,
        accept: HeaderValue,
    ) -> Result<T, Error> {
        let request = build(Method::GET, path, accept, None, Bytes::new())?;
        decode("the object", &self.call(request).await?)
    }

    /// Creates an object under a collection's path and returns it as stored.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn create<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, Error> {
        let request = build(Method::POST, path, JSON, Some(JSON), body)?;
        decode("the created object", &self.call(request).await?)
    }

    /// Replaces the object at a path and returns it as stored.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn replace<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, Error> {
        let request = build(Method::PUT, path, JSON, Some(JSON), body)?;
        decode("the replaced object", &self.call(request).await?)
    }

    /// Patches the object at a path and returns it as stored.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        patch: Patch,
        body: Bytes,
    ) -> Result<T, Error> {
        let request = build(Method::PATCH, path, JSON, Some(patch.content_type()), body)?;
        decode("the patched object", &self.call(request).await?)
    }

    /// Deletes what is at a path: an object or, on a collection's path, all of it.
    ///
    /// `options` is a `DeleteOptions` as JSON; empty for none.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn delete(&self, path: &str, options: Bytes) -> Result<Bytes, Error> {
        let kind = (!options.is_empty()).then_some(JSON);
        self.call(build(Method::DELETE, path, JSON, kind, options)?)
            .await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

struct InProcess<S>(S);

impl<S, B> Way for InProcess<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Body>) -> Sending {
        let calling = self.0.clone().oneshot(request);
        Box::pin(async move {
            let answer = calling
                .await
                .map_err(|error| Error::Transport(error.into()))?;
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }

    fn kube(&self) -> kube::Client {
        kube::Client::new(self.0.clone(), "default")
    }
}

struct Remote(kube::Client);

impl Way for Remote {
    fn send(&self, request: Request<Body>) -> Sending {
        let client = self.0.clone();
        Box::pin(async move {
            let answer = client
                .send(request)
                .await
                .map_err(|error| Error::Transport(Box::new(error)))?;
            Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }

    fn kube(&self) -> kube::Client {
        self.0.clone()
    }
}

/// Builds a request; `kind` is the body's content type.
pub(crate) fn build(
    method: Method,
    path: &str,
    accept: HeaderValue,
    kind: Option<HeaderValue>,
    body: Bytes,
) -> Result<Request<Bytes>, Error> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(headers) = request.headers_mut() {
        headers.insert(header::ACCEPT, accept);
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, kind);
        }
    }
    request.body(body).map_err(Error::Build)
}

/// Collects a successful answer, or turns a refusal into its status.
pub(crate) async fn read_answer(answer: Response<AnswerBody>) -> Result<Bytes, Error> {
    let code = answer.status();
    let body = collect(answer.into_body()).await?;
    if code.is_success() {
        return Ok(body);
    }
    Err(refusal(code, &body))
}

/// Joins a body; a body of one frame is not copied.
async fn collect(body: AnswerBody) -> Result<Bytes, Error> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let collected = body.collect().await.map_err(Error::Transport)?;
    Ok(collected.to_bytes())
}

/// Reads a refusal; a body that is no `Status` becomes the message of one.
pub(crate) fn refusal(code: http::StatusCode, body: &[u8]) -> Error {
    let status = serde_json::from_slice(body).unwrap_or_else(|_| {
        let mut status = kube::core::Status::failure(
            &String::from_utf8_lossy(body),
            code.canonical_reason().unwrap_or_default(),
        );
        status.code = code.as_u16();
        status
    });
    Error::Refused(Box::new(status))
}

/// Reads JSON as `T`.
pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|source| Error::Decode { what, source })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::Full;

    use super::{Bytes, Client, Error, Patch, Request, Response};
    use crate::Partial;

    /// A client whose server echoes what it was asked, or gives `code` and `answer`.
    fn client(code: u16, answer: &'static str) -> Client {
        Client::in_process(tower::service_fn(
            move |request: Request<kube::client::Body>| async move {
                assert_eq!(request.headers()["user-agent"], "pintle-kit");
                let mut response = Response::new(Full::new(Bytes::from(answer)));
                *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
                Ok::<_, Infallible>(response)
            },
        ))
    }

    #[tokio::test]
    async fn gives_the_object() {
        let client = client(200, r#"{"metadata":{"name":"a","resourceVersion":"5"}}"#);
        let object: Partial = client.get("/api/v1/namespaces/a").await.unwrap();
        assert_eq!(
            (&*object.metadata.name, object.metadata.resource_version),
            ("a", 5)
        );
        let patch = client.patch::<Partial>("/x", Patch::Merge, Bytes::from("{}"));
        assert_eq!(&*patch.await.unwrap().metadata.name, "a");
    }

    #[tokio::test]
    async fn a_refusal_is_the_servers_status() {
        let body = r#"{"kind":"Status","code":404,"reason":"NotFound","message":"gone"}"#;
        let error = client(404, body).get::<Partial>("/x").await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        let error = client(500, "ouch").get::<Partial>("/x").await.unwrap_err();
        assert_eq!(
            (error.status().unwrap().code, &*error.text()),
            (500, "ouch")
        );
    }

    #[tokio::test]
    async fn says_what_could_not_be_read() {
        let error = client(200, "7").get::<Partial>("/x").await.unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error}");
        let error = client(200, "").get::<Partial>("no uri").await.unwrap_err();
        assert!(matches!(error, Error::Build(_)), "{error}");
        let error = Client::from_kubeconfig("clusters: 7").await.unwrap_err();
        assert!(matches!(error, Error::Setup(_)), "{error}");
    }

    #[tokio::test]
    async fn a_broken_way_is_a_transport_error() {
        let client = Client::in_process(tower::service_fn(
            |_request: Request<kube::client::Body>| async {
                Err::<Response<Full<Bytes>>, _>("broken")
            },
        ));
        let error = client.get::<Partial>("/x").await.unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error}");
    }

    #[tokio::test]
    async fn kube_types_work_on_the_same_way() {
        use k8s_openapi::api::core::v1::Namespace;
        let client = Client::in_process(tower::service_fn(
            |_request: Request<kube::client::Body>| async {
                let body = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}"#;
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
            },
        ));
        let api: kube::Api<Namespace> = kube::Api::all(client.kube());
        assert_eq!(
            api.get("a").await.unwrap().metadata.name.as_deref(),
            Some("a")
        );
    }
}
