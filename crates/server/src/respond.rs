//! Makes HTTP of an answer. The only file that knows HTTP codes and headers of answers.

use std::collections::VecDeque;

use api::{Status, Value, json};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, WARNING,
    },
};

use crate::{
    Answer, Body, Content, Refusal, Server,
    answer::Page,
    audit::AUDIT_ID,
    body::Chunks,
    error::Refused,
    media::{Accepted, Media},
    request::Request,
};

const NOSNIFF: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-content-type-options"),
    HeaderValue::from_static("nosniff"),
);
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, private");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A request on its way through the phases, and what is told with its answer whatever that is.
pub(crate) struct Exchange {
    /// The request.
    pub(crate) request: Request,
    /// Its body, until it is read.
    pub(crate) body: Body,
    /// Warnings for the client.
    pub(crate) warnings: Vec<String>,
}

impl Exchange {
    pub(crate) fn new(request: Request, body: Body) -> Self {
        Self {
            request,
            body,
            warnings: Vec::new(),
        }
    }
}

/// Writes the answer, or the refusal.
pub(crate) fn write(
    server: &Server,
    exchange: Exchange,
    outcome: Result<Answer, Refusal>,
) -> Response<Body> {
    let _ = server;
    let mut response = match outcome {
        Ok(answer) => write_answer(&exchange, answer),
        Err(refusal) => write_refusal(&exchange, refusal),
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&exchange.request.audit_id) {
        headers.insert(AUDIT_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(NO_CACHE);
    for warning in &exchange.warnings {
        if let Ok(value) = HeaderValue::from_str(&format!("299 - {warning:?}")) {
            headers.append(WARNING, value);
        }
    }
    if exchange.request.method == Method::HEAD {
        empty(&mut response);
    }
    response
}

fn write_answer(exchange: &Exchange, answer: Answer) -> Response<Body> {
    match answer {
        Answer::Object {
            code,
            accepted,
            content,
        } => plain(code, media_type(accepted.media), object(accepted, content)),
        Answer::List {
            accepted, pieces, ..
        } => {
            let body = Body::Chunks(Chunks::new(pieces));
            plain(200, media_type(accepted.media), body)
        }
        Answer::Watch { media, frames } => {
            let content_type = match media {
                Media::Json | Media::Yaml => HeaderValue::from_static("application/json"),
                Media::Protobuf => {
                    HeaderValue::from_static("application/vnd.kubernetes.protobuf;stream=watch")
                }
            };
            plain(200, content_type, Body::Stream(frames))
        }
        Answer::Status { accepted, status } => write_status(accepted, &status),
        Answer::Page(page) => write_page(exchange, page),
        Answer::Http(response) => response,
    }
}

fn write_refusal(_exchange: &Exchange, refusal: Refusal) -> Response<Body> {
    let mut response = match refusal.into_refused() {
        Refused::Status(status) => write_status(Accepted::default(), &status),
        Refused::Page { code, text } => plain(code, TEXT, format!("{text}\n").into_bytes()),
    };
    let (name, value) = NOSNIFF;
    response.headers_mut().insert(name, value);
    response
}

fn write_status(accepted: Accepted, status: &Status) -> Response<Body> {
    let body = tree(accepted, &status.to_value());
    let mut response = plain(status.code, media_type(accepted.media), body);
    let retry = status.details.as_ref().map_or(0, |d| d.retry_after_seconds);
    if retry > 0 {
        response.headers_mut().insert(RETRY_AFTER, retry.into());
    }
    response
}

fn write_page(exchange: &Exchange, page: Page) -> Response<Body> {
    let held = exchange.request.headers.get(IF_NONE_MATCH);
    let is_held = page.etag.is_some() && held == page.etag.as_ref();
    let mut response = if is_held {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        plain(page.code, page.content_type, page.bytes)
    };
    let headers = response.headers_mut();
    if let Some(etag) = page.etag {
        headers.insert(ETAG, etag);
    }
    headers.extend(page.headers);
    response
}

fn plain(code: u16, content_type: HeaderValue, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Takes the body away and says how long it was.
fn empty(response: &mut Response<Body>) {
    use http_body::Body as _;
    let body = std::mem::take(response.body_mut());
    if let Some(size) = body.size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, size.into());
    }
}

fn media_type(media: Media) -> HeaderValue {
    HeaderValue::from_static(media.name())
}

fn object(accepted: Accepted, content: Content) -> Body {
    match content {
        Content::Bytes { json, .. } if accepted.media == Media::Json && !accepted.pretty => {
            let pieces = VecDeque::from([json, Bytes::from_static(b"\n")]);
            Body::Chunks(Chunks::new(pieces))
        }
        Content::Bytes { json, .. } => match json::read(&json) {
            Ok(parsed) => tree(accepted, &parsed.value),
            Err(_) => Body::Full(json),
        },
        Content::Tree { value, .. } => tree(accepted, &value),
        Content::Encoded(bytes) => Body::Full(bytes),
    }
}

fn tree(accepted: Accepted, value: &Value) -> Body {
    let mut out = Vec::with_capacity(1024);
    if accepted.pretty {
        json::write_pretty(value, &mut out);
    } else {
        json::write(value, &mut out);
        out.push(b'\n');
    }
    Body::from(out)
}
