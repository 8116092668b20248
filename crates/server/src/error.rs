//! How the server says no: to a caller, and to whoever starts it.

use std::{borrow::Cow, fmt};

use api::Status;

/// A request that was not served. `?` carries it up to the one place that writes it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal(Box<Kind>);

/// The two shapes of a refusal.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Status(Status),
    Page { code: u16, text: Cow<'static, str> },
}

/// A refusal, taken apart for writing.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// The API's own object, in the caller's media type.
    Status(Status),
    /// Plain text, as upstream's non-API paths answer.
    Page {
        /// HTTP code.
        code: u16,
        /// Body, without a line feed at the end.
        text: Cow<'static, str>,
    },
}

impl Refusal {
    /// Returns the plain `404 page not found` of paths outside the API.
    #[must_use]
    pub fn page_not_found() -> Self {
        Self::page(404, "404 page not found")
    }

    /// Returns a refusal in plain text.
    #[must_use]
    pub fn page(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self(Box::new(Kind::Page { code, text }))
    }

    /// Returns the HTTP code that goes with it.
    #[must_use]
    pub fn code(&self) -> u16 {
        match &*self.0 {
            Kind::Status(status) => status.code,
            Kind::Page { code, .. } => *code,
        }
    }

    /// Returns the status, if it is one.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match &*self.0 {
            Kind::Status(status) => Some(status),
            Kind::Page { .. } => None,
        }
    }

    /// Takes it apart.
    #[must_use]
    pub fn into_refused(self) -> Refused {
        match *self.0 {
            Kind::Status(status) => Refused::Status(status),
            Kind::Page { code, text } => Refused::Page { code, text },
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self(Box::new(Kind::Status(status)))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Status(status) => status.fmt(f),
            Kind::Page { text, .. } => f.write_str(text),
        }
    }
}

impl std::error::Error for Refusal {}

/// Why a server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The TLS material handed in cannot be used; `what` names the part.
    #[error("{what} cannot be used for TLS")]
    Tls {
        /// `the serving certificate`, `the client CA bundle`, …
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The listener failed and gives no more connections.
    #[error("the listener failed")]
    Listen(#[source] std::io::Error),
}
