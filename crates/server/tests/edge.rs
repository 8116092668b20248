//! The edge over real sockets on the loopback: TLS, HTTP framing, bad input, drain.

#[path = "edge/harness.rs"]
mod harness;

use std::time::Duration;

use expect_test::{Expect, expect};
use harness::{Alpn, Harness};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends one request and compares code, content type and body.
async fn check(alpn: Alpn, line: &str, expected: Expect) {
    let harness = Harness::start();
    let mut client = harness.connect(alpn).await;
    let answer = client.send(line).await;
    expected.assert_eq(&answer.to_string());
    harness.stop().await;
}

#[tokio::test]
async fn answers_over_http1_and_http2() {
    for alpn in [Alpn::Http1, Alpn::Http2] {
        check(
            alpn,
            "GET /healthz",
            expect!["200 text/plain; charset=utf-8 ok"],
        )
        .await;
        check(
            alpn,
            "GET /nothing",
            expect!["404 text/plain; charset=utf-8 404 page not found\n"],
        )
        .await;
        check(
            alpn,
            "HEAD /healthz",
            expect!["200 text/plain; charset=utf-8 "],
        )
        .await;
    }
}

#[tokio::test]
async fn serves_many_requests_on_one_connection() {
    let harness = Harness::start();
    for alpn in [Alpn::Http1, Alpn::Http2] {
        let mut client = harness.connect(alpn).await;
        for _ in 0..20 {
            assert_eq!(client.send("GET /version").await.code, 200);
        }
    }
    harness.stop().await;
}

/// Sends bytes instead of a TLS handshake; the server must live on.
#[tokio::test]
async fn survives_what_is_no_tls() {
    let harness = Harness::start();
    let nonsense: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"",
        &[0xff; 70_000],
    ];
    for bytes in nonsense {
        let mut socket = harness.socket().await;
        // The server may close before it has read everything.
        let _ = socket.write_all(bytes).await;
        drop(socket);
    }
    assert_eq!(
        harness
            .connect(Alpn::Http2)
            .await
            .send("GET /healthz")
            .await
            .code,
        200
    );
    harness.stop().await;
}

/// Sends bytes inside TLS that are no HTTP; returns the first line of the answer.
async fn check_garbage(harness: &Harness, bytes: &[u8], expected: &str) {
    let mut tls = harness.tls(Alpn::Http1).await;
    let _ = tls.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(answer.lines().next().unwrap_or_default(), expected);
}

#[tokio::test]
async fn survives_what_is_no_http() {
    let harness = Harness::start();
    check_garbage(
        &harness,
        b"what is this\r\n\r\n",
        "HTTP/1.1 400 Bad Request",
    )
    .await;
    check_garbage(
        &harness,
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        "HTTP/1.1 400 Bad Request",
    )
    .await;
    let huge = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 << 20));
    check_garbage(
        &harness,
        huge.as_bytes(),
        "HTTP/1.1 431 Request Header Fields Too Large",
    )
    .await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(2_000));
    check_garbage(
        &harness,
        many.as_bytes(),
        "HTTP/1.1 431 Request Header Fields Too Large",
    )
    .await;
    assert_eq!(
        harness
            .connect(Alpn::Http1)
            .await
            .send("GET /healthz")
            .await
            .code,
        200
    );
    harness.stop().await;
}

#[tokio::test]
async fn survives_broken_http2() {
    let harness = Harness::start();
    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 9_000],
    ] {
        let mut tls = harness.tls(Alpn::Http2).await;
        let _ = tls.write_all(bytes).await;
        drop(tls);
    }
    assert_eq!(
        harness
            .connect(Alpn::Http2)
            .await
            .send("GET /healthz")
            .await
            .code,
        200
    );
    harness.stop().await;
}

#[tokio::test]
async fn gives_up_a_handshake_that_takes_too_long() {
    let (harness, clock) = Harness::start_with_fake_clock();
    let mut silent = harness.socket().await;
    harness.accepted(&clock).await;
    clock.advance(Duration::from_secs(11));
    let mut bytes = Vec::new();
    let read = silent
        .read_to_end(&mut bytes)
        .await
        .expect("it is closed cleanly");
    assert_eq!(read, 0);
    harness.stop().await;
}

#[tokio::test]
async fn closes_a_connection_that_dawdles_over_its_header() {
    let (harness, clock) = Harness::start_with_fake_clock();
    let mut slow = harness.tls(Alpn::Http1).await;
    slow.write_all(b"GET / HT").await.expect("it is open");
    harness.accepted(&clock).await;
    // The watchdog looks every few seconds, each time anew.
    let mut bytes = Vec::new();
    let end = slow.read_to_end(&mut bytes);
    let advance = async {
        loop {
            clock.advance(Duration::from_secs(8));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = end => {}
        () = advance => {}
    }
    harness.stop().await;
}

#[tokio::test]
async fn drains_while_connections_rest() {
    let harness = Harness::start();
    let mut one = harness.connect(Alpn::Http1).await;
    let mut two = harness.connect(Alpn::Http2).await;
    assert_eq!(one.send("GET /healthz").await.code, 200);
    assert_eq!(two.send("GET /healthz").await.code, 200);
    // Fails after ten seconds if a resting connection keeps the server up.
    harness.stop().await;
}
