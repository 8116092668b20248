//! From an HTTP head to a [`Request`].

use api::{Status, Text, time::parse_duration};
use http::{HeaderName, HeaderValue, header, request::Parts};

use super::{
    BodyType, Query, Request, Target, Verb,
    path::{self, PathError},
    query::{Plus, decode},
};
use crate::{Body, Refusal, Server, edge::Peer, queue::Load, respond::Exchange};

/// Below an object these keep a connection open (`log` may follow).
const LONG_SUBRESOURCES: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];

impl Request {
    /// Reads a head. Always gives an exchange, so that the answer can be written, and with it the
    /// refusal if there is one.
    pub(crate) fn read(
        server: &Server,
        peer: &Peer,
        head: Parts,
        body: Body,
    ) -> (Exchange, Result<(), Refusal>) {
        let clock = server.clock();
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let mut outcome = Ok(());
        let decoded = decode(head.uri.path(), Plus::IsPlus).unwrap_or_else(|| {
            outcome = Err(Refusal::page(400, "400 Bad Request"));
            head.uri.path().into()
        });
        let (verb, target) = path::read(&head.method, &decoded, &query).unwrap_or_else(|error| {
            outcome = Err(unreadable(&head, error));
            (Verb::None, Target::Path)
        });
        let text = |name: HeaderName| {
            let value: Option<&HeaderValue> = head.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let mut request = Self {
            verb,
            target,
            path: Text::new(&*decoded),
            query,
            body_type: BodyType::parse(text(header::CONTENT_TYPE)),
            user_agent: Text::new(text(header::USER_AGENT)),
            audit_id: server.audit_ids().of(&head.headers),
            received: clock.wall(),
            arrived: clock.now(),
            deadline: None,
            peer: peer.address,
            method: head.method,
            headers: head.headers,
        };
        if outcome.is_ok() {
            outcome = request.set_deadline(server);
        }
        (Exchange::new(request, body, head.extensions), outcome)
    }

    /// Says when the request must be answered: after the server's limit, or sooner if the client
    /// wants it.
    fn set_deadline(&mut self, server: &Server) -> Result<(), Refusal> {
        if self.load() == Load::Long {
            return Ok(());
        }
        let mut limit = server.limits().request_timeout;
        if let Some(text) = self.query.get("timeout").filter(|text| !text.is_empty()) {
            let nanos = parse_duration(text).map_err(|error| {
                let message = format!("invalid timeout specified in the request URL - {error}");
                Status::bad_request(message)
            })?;
            // Zero (or less) means that the client does not mind.
            if let Ok(nanos) = u64::try_from(nanos)
                && nanos > 0
            {
                limit = limit.min(std::time::Duration::from_nanos(nanos));
            }
        }
        self.deadline = Some(self.arrived + limit);
        Ok(())
    }

    /// Returns a GET of `path`, for tests of what takes a request.
    #[cfg(test)]
    pub(crate) fn for_test(path: &str) -> Self {
        let clock = base::Clock::system();
        Self {
            verb: Verb::Get,
            method: http::Method::GET,
            target: Target::Path,
            path: Text::new(path),
            query: Query::default(),
            headers: http::HeaderMap::new(),
            body_type: BodyType::default(),
            user_agent: Text::default(),
            audit_id: Text::default(),
            received: clock.wall(),
            arrived: clock.now(),
            deadline: None,
            peer: None,
        }
    }

    /// Returns what the request counts as while it is served.
    pub(crate) fn load(&self) -> Load {
        let is_long = match &self.target {
            _ if matches!(self.verb, Verb::Watch | Verb::Proxy) => true,
            Target::Resource(resource) => {
                LONG_SUBRESOURCES.contains(&resource.subresource.as_str())
            }
            Target::Path => false,
        };
        if is_long {
            Load::Long
        } else if self.verb.is_read() {
            Load::Read
        } else {
            Load::Write
        }
    }
}

/// Upstream's text for a path that begins like a resource and is none.
fn unreadable(head: &Parts, error: PathError) -> Refusal {
    let uri = head.uri.path_and_query().map_or("/", |uri| uri.as_str());
    let quoted = api::quote::quote(uri);
    Refusal::page(
        500,
        format!("Internal Server Error: {quoted}: failed to create RequestInfo: {error}, {uri}"),
    )
}
