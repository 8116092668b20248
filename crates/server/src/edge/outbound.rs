//! Connections that the server itself opens: to nodes and to what runs on them.
//!
//! One connection for one request, HTTP/1.1, because that is what can be upgraded. Errors read as
//! Go's do, because clients see them.

use std::{io, sync::Arc, time::Duration};

use base::{Clock, Tasks};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use schema::Security;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::tls::{Proof, Proved};
use crate::{Body, ServerError};

/// How long connecting may take, as upstream's dialer.
const CONNECT: Duration = Duration::from_secs(30);

/// Opens connections. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    anyone: Arc<ClientConfig>,
    node: Arc<ClientConfig>,
}

impl Outbound {
    /// Returns what shows this client certificate (PEM, with its key) to nodes, or none if empty.
    ///
    /// # Errors
    /// [`ServerError::Tls`] names the part that cannot be used.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, ServerError> {
        let provider = Arc::new(ring::default_provider());
        let builder = || {
            let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map_err(super::tls::fault("the crypto provider"))?;
            let anyone = Arc::new(Anyone(Proof::by(&provider)));
            Ok(builder.dangerous().with_custom_certificate_verifier(anyone))
        };
        let anyone = builder()?.with_no_client_auth();
        let node = if certificate.is_empty() {
            builder()?.with_no_client_auth()
        } else {
            let what = "the client certificate for nodes";
            let chain = super::tls::read_certificates(what, certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(super::tls::fault(what))?;
            builder()?
                .with_client_auth_cert(chain, key)
                .map_err(super::tls::fault(what))?
        };
        Ok(Self {
            anyone: Arc::new(anyone),
            node: Arc::new(node),
        })
    }

    /// Connects to a host; the connection is driven by a task until it ends.
    ///
    /// # Errors
    /// The text of what went wrong, as Go prints it.
    pub(crate) async fn connect(
        &self,
        (clock, tasks): (&Clock, &Tasks),
        (security, host, port): (Security, &str, u16),
    ) -> Result<SendRequest<Body>, String> {
        let stream = dial(clock, host, port).await?;
        let config = match security {
            Security::Plain => return open(tasks, stream).await,
            Security::Tls => &self.anyone,
            Security::Node => &self.node,
        };
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| format!("tls: {host} is no name"))?;
        let connector = TlsConnector::from(Arc::clone(config));
        match clock
            .timeout(CONNECT, connector.connect(name, stream))
            .await
        {
            Ok(Ok(stream)) => open(tasks, stream).await,
            Ok(Err(error)) => Err(format!("tls: {error}")),
            Err(_) => Err("net/http: TLS handshake timeout".to_owned()),
        }
    }
}

/// Opens a connection.
///
/// # Errors
/// The text of what went wrong, as Go prints it.
pub(crate) async fn dial(clock: &Clock, host: &str, port: u16) -> Result<TcpStream, String> {
    let dialed = clock
        .timeout(CONNECT, TcpStream::connect((host, port)))
        .await;
    let shown = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let stream = match dialed {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(dial_text(&shown, host, &error)),
        Err(_) => return Err(format!("dial tcp {shown}: i/o timeout")),
    };
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn open<S>(tasks: &Tasks, stream: S) -> Result<SendRequest<Body>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    drop(tasks.spawn("outbound", async move {
        // What goes wrong here reaches the request.
        let _ = connection.with_upgrades().await;
    }));
    Ok(sender)
}

/// Returns the text of an error of connecting.
fn dial_text(shown: &str, host: &str, error: &io::Error) -> String {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let why = match error.kind() {
        ConnectionRefused => "connect: connection refused",
        HostUnreachable => "connect: no route to host",
        NetworkUnreachable => "connect: network is unreachable",
        _ if error.raw_os_error().is_none() => {
            return format!("dial tcp: lookup {host}: no such host");
        }
        _ => return format!("dial tcp {shown}: {error}"),
    };
    format!("dial tcp {shown}: {why}")
}

/// Believes whatever certificate is shown, as upstream does of kubelets and workloads unless it is
/// told their authority; that the peer holds its key is proved all the same.
#[derive(Debug)]
struct Anyone(Proof);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Proved {
        self.0.tls12(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Proved {
        self.0.tls13(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::dial_text;

    #[test]
    fn says_what_go_says() {
        let check = |kind, expected: &str| {
            let found = dial_text("10.0.0.1:80", "10.0.0.1", &Error::from_raw_os_error(kind));
            assert_eq!(found, expected);
        };
        check(111, "dial tcp 10.0.0.1:80: connect: connection refused");
        check(113, "dial tcp 10.0.0.1:80: connect: no route to host");
        check(101, "dial tcp 10.0.0.1:80: connect: network is unreachable");
        let unknown = Error::other("failed to lookup address information");
        let text = dial_text("n:80", "n", &unknown);
        assert_eq!(text, "dial tcp: lookup n: no such host");
    }
}
