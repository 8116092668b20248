//! Why the store could not do what it was asked.

use std::{io, path::PathBuf, sync::Arc};

use crate::contract::{Entry, Expected, Revision};

/// Why the store could not do what it was asked.
///
/// First the answers a caller can act on, then the faults, which a person has to look at. Cheap to
/// clone, because one fault answers many writes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The key is not as the caller expected. Decide again from the entry found and retry.
    #[error("expected {expected}, found {}", describe(.found.as_deref()))]
    Changed {
        /// What the caller named.
        expected: Expected,
        /// What the key holds now.
        found: Option<Arc<Entry>>,
    },
    /// History up to `oldest` is gone; start from a fresh list.
    #[error("revision {revision} is compacted, oldest is {oldest}")]
    Compacted {
        /// Revision asked for.
        revision: Revision,
        /// Oldest revision that can still be asked for.
        oldest: Revision,
    },
    /// The revision is not reached yet. Wait, or tell the client that it came from elsewhere.
    #[error("revision {revision} is in the future, newest is {newest}")]
    Future {
        /// Revision asked for.
        revision: Revision,
        /// Newest revision there is.
        newest: Revision,
    },
    /// The key or value is larger than the store accepts; make it smaller.
    #[error("{size_bytes} bytes exceed the limit of {size_bytes_max}")]
    TooLarge {
        /// Size offered.
        size_bytes: usize,
        /// Size allowed.
        size_bytes_max: usize,
    },
    /// More writes wait for the disk than the queue may hold; retry after a moment.
    #[error("{queued_bytes} bytes wait to be written already")]
    Busy {
        /// Bytes in the queue.
        queued_bytes: usize,
    },
    /// The disk has no room. Nothing was lost; writes work again once there is room.
    #[error("no space left for the log in '{}'", .dir.display())]
    Full {
        /// Directory of the store.
        dir: PathBuf,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Another process has the directory open; stop it or take another directory.
    #[error("'{}' is in use by another process{}", .dir.display(), .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// Directory of the store.
        dir: PathBuf,
        /// The other process, if it left its number.
        pid: Option<u32>,
    },
    /// The files contradict themselves. Nothing was changed; restore them from a copy.
    #[error("'{}' is damaged at offset {offset}: {what}", .file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The files were written by a newer version of this program; run that one.
    #[error("'{}' has format {found}, this program reads format {supported}", .file.display())]
    Format {
        /// Which file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The format we know.
        supported: u32,
    },
    /// The disk would not keep what was written. The store refuses writes until it is reopened.
    #[error("failed to sync '{}'", .file.display())]
    Sync {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// An earlier fault stopped the store. Reads go on; writes need a reopened store.
    #[error("the store stopped after a fault")]
    Poisoned {
        /// The first fault.
        #[source]
        source: Arc<StoreError>,
    },
    /// A file or the directory could not be used as told.
    #[error("failed to {action} '{}'", .file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file or directory.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
}

impl StoreError {
    /// Returns the error for `action` on `file`.
    pub(crate) fn io(
        action: &'static str,
        file: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            file: file.into(),
            source: Arc::new(source),
        }
    }

    /// Returns whether this is a fault, after which the engine must not go on writing.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Format { .. }
                | Self::Sync { .. }
                | Self::Poisoned { .. }
                | Self::Io { .. }
        )
    }
}

fn describe(found: Option<&Entry>) -> String {
    found.map_or_else(
        || "no entry".to_owned(),
        |entry| format!("revision {}", entry.revision),
    )
}
