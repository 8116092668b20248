//! Tokens of service accounts: signed here, verified here, dead when what they are bound to is gone.
//!
//! Source: k8s.io/kubernetes, pkg/serviceaccount (claims, error texts) and RFC 7519.

mod claims;

use std::{sync::Arc, time::Duration};

use api::{Object, Text, Value, json, value};
use base::{Rng, WallTime};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::{SigningKey, VerifyingKey};
use crate::{User, World, user::CREDENTIAL_ID, world::Resource};

pub use claims::{Bound, Claims, Reference};

/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// How many verified signatures are remembered; beyond it all are forgotten at once.
const REMEMBERED_MAX: usize = 4_096;
/// Largest token that is looked at.
const TOKEN_LEN_MAX: usize = 16 * 1024;

/// Signs and verifies tokens.
pub struct ServiceAccounts {
    issuer: Text,
    /// Audiences of this server; a token that asks for none is for these.
    audiences: Vec<Text>,
    signing: SigningKey,
    verifying: Vec<VerifyingKey>,
    /// Signatures are verified once; what a token is bound to is looked at every time.
    remembered: Mutex<HashMap<Box<str>, Arc<Remembered>>>,
}

struct Remembered {
    claims: Claims,
    user: Arc<User>,
}

/// Why a token is not accepted. The texts are upstream's; the answer is 401.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not ours, or not a token at all.
    #[error("invalid bearer token")]
    NotOurs,
    /// No key of ours has signed it.
    #[error("invalid signature, no keys found")]
    Signature,
    /// It is for someone else.
    #[error("token audiences {token:?} is invalid for the target audiences {wanted:?}")]
    Audience {
        /// For whom it is.
        token: Vec<String>,
        /// For whom it should be.
        wanted: Vec<String>,
    },
    /// Its time is over.
    #[error("service account token has expired")]
    Expired,
    /// Its time has not come.
    #[error("service account token is not valid yet")]
    NotYet,
    /// The service account, or what the token is bound to, is gone.
    #[error("service account token has been invalidated")]
    Gone,
    /// An object of the same name has taken the place.
    #[error("{kind} UID ({found}) does not match {claim} ({claimed})")]
    OtherUid {
        /// What sort of object.
        kind: &'static str,
        /// Its uid.
        found: String,
        /// Which claim says otherwise.
        claim: &'static str,
        /// The claimed uid.
        claimed: String,
    },
}

/// An accepted token.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The user.
    pub user: Arc<User>,
    /// Those of the wanted audiences that it is for.
    pub audiences: Vec<Text>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct Grant<'a> {
    /// Namespace of the service account.
    pub namespace: &'a str,
    /// Name of the service account.
    pub name: &'a str,
    /// Uid of the service account.
    pub uid: &'a str,
    /// What it is bound to.
    pub bound: Option<Bound>,
    /// The node on which the pod it is bound to runs.
    pub node: Option<Reference>,
    /// For whom; none means this server.
    pub audiences: Vec<Text>,
    /// How long it lives.
    pub lifetime: Duration,
    /// After how long its use is worth a warning, if at all.
    pub warn_after: Option<Duration>,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The token.
    pub text: String,
    /// When it expires.
    pub expires: WallTime,
    /// For whom it is.
    pub audiences: Vec<Text>,
    /// `JTI=…`, for the audit log.
    pub credential_id: Text,
}

