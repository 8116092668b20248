//! Gathers what HTTP/2 writes, so that one turn of a connection is one write to its socket.
//!
//! h2 writes each DATA frame of more than a few bytes for itself, and a TLS stream makes a record
//! and a system call of each write. A connection with many watches would so make one of both for
//! every event and watch, and that is most of what an event costs. Here frames lie in one buffer
//! until the connection has had its turn.
//!
//! Invariant: nothing stays in the buffer after a turn unless the socket is full, and then the
//! socket wakes the connection.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watchdog::Activity;

/// More than this does not wait for the end of the turn: four TLS records.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// A write of at least this size is a record of its own anyhow; copying it would gain nothing.
const ALONE_BYTES: usize = 16 * 1024;

/// A buffer that grew larger is given back once it is written.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// A connection with this many requests in flight lets those that are ready go first.
const CROWD: usize = 8;

/// How often a crowded connection lets others go first at most. The scheduler serves about sixty
/// tasks before it comes back, which is a part of what one event wakes.
const YIELDS_MAX: usize = 6;

/// The stream as HTTP/2 sees it: writes are taken at once.
pub(super) struct Gathered<S>(Arc<Mutex<Outlet<S>>>);

/// Writes what was gathered.
pub(super) struct Spout<S>(Arc<Mutex<Outlet<S>>>);

struct Outlet<S> {
    stream: S,
    held: Vec<u8>,
    /// How much of `held` is written.
    written: usize,
    /// Something was written in this turn, or did not leave in an earlier one.
    flushes: bool,
    /// Why the socket takes no more; HTTP/2 is told when it next reads or writes.
    broken: Option<io::ErrorKind>,
}

/// Returns the two ends of a stream: one for HTTP/2, one for whoever polls the connection.
pub(super) fn gather<S>(stream: S) -> (Gathered<S>, Spout<S>) {
    let outlet = Arc::new(Mutex::new(Outlet {
        stream,
        held: Vec::new(),
        written: 0,
        flushes: false,
        broken: None,
    }));
    (Gathered(Arc::clone(&outlet)), Spout(outlet))
}

