//! What a client is told when the store cannot do what was asked.

use api::{Cause, Status, Text};
use base::Chain;
use store::{Revision, StoreError};

/// When a client may come back after a full or busy store, in seconds.
const RETRY_SECONDS: u32 = 1;

/// Returns the refusal of a read.
pub(crate) fn read(error: &StoreError) -> Status {
    match error {
        StoreError::Compacted { .. } => {
            Status::expired("The resourceVersion for the provided list is too old.")
        }
        StoreError::Future { revision, newest } => too_large_revision(*revision, *newest),
        other => fault(other),
    }
}

/// Returns the refusal of a write, conflicts excepted: those are decided where both sides are known.
pub(crate) fn write(error: &StoreError) -> Status {
    match error {
        StoreError::TooLarge { .. } => Status::new(
            413,
            api::Reason::RequestEntityTooLarge,
            "etcdserver: request is too large",
        ),
        StoreError::Busy { .. } => {
            Status::too_many_requests("the store is busy, please try again later", RETRY_SECONDS)
        }
        StoreError::Full { .. } => {
            // Upstream's words for a full etcd, which people search for.
            Status::new(
                500,
                api::Reason::Unknown,
                format!("etcdserver: no space: {error}"),
            )
        }
        other => fault(other),
    }
}

/// 504: the revision asked for is not reached yet.
pub(crate) fn too_large_revision(wanted: Revision, newest: Revision) -> Status {
    let message = format!("Too large resource version: {wanted}, current: {newest}");
    Status::timeout(&message, RETRY_SECONDS).with_cause(Cause {
        reason: Text::const_new("ResourceVersionTooLarge"),
        message: "Too large resource version".to_owned(),
        field: String::new(),
    })
}

fn fault(error: &StoreError) -> Status {
    if matches!(error, StoreError::Closed) {
        return Status::unavailable("the store is closed: the server is shutting down");
    }
    // Logged here, where it stops being an error and becomes an answer.
    tracing::error!(error = %Chain(error), "the store failed");
    Status::internal(Chain(error))
}