impl ServiceAccounts {
    /// Returns what signs with `signing` and verifies with its public half and `others`.
    #[must_use]
    pub fn new(
        issuer: &str,
        audiences: Vec<Text>,
        signing: SigningKey,
        others: Vec<VerifyingKey>,
    ) -> Self {
        let issuer = Text::new(issuer);
        let audiences = if audiences.is_empty() {
            vec![issuer.clone()]
        } else {
            audiences
        };
        let mut verifying = vec![signing.public().clone()];
        verifying.extend(
            others
                .into_iter()
                .filter(|key| key.id() != signing.public().id()),
        );
        Self {
            issuer,
            audiences,
            signing,
            verifying,
            remembered: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the audiences of this server.
    #[must_use]
    pub fn audiences(&self) -> &[Text] {
        &self.audiences
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`super::KeyError::Sign`] if the key fails.
    pub fn sign(
        &self,
        grant: &Grant<'_>,
        now: WallTime,
        rng: &mut Rng,
    ) -> Result<Token, super::KeyError> {
        let audiences = if grant.audiences.is_empty() {
            self.audiences.clone()
        } else {
            grant.audiences.clone()
        };
        let id = api::meta::Uid::random(rng).to_string();
        let expires = WallTime::from_secs((now + grant.lifetime).secs());
        let claims = claims::to_value(grant, &self.issuer, &audiences, &id, now, expires);
        let header = value!({
            "alg": (self.signing.public().algorithm()),
            "kid": (self.signing.public().id())
        });
        let mut text = part(&header);
        text.push('.');
        text.push_str(&part(&claims));
        let signature = self.signing.sign(text.as_bytes())?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(Token {
            text,
            expires,
            audiences,
            credential_id: Text::from(format!("JTI={id}")),
        })
    }

    /// Verifies a token for some of `wanted` (none means this server).
    ///
    /// # Errors
    /// [`TokenError`] says why it is not accepted.
    pub fn verify(
        &self,
        token: &str,
        wanted: &[Text],
        world: &dyn World,
        now: WallTime,
    ) -> Result<Verified, TokenError> {
        let wanted = if wanted.is_empty() {
            &self.audiences
        } else {
            wanted
        };
        let remembered = self.signed(token)?;
        let claims = &remembered.claims;
        let audiences = if claims.audiences.is_empty() {
            &self.audiences
        } else {
            &claims.audiences
        };
        let both: Vec<Text> = audiences
            .iter()
            .filter(|audience| wanted.contains(audience))
            .cloned()
            .collect();
        if both.is_empty() {
            let texts = |texts: &[Text]| texts.iter().map(ToString::to_string).collect();
            return Err(TokenError::Audience {
                token: texts(audiences),
                wanted: texts(wanted),
            });
        }
        check_time(claims, now)?;
        check_bound(claims, world, now)?;
        Ok(Verified {
            user: Arc::clone(&remembered.user),
            audiences: both,
        })
    }

    /// Returns the claims of a token that a key of ours has signed.
    fn signed(&self, token: &str) -> Result<Arc<Remembered>, TokenError> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(TokenError::NotOurs);
        }
        if let Some(known) = self.remembered.lock().get(token) {
            return Ok(Arc::clone(known));
        }
        let claims = self.check_signature(token)?;
        let user = Arc::new(user_of(&claims));
        let fresh = Arc::new(Remembered { claims, user });
        let mut remembered = self.remembered.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(token.into(), Arc::clone(&fresh));
        Ok(fresh)
    }

    fn check_signature(&self, token: &str) -> Result<Claims, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotOurs)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::NotOurs)?;
        let header = read_part(header).ok_or(TokenError::NotOurs)?;
        let payload = read_part(payload).ok_or(TokenError::NotOurs)?;
        // Another issuer's token is for another way of identifying, before its signature is looked at.
        if payload.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(TokenError::NotOurs);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature);
        let signature = signature.map_err(|_| TokenError::NotOurs)?;
        let text = |name| header.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = self.verifying.iter().any(|key| key.id() == text("kid"));
        let verified = self
            .verifying
            .iter()
            .filter(|key| !named || key.id() == text("kid"))
            .filter(|key| key.algorithm() == text("alg"))
            .any(|key| key.verifies(message.as_bytes(), &signature));
        if !verified {
            return Err(TokenError::Signature);
        }
        Claims::of(&payload).ok_or(TokenError::NotOurs)
    }

    /// Returns `/openid/v1/jwks`.
    #[must_use]
    pub fn key_set(&self) -> Value {
        let keys = self.verifying.iter().map(VerifyingKey::to_jwk).collect();
        value!({"keys": (Value::Array(keys))})
    }

    /// Returns `/.well-known/openid-configuration`; `url` is where this server is reached.
    #[must_use]
    pub fn discovery(&self, url: &str) -> Value {
        let mut algorithms: Vec<&str> =
            self.verifying.iter().map(VerifyingKey::algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let algorithms = algorithms.into_iter().map(Value::from).collect();
        let mut object = Object::default();
        let mut put = |name: &'static str, value: Value| object.push(Text::const_new(name), value);
        put("issuer", Value::String(self.issuer.clone()));
        put(
            "jwks_uri",
            Value::string(format!("{}/openid/v1/jwks", url.trim_end_matches('/'))),
        );
        put("response_types_supported", value!(["id_token"]));
        put("subject_types_supported", value!(["public"]));
        put(
            "id_token_signing_alg_values_supported",
            Value::Array(algorithms),
        );
        Value::Object(object)
    }
}

