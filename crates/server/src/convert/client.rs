//! A webhook as the server reaches it: one place, who vouches for it, and connections that stay
//! open between calls.
//!
//! Whatever it does, a call ends: in [`CALL_MAX`], after [`answer_bytes_max`] bytes, and when too
//! many wait for the same webhook the next is refused at once, so that one that hangs cannot hold
//! every request the server may have in flight.
//!
//! Source: k8s.io/apiserver, pkg/util/webhook/client.go; k8s.io/client-go, rest/request.go.

use std::{sync::Arc, time::Duration};

use api::{Status, Value, quote::quote};
use base::Clock;
use base64::Engine;
use bytes::{Bytes, BytesMut};
use http::{
    Uri,
    header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::{ClientConfig, pki_types::ServerName};
use schema::way::{Errand, Sight, Step};
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio_rustls::TlsConnector;

use super::{Converter, trust};
use crate::{
    collection::{Collection, Stored, place_of},
    edge, faults, render,
};

/// How long a call may take, as upstream.
const CALL_MAX: Duration = Duration::from_secs(30);

/// How many calls of one webhook are on their way at once.
const CALLS_MAX: usize = 16;

/// How many calls of one webhook may be on their way or wait for that. A quarter of the reads that
/// a server takes at once: a webhook that hangs leaves the rest to others.
const WAITING_MAX: usize = 100;

/// How many open connections to one webhook are kept for the next calls.
const IDLE_MAX: usize = 4;

/// How often a way may look before it must lead somewhere.
const LOOKS_MAX: usize = 4;

/// What Go says of a call that takes too long.
const TOO_LONG: &str = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

/// Returns how long an answer may be: converted objects are about as long as they were.
fn answer_bytes_max(request_bytes: usize) -> usize {
    (16 << 20).max(4 * request_bytes)
}

/// A webhook.
pub(super) struct Hook {
    place: Place,
    tls: Result<Arc<ClientConfig>, String>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    calls: Semaphore,
    waiting: Semaphore,
    /// Held by the one watcher that has something converted.
    watching: Arc<tokio::sync::Mutex<()>>,
}

/// Where a webhook is.
struct Place {
    /// The Service it stands behind: namespace and name.
    service: Option<(String, String)>,
    host: String,
    port: u16,
    path: String,
}

impl Place {
    fn of(config: &Value) -> Self {
        let text = |path: &[&str]| config.str_at(path).unwrap_or_default().to_owned();
        if let Some(service) = config.get("service") {
            let (namespace, name) = (text(&["service", "namespace"]), text(&["service", "name"]));
            let port = service.get("port").and_then(Value::as_int);
            return Self {
                host: format!("{name}.{namespace}.svc"),
                service: Some((namespace, name)),
                port: port
                    .and_then(|port| u16::try_from(port).ok())
                    .unwrap_or(443),
                path: text(&["service", "path"]),
            };
        }
        let uri: Uri = text(&["url"]).parse().unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        Self {
            service: None,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(443),
            path: uri.path().to_owned(),
        }
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns what follows the authority.
    fn target(&self) -> String {
        let path = self.path.trim_start_matches('/');
        format!("/{path}?timeout={}s", CALL_MAX.as_secs())
    }
}

impl Hook {
    pub(super) fn new(config: &Value, authorities: &[u8]) -> Self {
        let bundle = config.str_at(&["caBundle"]).unwrap_or_default();
        let bundle = base64::engine::general_purpose::STANDARD.decode(bundle);
        let bundle = bundle.unwrap_or_default();
        let is_blank = bundle.trim_ascii().is_empty();
        Self {
            place: Place::of(config),
            tls: trust::config(if is_blank { authorities } else { &bundle }),
            idle: Mutex::default(),
            calls: Semaphore::new(CALLS_MAX),
            waiting: Semaphore::new(WAITING_MAX),
            watching: Arc::default(),
        }
    }

    /// Waits until no other watcher has something converted here.
    ///
    /// # Errors
    /// What a call that takes too long ends with.
    pub(super) async fn turn(&self, clock: &Clock) -> Result<OwnedMutexGuard<()>, String> {
        let turn = Arc::clone(&self.watching).lock_owned();
        clock
            .timeout(CALL_MAX, turn)
            .await
            .map_err(|_| self.told(TOO_LONG))
    }

    /// Posts JSON and returns what comes back. Dropping the future closes the connection.
    ///
    /// # Errors
    /// What went wrong, as Go says it.
    pub(super) async fn post(&self, converter: &Converter, body: Bytes) -> Result<Bytes, String> {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(self.told("too many requests wait for it already"));
        };
        let call = async {
            let _turn = self.calls.acquire().await;
            self.exchange(converter, body).await
        };
        match converter.0.clock.timeout(CALL_MAX, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.told(TOO_LONG)),
        }
    }

    fn told(&self, why: &str) -> String {
        let url = format!("https://{}{}", self.place.authority(), self.place.target());
        format!("Post {}: {why}", quote(&url))
    }

    async fn exchange(&self, converter: &Converter, body: Bytes) -> Result<Bytes, String> {
        let bytes_max = answer_bytes_max(body.len());
        loop {
            let (mut sender, is_fresh) = match self.take_idle().await {
                Some(sender) => (sender, false),
                None => {
                    let opened = self.connect(converter).await;
                    (opened.map_err(|why| self.told(&why))?, true)
                }
            };
            let request = http::Request::post(self.place.target())
                .header(HOST, self.place.authority())
                .header(USER_AGENT, "pintle")
                .header(ACCEPT, "application/json, */*")
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(body.clone()))
                .map_err(|error| self.told(&error.to_string()))?;
            let answer = match sender.send_request(request).await {
                Ok(answer) => answer,
                // It was closed while nobody used it; the call has not happened.
                Err(_) if !is_fresh => continue,
                Err(error) => return Err(self.told(&go_text(&error))),
            };
            let (parts, incoming) = answer.into_parts();
            let text = collect(incoming, bytes_max).await;
            let text = text.map_err(|why| self.told(&why))?;
            self.put_idle(sender);
            return judge(&parts, text);
        }
    }

    /// Returns a connection that is open and ready.
    async fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let mut sender = self.idle.lock().pop()?;
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn put_idle(&self, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock();
        if !sender.is_closed() && idle.len() < IDLE_MAX {
            idle.push(sender);
        }
    }

    async fn connect(&self, converter: &Converter) -> Result<SendRequest<Full<Bytes>>, String> {
        let tls = self.tls.clone()?;
        let host = &self.place.host;
        let stream = match &self.place.service {
            None => edge::dial(&converter.0.clock, host, self.place.port).await?,
            Some((namespace, name)) => {
                let found = converter.resolve(namespace, name, self.place.port).await;
                let (host, port) = found.map_err(|status| status.message)?;
                edge::dial(&converter.0.clock, &host, port).await?
            }
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("tls: {host} is no name of a server"))?;
        let opened = TlsConnector::from(tls).connect(name, stream).await;
        let stream = opened.map_err(|error| trust::go_text(&error, host))?;
        let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(|error| go_text(&error))?;
        drop(converter.0.tasks.spawn("webhook", async move {
            // What goes wrong here reaches the call.
            let _ = connection.await;
        }));
        Ok(sender)
    }
}

