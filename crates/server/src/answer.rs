//! What serving a request produces, before `respond` makes HTTP of it.

use std::collections::VecDeque;

use api::{Gvk, Status, Value};
use bytes::Bytes;
use http::HeaderValue;
use schema::Shape;

use crate::{
    Body,
    body::Stream,
    media::{Accepted, Media},
};

/// What serving a request produced. Warnings are collected in the [`Call`](crate::Call).
pub enum Answer {
    /// One object, in the version and form asked for; `respond` encodes it as agreed.
    Object {
        /// 200, 201 or 202.
        code: u16,
        /// What was agreed with the client.
        accepted: Accepted,
        /// The object.
        content: Content,
    },
    /// A collection (or a table) whose pieces are encoded already.
    ///
    /// JSON and protobuf pieces go out as they lie. For YAML and pretty JSON serve hands over the
    /// compact JSON pieces and `respond` prints them anew (`encoded` is then [`Media::Json`]).
    List {
        /// What was agreed with the client.
        accepted: Accepted,
        /// What the pieces are.
        encoded: Media,
        /// The pieces, in order, which together are the whole body (protobuf: with the envelope).
        pieces: VecDeque<Bytes>,
    },
    /// A watch: frames come encoded (JSON lines, or length-prefixed protobuf); YAML is not streamed.
    Watch {
        /// Media type of the frames.
        media: Media,
        /// The frames. Ends by itself at the watch's time-out; the edge ends it at drain.
        frames: Stream,
    },
    /// A status that is no refusal: the success of a delete.
    Status {
        /// What was agreed with the client.
        accepted: Accepted,
        /// The status.
        status: Box<Status>,
    },
    /// A document that is ready: discovery, OpenAPI, health, metrics.
    Page(Page),
    /// What a mounted service answered, as it is (also an upgrade: code 101).
    Http(http::Response<Body>),
}

/// One object on its way out.
pub enum Content {
    /// Canonical compact JSON of the version asked for, as it lies in the store's memory, and its
    /// kind and shape for other media types.
    Bytes {
        /// The JSON.
        json: Bytes,
        /// Kind as it is shown.
        gvk: Gvk,
        /// Shape for protobuf.
        shape: Shape,
    },
    /// A tree, apiVersion and kind inside.
    Tree {
        /// The tree.
        value: Value,
        /// Kind as it is shown.
        gvk: Gvk,
        /// Shape for protobuf and for the order of fields.
        shape: Shape,
    },
    /// Already in the agreed media type (protobuf from a cache).
    Encoded(Bytes),
}

/// A document that is ready.
#[derive(Clone, Debug)]
pub struct Page {
    /// HTTP code.
    pub code: u16,
    /// `Content-Type`
    pub content_type: HeaderValue,
    /// Body.
    pub bytes: Bytes,
    /// `ETag` with its quotes; the answer is 304 if the client holds it.
    pub etag: Option<HeaderValue>,
    /// Further headers (`Vary`, `Cache-Control`, `X-Content-Type-Options`), which replace the usual ones.
    pub headers: Vec<(http::HeaderName, HeaderValue)>,
}

impl Page {
    /// Returns a plain text page.
    #[must_use]
    pub fn text(code: u16, bytes: impl Into<Bytes>) -> Self {
        Self {
            code,
            content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
            bytes: bytes.into(),
            etag: None,
            headers: Vec::new(),
        }
    }

    /// Returns a document as JSON or YAML.
    #[must_use]
    pub fn of_value(accepted: Accepted, value: &Value) -> Self {
        let mut out = Vec::with_capacity(1024);
        if accepted.media == Media::Yaml {
            api::yaml::write(value, &mut out);
        } else if accepted.pretty {
            api::json::write_pretty(value, &mut out);
        } else {
            api::json::write(value, &mut out);
            out.push(b'\n');
        }
        let mut page = Self::json(out);
        if accepted.media == Media::Yaml {
            page.content_type = HeaderValue::from_static(Media::Yaml.name());
        }
        page
    }

    /// Returns a JSON page.
    #[must_use]
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            code: 200,
            content_type: HeaderValue::from_static("application/json"),
            bytes: bytes.into(),
            etag: None,
            headers: Vec::new(),
        }
    }
}
