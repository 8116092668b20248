//! A server of its own for each test, on a loopback port or in process, and clients that say what
//! came back.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use access::{
    Allow, Identify, User,
    allow::Mode,
    identify::{Certificates, TokenFile},
};
use api::Text;
use base::{Clock, FakeClock, Rng, Task, Tasks, WallTime};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use schema::Offer;
use server::{
    Access, Body, InProcess, Limits, LiveWorld, Server, ServerError, Serving, Setup,
    answer::Page,
    edge::{self, Tls, TlsMaterial},
    mount::{Mounts, Point},
    pages::version::Version,
    services::Service,
};
use store::MemoryStore;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Which HTTP the client offers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alpn {
    Http1,
    Http2,
}

/// What a test wants to be different.
pub(crate) struct Options {
    pub(crate) clock: Clock,
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    pub(crate) mounts: Mounts,
    /// Static tokens.
    pub(crate) tokens: TokenFile,
    /// PEM of the CA that vouches for clients.
    pub(crate) client_ca: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            mode: Mode::AlwaysAllow,
            limits: Limits::default(),
            mounts: Mounts::default(),
            tokens: TokenFile::default(),
            client_ca: String::new(),
        }
    }
}

/// Returns a server of every built-in kind over an empty store.
pub(crate) async fn server(options: Options) -> (Server, Tasks) {
    let (clock, tasks) = (options.clock, Tasks::new());
    let builtins = kinds::load();
    let group_priorities = builtins
        .versions
        .iter()
        .map(|one| (one.group_version.group.clone(), one.group_priority))
        .collect();
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let serving = Serving::new(
        builtins.kinds,
        store,
        clock.clone(),
        tasks.clone(),
        Rng::from_seed(2),
    );
    let offers = kinds::offers::all().into_iter();
    let ways = offers.filter_map(|((group, plural), subresource, offer)| match offer {
        Offer::Way(way) => Some((Point::new(group, plural, subresource), Service::Way(way))),
        _ => None,
    });
    let serving = Arc::new(serving.offering(ways.collect()));
    serving.open().await.expect("memory has no faults");
    let world = LiveWorld::open(&serving)
        .await
        .expect("memory has no faults");
    let certificates = match options.client_ca.as_str() {
        "" => Certificates::default(),
        pem => Certificates::read(pem.as_bytes()).expect("a CA"),
    };
    let server = Server::new(Setup {
        clock,
        tasks: tasks.clone(),
        rng: Rng::from_seed(1),
        serving,
        access: Access {
            certificates,
            identify: Identify {
                tokens: options.tokens,
                ..Identify::new(None)
            },
            allow: Allow::new(vec![options.mode]),
            rules_off: Vec::new(),
        },
        world: Arc::new(world),
        version: Version {
            major: 1,
            minor: 37,
            git_version: Text::new("v1.37.1"),
            git_commit: Text::default(),
            build_date: Text::default(),
            platform: Text::new("linux/amd64"),
        },
        address: Text::const_new("192.0.2.1:6443"),
        checks: Vec::new(),
        limits: options.limits,
        group_priorities,
        pages: vec![(Text::new("/openid/v1/jwks"), Page::json("{\"keys\":[]}"))],
        metrics: Vec::new(),
        mounts: options.mounts,
        outbound: server::edge::Outbound::new(b"", b"").expect("no certificate is none"),
        texts: &[],
    });
    server.set_started();
    (server, tasks)
}

/// A caller in this process.
pub(crate) struct Local(InProcess);

impl Local {
    /// Returns `name`, in `groups`.
    pub(crate) fn of(server: &Server, name: &str, groups: &[&str]) -> Self {
        let mut user = User::named(name);
        user.groups = groups.iter().map(Text::new).collect();
        Self(server.in_process(user))
    }

    /// Sends `METHOD PATH` with headers `name: value`, one a line, and a body.
    pub(crate) async fn send(&self, line: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut request = http::Request::builder().method(method).uri(path);
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").expect("a header");
            request = request.header(name.trim(), value);
        }
        let body = Body::from(body.as_ref().to_vec());
        let request = request.body(body).expect("a request");
        Answer::of(self.0.serve(request).await).await
    }
}

/// A server that listens.
pub(crate) struct Harness {
    address: SocketAddr,
    tasks: Tasks,
    listening: Task<Result<(), ServerError>>,
    ca: rcgen::Certificate,
}

