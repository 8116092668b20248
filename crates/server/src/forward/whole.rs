//! Reads a body whole, up to a limit.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};

use crate::{Body, body::BodyError};

/// Pages up to this size are rewritten; larger ones are passed on as they come.
const BYTES_MAX: usize = 8 << 20;

/// A body that was read.
pub(super) enum Read {
    /// All of it.
    Whole(Vec<u8>),
    /// It is too large or broke off: what was read, and then the rest, is this body.
    Partly(Body),
}

/// Reads a body.
pub(super) async fn read(mut body: Body) -> Read {
    let mut text = Vec::new();
    let rest = loop {
        let frame = std::future::poll_fn(|ctx| Pin::new(&mut body).poll_frame(ctx)).await;
        match frame {
            None => return Read::Whole(text),
            Some(Err(error)) => break Rest::Broken(Some(error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    text.extend_from_slice(&data);
                }
            }
        }
        if text.len() > BYTES_MAX {
            break Rest::Body(body);
        }
    };
    Read::Partly(Body::Stream(Box::pin(Resumed {
        first: Some(text.into()),
        rest,
    })))
}

/// What comes after what was read.
enum Rest {
    Body(Body),
    Broken(Option<BodyError>),
}

/// What was read of a body, and then its rest.
struct Resumed {
    first: Option<Bytes>,
    rest: Rest,
}

impl http_body::Body for Resumed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match &mut self.rest {
            Rest::Body(body) => Pin::new(body).poll_frame(ctx),
            Rest::Broken(error) => Poll::Ready(error.take().map(Err)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::{BodyExt, Full};

    use super::{BYTES_MAX, Read, read};
    use crate::{Body, body::BodyError};

    #[tokio::test]
    async fn what_is_too_large_is_passed_on() {
        let large = Bytes::from(vec![b'x'; BYTES_MAX + 1]);
        let body = Body::stream(Full::new(large.clone()));
        let Read::Partly(rest) = read(body).await else {
            panic!("it is too large");
        };
        let rest = rest.collect().await.expect("it is whole").to_bytes();
        assert_eq!(rest.len(), large.len());
        let small = Body::stream(Full::new(Bytes::from_static(b"page")));
        let Read::Whole(page) = read(small).await else {
            panic!("it is small");
        };
        assert_eq!(page, b"page");
    }

    /// Two bytes, and then an error.
    struct Breaking(usize);

    impl http_body::Body for Breaking {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            self.0 += 1;
            Poll::Ready(match self.0 {
                1 => Some(Ok(Frame::data(Bytes::from_static(b"<a")))),
                2 => Some(Err("gone".into())),
                _ => None,
            })
        }
    }

    #[tokio::test]
    async fn what_breaks_off_breaks_off() {
        let Read::Partly(rest) = read(Body::stream(Breaking(0))).await else {
            panic!("it broke off");
        };
        let error = rest.collect().await.expect_err("it broke off");
        assert_eq!(error.to_string(), "gone");
    }
}
