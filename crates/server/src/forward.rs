//! Passes a request on to where a [`Way`] leads, and its answer back: texts, proxies, and
//! connections that are upgraded and from then on only copied.
//!
//! Source: k8s.io/apiserver, pkg/registry/generic/rest/{streamer,response_checker}.go;
//! k8s.io/apimachinery, pkg/util/proxy/{upgradeaware,transport}.go.

mod pages;
mod whole;

use std::{fmt::Write as _, sync::Arc};

use access::User;
use api::{Reason, Status};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, UPGRADE},
};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use schema::{
    Security,
    way::{Errand, Manner, Step, Target, Way},
};

use crate::{
    Answer, Body, Refusal, Server,
    request::{Request, ResourcePath},
    respond::Exchange,
    sight,
};

use pages::Proxy;
use whole::Read;

/// How often a way may look before it must lead somewhere.
const LOOKS_MAX: usize = 4;

/// How much of an answer that tells of an error is read, as upstream.
const ERROR_BYTES_MAX: usize = 50_000;

/// Headers that are about one connection and not about what goes through it (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Serves a request on a subresource that leads elsewhere.
///
/// # Errors
/// The way's refusal; 405, 400 and 503 in upstream's words.
pub(crate) async fn serve(
    server: &Server,
    way: &dyn Way,
    path: &ResourcePath,
    exchange: &mut Exchange,
    user: &Arc<User>,
) -> Result<Answer, Refusal> {
    let methods = way.methods();
    if !methods.is_empty() && !methods.contains(&exchange.request.method.as_str()) {
        let message = "the server does not allow this method on the requested resource";
        return Err(Status::new(405, Reason::MethodNotAllowed, message).into());
    }
    let query: Vec<(String, String)> = exchange.request.query.pairs();
    let errand = Errand {
        namespace: &path.namespace,
        name: &path.name,
        rest: &path.rest,
        query: &query,
    };
    tracing::debug!(
        user = user.name.as_str(),
        path = exchange.request.path.as_str(),
        "a way is asked for"
    );
    let Some(target) = find(server, way, &errand).await? else {
        let mut answer = Response::new(Body::default());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        return Ok(Answer::Http(answer));
    };
    match target.manner {
        Manner::Text => text(server, path, &target).await,
        Manner::Stream | Manner::Proxy => pass_on(server, &target, exchange).await,
    }
}

/// Looks at what the way wants to see until it leads somewhere; none if there is nothing to tell.
async fn find(
    server: &Server,
    way: &dyn Way,
    errand: &Errand<'_>,
) -> Result<Option<Target>, Status> {
    let mut seen = Vec::new();
    for _ in 0..LOOKS_MAX {
        match way.next(errand, &seen)? {
            Step::Go(target) => return Ok(Some(target)),
            Step::Nothing => return Ok(None),
            Step::Look(sight) => seen.push(sight::look(server.serving(), &sight).await?),
        }
    }
    Err(Status::internal("a way leads nowhere"))
}

/// Fetches a text.
async fn text(server: &Server, path: &ResourcePath, target: &Target) -> Result<Answer, Refusal> {
    let uri = uri(target, "");
    let told = |why: String| {
        let scheme = scheme(target);
        let text = format!("Get \"{scheme}://{}{uri}\": {why}", authority(target));
        Status::new(500, Reason::Unknown, text)
    };
    let request = http::Request::get(&uri)
        .header(HOST, authority(target))
        .body(Body::default())
        .map_err(Status::internal)?;
    let mut sender = connect(server, target).await.map_err(told)?;
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| told(error.to_string()))?;
    let code = answer.status();
    if code.is_redirection() {
        return Err(told("redirects forbidden".to_owned()).into());
    }
    let body = Body::stream(answer.into_body());
    if code.as_u16() > 206 {
        let said = read_some(body).await;
        let subject = format!("{}/{}", path.resource, path.subresource);
        return Err(match code.as_u16() {
            500 => Status::internal(said),
            400 => Status::bad_request(said),
            code => elsewhere(code, &said, &format!("( {subject} {})", path.name)),
        }
        .into());
    }
    let mut answer = Response::new(body);
    let plain = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    Ok(Answer::Http(answer))
}

