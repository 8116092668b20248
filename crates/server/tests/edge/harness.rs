//! A server on a loopback port of its own, and a client that says what came back.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use api::Text;
use base::{Clock, FakeClock, Rng, Task, Tasks, WallTime};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use server::{
    Limits, Server, ServerError, Setup,
    edge::{self, Tls, TlsMaterial},
    pages::{health::Health, version::Version},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Which HTTP the client offers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alpn {
    Http1,
    Http2,
}

/// A running server.
pub(crate) struct Harness {
    address: SocketAddr,
    tasks: Tasks,
    listening: Task<Result<(), ServerError>>,
    ca: rcgen::Certificate,
}

/// One connection to it.
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
    pub(crate) fn start() -> Self {
        Self::start_with(Clock::system())
    }

    /// A server whose clock stands still until it is moved.
    pub(crate) fn start_with_fake_clock() -> (Self, FakeClock) {
        let (clock, handle) = Clock::fake(WallTime::from_secs(1_800_000_000));
        (Self::start_with(clock), handle)
    }

    fn start_with(clock: Clock) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let ca = params.self_signed(&key).expect("a certificate");
        let tls = Tls::open(TlsMaterial {
            certificates: ca.pem().as_bytes(),
            key: key.serialize_pem().as_bytes(),
            client_ca: ca.pem().as_bytes(),
        })
        .expect("the material is sound");
        let tasks = Tasks::new();
        let server = Server::new(Setup {
            clock,
            tasks: tasks.clone(),
            rng: Rng::from_seed(1),
            version: Version {
                major: 1,
                minor: 37,
                git_version: Text::new("v1.37.1"),
                git_commit: Text::default(),
                build_date: Text::default(),
                platform: Text::new("linux/amd64"),
            },
            health: Health::new(Vec::new()),
            limits: Limits::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let listener = TcpListener::from_std(listener).expect("a socket");
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

    /// Waits until a connection waits for the clock, so that moving it has an effect.
    pub(crate) async fn accepted(&self, clock: &FakeClock) {
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
    }

    /// Connects up to TLS.
    pub(crate) async fn tls(&self, alpn: Alpn) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("a CA");
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
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
        let io = TokioIo::new(self.tls(alpn).await);
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

    /// Drains the server; everything must have ended soon.
    pub(crate) async fn stop(self) {
        let left = self
            .tasks
            .drain(&Clock::system(), Duration::from_secs(10))
            .await;
        assert_eq!(left, 0, "connections are left");
        let ended = self.listening.await.expect("it did not panic");
        assert!(ended.is_ok());
    }
}

impl Client {
    /// Sends `METHOD PATH`.
    pub(crate) async fn send(&mut self, line: &str) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let request = http::Request::builder().method(method);
        let body = Full::new(Bytes::new());
        let response = match self {
            Self::Http1(client) => {
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
        let (head, body) = response.expect("an answer").into_parts();
        Answer {
            code: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content_type = self.headers.get("content-type");
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {} {body}", self.code, content_type.unwrap_or("-"))
    }
}
