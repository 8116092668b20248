//! Makes HTTP of an answer. The only place that knows the codes and headers of answers.

mod encode;
mod gzip;
mod warnings;

use api::Status;
use http::{
    Extensions, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER},
};

use crate::{
    Answer, Body, Refusal, Server,
    answer::Page,
    audit::AUDIT_ID,
    error::Refused,
    media::{self, Accepted, Media},
    metrics::Known,
    queue::Load,
    request::Request,
};

const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
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
    /// What the transport can do beyond HTTP, for mounted services.
    pub(crate) extensions: Extensions,
    /// Whether a route was found; metrics name only what is served.
    pub(crate) known: Known,
}

impl Exchange {
    pub(crate) fn new(request: Request, body: Body, extensions: Extensions) -> Self {
        Self {
            request,
            body,
            warnings: Vec::new(),
            extensions,
            known: Known::Unknown,
        }
    }
}

/// Writes the answer, or the refusal.
pub(crate) fn write(
    server: &Server,
    exchange: &Exchange,
    outcome: Result<Answer, Refusal>,
) -> Response<Body> {
    let request = &exchange.request;
    let mut response = match outcome {
        Ok(Answer::Http(response)) => response,
        Ok(answer) => {
            let response = write_answer(server, request, answer);
            let (mut head, body) = response.into_parts();
            let body = gzip::apply(&request.headers, &mut head.headers, body);
            Response::from_parts(head, body)
        }
        Err(refusal) => write_refusal(request, refusal),
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request.audit_id) {
        headers.insert(AUDIT_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(NO_CACHE);
    warnings::put(&exchange.warnings, headers);
    if request.method == Method::HEAD {
        take_body(&mut response);
    }
    count(server, exchange, response)
}

/// Counts the answer: at once, or a stream when it ends.
fn count(server: &Server, exchange: &Exchange, response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;
    let series = server.metrics().series(&exchange.request, exchange.known);
    let (code, arrived) = (response.status().as_u16(), exchange.request.arrived);
    if exchange.request.load() == Load::Long && response.status().is_success() {
        let (open, clock) = (series.open(), server.clock().clone());
        let note = move || {
            series.note(code, clock.now().since(arrived), None);
            drop(open);
        };
        return response.map(|body| body.then(note));
    }
    let took = server.clock().now().since(arrived);
    series.note(code, took, response.body().size_hint().exact());
    response
}

fn write_answer(server: &Server, request: &Request, answer: Answer) -> Response<Body> {
    match answer {
        Answer::Object {
            code,
            accepted,
            content,
        } => plain(
            code,
            HeaderValue::from_static(accepted.media.name()),
            encode::object(accepted, content),
        ),
        Answer::List {
            accepted,
            encoded,
            pieces,
        } => plain(
            200,
            HeaderValue::from_static(accepted.media.name()),
            encode::list(accepted, encoded, pieces),
        ),
        Answer::Watch { media, frames } => {
            let body = Body::until_drain(frames, server.drain_signal());
            plain(200, HeaderValue::from_static(stream_type(media)), body)
        }
        Answer::Status { accepted, status } => write_status(accepted, &status),
        Answer::Page(page) => write_page(request, page),
        Answer::Http(response) => response,
    }
}

fn stream_type(media: Media) -> &'static str {
    match media {
        Media::Json | Media::Yaml => "application/json",
        Media::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
    }
}

fn write_refusal(request: &Request, refusal: Refusal) -> Response<Body> {
    let mut response = match refusal.into_refused() {
        Refused::Status(status) => write_status(media::of_refusal(request), &status),
        Refused::Page { code, text } => plain(code, TEXT, format!("{text}\n").into_bytes()),
    };
    if response.headers()[CONTENT_TYPE] == TEXT || response.status() == StatusCode::FORBIDDEN {
        let nosniff = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(NOSNIFF, nosniff);
    }
    response
}

fn write_status(accepted: Accepted, status: &Status) -> Response<Body> {
    let body = encode::status(accepted, status);
    let content_type = HeaderValue::from_static(accepted.media.name());
    let mut response = plain(status.code, content_type, body);
    let seconds = status.details.as_ref().map_or(0, |d| d.retry_after_seconds);
    if seconds > 0 {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn write_page(request: &Request, page: Page) -> Response<Body> {
    let held = request.headers.get(IF_NONE_MATCH);
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
fn take_body(response: &mut Response<Body>) {
    use http_body::Body as _;
    let body = std::mem::take(response.body_mut());
    if let Some(size) = body.size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, size.into());
    }
}