/// Returns the status for a code that came from elsewhere.
///
/// Source: k8s.io/apimachinery, pkg/api/errors, `NewGenericServerResponse`.
fn elsewhere(code: u16, said: &str, about: &str) -> Status {
    let (reason, message) = match code {
        401 => (
            Reason::Unauthorized,
            "the server has asked for the client to provide credentials",
        ),
        403 => (Reason::Forbidden, said),
        404 => (
            Reason::NotFound,
            "the server could not find the requested resource",
        ),
        405 => (
            Reason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        ),
        429 => (
            Reason::TooManyRequests,
            "the server has received too many requests and has asked us to try again later",
        ),
        503 => (
            Reason::ServiceUnavailable,
            "the server is currently unable to handle the request",
        ),
        504 => (
            Reason::Timeout,
            "the server was unable to return a response in the time allotted, but may still be processing the request",
        ),
        500.. => {
            let said = api::quote::quote(said);
            let text = format!(
                "an error on the server ({said}) has prevented the request from succeeding {about}"
            );
            return Status::new(code, Reason::InternalError, text);
        }
        _ => (
            Reason::Unknown,
            "the server responded with the status code but did not return more information",
        ),
    };
    Status::new(code, reason, format!("{message} {about}"))
}

/// Reads the beginning of a body as text.
async fn read_some(mut body: Body) -> String {
    let mut text = Vec::new();
    while text.len() < ERROR_BYTES_MAX {
        let frame = std::future::poll_fn(|ctx| std::pin::Pin::new(&mut body).poll_frame(ctx));
        match frame.await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    text.extend_from_slice(&data);
                }
            }
            Some(Err(_)) | None => break,
        }
    }
    text.truncate(ERROR_BYTES_MAX);
    String::from_utf8_lossy(&text).into_owned()
}

/// Passes the request on as it is, upgrades included.
async fn pass_on(
    server: &Server,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Refusal> {
    let upgrades = upgrade_of(&exchange.request.headers);
    if target.manner == Manner::Stream && upgrades.is_none() {
        return Err(Status::bad_request("Upgrade request required").into());
    }
    let request = &exchange.request;
    let uri = uri(target, request.query.raw());
    let mut passed = http::Request::builder()
        .method(request.method.clone())
        .uri(&uri)
        .body(std::mem::take(&mut exchange.body))
        .map_err(Status::internal)?;
    *passed.headers_mut() = headers(request, target, upgrades.as_ref());
    let mut sender = match connect(server, target).await {
        Ok(sender) => sender,
        Err(why) if upgrades.is_some() => {
            let text = format!("error dialing backend: {why}");
            return Err(Status::new(500, Reason::Unknown, text).into());
        }
        Err(why) => return Err(unreachable(&why).into()),
    };
    let mut answer = match sender.send_request(passed).await {
        Ok(answer) => answer,
        Err(error) => return Err(unreachable(&base::Chain(&error).to_string()).into()),
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let ours = exchange.extensions.remove::<OnUpgrade>();
        let Some(ours) = ours else {
            let text = "request connection cannot be hijacked";
            return Err(Status::new(500, Reason::Unknown, text).into());
        };
        let theirs = hyper::upgrade::on(&mut answer);
        join(server, ours, theirs);
        return Ok(Answer::Http(answer.map(|_| Body::default())));
    }
    let code = answer.status();
    if target.manner == Manner::Stream && code.as_u16() < 400 {
        let text = format!("invalid upgrade response: status code {}", code.as_u16());
        return Err(Status::new(500, Reason::Unknown, text).into());
    }
    let mut answer = answer.map(Body::stream);
    if target.manner == Manner::Proxy {
        answer = lead_back(&exchange.request, target, answer).await;
    }
    for name in HOP_BY_HOP {
        answer.headers_mut().remove(name);
    }
    Ok(Answer::Http(answer))
}

fn unreachable(why: &str) -> Status {
    Status::unavailable(format!("error trying to reach service: {why}"))
}

async fn connect(
    server: &Server,
    target: &Target,
) -> Result<hyper::client::conn::http1::SendRequest<Body>, String> {
    let port = port(target);
    let to = (target.security, target.host.as_str(), port);
    let with = (server.clock(), server.tasks());
    server.outbound().connect(with, to).await
}

/// Copies bytes in both directions until one side ends or the server drains.
fn join(server: &Server, ours: OnUpgrade, theirs: OnUpgrade) {
    let mut drain = server.drain_signal();
    drop(server.tasks().spawn("stream", async move {
        let both = async {
            let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else {
                return;
            };
            let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
            // Whoever breaks off ends both; there is nobody left to tell.
            let _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await;
        };
        tokio::select! {
            () = drain.requested() => {}
            () = both => {}
        }
    }));
}

/// Returns the protocol that a request asks to change to.
fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut connection = headers.get_all(CONNECTION).iter();
    let wants = connection.any(|value| {
        let words = value.to_str().unwrap_or_default().split(',');
        let mut words = words.map(str::trim);
        words.any(|word| word.eq_ignore_ascii_case("upgrade"))
    });
    headers.get(UPGRADE).filter(|_| wants).cloned()
}

