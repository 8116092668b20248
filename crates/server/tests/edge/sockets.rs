//! The edge over real sockets on the loopback: TLS, HTTP framing, bad input, drain.

use std::{sync::Arc, time::Duration};

use base::{Clock, FakeClock};
use expect_test::{Expect, expect};
use server::{
    Answer,
    answer::Page,
    mount::{Mounts, Point, Service},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Alpn, Harness, Identity, Options};

/// Sends one request and compares code, content type and body.
async fn check(alpn: Alpn, line: &str, expected: Expect) {
    let harness = Harness::start().await;
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
    let harness = Harness::start().await;
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
    let harness = Harness::start().await;
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
    let harness = Harness::start().await;
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
    let harness = Harness::start().await;
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
    let (harness, clock, _) = Harness::start_with_fake_clock().await;
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

/// Moves the clock for as long as `waiting` takes, and returns what it gave.
async fn while_time_passes<T>(clock: &FakeClock, waiting: impl Future<Output = T>) -> T {
    let moving = async {
        loop {
            clock.advance(Duration::from_secs(2));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = waiting => done,
        () = moving => unreachable!("time passes for ever"),
    }
}

#[tokio::test]
async fn closes_a_connection_that_dawdles_over_its_header() {
    let (harness, hand, clock) = Harness::start_with_fake_clock().await;
    let mut slow = harness.tls(Alpn::Http1).await;
    slow.write_all(b"GET / HT").await.expect("it is open");
    harness.accepted(&hand).await;
    let began = clock.now();
    let mut bytes = Vec::new();
    let _ = while_time_passes(&hand, slow.read_to_end(&mut bytes)).await;
    let took = clock.now().since(began);
    assert!(took >= Duration::from_secs(32), "{took:?}");
    harness.stop().await;
}

#[tokio::test]
async fn closes_a_connection_that_rests_too_long() {
    for alpn in [Alpn::Http1, Alpn::Http2] {
        let (harness, hand, clock) = Harness::start_with_fake_clock().await;
        let mut client = harness.connect(alpn).await;
        assert_eq!(client.send("GET /healthz").await.code, 200);
        harness.accepted(&hand).await;
        // Eighty seconds are no reason.
        hand.advance(Duration::from_secs(80));
        assert_eq!(client.send("GET /healthz").await.code, 200);
        let began = clock.now();
        while_time_passes(&hand, client.closed()).await;
        let took = clock.now().since(began);
        assert!(took >= Duration::from_secs(90), "{alpn:?}: {took:?}");
        harness.stop().await;
    }
}

#[tokio::test]
async fn drains_while_connections_rest() {
    let harness = Harness::start().await;
    let mut one = harness.connect(Alpn::Http1).await;
    let mut two = harness.connect(Alpn::Http2).await;
    assert_eq!(one.send("GET /healthz").await.code, 200);
    assert_eq!(two.send("GET /healthz").await.code, 200);
    // Fails after a minute if a resting connection keeps the server up.
    harness.stop().await;
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_takes_no_new_ones() {
    let begun = Arc::new(tokio::sync::Notify::new());
    let go_on = Arc::new(tokio::sync::Notify::new());
    let service: Service = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        Arc::new(move |_| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            Box::pin(async move {
                begun.notify_one();
                go_on.notified().await;
                Ok(Answer::Page(Page::text(200, "done")))
            })
        })
    };
    for alpn in [Alpn::Http1, Alpn::Http2] {
        let harness = Harness::start_with(Options {
            mounts: Mounts::default().with(Point::new("", "pods", "log"), Arc::clone(&service)),
            ..Options::default()
        })
        .await;
        let mut client = harness.connect(alpn).await;
        let sending = client.send("GET /api/v1/namespaces/a/pods/p/log");
        let draining = async {
            begun.notified().await;
            harness.request_drain();
            // Whoever comes now finds nobody: the listener is closed, or closes before a handshake.
            harness.refuses().await;
            go_on.notify_one();
        };
        let (answer, ()) = tokio::join!(sending, draining);
        assert_eq!((answer.code, answer.text().as_str()), (200, "done"));
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_drain_gives_up_in_its_time_on_what_never_ends() {
    let begun = Arc::new(tokio::sync::Notify::new());
    let hangs: Service = {
        let begun = Arc::clone(&begun);
        Arc::new(move |_| {
            begun.notify_one();
            Box::pin(std::future::pending())
        })
    };
    let (clock, hand) = Clock::fake(base::WallTime::from_secs(1_800_000_000));
    let harness = Harness::start_with(Options {
        mounts: Mounts::default().with(Point::new("", "pods", "log"), hangs),
        clock: clock.clone(),
        ..Options::default()
    })
    .await;
    let mut client = harness.connect(Alpn::Http1).await;
    let hanging = client.begin("GET /api/v1/namespaces/a/pods/p/log");
    let patience = Duration::from_secs(10);
    let began = clock.now();
    let drained = async {
        begun.notified().await;
        while_time_passes(&hand, harness.drain(&clock, patience)).await
    };
    tokio::select! {
        _ = hanging => panic!("it never ends"),
        left = drained => assert!(left > 0, "it was counted"),
    }
    let took = clock.now().since(began);
    assert!(
        took >= patience && took < Duration::from_secs(60),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_drain_cuts_off_who_has_stopped_reading() {
    let (harness, hand, _) = Harness::start_with_fake_clock().await;
    let mut client = harness.connect(Alpn::Http1).await;
    let namespace = r#"{"metadata":{"name":"a"}}"#;
    let made = client.post("POST /api/v1/namespaces", namespace).await;
    assert_eq!(made.code, 201, "{made}");
    // More than the buffers of both sides can hold.
    let text = "x".repeat(900_000);
    for n in 0..24 {
        let body = format!(r#"{{"metadata":{{"name":"m{n}"}},"data":{{"a":"{text}"}}}}"#);
        let path = "POST /api/v1/namespaces/a/configmaps";
        assert_eq!(client.post(path, body).await.code, 201);
    }
    let mut deaf = harness.tls(Alpn::Http1).await;
    deaf.write_all(b"GET /api/v1/configmaps HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("it is open");
    let mut first = [0; 12];
    deaf.read_exact(&mut first).await.expect("it is answered");
    assert_eq!(&first, b"HTTP/1.1 200");
    while_time_passes(&hand, harness.stop()).await;
}

/// Makes a client CA, and certificates of clients.
fn client_ca() -> (String, rcgen::Issuer<'static, rcgen::KeyPair>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a CA");
    (certificate.pem(), rcgen::Issuer::new(params, key))
}

fn client_of(issuer: &rcgen::Issuer<'static, rcgen::KeyPair>, name: &str) -> Identity {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    (certificate.der().clone(), key)
}

#[tokio::test]
async fn knows_clients_by_their_certificates() {
    let (pem, issuer) = client_ca();
    let (_, stranger) = client_ca();
    let harness = Harness::start_with(Options {
        client_ca: pem,
        mode: access::allow::Mode::Rbac,
        ..Options::default()
    })
    .await;
    let check = async |identity: Option<Identity>, code: u16, part: &str| {
        for alpn in [Alpn::Http1, Alpn::Http2] {
            let identity = identity
                .as_ref()
                .map(|(one, key)| (one.clone(), key.clone_key()));
            let mut client = harness.connect_as(alpn, identity).await;
            let answer = client.send("GET /api/v1/pods").await;
            assert_eq!(answer.code, code, "{answer}");
            assert!(answer.text().contains(part), "{answer}");
        }
    };
    check(Some(client_of(&issuer, "alice")), 403, "alice").await;
    check(None, 403, "system:anonymous").await;
    // Nobody vouches for it: refused with an answer, not with a broken handshake.
    check(Some(client_of(&stranger, "alice")), 401, "Unauthorized").await;
    harness.stop().await;
}

#[tokio::test]
async fn sends_and_takes_large_bodies() {
    let harness = Harness::start().await;
    // Objects come into namespaces that are there; an empty server has none.
    let mut client = harness.connect(Alpn::Http1).await;
    let namespace = r#"{"metadata":{"name":"kube-system"}}"#;
    let made = client.post("POST /api/v1/namespaces", namespace).await;
    assert_eq!(made.code, 201, "{made}");
    for (alpn, name) in [(Alpn::Http1, "one"), (Alpn::Http2, "two")] {
        let mut client = harness.connect(alpn).await;
        let text = "x".repeat(900_000);
        let body = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"a":"{text}"}}}}"#
        );
        let path = "/api/v1/namespaces/kube-system/configmaps";
        let created = client.post(&format!("POST {path}"), body).await;
        assert_eq!(
            created.code,
            201,
            "{}",
            &created.text()[..200.min(created.body.len())]
        );
        let read = client.send(&format!("GET {path}/{name}")).await;
        assert!(read.code == 200 && read.text().contains(&text));
        let refused = client
            .post(&format!("POST {path}"), vec![b'['; 4 << 20])
            .await;
        assert_eq!(refused.code, 413);
    }
    harness.stop().await;
}

#[tokio::test]
async fn ends_watches_at_once_when_it_drains() {
    use http_body_util::BodyExt;
    // The clock stands still: what ends, ends without waiting for any time to pass.
    let (harness, _hand, _) = Harness::start_with_fake_clock().await;
    let mut open = Vec::new();
    let mut clients = Vec::new();
    for alpn in [Alpn::Http1, Alpn::Http2, Alpn::Http2] {
        let mut client = harness.connect(alpn).await;
        let watch = client
            .begin("GET /api/v1/configmaps?watch=1&resourceVersion=0")
            .await;
        assert_eq!(watch.status(), 200);
        open.push(watch.into_body());
        clients.push(client);
    }
    let ended = async {
        for body in open {
            // The stream ends whole; a broken one would be an error here.
            body.collect().await.expect("a clean end");
        }
    };
    tokio::join!(harness.stop(), ended);
}

#[tokio::test]
async fn turns_connections_away_when_there_are_too_many() {
    let harness = Harness::start_with(Options {
        limits: server::Limits {
            connections_max: 1,
            ..server::Limits::default()
        },
        ..Options::default()
    })
    .await;
    let mut first = harness.connect(Alpn::Http1).await;
    assert_eq!(first.send("GET /healthz").await.code, 200);
    let mut second = harness.socket().await;
    let mut bytes = Vec::new();
    let read = second.read_to_end(&mut bytes).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert_eq!(first.send("GET /healthz").await.code, 200);
    harness.stop().await;
}

#[test]
fn names_what_cannot_be_used_for_tls() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let good = params.self_signed(&key).expect("a certificate").pem();
    let check = |certificates: &str, key: &str, client_ca: &str, expected: &str| {
        let opened = server::edge::Tls::open(server::edge::TlsMaterial {
            certificates: certificates.as_bytes(),
            key: key.as_bytes(),
            client_ca: client_ca.as_bytes(),
        });
        let error = opened.expect_err("it is wrong").to_string();
        assert_eq!(error, format!("{expected} cannot be used for TLS"));
    };
    let key = key.serialize_pem();
    check("", &key, "", "the serving certificate");
    check(&good, "", "", "the serving certificate's key");
    check(&good, &key, "nothing", "the client CA bundle");
    let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    check(&good, &other, "", "the serving certificate");
}
