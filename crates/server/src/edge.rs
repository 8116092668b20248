//! The edge: sockets, TLS and HTTP framing. The only file where hyper calls us back.
//!
//! Life of a connection: accept → TLS handshake → HTTP/1.1 or HTTP/2 by ALPN → requests, each into
//! [`phases::handle`](crate::phases) → idle, or drain → closed. A connection that fails ends alone.
//!
//! Invariant: whatever a peer sends or fails to send, only its own connection ends.

mod gather;
pub mod outbound;
pub mod tls;
mod watchdog;

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use access::{User, identify::Certified};
use base::Drain;
use http::Request as HttpRequest;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{Body, Server, ServerError, phases};

pub use outbound::Outbound;
pub(crate) use outbound::dial;
pub use tls::{Tls, TlsMaterial};
use watchdog::{Activity, Watched};

/// Upstream's limits of one connection.
const HEADER_BYTES_MAX: usize = 1 << 20;
const HEADERS_MAX: usize = 512;
const STREAMS_MAX: u32 = 100;
/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Upstream sizes windows so that nearly every object fits one frame: 256 KiB per stream, and that
/// times the streams per connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_MAX;
/// What one stream may have waiting to be sent. Large lists go out in few wake-ups, and what was
/// joined is still in the processor's cache when TLS reads it.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// A peer that vanished without a word is found after this long without traffic.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// When the process has no file descriptor left, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a connection. Made once per connection.
#[derive(Debug, Default)]
pub struct Peer {
    /// Where it is.
    pub address: Option<SocketAddr>,
    /// What became of the certificate it presented; absent if it presented none.
    pub certified: Option<Certified>,
    /// Who it is, when it is in this process and needs no proof.
    pub user: Option<Arc<User>>,
}

impl Peer {
    /// Returns a caller in this process.
    #[must_use]
    pub fn in_process(user: User) -> Self {
        Self {
            user: Some(Arc::new(user)),
            ..Self::default()
        }
    }
}

/// Accepts connections until the drain is requested, then lets requests in flight end.
///
/// Returns when the last connection is closed. Dropping the future stops accepting; connections
/// that stand go on.
///
/// # Errors
/// [`ServerError::Listen`] when the listener is broken for good.
pub async fn listen(server: Server, listener: TcpListener, tls: Tls) -> Result<(), ServerError> {
    let acceptor = TlsAcceptor::from(tls.config());
    let open = Arc::new(Open::default());
    let mut drain = server.drain_signal();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.requested() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let Some(place) = open.enter(server.limits().connections_max) else {
                    // Closing at once tells the peer more than a handshake that never ends.
                    continue;
                };
                let (server, acceptor) = (server.clone(), acceptor.clone());
                let tasks = server.tasks().clone();
                tasks.spawn("connection", async move {
                    let _place = place;
                    serve_tcp(&server, &acceptor, stream, address).await;
                });
            }
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                server.clock().sleep(ACCEPT_PAUSE).await;
            }
            Err(error) => return Err(ServerError::Listen(error)),
        }
    }
    drop(listener);
    open.closed().await;
    Ok(())
}

/// Returns whether accepting may work again later: the peer gave up, or descriptors ran out.
fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, InvalidInput,
        NotConnected, Unsupported,
    };
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted => true,
        InvalidInput | NotConnected | Unsupported => false,
        _ => error.raw_os_error().is_some(),
    }
}

async fn serve_tcp(
    server: &Server,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let handshake = server
        .clock()
        .timeout(HANDSHAKE, acceptor.accept(stream))
        .await;
    match handshake {
        Ok(Ok(stream)) => serve_tls(server, stream, address).await,
        Ok(Err(error)) => {
            server.metrics().note_failed_handshake();
            tracing::debug!(%address, %error, "TLS handshake failed");
        }
        Err(_) => {
            server.metrics().note_failed_handshake();
            tracing::debug!(%address, "TLS handshake took too long");
        }
    }
}

async fn serve_tls(server: &Server, stream: TlsStream<TcpStream>, address: SocketAddr) {
    let session = stream.get_ref().1;
    let speaks_http2 = session.alpn_protocol() == Some(tls::ALPN_HTTP2);
    let peer = Arc::new(Peer {
        address: Some(address),
        certified: session.peer_certificates().and_then(|chain| {
            let certificates = &server.access().certificates;
            certificates.judge(chain, server.clock().wall())
        }),
        user: None,
    });
    let clock = server.clock().clone();
    let activity = Arc::new(if speaks_http2 {
        Activity::http2(clock)
    } else {
        Activity::http1(clock)
    });
    let stream = Watched::new(stream, Arc::clone(&activity));
    let service = {
        let (server, activity) = (server.clone(), Arc::clone(&activity));
        service_fn(move |request: HttpRequest<Incoming>| {
            let (server, peer) = (server.clone(), Arc::clone(&peer));
            let in_flight = activity.enter();
            async move {
                let request = request.map(incoming);
                let response = phases::handle(&server, &peer, request).await;
                Ok::<_, Infallible>(response.map(|body| in_flight.hold(body)))
            }
        })
    };
    let mut drain = server.drain_signal();
    let result = if speaks_http2 {
        let (gathered, spout) = gather::gather(stream);
        let connection = http2_builder().serve_connection(TokioIo::new(gathered), service);
        let served = async {
            let mut connection = pin!(connection);
            tokio::select! {
                biased;
                () = stop(&mut drain, &activity) => {
                    connection.as_mut().graceful_shutdown();
                    finish(&activity, connection).await
                }
                result = connection.as_mut() => result,
            }
        };
        spout.drive(&activity, served).await
    } else {
        let connection = http1_builder()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            () = stop(&mut drain, &activity) => {
                connection.as_mut().graceful_shutdown();
                finish(&activity, connection).await
            }
            result = connection.as_mut() => result,
        }
    };
    if let Err(error) = result {
        tracing::debug!(%address, error = %base::Chain(&error), "connection ended");
    }
}

/// Waits for a reason to close the connection from our side.
async fn stop(drain: &mut Drain, activity: &Activity) {
    tokio::select! {
        () = drain.requested() => {}
        () = activity.spent() => {}
    }
}

/// Lets what is in flight end; a peer that stalls is cut off.
async fn finish(
    activity: &Activity,
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> Result<(), hyper::Error> {
    tokio::select! {
        result = connection => result,
        () = activity.stalled() => Ok(()),
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .header_read_timeout(None)
        .half_close(false);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    // hyper spawns one task per stream with this executor. They end with their connection, which
    // is a task of ours, and the phases catch their panics.
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(STREAM_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    builder
}

/// Boxes a body that is not empty, so that nothing below knows hyper.
fn incoming(body: Incoming) -> Body {
    use http_body::Body as _;
    if body.is_end_stream() {
        Body::Empty
    } else {
        Body::stream(body)
    }
}

/// Counts open connections.
#[derive(Default)]
struct Open {
    count: AtomicUsize,
    closed: tokio::sync::Notify,
}

/// A place among the open connections; dropping it gives it back.
struct Place(Arc<Open>);

impl Open {
    fn enter(self: &Arc<Self>, limit: usize) -> Option<Place> {
        if self.count.fetch_add(1, Ordering::AcqRel) >= limit {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Place(Arc::clone(self)))
    }

    async fn closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            closed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.closed.notify_waiters();
        }
    }
}