/// Returns the headers to pass on.
fn headers(request: &Request, target: &Target, upgrade: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = request.headers.clone();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    let host = request.headers.get(HOST).cloned();
    let host = host.or_else(|| HeaderValue::from_str(&authority(target)).ok());
    if let Some(host) = host {
        headers.insert(HOST, host.clone());
        if target.manner == Manner::Proxy {
            headers.insert(HeaderName::from_static("x-forwarded-host"), host);
        }
    }
    if target.manner == Manner::Proxy {
        let uri = HeaderValue::from_str(&escape(&request.path));
        if let Ok(uri) = uri {
            headers.insert(HeaderName::from_static("x-forwarded-uri"), uri);
        }
        let proto = HeaderValue::from_static("https");
        headers.insert(HeaderName::from_static("x-forwarded-proto"), proto);
    }
    if let Some(peer) = request.peer {
        let name = HeaderName::from_static("x-forwarded-for");
        let mut text = String::new();
        for known in headers.get_all(&name) {
            let _ = write!(text, "{}, ", known.to_str().unwrap_or_default());
        }
        let _ = write!(text, "{}", peer.ip());
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Makes redirects and pages lead through the proxy again.
async fn lead_back(
    request: &Request,
    target: &Target,
    mut answer: Response<Body>,
) -> Response<Body> {
    let asked = request.path.as_str();
    let prefix = asked.strip_suffix(target.path.as_str()).unwrap_or(asked);
    let prefix = escape(prefix.trim_end_matches('/'));
    let asked_host = request.headers.get(HOST);
    let proxy = Proxy {
        asked_host: asked_host.map_or("", |host| host.to_str().unwrap_or_default()),
        own_host: &authority(target),
        prefix: &prefix,
    };
    let headers = answer.headers_mut();
    let text = |name| {
        let value = headers.get(name).map(|value: &HeaderValue| value.to_str());
        value.and_then(Result::ok).unwrap_or_default()
    };
    let location = text(LOCATION);
    if !location.is_empty() {
        let rewritten = proxy.rewrite(location);
        let rewritten = rewritten.and_then(|text| HeaderValue::from_str(&text).ok());
        if let Some(rewritten) = rewritten {
            headers.insert(LOCATION, rewritten);
        }
        return answer;
    }
    let kind = text(CONTENT_TYPE).split(';').next().unwrap_or_default();
    if kind.trim() != "text/html" || !text(CONTENT_ENCODING).is_empty() {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let page = match whole::read(body).await {
        Read::Whole(page) => proxy.rewrite_page(&page),
        Read::Partly(body) => return Response::from_parts(head, body),
    };
    let mut answer = Response::from_parts(head, Body::Full(page.into()));
    answer.headers_mut().remove(CONTENT_LENGTH);
    answer
}

const fn scheme(target: &Target) -> &'static str {
    match target.security {
        Security::Plain => "http",
        Security::Tls | Security::Node => "https",
    }
}

fn port(target: &Target) -> u16 {
    let usual = match target.security {
        Security::Plain => 80,
        Security::Tls | Security::Node => 443,
    };
    target.port.unwrap_or(usual)
}

fn authority(target: &Target) -> String {
    let host = if target.host.contains(':') {
        format!("[{}]", target.host)
    } else {
        target.host.clone()
    };
    match target.port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// Returns path and query as they are sent.
fn uri(target: &Target, raw_query: &str) -> String {
    let mut uri = escape(&target.path);
    let query = match &target.query {
        None => raw_query.to_owned(),
        Some(pairs) => {
            let pairs = pairs.iter();
            let pairs =
                pairs.map(|(name, value)| format!("{}={}", escape_part(name), escape_part(value)));
            pairs.collect::<Vec<String>>().join("&")
        }
    };
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(&query);
    }
    uri
}

/// Escapes a path.
fn escape(path: &str) -> String {
    escaped(path, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte)
    })
}

