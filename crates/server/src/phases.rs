//! The life of a request, from top to bottom. Start reading here.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    task::{Context, Poll},
};

use api::Status;

use crate::{
    Answer, Body, Refusal, Server, User,
    edge::Peer,
    request::Request,
    respond::{self, Exchange},
    route,
};

/// Answers one request. Never fails and never panics: whatever happens becomes an answer.
pub(crate) async fn handle(
    server: &Server,
    peer: &Peer,
    http: http::Request<Body>,
) -> http::Response<Body> {
    let (head, body) = http.into_parts();
    let (request, readable) = Request::read(server, peer, head);
    let mut exchange = Exchange::new(request, body);
    let outcome = match readable {
        Ok(()) => guard(pass(server, peer, &mut exchange)).await,
        Err(refusal) => Err(refusal),
    };
    respond::write(server, exchange, outcome)
}

/// The phases. Each `?` ends in the same place, [`respond::write`].
async fn pass(server: &Server, peer: &Peer, exchange: &mut Exchange) -> Result<Answer, Refusal> {
    let request = &mut exchange.request;
    let user = identify(server, peer, request)?;
    let _seat = server.queue().admit(request.load(), &user)?;
    let route = route::find(server, request)?;
    route::serve(server, route).await
}

fn identify(_server: &Server, _peer: &Peer, _request: &mut Request) -> Result<User, Refusal> {
    Ok(User::default())
}

/// Runs `future`; a panic in it becomes a 500 and ends nothing else.
async fn guard(future: impl Future<Output = Result<Answer, Refusal>>) -> Result<Answer, Refusal> {
    let mut future = pin!(future);
    std::future::poll_fn(move |ctx: &mut Context<'_>| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(ctx));
        std::panic::catch_unwind(poll).unwrap_or_else(|_| {
            tracing::error!("a request panicked");
            let message = "This request caused apiserver to panic. Look in the logs for details.";
            Poll::Ready(Err(Status::internal(message).into()))
        })
    })
    .await
}
