//! TLS as upstream's servers speak it: a client certificate is asked for and never required.
//!
//! A certificate that nobody vouches for does not fail the handshake; the request is then
//! answered with 401, which tells its sender more. That the peer holds the certificate's key is
//! proved here all the same.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use crate::ServerError;

/// ALPN name of HTTP/2.
pub(super) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// One ticket is enough: a client that resumes gets a new one.
const TICKETS: usize = 1;

/// What TLS needs, as PEM.
#[derive(Clone, Copy, Debug)]
pub struct TlsMaterial<'a> {
    /// The serving certificate and those between it and its CA.
    pub certificates: &'a [u8],
    /// The serving certificate's key.
    pub key: &'a [u8],
    /// CAs of client certificates, told to clients as a hint; empty asks for no certificate.
    pub client_ca: &'a [u8],
}

/// TLS, ready for connections.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Reads the material.
    ///
    /// # Errors
    /// [`ServerError::Tls`] names the part that cannot be used.
    pub fn open(material: TlsMaterial<'_>) -> Result<Self, ServerError> {
        let provider = Arc::new(ring::default_provider());
        let certificates = read_certificates("the serving certificate", material.certificates)?;
        let key = PrivateKeyDer::from_pem_slice(material.key)
            .map_err(fault("the serving certificate's key"))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(fault("the crypto provider"))?;
        let builder = if material.client_ca.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for root in read_certificates("the client CA bundle", material.client_ca)? {
                roots.add(root).map_err(fault("the client CA bundle"))?;
            }
            builder.with_client_cert_verifier(Arc::new(AnyClient {
                hints: roots.subjects(),
                proof: Proof::by(&provider),
            }))
        };
        let mut config = builder
            .with_single_cert(certificates, key)
            .map_err(fault("the serving certificate"))?;
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        config.ticketer = ring::Ticketer::new().map_err(fault("the ticket key"))?;
        config.send_tls13_tickets = TICKETS;
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

pub(super) fn fault<E>(what: &'static str) -> impl FnOnce(E) -> ServerError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |error| ServerError::Tls {
        what,
        source: error.into(),
    }
}

pub(super) fn read_certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(fault(what))?;
    if certificates.is_empty() {
        return Err(fault(what)("there is no certificate in it"));
    }
    Ok(certificates)
}

/// Proves that a peer holds the key of the certificate that it shows.
#[derive(Debug)]
pub(super) struct Proof(WebPkiSupportedAlgorithms);

impl Proof {
    pub(super) fn by(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }

    pub(super) fn tls12(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Proved {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    pub(super) fn tls13(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Proved {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    pub(super) fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// What a proof comes to.
pub(super) type Proved = Result<HandshakeSignatureValid, rustls::Error>;

/// Takes any certificate whose key the peer holds; `identify` judges it.
#[derive(Debug)]
struct AnyClient {
    hints: Vec<DistinguishedName>,
    proof: Proof,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Proved {
        self.proof.tls12(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Proved {
        self.proof.tls13(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.proof.schemes()
    }
}
