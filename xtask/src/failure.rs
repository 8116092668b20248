//! The one error of this room: a sentence for the person who ran the command.

use std::fmt;

/// Why a command of `cargo xtask` stopped.
///
/// Nobody acts on the difference between two of them, so it is only its text.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// Makes a failure that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Turns the error into "`what`: error".
    ///
    /// # Errors
    /// The same failure, with `what` in front of it.
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{what}: {error}")))
    }
}
