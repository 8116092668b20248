//! The edge over real sockets on the loopback: TLS, HTTP framing, bad input, drain.

use std::time::Duration;

use expect_test::{Expect, expect};
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
    let (harness, clock) = Harness::start_with_fake_clock().await;
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
    let (harness, clock) = Harness::start_with_fake_clock().await;
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
    let harness = Harness::start().await;
    let mut one = harness.connect(Alpn::Http1).await;
    let mut two = harness.connect(Alpn::Http2).await;
    assert_eq!(one.send("GET /healthz").await.code, 200);
    assert_eq!(two.send("GET /healthz").await.code, 200);
    // Fails after ten seconds if a resting connection keeps the server up.
    harness.stop().await;
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
    let harness = Harness::start().await;
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
    let stopped = harness.stop();
    let ended = async {
        for body in open {
            // The stream ends whole; a broken one would be an error here.
            body.collect().await.expect("a clean end");
        }
    };
    let (took, ()) = tokio::join!(stopped, ended);
    assert!(took < Duration::from_millis(500), "{took:?}");
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
