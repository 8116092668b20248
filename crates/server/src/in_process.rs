//! A transport for callers in the same process: requests without a socket.
//!
//! The caller's identity comes as a value instead of a certificate; every phase applies to it as
//! to anyone.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use access::User;
use bytes::Bytes;
use http::{Request, Response};

use crate::{Body, Server, body::BodyError, edge::Peer, phases};

/// Serves the requests of one in-process caller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InProcess {
    server: Server,
    peer: Arc<Peer>,
}

impl Server {
    /// Returns a transport for `user`.
    #[must_use]
    pub fn in_process(&self, user: User) -> InProcess {
        InProcess {
            server: self.clone(),
            peer: Arc::new(Peer::in_process(user)),
        }
    }
}

impl InProcess {
    /// Serves one request.
    pub async fn serve(&self, request: Request<Body>) -> Response<Body> {
        phases::handle(&self.server, &self.peer, request).await
    }
}

impl<B> tower::Service<Request<B>> for InProcess
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _ctx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let request = request.map(|body| {
                if body.is_end_stream() {
                    Body::Empty
                } else {
                    Body::stream(body)
                }
            });
            Ok(this.serve(request).await)
        })
    }
}