/// Reads an answer to its end, or to the bound.
async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Bytes, String> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| go_text(&error))?;
        if let Ok(data) = frame.into_data() {
            if all.len() + data.len() > bytes_max {
                return Err(format!("the answer is longer than {bytes_max} bytes"));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.freeze())
}

/// Returns the text of an error of a connection.
fn go_text(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return "EOF".to_owned();
    }
    base::Chain(error).to_string()
}

/// Returns the body of an answer that is one.
fn judge(parts: &http::response::Parts, body: Bytes) -> Result<Bytes, String> {
    let code = parts.status.as_u16();
    let kind = parts.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if (200..=206).contains(&code) {
        if body.is_empty() {
            return Err(format!(
                "0-length response with status code: {code} and content type: {kind}"
            ));
        }
        return Ok(body);
    }
    if let Ok(said) = api::json::read(&body)
        && said.value.str_at(&["kind"]) == Some("Status")
        && let Some(message) = said.value.str_at(&["message"])
    {
        return Err(message.to_owned());
    }
    let said = match kind.starts_with("text/") {
        true => String::from_utf8_lossy(&body).trim().to_owned(),
        false => "unknown".to_owned(),
    };
    Err(match code {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => said,
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        409 => "the server reported a conflict".to_owned(),
        422 => "the server rejected our request due to an error in our request".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later"
            .to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => "the server was unable to return a response in the time allotted, but may still be processing the request".to_owned(),
        500.. => format!(
            "an error on the server ({}) has prevented the request from succeeding",
            quote(&said)
        ),
        code => format!(
            "the server responded with the status code {code} but did not return more information"
        ),
    })
}

