//! The program under the names of others, as harnesses start it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use base::Clock;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// Upstream takes a minute when a watch is open; anything near that is a failure, and a loaded
/// machine stays far below it.
const STOP_MAX: Duration = Duration::from_secs(5);
const TOKEN: &str = "a-token-of-the-administrator";
/// Its user is in no group and has no role.
const PLAIN_TOKEN: &str = "a-token-of-somebody";

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A program that is killed if a test ends early.
struct Started {
    child: Child,
    address: String,
}

impl Started {
    /// Starts the program and waits until it says where it serves.
    fn start(words: &[String]) -> Self {
        Self::start_with(words, "")
    }

    /// Starts the program beside these controllers.
    fn start_with(words: &[String], controllers: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pintle"))
            .args(words)
            .env("PINTLE_CONTROLLERS", controllers)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines();
        let address = lines
            .by_ref()
            .map(|line| line.expect("it is text"))
            .find_map(|line| Some(line.split_once("://")?.1.to_owned()));
        // Who writes to a closed pipe fails, so the rest is read.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            address: address.expect("it says where it serves before it ends"),
            child,
        }
    }

    /// Asks the program to end and returns how long that took.
    fn stop(mut self) -> Duration {
        let clock = Clock::system();
        let asked = clock.now();
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("there is a kill").success());
        assert!(self.child.wait().expect("it is our child").success());
        clock.now().since(asked)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(words: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(words)
        .output();
    output.expect("the program starts")
}

/// Writes what envtest would and returns the flags it would pass.
fn apiserver_words(directory: &Path) -> Vec<String> {
    let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    fs::write(directory.join("sa.key"), key).expect("it is writable");
    let tokens = format!("{TOKEN},admin,1,\"system:masters\"\n{PLAIN_TOKEN},somebody,2\n");
    fs::write(directory.join("tokens"), tokens).expect("it is writable");
    let directory = directory.display();
    vec![
        "kube-apiserver".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        "--secure-port=0".to_owned(),
        "--etcd-servers=http://127.0.0.1:1".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--service-account-issuer=https://127.0.0.1/".to_owned(),
        format!("--cert-dir={directory}"),
        format!("--service-account-key-file={directory}/sa.key"),
        format!("--service-account-signing-key-file={directory}/sa.key"),
        format!("--token-auth-file={directory}/tokens"),
    ]
}

/// Sends a request and returns the answer's first line and the connection behind it.
fn ask(started: &Started, certificate: &Path, request: &str) -> (String, BufReader<Tls>) {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(certificate).expect("a certificate");
    roots.add(root).expect("it is one to trust");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("it is sound");
    let socket = TcpStream::connect(&started.address).expect("it serves");
    let mut stream = StreamOwned::new(connection, socket);
    write!(stream, "{request}\r\nHost: localhost\r\n\r\n").expect("it listens");
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line).expect("it answers");
    (line.trim_end().to_owned(), answer)
}

#[test]
fn flags_are_refused_by_name() {
    let check = |words: &[&str], code: i32, expected: &str| {
        let output = run(words);
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(expected), "{text}");
    };
    check(
        &["kube-apiserver", "--nonsense=1"],
        1,
        "unknown flag: --nonsense",
    );
    check(
        &["etcd", "--nonsense=1"],
        2,
        "flag provided but not defined: -nonsense",
    );
    check(
        &["kube-apiserver", "--oidc-issuer-url=https://a"],
        1,
        "--oidc-issuer-url cannot be honoured",
    );
    check(
        &["kube-apiserver", "--etcd-servers=a", "--allow-privileged"],
        1,
        "these flags mean nothing here: --etcd-servers, --allow-privileged",
    );
    check(
        &["etcd", "--listen-client-urls=https://127.0.0.1:0"],
        2,
        "cannot understand the address",
    );
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut words = apiserver_words(directory.path());
    words.push("--client-ca-file=/nowhere/ca.crt".to_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&words);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("cannot use --client-ca-file /nowhere/ca.crt: "),
        "{text}"
    );
}

