//! Logs and streams through the kubelet of a node: a real connection to something that speaks like
//! one.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Alpn, Client, Harness};

const PODS: &str = "/api/v1/namespaces/a/pods";

/// Answers like a kubelet, one request per connection, and returns the port.
#[allow(
    clippy::disallowed_methods,
    reason = "it stands for another program and ends with the test's runtime"
)]
async fn kubelet() -> u16 {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["node".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.expect("a handshake");
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a head"));
                }
                let head = String::from_utf8(head).expect("text");
                let line = head.lines().next().unwrap_or_default().to_owned();
                let told = format!(
                    "{line} {}",
                    head.to_lowercase().contains("upgrade: spdy/3.1")
                );
                if line.contains("/exec/") {
                    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
                    stream.write_all(switch).await.expect("it is open");
                    let mut word = [0; 4];
                    stream.read_exact(&mut word).await.expect("it is sent");
                    stream.write_all(told.as_bytes()).await.expect("it is open");
                    stream.write_all(&word).await.expect("it is open");
                } else {
                    let code = if line.contains("/gone") {
                        "404 Not Found"
                    } else {
                        "200 OK"
                    };
                    let answer = format!(
                        "HTTP/1.1 {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{told}",
                        told.len()
                    );
                    stream
                        .write_all(answer.as_bytes())
                        .await
                        .expect("it is open");
                }
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

/// Makes a node whose kubelet listens at a port, and a pod on it.
async fn prepare(client: &mut Client, port: u16) {
    let node = format!(
        r#"{{"metadata":{{"name":"n"}},"status":{{"addresses":[{{"type":"InternalIP","address":"127.0.0.1"}}],"daemonEndpoints":{{"kubeletEndpoint":{{"Port":{port}}}}}}}}}"#
    );
    let made = client.post("POST /api/v1/nodes", node).await;
    assert_eq!(made.code, 201, "{made}");
    let namespace = client
        .post("POST /api/v1/namespaces", r#"{"metadata":{"name":"a"}}"#)
        .await;
    assert_eq!(namespace.code, 201, "{namespace}");
    let account = r#"{"metadata":{"name":"default"}}"#;
    client
        .post("POST /api/v1/namespaces/a/serviceaccounts", account)
        .await;
    let pod = r#"{"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"},{"name":"gone","image":"i"}]}}"#;
    let made = client.post(&format!("POST {PODS}"), pod).await;
    assert_eq!(made.code, 201, "{made}");
}

#[tokio::test]
async fn logs_are_fetched_from_the_kubelet() {
    let harness = Harness::start().await;
    let mut client = harness.connect(Alpn::Http2).await;
    prepare(&mut client, kubelet().await).await;
    let log = client
        .send(&format!("GET {PODS}/p/log?container=c&tailLines=3"))
        .await;
    assert_eq!(log.code, 200, "{log}");
    assert_eq!(log.headers["content-type"], "text/plain");
    let asked = "GET /containerLogs/a/p/c?stream=All&tailLines=3 HTTP/1.1 false";
    assert_eq!(log.text(), asked);
    let missing = client
        .send(&format!("GET {PODS}/p/log?container=gone"))
        .await;
    assert_eq!(missing.code, 404, "{missing}");
    let why = "the server could not find the requested resource ( pods/log p)";
    assert!(missing.text().contains(why), "{missing}");
    let refused = client
        .send(&format!("GET {PODS}/p/exec?container=c&command=x"))
        .await;
    assert_eq!(refused.code, 400, "{refused}");
    assert!(
        refused.text().contains("Upgrade request required"),
        "{refused}"
    );
    harness.stop().await;
}

#[tokio::test]
async fn streams_are_joined() {
    let harness = Harness::start().await;
    let mut client = harness.connect(Alpn::Http1).await;
    prepare(&mut client, kubelet().await).await;
    let mut stream = harness.tls(Alpn::Http1).await;
    let head = format!(
        "POST {PODS}/p/exec?container=c&command=ls&stdin=1 HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it is open");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("upgrade: spdy/3.1"), "{head}");
    stream.write_all(b"ping").await.expect("it is open");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("it ends");
    let asked = "POST /exec/a/p/c?command=ls&error=1&input=1&output=1 HTTP/1.1 true";
    assert_eq!(rest, format!("{asked}ping"));
    harness.stop().await;
}

#[tokio::test]
async fn a_kubelet_that_is_gone_is_told() {
    let harness = Harness::start().await;
    let mut client = harness.connect(Alpn::Http1).await;
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    };
    prepare(&mut client, port).await;
    let log = client.send(&format!("GET {PODS}/p/log?container=c")).await;
    assert_eq!(log.code, 500, "{log}");
    let why = format!(
        r#"Get \"https://127.0.0.1:{port}/containerLogs/a/p/c?stream=All\": dial tcp 127.0.0.1:{port}: connect: connection refused"#
    );
    assert!(log.text().contains(&why), "{log}");
    let proxied = client.send("GET /api/v1/nodes/n/proxy/").await;
    assert_eq!(proxied.code, 400, "{proxied}");
    assert!(proxied.text().contains("address not allowed"), "{proxied}");
    harness.stop().await;
}