impl Converter {
    /// Returns where a Service is answered for.
    async fn resolve(
        &self,
        namespace: &str,
        name: &str,
        port: u16,
    ) -> Result<(String, u16), Status> {
        let Some(outside) = self.0.outside.get() else {
            return Err(Status::internal("services cannot be found here"));
        };
        let id = format!("https:{name}:{port}");
        let errand = Errand {
            namespace,
            name: &id,
            rest: "",
            query: &[],
        };
        let mut seen = Vec::new();
        for _ in 0..LOOKS_MAX {
            match outside.services.next(&errand, &seen)? {
                Step::Go(target) => return Ok((target.host, target.port.unwrap_or(port))),
                Step::Nothing => break,
                Step::Look(sight) => seen.push(self.look(&sight).await?),
            }
        }
        Err(Status::internal("the way to a service leads nowhere"))
    }

    async fn look(&self, sight: &Sight) -> Result<Vec<Value>, Status> {
        let (group, plural) = sight.resource();
        let collection = self.collection(group, plural)?;
        match sight {
            Sight::Object {
                namespace, name, ..
            }
            | Sight::Perhaps {
                namespace, name, ..
            } => {
                let stored = collection.get(&place_of(namespace, name)).await;
                match stored.map_err(|error| faults::read(&error))? {
                    Some(stored) => Ok(vec![render::parse(&stored.bytes)?]),
                    None if matches!(sight, Sight::Perhaps { .. }) => Ok(Vec::new()),
                    None => {
                        // Upstream asks its own memory here, which names no group.
                        let singular = plural.trim_end_matches('s');
                        let text = format!("{singular} {} not found", quote(name));
                        Err(Status::new(404, api::Reason::NotFound, text))
                    }
                }
            }
            Sight::Within { namespace, .. } | Sight::Labelled { namespace, .. } => {
                let view = collection.view().await;
                let view = view.map_err(|error| faults::read(&error))?;
                let prefix = format!("{namespace}/");
                let is_meant = |one: &Stored| match sight {
                    Sight::Labelled { label, .. } => one.label(label.0) == Some(label.1.as_str()),
                    _ => true,
                };
                let objects = view.objects.iter();
                let meant =
                    objects.filter(|(place, one)| place.starts_with(&prefix) && is_meant(one));
                meant.map(|(_, one)| render::parse(&one.bytes)).collect()
            }
        }
    }

    fn collection(&self, group: &str, plural: &str) -> Result<&Collection, Status> {
        let mut served = self.0.built_in.get().into_iter().flatten();
        let found = served.find(|served| {
            served.kind.names.plural == plural && served.kind.group().as_str() == group
        });
        let found = found.map(|served| &served.collection);
        found.ok_or_else(|| Status::internal(format!("{plural} are not served")))
    }
}

#[cfg(test)]
mod tests {
    use api::value;

    use super::{Hook, Place};

    #[test]
    fn reads_where_a_webhook_is() {
        let check = |config: api::Value, expected: &str| {
            let place = Place::of(&config);
            let found = format!("{}{}", place.authority(), place.target());
            assert_eq!(found, expected);
        };
        check(
            value!({"url": "https://hook.example.com/a/b"}),
            "hook.example.com:443/a/b?timeout=30s",
        );
        check(
            value!({"url": "https://[::1]:9443"}),
            "[::1]:9443/?timeout=30s",
        );
        check(
            value!({"service": {"namespace": "n", "name": "s", "path": "/x", "port": 444}}),
            "s.n.svc:444/x?timeout=30s",
        );
        check(
            value!({"service": {"namespace": "n", "name": "s"}}),
            "s.n.svc:443/?timeout=30s",
        );
    }

    #[test]
    fn tells_which_call_failed() {
        let hook = Hook::new(&value!({"url": "https://h/x"}), b"");
        assert_eq!(
            hook.told("EOF"),
            r#"Post "https://h:443/x?timeout=30s": EOF"#
        );
    }
}
