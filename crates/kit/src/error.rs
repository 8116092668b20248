//! Why a request of a guest gave no answer.

use kube::core::Status;

/// The source of a failed call, whatever the transport was.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why kit could not do what it was asked.
///
/// [`Error::Refused`] is an answer of the server that a caller can act on; the rest are faults.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server said no; look at the status' reason and causes.
    #[error("the server refused: {}", .0.message)]
    Refused(Box<Status>),
    /// The request did not reach the server or its answer was cut off; try again later.
    #[error("the request did not get through")]
    Transport(#[source] BoxError),
    /// The answer could not be read as what was asked for; the reader's type is wrong for it.
    #[error("failed to read {what}")]
    Decode {
        /// What was being read.
        what: &'static str,
        /// Where reading failed.
        #[source]
        source: serde_json::Error,
    },
    /// The request could not be put into HTTP; a name in it is not one the server could have given.
    #[error("failed to build a request")]
    Build(#[source] http::Error),
    /// The client could not be set up from this configuration; mend the configuration.
    #[error("failed to set up the client")]
    Setup(#[source] BoxError),
    /// A cache did not see an own write in time; the round is to be tried again.
    #[error("the cache of {resource} has not seen the own write yet")]
    Behind {
        /// Plural name of the cached resource.
        resource: String,
    },
    /// Something that is needed is not there yet; the round is to be tried again.
    #[error("{0} is not there yet")]
    NotYet(String),
    /// The controller's code panicked in this round; the panic has been reported.
    #[error("the round panicked")]
    Panicked,
    /// Something other than a request failed; the text says what.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Returns an error that consists of a text.
    #[must_use]
    pub fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }

    /// Returns an error that says what is waited for.
    #[must_use]
    pub fn not_yet(what: impl Into<String>) -> Self {
        Self::NotYet(what.into())
    }

    /// Returns the status if the server refused.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused(status) => Some(status),
            _ => None,
        }
    }

    /// Returns whether the server refused with this reason (`NotFound`, `Conflict`, …).
    #[must_use]
    pub fn is(&self, reason: &str) -> bool {
        self.status().is_some_and(|status| status.reason == reason)
    }

    /// Returns whether the object or resource does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status()
            .is_some_and(|status| status.code == 404 || status.reason == "NotFound")
    }

    /// Returns whether the object changed since it was read.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.is("Conflict")
    }

    /// Returns whether an object of that name exists already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.is("AlreadyExists")
    }

    /// Returns whether one of the status' causes has this reason.
    #[must_use]
    pub fn has_cause(&self, reason: &str) -> bool {
        self.status()
            .and_then(|status| status.details.as_ref())
            .is_some_and(|details| details.causes.iter().any(|cause| cause.reason == reason))
    }

    /// Returns the text that the server gave, or our own; what goes into conditions and events.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Refused(status) if !status.message.is_empty() => status.message.clone(),
            other => base::Chain(other).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    fn refused(json: &str) -> Error {
        Error::Refused(Box::new(serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn reads_the_reason_and_the_causes() {
        let error = refused(
            r#"{"kind":"Status","status":"Failure","code":403,"reason":"Forbidden","message":"no",
                "details":{"causes":[{"reason":"NamespaceTerminating","message":"m","field":"f"}]}}"#,
        );
        assert!(error.is("Forbidden") && error.has_cause("NamespaceTerminating"));
        assert!(!error.is_conflict() && !error.is_not_found() && !error.is_already_exists());
        assert_eq!(error.text(), "no");
    }

    #[test]
    fn a_fault_has_no_reason() {
        let error = Error::Transport("cut off".into());
        assert!(!error.is_not_found() && error.status().is_none());
        assert_eq!(Error::not_yet("a cache").text(), "a cache is not there yet");
        assert_eq!(error.text(), "the request did not get through: cut off");
    }
}
