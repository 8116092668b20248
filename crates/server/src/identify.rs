//! Who asks? Gives `access` what the request shows, and takes the credentials away.

use std::sync::Arc;

use access::{
    User,
    identify::{Credentials, Identified, bearer_of},
};
use api::Status;
use http::{HeaderName, header::AUTHORIZATION};

use crate::{Refusal, Server, edge::Peer, request::Request};

/// Identity of the caller of a proxy in front of us; nobody below may believe these.
const REMOTE: &str = "x-remote-";

/// Returns who asks.
///
/// # Errors
/// 401, without a reason: that is for the log.
pub(crate) fn caller(
    server: &Server,
    peer: &Peer,
    request: &mut Request,
) -> Result<Arc<User>, Refusal> {
    let user = match &peer.user {
        Some(user) => Arc::clone(user),
        None => by_credentials(server, peer, request)?,
    };
    request.headers.remove(AUTHORIZATION);
    let is_remote = |name: &HeaderName| name.as_str().starts_with(REMOTE);
    if request.headers.keys().any(is_remote) {
        let names = request.headers.keys().filter(|name| is_remote(name));
        for name in names.cloned().collect::<Vec<_>>() {
            request.headers.remove(name);
        }
    }
    Ok(user)
}

fn by_credentials(server: &Server, peer: &Peer, request: &Request) -> Result<Arc<User>, Refusal> {
    let authorization = request.headers.get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let credentials = Credentials {
        certificate: peer.certified.as_ref(),
        bearer: authorization.and_then(bearer_of),
    };
    let identify = &server.access().identify;
    match identify.identify(credentials, server.world(), request.received) {
        Identified::User(user) => Ok(user),
        Identified::Nobody => Err(Status::unauthorized().into()),
        Identified::Refused(why) => {
            tracing::info!(audit_id = %request.audit_id, why, "credentials were not accepted");
            Err(Status::unauthorized().into())
        }
    }
}
