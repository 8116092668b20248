//! From an HTTP head to a [`Request`].

use api::{Status, Text};
use http::{header, request::Parts};

use super::{
    BodyType, Query, Request, Target, Verb,
    path::{self},
    query::{Plus, decode},
};
use crate::{Refusal, Server, edge::Peer, queue::Load};

/// Below an object these keep a connection open (`log` may follow).
const LONG_SUBRESOURCES: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];

impl Request {
    /// Reads a head. Always gives a request, so that the answer can be written, and with it the
    /// refusal if there is one.
    pub(crate) fn read(server: &Server, peer: &Peer, head: Parts) -> (Self, Result<(), Refusal>) {
        let clock = server.clock();
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let mut outcome = Ok(());
        let decoded = decode(head.uri.path(), Plus::IsPlus).unwrap_or_else(|| {
            outcome = Err(Refusal::page(400, "400 Bad Request"));
            head.uri.path().into()
        });
        let (verb, target) = path::read(&head.method, &decoded, &query).unwrap_or_else(|error| {
            outcome = Err(Status::internal(error).into());
            (Verb::None, Target::Path)
        });
        let text = |name| {
            let value = head.headers.get(name);
            let value = value.and_then(|value: &http::HeaderValue| value.to_str().ok());
            value.unwrap_or_default()
        };
        let request = Self {
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
        (request, outcome)
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
