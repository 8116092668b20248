//! Keys that sign and verify service-account tokens: RSA (RS256) and P-256 (ES256).

use api::{Object, Text, Value, value};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    },
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer, public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

/// The part of a P-256 key's `SubjectPublicKeyInfo` before the point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Sequence of the object identifier of RSA keys and null.
const RSA_ALGORITHM: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// Bytes of a P-256 point: a mark and two coordinates.
const P256_POINT_LEN: usize = 65;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no PEM, or no key.
    #[error("the text is not a PEM key")]
    Pem,
    /// The key is of a kind or size that is not supported; use RSA from 2048 bits or P-256.
    #[error("the key is neither RSA from 2048 bits nor P-256")]
    Unsupported,
    /// The key did not sign.
    #[error("the key did not sign")]
    Sign,
}

/// A private key that signs tokens.
pub struct SigningKey {
    pair: Pair,
    random: SystemRandom,
    public: VerifyingKey,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// A public key that verifies tokens.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    id: Text,
    key: Public,
}

#[derive(Clone, Debug)]
enum Public {
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// The point.
    P256(Vec<u8>),
}

impl SigningKey {
    /// Reads a private key: PKCS #8, or PKCS #1 for RSA.
    ///
    /// # Errors
    /// [`KeyError::Pem`] or [`KeyError::Unsupported`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Pem)?;
        let random = SystemRandom::new();
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .ok()
                .map(Pair::Rsa),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa);
                rsa.or_else(|| {
                    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der, &random);
                    pair.ok().map(Pair::P256)
                })
            }
            _ => None,
        };
        let pair = pair.ok_or(KeyError::Unsupported)?;
        let public = match &pair {
            Pair::Rsa(pair) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                VerifyingKey::new(Public::Rsa {
                    n: parts.n,
                    e: parts.e,
                })
            }
            Pair::P256(pair) => {
                VerifyingKey::new(Public::P256(pair.public_key().as_ref().to_vec()))
            }
        };
        Ok(Self {
            pair,
            random,
            public,
        })
    }

    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &signature::RSA_PKCS1_SHA256,
                    &self.random,
                    message,
                    &mut signature,
                )
                .map_err(|_| KeyError::Sign)?;
                Ok(signature)
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&self.random, message);
                let signature = signature.map_err(|_| KeyError::Sign)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl VerifyingKey {
    fn new(key: Public) -> Self {
        let digest = digest::digest(&digest::SHA256, &key.to_spki());
        let id = Text::from(URL_SAFE_NO_PAD.encode(digest));
        Self { id, key }
    }

    /// Reads a public key (`PUBLIC KEY`), that of a certificate, or the public half of a private one.
    ///
    /// # Errors
    /// [`KeyError::Pem`] or [`KeyError::Unsupported`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) {
            let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| KeyError::Pem)?;
            return Self::of(certificate.public_key());
        }
        let Ok(der) = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()) else {
            return SigningKey::from_pem(pem).map(|key| key.public);
        };
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| KeyError::Pem)?;
        Self::of(&info)
    }

    fn of(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, KeyError> {
        let key = match info.parsed().map_err(|_| KeyError::Pem)? {
            PublicKey::RSA(key) => Public::Rsa {
                n: without_zeros(key.modulus),
                e: without_zeros(key.exponent),
            },
            PublicKey::EC(point) if point.data().len() == P256_POINT_LEN => {
                Public::P256(point.data().to_vec())
            }
            _ => return Err(KeyError::Unsupported),
        };
        Ok(Self::new(key))
    }

    /// Returns upstream's key id: the hash of the public key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name of the algorithm in a token's header.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Public::Rsa { .. } => "RS256",
            Public::P256(_) => "ES256",
        }
    }

    /// Returns whether the signature is right.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::Rsa { n, e } => PublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Public::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
        }
    }

    /// Returns the key as one of a JSON Web Key Set.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        let encoded = |bytes: &[u8]| Value::string(URL_SAFE_NO_PAD.encode(bytes));
        let mut jwk = Object::default();
        let mut put = |name: &'static str, value: Value| jwk.push(Text::const_new(name), value);
        put("use", value!("sig"));
        put(
            "kty",
            Value::from(match self.key {
                Public::Rsa { .. } => "RSA",
                Public::P256(_) => "EC",
            }),
        );
        put("kid", Value::String(self.id.clone()));
        match &self.key {
            Public::Rsa { n, e } => {
                put("alg", value!("RS256"));
                put("n", encoded(n));
                put("e", encoded(e));
            }
            Public::P256(point) => {
                put("crv", value!("P-256"));
                put("alg", value!("ES256"));
                put("x", encoded(&point[1..33]));
                put("y", encoded(&point[33..]));
            }
        }
        Value::Object(jwk)
    }
}

impl Public {
    /// Returns the DER of `SubjectPublicKeyInfo`.
    fn to_spki(&self) -> Vec<u8> {
        match self {
            Self::P256(point) => [P256_PREFIX.as_slice(), point].concat(),
            Self::Rsa { n, e } => {
                let key = tlv(0x30, &[integer(n), integer(e)].concat());
                let bits = tlv(0x03, &[[0].as_slice(), &key].concat());
                tlv(0x30, &[RSA_ALGORITHM.as_slice(), &bits].concat())
            }
        }
    }
}

fn without_zeros(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

/// Returns an ASN.1 integer that is not negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut content = without_zeros(bytes);
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    tlv(0x02, &content)
}

/// Returns an ASN.1 value with its tag and length.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let len = content.len();
    if len < 0x80 {
        out.push(len as u8);
    } else {
        let bytes = without_zeros(&len.to_be_bytes());
        out.push(0x80 | bytes.len() as u8);
        out.extend(bytes);
    }
    out.extend_from_slice(content);
    out
}
