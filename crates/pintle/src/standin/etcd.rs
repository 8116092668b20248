//! The stub that stands in for etcd: it says it is well.

use std::{convert::Infallible, net::TcpListener, time::Duration};

use base::{Clock, Tasks};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::words::Words;
use crate::{failure::Failure, run};

/// Flags that say where clients may come; all of them get the same answers.
const PLACES: [&str; 3] = [
    "listen-client-urls",
    "listen-client-http-urls",
    "listen-metrics-urls",
];
const DEFAULT_URL: &str = "http://localhost:2379";
/// A stop cuts off who still asks; there is nothing to lose.
const PATIENCE: Duration = Duration::from_millis(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until SIGTERM or Ctrl-C.
///
/// # Errors
/// A URL that cannot be listened on.
pub fn serve(words: &Words) -> Result<(), Failure> {
    let mut urls: Vec<&str> = PLACES.iter().flat_map(|name| words.list(name)).collect();
    if !words.has(PLACES[0]) {
        urls.push(DEFAULT_URL);
    }
    let listeners: Result<Vec<TcpListener>, Failure> = urls
        .into_iter()
        .map(|url| run::bind(address_of(url)?))
        .collect();
    let listeners = listeners?;
    run::until_stopped(async |mut stop| {
        let (tasks, clock) = (Tasks::new(), Clock::system());
        for listener in listeners {
            let address = listener.local_addr().map_err(failure_of)?;
            listener.set_nonblocking(true).map_err(failure_of)?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(failure_of)?;
            eprintln!("etcd: a stand-in answers on http://{address}");
            tasks.spawn("listener", listen(listener, tasks.clone(), clock.clone()));
        }
        stop.received().await;
        tasks.drain(&clock, PATIENCE).await;
        Ok(())
    })
}

/// Returns what lies between `http://` and the path.
fn address_of(url: &str) -> Result<&str, Failure> {
    url.strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .ok_or_else(|| Failure::BadAddress(url.to_owned()))
}

fn failure_of(error: std::io::Error) -> Failure {
    Failure::Server(format!("cannot serve the socket: {error}"))
}

async fn listen(listener: tokio::net::TcpListener, tasks: Tasks, clock: Clock) {
    let mut drain = tasks.drain_signal();
    loop {
        let accepted = tokio::select! {
            () = drain.requested() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // When the process has no file descriptor left, accepting again at once would only spin.
            clock.sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let mut drain = tasks.drain_signal();
        tasks.spawn("connection", async move {
            let service = service_fn(async |request: Request<Incoming>| {
                Ok::<_, Infallible>(answer(request.uri().path()))
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // How it ended interests nobody.
                _ = connection => {}
                () = drain.requested() => {}
            }
        });
    }
}

/// Returns what etcd says at these paths.
fn answer(path: &str) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/health" => (StatusCode::OK, r#"{"health":"true","reason":""}"#),
        "/livez" | "/readyz" => (StatusCode::OK, "ok\n"),
        _ => (StatusCode::NOT_FOUND, "404 page not found\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let kind = match text.starts_with('{') {
        true => "application/json",
        false => "text/plain; charset=utf-8",
    };
    let kind = http::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::{address_of, answer};

    #[test]
    fn listens_on_plain_http_only() {
        let read = |url| address_of(url).map_err(|error| error.to_string());
        assert_eq!(read("http://127.0.0.1:2379"), Ok("127.0.0.1:2379"));
        assert_eq!(read("http://localhost:0/"), Ok("localhost:0"));
        let refused = "cannot understand the address 'https://127.0.0.1:1'".to_owned();
        assert_eq!(read("https://127.0.0.1:1"), Err(refused));
    }

    #[test]
    fn is_well_and_knows_nothing_else() {
        assert_eq!(answer("/health").status(), 200);
        assert_eq!(answer("/v2/keys").status(), 404);
    }
}