/// A certificate of a client, and its key.
pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// One connection.
pub(crate) enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A server whose clock stands still until it is moved.
    pub(crate) async fn start_with_fake_clock() -> (Self, FakeClock, Clock) {
        let (clock, handle) = Clock::fake(WallTime::from_secs(1_800_000_000));
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        (Self::start_with(options).await, handle, clock)
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let ca = params.self_signed(&key).expect("a certificate");
        let client_ca = match options.client_ca.as_str() {
            "" => ca.pem(),
            pem => pem.to_owned(),
        };
        let tls = Tls::open(TlsMaterial {
            certificates: ca.pem().as_bytes(),
            key: key.serialize_pem().as_bytes(),
            client_ca: client_ca.as_bytes(),
        })
        .expect("the material is sound");
        let (server, tasks) = server(options).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let listening = Tasks::new().spawn("listen", edge::listen(server, listener, tls));
        Self {
            address,
            tasks,
            listening,
            ca,
        }
    }

    /// Connects without saying anything.
    pub(crate) async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Waits until nobody can connect any more.
    pub(crate) async fn refuses(&self) {
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a connection waits for the clock, so that moving it has an effect.
    pub(crate) async fn accepted(&self, clock: &FakeClock) {
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
    }

    /// Connects up to TLS.
    pub(crate) async fn tls(&self, alpn: Alpn) -> TlsStream<TcpStream> {
        self.tls_as(alpn, None).await
    }

    async fn tls_as(&self, alpn: Alpn, identity: Option<Identity>) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("a CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => config
                .with_client_auth_cert(vec![certificate], key)
                .expect("a sound identity"),
        };
        config.alpn_protocols = vec![match alpn {
            Alpn::Http1 => b"http/1.1".to_vec(),
            Alpn::Http2 => b"h2".to_vec(),
        }];
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, self.socket().await)
            .await
            .expect("a handshake")
    }

    /// Connects.
    pub(crate) async fn connect(&self, alpn: Alpn) -> Client {
        self.connect_as(alpn, None).await
    }

    /// Connects with a certificate.
    pub(crate) async fn connect_as(&self, alpn: Alpn, identity: Option<Identity>) -> Client {
        let io = TokioIo::new(self.tls_as(alpn, identity).await);
        match alpn {
            Alpn::Http1 => {
                let (client, connection) = http1::handshake(io).await.expect("HTTP/1.1");
                Tasks::new().spawn("client", connection);
                Client::Http1(client)
            }
            Alpn::Http2 => {
                let (client, connection) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .expect("HTTP/2");
                Tasks::new().spawn("client", connection);
                Client::Http2(client)
            }
        }
    }

    /// Asks the server to drain, and goes on.
    pub(crate) fn request_drain(&self) {
        self.tasks.request_drain();
    }

    /// Drains the server as `clock` says; returns what had not ended after `patience`.
    pub(crate) async fn drain(&self, clock: &Clock, patience: Duration) -> usize {
        self.tasks.drain(clock, patience).await
    }

    /// Drains the server; everything must end.
    pub(crate) async fn stop(self) {
        // No test needs a hundredth of this; it only keeps one from hanging.
        let patience = Duration::from_secs(60);
        let left = self.tasks.drain(&Clock::system(), patience).await;
        assert_eq!(left, 0, "connections are left");
        let ended = self.listening.await.expect("it did not panic");
        assert!(ended.is_ok());
    }
}

impl Client {
    /// Sends `METHOD PATH` and waits for the head of the answer.
    pub(crate) async fn begin(&mut self, line: &str) -> http::Response<hyper::body::Incoming> {
        self.begin_with(line, Bytes::new()).await
    }

    async fn begin_with(
        &mut self,
        line: &str,
        body: Bytes,
    ) -> http::Response<hyper::body::Incoming> {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let request = http::Request::builder().method(method);
        let body = Full::new(body);
        let response = match self {
            Self::Http1(client) => {
                client.ready().await.expect("it is open");
                let request = request.uri(path).header("host", "localhost");
                client
                    .send_request(request.body(body).expect("a request"))
                    .await
            }
            Self::Http2(client) => {
                let request = request.uri(format!("https://localhost{path}"));
                client
                    .send_request(request.body(body).expect("a request"))
                    .await
            }
        };
        response.expect("an answer")
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let is_closed = |client: &Self| match client {
            Self::Http1(client) => client.is_closed(),
            Self::Http2(client) => client.is_closed(),
        };
        while !is_closed(self) {
            tokio::task::yield_now().await;
        }
    }

    /// Sends `METHOD PATH`.
    pub(crate) async fn send(&mut self, line: &str) -> Answer {
        Answer::of(self.begin(line).await).await
    }

    /// Sends `METHOD PATH` with a body.
    pub(crate) async fn post(&mut self, line: &str, body: impl Into<Bytes>) -> Answer {
        Answer::of(self.begin_with(line, body.into()).await).await
    }
}

impl Answer {
    async fn of<B>(response: http::Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: fmt::Debug,
    {
        let (head, body) = response.into_parts();
        Self {
            code: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }

    /// Returns a header, `-` if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("-", |value| value.to_str().unwrap_or("?"))
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content_type = self.header("content-type");
        write!(f, "{} {content_type} {}", self.code, self.text())
    }
}