impl<S: AsyncWrite + Unpin> Outlet<S> {
    /// Writes what is held, as far as the socket takes it.
    fn push(&mut self, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.held.len() {
            let rest = &self.held[self.written..];
            let count = ready!(Pin::new(&mut self.stream).poll_write(ctx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.written = 0;
        if self.held.capacity() > KEPT_BYTES_MAX {
            self.held = Vec::new();
        } else {
            self.held.clear();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is held and what the stream itself holds.
    fn flush(&mut self, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.push(ctx))?;
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    /// Ends a turn of the connection: everything leaves that the socket takes.
    fn end_turn(&mut self, ctx: &mut Context<'_>) {
        if self.broken.is_some() || !self.flushes {
            return;
        }
        match self.flush(ctx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.flushes = false,
            Poll::Ready(Err(error)) => {
                self.broken = Some(error.kind());
                self.held = Vec::new();
                self.written = 0;
                ctx.waker().wake_by_ref();
            }
        }
    }

    fn check(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut outlet = self.0.lock();
        outlet.check()?;
        Pin::new(&mut outlet.stream).poll_read(ctx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(ctx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut outlet = self.0.lock();
        outlet.check()?;
        outlet.flushes = true;
        let count: usize = slices.iter().map(|slice| slice.len()).sum();
        if count >= ALONE_BYTES || outlet.held.len() + count > HELD_BYTES_MAX {
            ready!(outlet.push(ctx))?;
        }
        if count >= ALONE_BYTES {
            return Pin::new(&mut outlet.stream).poll_write_vectored(ctx, slices);
        }
        if outlet.held.len() + count > KEPT_BYTES_MAX.max(outlet.held.capacity()) {
            // Growing step by step would copy a crowd's frames several times.
            let room = HELD_BYTES_MAX - outlet.held.len();
            outlet.held.reserve_exact(room);
        }
        for slice in slices {
            outlet.held.extend_from_slice(slice);
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: h2 flushes after every frame, and the end of the turn writes them all.
    fn poll_flush(self: Pin<&mut Self>, _ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outlet = self.0.lock();
        outlet.check()?;
        ready!(outlet.flush(ctx))?;
        Pin::new(&mut outlet.stream).poll_shutdown(ctx)
    }
}

impl<S: AsyncWrite + Unpin> Spout<S> {
    /// Polls `connection` and writes what it left. A crowded one is polled after the streams that
    /// are ready have said what they have to say.
    ///
    /// Dropping the future drops what is held, as dropping the connection does with its frames.
    pub(super) async fn drive<C>(self, activity: &Activity, connection: C) -> C::Output
    where
        C: Future,
    {
        let mut connection = std::pin::pin!(connection);
        let mut yields = 0;
        std::future::poll_fn(move |ctx| {
            if yields < wanted_yields(activity) {
                yields += 1;
                // The worker comes back to those who yield after a look at what else is ready.
                let mut yielding = std::pin::pin!(tokio::task::yield_now());
                if yielding.as_mut().poll(ctx).is_pending() {
                    return Poll::Pending;
                }
            }
            yields = 0;
            let polled = connection.as_mut().poll(ctx);
            self.0.lock().end_turn(ctx);
            polled
        })
        .await
    }
}

/// Returns how often a connection lets others go first before its turn.
fn wanted_yields(activity: &Activity) -> usize {
    (activity.in_flight() / CROWD).min(YIELDS_MAX)
}

#[cfg(test)]
mod tests {
    use std::{io, pin::Pin, task::Poll};

    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

    use super::{ALONE_BYTES, HELD_BYTES_MAX, gather};
    use crate::edge::watchdog::Activity;

    /// Remembers how long each write was, and takes `room` bytes before it fails.
    struct Socket {
        writes: std::sync::Arc<parking_lot::Mutex<Vec<usize>>>,
        room: usize,
    }

    impl AsyncWrite for Socket {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _ctx: &mut std::task::Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if bytes.len() > self.room {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            self.room -= bytes.len();
            self.writes.lock().push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(
            self: Pin<&mut Self>,
            _ctx: &mut std::task::Context<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(
            self: Pin<&mut Self>,
            _ctx: &mut std::task::Context<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for Socket {
        fn poll_read(
            self: Pin<&mut Self>,
            _ctx: &mut std::task::Context<'_>,
            _buf: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// Sizes that HTTP/2 writes and flushes in one turn, sizes that the socket sees.
    async fn check(sizes: &[usize], expected: &[usize]) {
        let writes = std::sync::Arc::default();
        let room = usize::MAX;
        let socket = Socket {
            writes: std::sync::Arc::clone(&writes),
            room,
        };
        let (mut gathered, spout) = gather(socket);
        let activity = Activity::http2(base::Clock::system());
        spout
            .drive(&activity, async {
                for size in sizes {
                    gathered
                        .write_all(&vec![7; *size])
                        .await
                        .expect("it is taken");
                    gathered.flush().await.expect("it is taken");
                }
            })
            .await;
        assert_eq!(*writes.lock(), expected);
    }

    #[tokio::test]
    async fn one_turn_is_one_write() {
        check(&[], &[]).await;
        check(&[10, 20, 30], &[60]).await;
        check(&[10, ALONE_BYTES, 10], &[10, ALONE_BYTES, 10]).await;
        let large = ALONE_BYTES - 1;
        let full = HELD_BYTES_MAX / large * large;
        check(&[large; 6], &[full, 6 * large - full]).await;
    }

    #[tokio::test]
    async fn a_socket_that_failed_ends_the_reading() {
        let writes = std::sync::Arc::default();
        let (mut gathered, spout) = gather(Socket { writes, room: 5 });
        let activity = Activity::http2(base::Clock::system());
        let outcome = spout
            .drive(&activity, async {
                gathered.write_all(b"too much").await.expect("it is held");
                gathered.read_u8().await
            })
            .await;
        let error = outcome.expect_err("nothing can be read");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