#[test]
fn the_api_server_is_ready_and_stops_while_a_watch_is_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let started = Started::start(&apiserver_words(directory.path()));
    let certificate = directory.path().join("apiserver.crt");
    for page in ["healthz", "readyz"] {
        let (line, _) = ask(&started, &certificate, &format!("GET /{page} HTTP/1.1"));
        assert_eq!(line, "HTTP/1.1 200 OK");
    }
    let (line, _) = ask(&started, &certificate, "GET /api/v1/pods HTTP/1.1");
    assert_eq!(line, "HTTP/1.1 403 Forbidden");
    wait_for(&started, &certificate, "namespaces", "");
    assert!(started.stop() < STOP_MAX);
}

/// Watches a resource until an object with this name appears; the watch stays open until then.
fn wait_for(started: &Started, certificate: &Path, resource: &str, name: &str) {
    let watch =
        format!("GET /api/v1/{resource}?watch=true HTTP/1.1\r\nAuthorization: Bearer {TOKEN}");
    let (line, mut events) = ask(started, certificate, &watch);
    assert_eq!(line, "HTTP/1.1 200 OK");
    let mut event = String::new();
    while !(event.contains("ADDED") && event.contains(&format!(r#""name":"{name}"#))) {
        event.clear();
        let read = events.read_line(&mut event).expect("the watch goes on");
        assert_ne!(read, 0, "the watch ended before its event");
    }
}

#[test]
fn a_certificate_that_is_named_is_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it is signed");
    let (certificate, key) = (
        directory.path().join("own.crt"),
        directory.path().join("own.key"),
    );
    fs::write(&certificate, made.cert.pem()).expect("it is writable");
    fs::write(&key, made.signing_key.serialize_pem()).expect("it is writable");
    let mut words = apiserver_words(directory.path());
    words.push(format!("--tls-cert-file={}", certificate.display()));
    // Each is for the other.
    let half: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&half);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("cannot use --tls-private-key-file "),
        "{text}"
    );
    words.push(format!("--tls-private-key-file={}", key.display()));
    let started = Started::start(&words);
    // The client trusts this certificate alone.
    let (line, _) = ask(&started, &certificate, "GET /healthz HTTP/1.1");
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert!(!directory.path().join("apiserver.crt").exists());
    assert!(started.stop() < STOP_MAX);
}

#[test]
fn where_everything_is_allowed_everyone_has_a_name() {
    let check = |mode: &str, expected: [&str; 2]| {
        let directory = tempfile::tempdir().expect("a directory");
        let mut words = apiserver_words(directory.path());
        words.retain(|word| !word.starts_with("--authorization-mode"));
        words.push(format!("--authorization-mode={mode}"));
        let started = Started::start(&words);
        let certificate = directory.path().join("apiserver.crt");
        let get = "GET /api/v1/pods HTTP/1.1";
        let named = format!("{get}\r\nAuthorization: Bearer {PLAIN_TOKEN}");
        let codes = [named.as_str(), get].map(|request| {
            let (line, _) = ask(&started, &certificate, request);
            line.trim_start_matches("HTTP/1.1 ").to_owned()
        });
        assert_eq!(codes, expected, "{mode}");
        assert!(started.stop() < STOP_MAX);
    };
    check("AlwaysAllow", ["200 OK", "401 Unauthorized"]);
    check("RBAC", ["403 Forbidden", "403 Forbidden"]);
}

#[test]
fn controllers_run_beside_it_when_they_are_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let words = apiserver_words(directory.path());
    let started = Started::start_with(&words, "serviceaccount-controller");
    let certificate = directory.path().join("apiserver.crt");
    wait_for(&started, &certificate, "serviceaccounts", "default");
    assert!(started.stop() < STOP_MAX);
    let output = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(&words)
        .env("PINTLE_CONTROLLERS", "*,nonsense")
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("nonsense"), "{text}");
}

#[test]
fn etcd_is_well_and_stops_while_a_client_stays() {
    let words = [
        "etcd",
        "--listen-client-urls=http://127.0.0.1:0",
        "--data-dir=/nowhere",
    ];
    let started = Started::start(&words.map(str::to_owned));
    let mut socket = TcpStream::connect(&started.address).expect("it serves");
    socket
        .write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("it listens");
    let mut answer = [0; 15];
    socket.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert!(started.stop() < STOP_MAX);
}
