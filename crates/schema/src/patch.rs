//! Patches: a change of a tree, described by another tree.
//!
//! JSON patch ([`json_patch`]) and merge patch ([`merge`]) know nothing of shapes; strategic merge
//! patch ([`strategic`]) merges lists by what the shape says of them. A patched tree is in no
//! normal form and must be decoded again. Server-side apply will stand beside these as `apply`.

pub mod json_patch;
pub mod merge;
pub mod strategic;

use api::{Reason, Status};

/// Why a patch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is malformed; mend it.
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object as it is, such as a `test` that fails.
    #[error("{0}")]
    Unfit(String),
    /// The patch has too many operations.
    #[error("The allowed maximum operations in a JSON patch is {limit}, got {count}")]
    TooManyOperations {
        /// How many there may be.
        limit: usize,
        /// How many there are.
        count: usize,
    },
    /// The patch breaks a rule for which upstream has no code of its own.
    #[error("{0}")]
    Broken(String),
}

impl PatchError {
    /// Returns the refusal to send.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Malformed(text) => Status::bad_request(text.as_str()),
            // Upstream throws its text away here, and clients know the sentence it puts instead.
            Self::Unfit(_) => {
                let text = "the server rejected our request due to an error in our request";
                let mut status = Status::new(422, Reason::Invalid, text);
                status.details = Some(Box::default());
                status
            }
            Self::TooManyOperations { .. } => Status::new(
                413,
                Reason::RequestEntityTooLarge,
                format!("Request entity too large: {self}"),
            ),
            Self::Broken(text) => Status::new(500, Reason::Unknown, text.as_str()),
        }
    }
}
