//! The body of an answer, as hyper takes it.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

/// Small pieces are joined up to about this size. Measured on a 45 MB list: 34 ms in pieces of
/// 64 KiB, 50 to 70 ms in pieces of one object each.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// A piece of at least this size is handed on as it lies; copying it would cost more than a frame.
const ALONE_BYTES: usize = 32 * 1024;

/// Why a streamed body broke off. The connection (or HTTP/2 stream) is reset, so the client sees
/// that the answer is not whole.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A boxed body that comes as it is made: watches and mounted services.
pub type Stream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// The body of an answer.
#[derive(Default)]
pub enum Body {
    /// No body.
    #[default]
    Empty,
    /// One piece.
    Full(Bytes),
    /// Many pieces, all there: a list as it lies in memory.
    Chunks(Chunks),
    /// Pieces to come.
    Stream(Stream),
}

/// Pieces that lie in memory, handed out in frames of about [`CHUNK_BYTES`].
#[derive(Default)]
pub struct Chunks {
    pieces: VecDeque<Bytes>,
    left_bytes: u64,
}

impl Body {
    /// Boxes a body that comes as it is made.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self::Stream(Box::pin(Boxed {
            body: Box::pin(body),
        }))
    }

    /// Calls `note` when the body is sent or given up.
    pub(crate) fn then(self, note: impl FnOnce() + Send + 'static) -> Self {
        Self::Stream(Box::pin(Noted {
            body: self,
            note: Some(Box::new(note)),
        }))
    }

    /// Returns these frames as a body that ends, whole, when the drain is requested: a client sees
    /// a watch that is over and starts a new one elsewhere.
    pub(crate) fn until_drain(frames: Stream, mut drain: base::Drain) -> Self {
        let signal = drain.clone();
        let drained = Box::pin(async move { drain.requested().await });
        Self::Stream(Box::pin(UntilDrain {
            frames,
            signal,
            drained,
            waker: None,
        }))
    }
}

/// Tells when a body is over.
struct Noted {
    body: Body,
    note: Option<Box<dyn FnOnce() + Send>>,
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(note) = self.note.take() {
            note();
        }
    }
}

impl http_body::Body for Noted {
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

/// Ends a body when the server drains.
struct UntilDrain {
    frames: Stream,
    signal: base::Drain,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whom the drain wakes already: asking it again at every event would cost more than the event.
    waker: Option<Waker>,
}

impl http_body::Body for UntilDrain {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.frames.as_mut().poll_frame(ctx);
        if polled.is_ready() {
            return polled;
        }
        let is_known = |waker: &Waker| waker.will_wake(ctx.waker());
        if self.waker.as_ref().is_some_and(is_known) {
            return match self.signal.is_requested() {
                true => Poll::Ready(None),
                false => polled,
            };
        }
        if self.drained.as_mut().poll(ctx).is_ready() {
            return Poll::Ready(None);
        }
        self.waker = Some(ctx.waker().clone());
        polled
    }
}

/// Gives a body our error type.
struct Boxed<B> {
    body: Pin<Box<B>>,
}

impl<B> http_body::Body for Boxed<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.body
            .as_mut()
            .poll_frame(ctx)
            .map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Chunks {
    /// Returns these pieces as a body.
    #[must_use]
    pub fn new(pieces: VecDeque<Bytes>) -> Self {
        let left_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, left_bytes }
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    /// Joins all that is left.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(usize::try_from(self.left_bytes).unwrap_or(0));
        for piece in self.pieces.drain(..) {
            out.extend_from_slice(&piece);
        }
        out.freeze()
    }

    /// Takes the next frame's bytes.
    pub fn take_frame(&mut self) -> Option<Bytes> {
        let first = loop {
            let piece = self.pieces.pop_front()?;
            if !piece.is_empty() {
                break piece;
            }
        };
        let frame = if first.len() >= ALONE_BYTES || self.pieces.is_empty() {
            first
        } else {
            self.join(&first)
        };
        self.left_bytes -= frame.len() as u64;
        Some(frame)
    }

    /// Joins small pieces behind `first`, up to a large one or a full frame.
    fn join(&mut self, first: &Bytes) -> Bytes {
        let room = usize::try_from(self.left_bytes).unwrap_or(usize::MAX);
        let mut frame = BytesMut::with_capacity(room.min(CHUNK_BYTES + ALONE_BYTES));
        frame.extend_from_slice(first);
        while frame.len() < CHUNK_BYTES {
            let Some(next) = self.pieces.front() else {
                break;
            };
            if next.len() >= ALONE_BYTES {
                break;
            }
            frame.extend_from_slice(next);
            self.pieces.pop_front();
        }
        frame.freeze()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = match &mut *self {
            Self::Empty => None,
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                (!bytes.is_empty()).then_some(bytes)
            }
            Self::Chunks(chunks) => chunks.take_frame(),
            Self::Stream(stream) => return stream.as_mut().poll_frame(ctx),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Chunks(chunks) => chunks.left_bytes == 0,
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Chunks(chunks) => SizeHint::with_exact(chunks.left_bytes),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Full(Bytes::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;

    use super::{ALONE_BYTES, CHUNK_BYTES, Chunks};

    /// Sizes of pieces in, sizes of frames out.
    #[track_caller]
    fn check(pieces: &[usize], expected: &[usize]) {
        let pieces: VecDeque<Bytes> = pieces
            .iter()
            .map(|size| Bytes::from(vec![7; *size]))
            .collect();
        let mut chunks = Chunks::new(pieces);
        let frames: Vec<usize> = std::iter::from_fn(|| chunks.take_frame())
            .map(|frame| frame.len())
            .collect();
        assert_eq!(frames, expected);
        assert_eq!(chunks.left_bytes(), 0);
    }

    #[test]
    fn joins_small_pieces_and_leaves_large_ones_alone() {
        check(&[], &[]);
        check(&[0, 0], &[]);
        check(&[1, 2, 3], &[6]);
        check(&[10, ALONE_BYTES, 10], &[10, ALONE_BYTES, 10]);
        check(&[CHUNK_BYTES * 3, 5, 5], &[CHUNK_BYTES * 3, 10]);
        check(&[30_000, 30_000, 30_000, 30_000], &[90_000, 30_000]);
    }
}