fn part(value: &Value) -> String {
    let mut text = Vec::new();
    json::write(value, &mut text);
    URL_SAFE_NO_PAD.encode(text)
}

fn read_part(part: &str) -> Option<Value> {
    let text = URL_SAFE_NO_PAD.decode(part).ok()?;
    let value = json::read(&text).ok()?.value;
    value.as_object().is_some().then_some(value)
}

fn check_time(claims: &Claims, now: WallTime) -> Result<(), TokenError> {
    let leeway = LEEWAY.as_secs().cast_signed();
    if claims
        .expires
        .is_some_and(|expires| now.secs() - leeway > expires)
    {
        return Err(TokenError::Expired);
    }
    let begins = claims.not_before.max(claims.issued_at);
    if begins.is_some_and(|begins| now.secs() + leeway < begins) {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

fn check_bound(claims: &Claims, world: &dyn World, now: WallTime) -> Result<(), TokenError> {
    let namespace = &claims.namespace;
    let accounts = (Resource::SERVICE_ACCOUNTS, "service account", "claim");
    check_object(world, accounts, namespace, &claims.account, now)?;
    let Some(bound) = &claims.bound else {
        return Ok(());
    };
    match bound {
        Bound::Secret(secret) => {
            let secrets = (
                Resource::SECRETS,
                "secret",
                "service account secret ref claim",
            );
            check_object(world, secrets, namespace, secret, now)
        }
        Bound::Pod(pod) => {
            let pods = (Resource::PODS, "pod", "service account pod ref claim");
            check_object(world, pods, namespace, pod, now)
        }
        Bound::Node(node) => {
            let nodes = (Resource::NODES, "node", "service account node ref claim");
            check_object(world, nodes, "", node, now)
        }
    }
}

/// Checks that an object is still the one that was meant. One that is being deleted counts as gone a
/// little after it should have been.
fn check_object(
    world: &dyn World,
    (resource, kind, claim): (Resource, &'static str, &'static str),
    namespace: &str,
    wanted: &Reference,
    now: WallTime,
) -> Result<(), TokenError> {
    let found = world.get(resource, namespace, &wanted.name);
    let bytes = found.ok_or(TokenError::Gone)?;
    let place = json::scan::find_field(&bytes, &["metadata"]).ok_or(TokenError::Gone)?;
    let metadata = &bytes[place];
    let uid = json::scan::find_str(metadata, &["uid"]).unwrap_or_default();
    if uid != wanted.uid {
        return Err(TokenError::OtherUid {
            kind,
            found: uid.to_owned(),
            claim,
            claimed: wanted.uid.to_string(),
        });
    }
    let leaving = json::scan::find_str(metadata, &["deletionTimestamp"]);
    let leaving = leaving.and_then(|text| api::time::parse(text).ok());
    if leaving.is_some_and(|leaving| leaving + LEEWAY < now) {
        return Err(TokenError::Gone);
    }
    Ok(())
}

fn user_of(claims: &Claims) -> User {
    let mut user = User::service_account(&claims.namespace, &claims.account.name);
    user.uid = claims.account.uid.clone();
    let mut add = |key: &'static str, value: &str| {
        user.extra
            .push((Text::const_new(key), vec![Text::new(value)]));
    };
    if let Some(Bound::Pod(pod)) = &claims.bound {
        add("authentication.kubernetes.io/pod-name", &pod.name);
        add("authentication.kubernetes.io/pod-uid", &pod.uid);
    }
    if !claims.id.is_empty() {
        add(CREDENTIAL_ID, &format!("JTI={}", claims.id));
    }
    let bound_node = match &claims.bound {
        Some(Bound::Node(node)) => Some(node),
        _ => claims.node.as_ref(),
    };
    if let Some(node) = bound_node {
        add("authentication.kubernetes.io/node-name", &node.name);
        if !node.uid.is_empty() {
            add("authentication.kubernetes.io/node-uid", &node.uid);
        }
    }
    user.authenticated()
}
