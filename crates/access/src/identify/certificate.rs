//! Client certificates: the subject's common name is the user, its organisations are the groups.
//!
//! TLS has proved that the peer holds the key of the certificate it presented; whether anyone vouches
//! for the certificate is judged here, once per connection.

use std::sync::Arc;

use api::Text;
use base::WallTime;
use ring::digest;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::{der_parser::oid, oid_registry::Oid, prelude::*};

use crate::{User, user::CREDENTIAL_ID};

/// Where a certificate's subject says the user's uid (upstream's own object identifier).
const UID_OID: Oid<'static> = oid!(1.3.6.1.4.1.57683.2);

const ALGORITHMS: &[&dyn rustls_pki_types::SignatureVerificationAlgorithm] =
    webpki::ALL_VERIFICATION_ALGS;

/// Who vouches for client certificates.
#[derive(Debug, Default)]
pub struct Certificates {
    anchors: Vec<TrustAnchor<'static>>,
}

/// What was found out about the certificate of one connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Certified {
    /// It names a user, until it expires.
    User {
        /// The user.
        user: Arc<User>,
        /// The last moment of the certificate.
        not_after: WallTime,
    },
    /// It names nobody, which is as if there were none.
    Nobody,
    /// Nobody vouches for it.
    Refused(String),
}

/// Why a bundle of CAs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The text is no PEM, or has no certificate.
    #[error("there is no certificate in it")]
    Empty,
    /// A certificate in it cannot be read.
    #[error("a certificate in it cannot be read: {0}")]
    Certificate(String),
}

impl Certificates {
    /// Reads a PEM bundle of CAs.
    ///
    /// # Errors
    /// [`BundleError`] if there is no certificate in it, or one that cannot be read.
    pub fn read(pem: &[u8]) -> Result<Self, BundleError> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let fault = |error: &dyn std::fmt::Display| BundleError::Certificate(error.to_string());
            let certificate = certificate.map_err(|error| fault(&error))?;
            let anchor =
                webpki::anchor_from_trusted_cert(&certificate).map_err(|error| fault(&error))?;
            anchors.push(anchor.to_owned());
        }
        if anchors.is_empty() {
            return Err(BundleError::Empty);
        }
        Ok(Self { anchors })
    }

    /// Judges what a peer presented: its own certificate first, those between it and its CA behind.
    ///
    /// Returns none if it presented nothing, or if no CA is known at all.
    #[must_use]
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: WallTime) -> Option<Certified> {
        let (own, between) = chain.split_first()?;
        if self.anchors.is_empty() {
            return None;
        }
        Some(match self.verify(own, between, now) {
            Err(error) => Certified::Refused(format!("verifying certificate failed: {error}")),
            Ok(()) => user_of(own).unwrap_or_else(Certified::Refused),
        })
    }

    fn verify(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: WallTime,
    ) -> Result<(), webpki::Error> {
        let secs = u64::try_from(now.secs()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(secs));
        let end_entity = EndEntityCert::try_from(own)?;
        let usage = KeyUsage::client_auth();
        end_entity
            .verify_for_usage(ALGORITHMS, &self.anchors, between, time, usage, None, None)
            .map(|_| ())
    }
}

impl Certified {
    /// Returns the user at a moment; none if the certificate names nobody.
    ///
    /// # Errors
    /// Why nobody vouches for it, for the log.
    pub fn user_at(&self, now: WallTime) -> Result<Option<Arc<User>>, String> {
        match self {
            Self::User { user, not_after } if now <= *not_after => Ok(Some(Arc::clone(user))),
            Self::User { .. } => Err("the certificate has expired".to_owned()),
            Self::Nobody => Ok(None),
            Self::Refused(why) => Err(why.clone()),
        }
    }
}

fn user_of(der: &CertificateDer<'_>) -> Result<Certified, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let subject = certificate.subject();
    let text = |attribute: &AttributeTypeAndValue<'_>| {
        let text = attribute.as_str().map(Text::new);
        text.map_err(|error| format!("the subject cannot be read: {error}"))
    };
    // Of several common names Go takes the last.
    let Some(name) = subject.iter_common_name().last() else {
        return Ok(Certified::Nobody);
    };
    let name = text(name)?;
    if name.is_empty() {
        return Ok(Certified::Nobody);
    }
    let groups: Result<Vec<Text>, String> = subject.iter_organization().map(text).collect();
    let mut uids = subject.iter_by_oid(&UID_OID);
    let uid = match (uids.next(), uids.next()) {
        (None, _) => Text::default(),
        (Some(uid), None) => text(uid)?,
        (Some(_), Some(_)) => return Err("expected 1 UID, but found multiple".to_owned()),
    };
    let fingerprint = digest::digest(&digest::SHA256, der);
    let fingerprint: String = fingerprint
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = Text::from(format!("X509SHA256={fingerprint}"));
    let user = User {
        name,
        uid,
        groups: groups?,
        extra: vec![(Text::const_new(CREDENTIAL_ID), vec![id])],
    };
    Ok(Certified::User {
        user: Arc::new(user.authenticated()),
        not_after: WallTime::from_secs(certificate.validity().not_after.timestamp()),
    })
}
