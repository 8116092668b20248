//! The load generator's client: HTTP/2 over TLS with a client certificate, a few connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use xtask::failure::{Doing, Failure};

/// Media type of JSON bodies.
pub(crate) const JSON: &str = "application/json";
/// Media type of protobuf bodies.
pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// What kubectl asks for when it prints a table.
pub(crate) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Flow-control windows as Go's client sets them; the defaults would stall a large list.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// Who the client is and whom it trusts.
#[derive(Clone)]
pub(crate) struct Credentials {
    tls: Arc<rustls::ClientConfig>,
}

impl Credentials {
    /// Makes them from PEM: the authority to trust, the client's certificate and its key.
    pub(crate) fn new(authority: &[u8], certificate: &[u8], key: &[u8]) -> Result<Self, Failure> {
        let mut roots = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority) {
            let root = root.doing("read the certificate authority")?;
            roots.add(root).doing("trust the certificate authority")?;
        }
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .doing("read the client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).doing("read the client key")?;
        let mut tls = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .doing("use the client certificate")?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Opens one connection to a port on loopback.
    pub(crate) async fn connect(&self, port: u16) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let tcp = TcpStream::connect(("127.0.0.1", port))
            .await
            .doing("connect")?;
        tcp.set_nodelay(true).doing("connect")?;
        let name = ServerName::try_from("127.0.0.1").doing("connect")?;
        let tls = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, tcp)
            .await
            .doing("shake hands")?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(tls))
            .await
            .doing("speak HTTP/2")?;
        // Ends when its sender is dropped; an error reaches the requests on it.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Some connections to one server, used in turn.
pub(crate) struct Client {
    connections: Vec<Mutex<SendRequest<Full<Bytes>>>>,
    next: AtomicUsize,
    credentials: Credentials,
    port: u16,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: StatusCode,
    /// Body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// Parses the body as JSON; what is no JSON becomes null.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns the answer if it is a success.
    pub(crate) fn success(self, what: &str) -> Result<Self, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        let start: String = body.chars().take(300).collect();
        Err(Failure::new(format!("{what}: {} {start}", self.status)))
    }
}

impl Client {
    /// Opens `connections` connections.
    pub(crate) async fn open(
        credentials: &Credentials,
        port: u16,
        connections: usize,
    ) -> Result<Self, Failure> {
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            open.push(Mutex::new(credentials.connect(port).await?));
        }
        Ok(Self {
            connections: open,
            next: AtomicUsize::new(0),
            credentials: credentials.clone(),
            port,
        })
    }

    /// Returns the next connection. One that the server closed is opened again: both servers close
    /// what rests for 90 seconds, which a side does while the other one has its turn.
    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let place = &self.connections[turn];
        let known = || place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = known().clone();
        if connection.ready().await.is_ok() {
            return Ok(connection);
        }
        let opened = self.credentials.connect(self.port).await?;
        *known() = opened.clone();
        Ok(opened)
    }

    /// Sends a request and returns the answer's head; the body is still to be read.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        (content, accept): (&str, &str),
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let mut connection = self.connection().await?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://127.0.0.1{path}"))
            .header(header::ACCEPT, accept)
            .header(header::USER_AGENT, "bench");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content);
        }
        let request = request.body(Full::new(body)).doing("build a request")?;
        connection.send_request(request).await.doing(path)
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        media: (&str, &str),
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let response = self.send(method, path, media, body).await?;
        let status = response.status();
        let body = response.into_body().collect().await.doing(path)?.to_bytes();
        Ok(Answer { status, body })
    }

    /// Sends a request, throws the body away as it comes and returns its length.
    pub(crate) async fn drain(&self, path: &str, accept: &str) -> Result<usize, Failure> {
        let response = self
            .send(Method::GET, path, (JSON, accept), Bytes::new())
            .await?;
        if !response.status().is_success() {
            return Err(Failure::new(format!("{path}: {}", response.status())));
        }
        let mut body = response.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.doing(path)?.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }

    /// Gets a JSON object.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.call(Method::GET, path, (JSON, JSON), Bytes::new())
            .await
    }

    /// Creates an object from JSON and returns the answer, which must be a success.
    pub(crate) async fn create(
        &self,
        path: &str,
        object: &serde_json::Value,
    ) -> Result<Answer, Failure> {
        let body = Bytes::from(object.to_string());
        self.call(Method::POST, path, (JSON, JSON), body)
            .await?
            .success(path)
    }
}
