//! Who are you? Credentials to a user.
//!
//! The ways are tried in upstream's order: client certificate, static token, service-account token,
//! anonymous. The first success wins. Whoever shows a credential that nobody accepts is refused and
//! never anonymous.

pub mod certificate;
mod keys;
pub mod service_account;
pub mod token_file;

use std::sync::Arc;

use api::Text;
use base::WallTime;

use crate::{User, World};

pub use certificate::{Certificates, Certified};
pub use keys::{KeyError, SigningKey, VerifyingKey};
pub use service_account::{ServiceAccounts, TokenError, Verified};
pub use token_file::TokenFile;

/// What a request shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// What became of the certificate that the peer presented; made once per connection by
    /// [`Certificates::judge`].
    pub certificate: Option<&'a Certified>,
    /// The token of the `Authorization` header, from [`bearer_of`].
    pub bearer: Option<&'a str>,
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Identified {
    /// This user.
    User(Arc<User>),
    /// Someone without credentials, where that is not enough: answer 401.
    Nobody,
    /// Someone whose credentials were not accepted: answer 401. The text is for the log.
    Refused(String),
}

/// The ways to be identified.
pub struct Identify {
    /// Static tokens.
    pub tokens: TokenFile,
    /// Service-account tokens; none if there is no key.
    pub service_accounts: Option<Arc<ServiceAccounts>>,
    /// Whoever shows nothing; none if that is not allowed.
    pub anonymous: Option<Arc<User>>,
}

impl Identify {
    /// Returns the ways of a usual server: tokens of service accounts, and anonymous.
    #[must_use]
    pub fn new(service_accounts: Option<Arc<ServiceAccounts>>) -> Self {
        Self {
            tokens: TokenFile::default(),
            service_accounts,
            anonymous: Some(Arc::new(User::anonymous())),
        }
    }

    /// Says who a request comes from.
    pub fn identify(
        &self,
        credentials: Credentials<'_>,
        world: &dyn World,
        now: WallTime,
    ) -> Identified {
        let mut refused = None;
        match credentials.certificate.map(|one| one.user_at(now)) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(user))) => return Identified::User(user),
            Some(Err(why)) => refused = Some(why),
        }
        if let Some(token) = credentials.bearer {
            match self.token(token, world, now) {
                Ok(user) => return Identified::User(user),
                Err(why) => {
                    refused.get_or_insert(why);
                }
            }
        }
        match (refused, &self.anonymous) {
            (Some(why), _) => Identified::Refused(why),
            (None, Some(anonymous)) => Identified::User(Arc::clone(anonymous)),
            (None, None) => Identified::Nobody,
        }
    }

    /// Says whose token this is, for the audience of this server.
    ///
    /// # Errors
    /// Why nobody accepts it, for the log.
    pub fn token(
        &self,
        token: &str,
        world: &dyn World,
        now: WallTime,
    ) -> Result<Arc<User>, String> {
        let verified = self.token_for(token, &[], world, now)?;
        Ok(verified.user)
    }

    /// Says whose token this is, and for which of the wanted audiences (none: this server's). Static
    /// tokens are for all of them.
    ///
    /// # Errors
    /// Why nobody accepts it; `TokenReview` tells the caller.
    pub fn token_for(
        &self,
        token: &str,
        wanted: &[Text],
        world: &dyn World,
        now: WallTime,
    ) -> Result<Verified, String> {
        let own = self.service_accounts.as_ref();
        if let Some(user) = self.tokens.user(token) {
            let audiences = match own {
                Some(accounts) if wanted.is_empty() => accounts.audiences(),
                _ => wanted,
            };
            return Ok(Verified {
                user,
                audiences: audiences.to_vec(),
            });
        }
        let accounts = own.ok_or_else(|| TokenError::NotOurs.to_string())?;
        let verified = accounts.verify(token, wanted, world, now);
        verified.map_err(|error| error.to_string())
    }
}

/// Returns the token of an `Authorization` header, if it is a bearer token.
#[must_use]
pub fn bearer_of(header: &str) -> Option<&str> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    // An extra space makes an empty token, which upstream ignores.
    let token = rest.split(' ').next()?;
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests;
