//! Compresses large answers as they are sent.
//!
//! Source: k8s.io/apiserver v0.37.1, pkg/endpoints/handlers/responsewriters: gzip, level 1, from
//! 128 KiB on, when the client takes it.

use std::{
    io::Write,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body as _, Frame};

use crate::{
    Body,
    body::{BodyError, CHUNK_BYTES, Chunks},
};

/// Smaller answers go out as they are.
const FROM_BYTES: u64 = 128 * 1024;
/// Upstream's level: the cheapest.
const LEVEL: Compression = Compression::new(1);

/// Compresses the body if it is large and the client takes it.
pub(super) fn apply(asked: &HeaderMap, headers: &mut HeaderMap, body: Body) -> Body {
    let is_large = body
        .size_hint()
        .exact()
        .is_some_and(|size| size > FROM_BYTES);
    if !is_large || !is_taken(asked) || headers.contains_key(header::CONTENT_ENCODING) {
        return body;
    }
    let chunks = match body {
        Body::Full(bytes) => Chunks::new(pieces(bytes).collect()),
        Body::Chunks(chunks) => chunks,
        other => return other,
    };
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Body::Stream(Box::pin(Gzip {
        chunks,
        encoder: Some(GzEncoder::new(Vec::with_capacity(CHUNK_BYTES), LEVEL)),
    }))
}

/// Returns whether `Accept-Encoding` names gzip. Upstream knows neither `*` nor qualities: a name
/// with one is another name.
fn is_taken(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter();
    let mut values = values.filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim() == "gzip"))
}

/// Cuts a large piece, so that no single step compresses for long.
fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(CHUNK_BYTES)))
    })
}

struct Gzip {
    chunks: Chunks,
    /// Absent when the end is written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    /// Compresses until a frame is full, or the end.
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(None);
        };
        while let Some(piece) = self.chunks.take_frame() {
            encoder.write_all(&piece)?;
            if encoder.get_ref().len() >= CHUNK_BYTES / 2 {
                let full = std::mem::replace(encoder.get_mut(), Vec::with_capacity(CHUNK_BYTES));
                return Ok(Some(Bytes::from(full)));
            }
        }
        let encoder = self.encoder.take();
        let end = encoder.map(GzEncoder::finish).transpose()?;
        Ok(end.map(Bytes::from))
    }
}

impl http_body::Body for Gzip {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = self.next().map_err(BodyError::from);
        Poll::Ready(next.transpose().map(|bytes| bytes.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use bytes::Bytes;
    use http::HeaderMap;
    use http_body_util::BodyExt;

    use super::apply;
    use crate::Body;

    async fn check(accept: &str, size: usize, is_packed: bool) {
        let mut asked = HeaderMap::new();
        asked.insert("accept-encoding", accept.parse().expect("a header"));
        let mut headers = HeaderMap::new();
        let text: Vec<u8> = (0..size).map(|n| b'a' + (n % 7) as u8).collect();
        let body = apply(&asked, &mut headers, Body::from(text.clone()));
        let bytes: Bytes = body.collect().await.expect("it is whole").to_bytes();
        assert_eq!(
            headers.contains_key("content-encoding"),
            is_packed,
            "{accept}"
        );
        if is_packed {
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
            decoder.read_to_end(&mut unpacked).expect("it is gzip");
            assert!(unpacked == text && bytes.len() < size / 10);
        } else {
            assert!(bytes == text);
        }
    }

    #[tokio::test]
    async fn packs_only_what_is_large_and_taken() {
        check("gzip", 1_000_000, true).await;
        check("br, gzip", 200_000, true).await;
        check("br, gzip;q=0.5", 200_000, false).await;
        check("*", 200_000, false).await;
        check("gzip", 128 * 1024, false).await;
        check("identity", 1_000_000, false).await;
    }
}