/// Escapes a name or value of a query.
fn escape_part(text: &str) -> String {
    escaped(text, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    })
}

fn escaped(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use schema::{
        Security,
        way::{Manner, Target},
    };

    use http::{
        HeaderName, HeaderValue, Response,
        header::{CONTENT_LENGTH, LOCATION},
    };

    use super::{authority, lead_back, read_some, uri};
    use crate::{Body, request::Request};

    fn target(host: &str, query: Option<Vec<(String, String)>>) -> Target {
        Target {
            security: Security::Node,
            host: host.to_owned(),
            port: Some(1),
            path: "/a b/c%".to_owned(),
            query,
            manner: Manner::Proxy,
        }
    }

    #[tokio::test]
    async fn pages_and_redirects_lead_back() {
        let request = Request::for_test("/api/v1/nodes/n/proxy/a b/c%");
        let target = target("h", None);
        let answer = |kind: &'static str, value: &'static str, page: &'static str| {
            let mut answer = Response::new(Body::Full(page.into()));
            let headers = answer.headers_mut();
            headers.insert(CONTENT_LENGTH, page.len().into());
            let name = HeaderName::from_static(kind);
            headers.insert(name, HeaderValue::from_static(value));
            answer
        };
        let check = async |sent: Response<Body>, location: &str, page: &str| {
            let found = lead_back(&request, &target, sent).await;
            let text = |name| {
                let value = found.headers().get(name);
                value.map_or("", |value: &HeaderValue| value.to_str().unwrap_or_default())
            };
            assert_eq!(text(LOCATION), location);
            let length: usize = text(CONTENT_LENGTH).parse().unwrap_or(page.len());
            assert_eq!(length, page.len());
            assert_eq!(read_some(found.into_body()).await, page);
        };
        let link = "<a href=/x>";
        check(
            answer("content-type", "text/html; charset=utf-8", link),
            "",
            "<a href=/api/v1/nodes/n/proxy/x>",
        )
        .await;
        check(answer("content-type", "text/plain", link), "", link).await;
        check(
            answer("location", "https://h:1/y", ""),
            "/api/v1/nodes/n/proxy/y",
            "",
        )
        .await;
        check(
            answer("location", "https://other/y", ""),
            "https://other/y",
            "",
        )
        .await;
    }

    #[test]
    fn writes_uris() {
        assert_eq!(uri(&target("h", None), "x=1&y"), "/a%20b/c%25?x=1&y");
        let query = vec![("command".to_owned(), "a b&c".to_owned())];
        assert_eq!(
            uri(&target("h", Some(query)), "x"),
            "/a%20b/c%25?command=a%20b%26c"
        );
        assert_eq!(authority(&target("h", None)), "h:1");
        assert_eq!(authority(&target("fd00::1", None)), "[fd00::1]:1");
    }
}
