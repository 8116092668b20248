//! Sees when a connection is idle, when its peer dawdles over a header, and when it stops reading.
//!
//! One timer per connection, which wakes a few times a minute; reading and writing only store a
//! number.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use base::{Clock, Moment};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Body, body::BodyError};

/// A connection without requests is closed after this long, as upstream.
const IDLE: Duration = Duration::from_secs(90);
/// A request's header must be there this long after its first byte, as upstream.
const HEADER: Duration = Duration::from_secs(32);
/// A peer that takes nothing for this long, while we have something to send, is cut off.
const STALL: Duration = Duration::from_secs(60);
/// How often the timer looks.
const LOOK_EVERY: Duration = Duration::from_secs(8);

/// What has happened on a connection lately. Times are milliseconds since it began; 0 is "no".
#[derive(Debug)]
pub(super) struct Activity {
    clock: Clock,
    began: Moment,
    /// HTTP/2 peers send pings while they rest; only on HTTP/1.1 do bytes mean a request.
    header_limit: Option<Duration>,
    in_flight: AtomicUsize,
    /// When the last request ended.
    rested_ms: AtomicU64,
    /// When the first byte since then came.
    first_byte_ms: AtomicU64,
    /// Since when a write waits.
    blocked_ms: AtomicU64,
}

/// A request in flight; dropping it counts it down.
pub(super) struct InFlight(Arc<Activity>);

/// Keeps a request in flight until its body is sent.
struct Held {
    body: Body,
    _in_flight: InFlight,
}

impl Activity {
    pub(super) fn http1(clock: Clock) -> Self {
        Self::new(clock, Some(HEADER))
    }

    pub(super) fn http2(clock: Clock) -> Self {
        Self::new(clock, None)
    }

    fn new(clock: Clock, header_limit: Option<Duration>) -> Self {
        Self {
            began: clock.now(),
            clock,
            header_limit,
            in_flight: AtomicUsize::new(0),
            rested_ms: AtomicU64::new(1),
            first_byte_ms: AtomicU64::new(0),
            blocked_ms: AtomicU64::new(0),
        }
    }

    /// Counts a request in.
    pub(super) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.first_byte_ms.store(0, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Returns how many requests are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Waits until the connection has been idle, slow or stalled for too long.
    pub(super) async fn spent(&self) {
        loop {
            self.clock.sleep(LOOK_EVERY).await;
            if self.is_idle() || self.is_stalled() {
                return;
            }
        }
    }

    /// Waits until the peer has taken nothing, or sent no whole header, for too long.
    pub(super) async fn stalled(&self) {
        while !self.is_stalled() && self.in_flight.load(Ordering::Relaxed) > 0 {
            self.clock.sleep(LOOK_EVERY).await;
        }
        // Nothing in flight: the peer has one more moment to close its side.
        self.clock.sleep(LOOK_EVERY).await;
    }

    fn is_idle(&self) -> bool {
        let is_slow = |limit| self.is_over(&self.first_byte_ms, limit);
        self.in_flight.load(Ordering::Relaxed) == 0
            && (self.is_over(&self.rested_ms, IDLE) || self.header_limit.is_some_and(is_slow))
    }

    fn is_stalled(&self) -> bool {
        self.is_over(&self.blocked_ms, STALL)
    }

    fn is_over(&self, since_ms: &AtomicU64, limit: Duration) -> bool {
        let since = since_ms.load(Ordering::Relaxed);
        since != 0 && self.now_ms().saturating_sub(since) >= limit.as_millis() as u64
    }

    fn now_ms(&self) -> u64 {
        (self.clock.now().since(self.began).as_millis() as u64).max(1)
    }

    fn note_read(&self) {
        if self.header_limit.is_some()
            && self.in_flight.load(Ordering::Relaxed) == 0
            && self.first_byte_ms.load(Ordering::Relaxed) == 0
        {
            self.first_byte_ms.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    fn note_write(&self, blocked: bool) {
        let since = self.blocked_ms.load(Ordering::Relaxed);
        if !blocked && since != 0 {
            self.blocked_ms.store(0, Ordering::Relaxed);
        } else if blocked && since == 0 {
            self.blocked_ms.store(self.now_ms(), Ordering::Relaxed);
        }
    }
}

impl InFlight {
    /// Keeps the request in flight until `body` is sent (or given up).
    pub(super) fn hold(self, body: Body) -> Body {
        match body {
            // These leave in one go; nothing is gained by watching them.
            Body::Empty | Body::Full(_) => body,
            body => Body::Stream(Box::pin(Held {
                body,
                _in_flight: self,
            })),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.rested_ms.store(self.0.now_ms(), Ordering::Relaxed);
        }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(ctx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose reads and writes are noted.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(ctx, buf);
        if polled.is_ready() {
            self.activity.note_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(ctx, bytes);
        self.activity.note_write(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(ctx, slices);
        self.activity.note_write(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(ctx);
        self.activity.note_write(polled.is_pending());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(ctx)
    }
}

#[cfg(test)]
mod tests;
