//! The life of a request, from top to bottom. Start reading here.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    task::{Context, Poll},
};

use api::Status;

use crate::{
    Answer, Body, Refusal, Server, allow,
    edge::Peer,
    identify, impersonate,
    metrics::Known,
    request::Request,
    respond::{self, Exchange},
    route,
};

/// Answers one request. Never fails and never panics: whatever happens becomes an answer.
///
/// Dropping the future drops the request where it stands; a write that reached the store stays.
pub(crate) async fn handle(
    server: &Server,
    peer: &Peer,
    http: http::Request<Body>,
) -> http::Response<Body> {
    // What strangers send may nest deeper than the stack of a test's thread.
    let mut answered = pin!(answer(server, peer, http));
    std::future::poll_fn(move |ctx| base::stack::deep(|| answered.as_mut().poll(ctx))).await
}

async fn answer(server: &Server, peer: &Peer, http: http::Request<Body>) -> http::Response<Body> {
    let (head, body) = http.into_parts();
    let (mut exchange, readable) = Request::read(server, peer, head, body);
    let outcome = match readable {
        Ok(()) => guard(in_time(server, peer, &mut exchange)).await,
        Err(refusal) => Err(refusal),
    };
    respond::write(server, &exchange, outcome)
}

/// The phases. Each `?` ends in the same place, [`respond::write`].
async fn pass(server: &Server, peer: &Peer, exchange: &mut Exchange) -> Result<Answer, Refusal> {
    let caller = identify::caller(server, peer, &mut exchange.request)?;
    // The audit event opens here: before impersonation, which it records.
    let user = impersonate::apply(server, caller, &mut exchange.request)?;
    // Priority and fairness comes here: flows are told apart by the user acted as.
    let _seat = server.queue().admit(exchange.request.load(), &user)?;
    allow::request(server, &exchange.request, &user)?;
    let route = route::find(server, &exchange.request)?;
    exchange.known = Known::Served;
    route::serve(server, route, exchange, user).await
}

/// Gives the phases until the request's deadline, if it has one.
async fn in_time(server: &Server, peer: &Peer, exchange: &mut Exchange) -> Result<Answer, Refusal> {
    let (deadline, arrived) = (exchange.request.deadline, exchange.request.arrived);
    // Boxed: every frame around this one would hold room for it twice and be moved with it.
    let phases = Box::pin(pass(server, peer, exchange));
    let Some(deadline) = deadline else {
        return phases.await;
    };
    let late = || {
        let message = "request did not complete within the allotted timeout";
        Err(Status::timeout(message, 0).into())
    };
    if server.clock().now() >= deadline {
        return late();
    }
    let done = server.clock().timeout(deadline.since(arrived), phases);
    done.await.unwrap_or_else(|_| late())
}

/// Runs `future`; a panic in it becomes a 500 and ends nothing else.
async fn guard(future: impl Future<Output = Result<Answer, Refusal>>) -> Result<Answer, Refusal> {
    let mut future = pin!(future);
    std::future::poll_fn(move |ctx: &mut Context<'_>| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(ctx));
        std::panic::catch_unwind(poll).unwrap_or_else(|_| {
            tracing::error!("a request panicked");
            Poll::Ready(Err(Refusal::page(
                500,
                "This request caused apiserver to panic. Look in the logs for details.",
            )))
        })
    })
    .await
}
