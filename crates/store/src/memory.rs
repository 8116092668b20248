//! The engine that forgets: everything in memory, every receipt ready at once.
//!
//! For tests and throw-away servers. A [`MemoryStore::fork`] or [`MemoryStore::mark`] is a pointer
//! copy, however much is stored.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base::Clock;

use crate::{
    contract::{
        Entry, Key, Prefix, Range, RangeQuery, Receipt, Revision, Store, Watch, Write, Written,
    },
    error::StoreError,
    history::HistoryLimits,
    hub::{Hub, Live, View},
};

/// A store without a disk.
pub struct MemoryStore {
    hub: Arc<Hub>,
    is_closed: AtomicBool,
}

/// A moment of a [`MemoryStore`] to which it can be put back.
#[derive(Clone)]
pub struct Mark(View);

impl MemoryStore {
    /// Returns an empty store.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_history(clock, HistoryLimits::default())
    }

    /// Returns an empty store with its own bounds on the past.
    #[must_use]
    pub fn with_history(clock: Clock, limits: HistoryLimits) -> Self {
        let empty = View {
            live: Live::new(),
            live_bytes: 0,
            revision: Revision::START,
        };
        Self {
            hub: Arc::new(Hub::new(clock, limits, empty)),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Returns a second store that starts as this one is now, past included. From then on the two
    /// know nothing of each other.
    #[must_use]
    pub fn fork(&self) -> Self {
        let (view, history) = self.hub.view_with_history();
        let clock = self.hub.clock().clone();
        Self {
            hub: Arc::new(Hub::with_history(clock, history, view)),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Returns the present moment, to come back to.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.hub.view())
    }

    /// Puts the live entries back to what they were at `mark`.
    ///
    /// Revisions go on growing, so that no client takes something new for something it has seen.
    /// Every watch, and every read at an old revision, gets [`StoreError::Compacted`] and starts
    /// again from a list.
    pub fn reset(&self, mark: &Mark) {
        self.hub.reset(&mark.0);
    }
}

impl Store for MemoryStore {
    fn write(&self, write: Write) -> Receipt<Written> {
        Receipt::ready(self.health().and_then(|()| self.hub.commit(write)))
    }

    fn get(&self, key: &Key) -> Receipt<Option<Arc<Entry>>> {
        Receipt::ready(Ok(self.hub.get(key)))
    }

    fn range(&self, query: RangeQuery) -> Receipt<Range> {
        Receipt::ready(self.hub.range(&query))
    }

    fn revision(&self) -> Receipt<Revision> {
        Receipt::ready(Ok(self.hub.revision()))
    }

    fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.hub.watch(prefix, after)
    }

    fn compact(&self, through: Revision) -> Receipt<()> {
        Receipt::ready(self.hub.compact(through))
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    fn close(&self) -> Receipt<()> {
        if !self.is_closed.swap(true, Ordering::AcqRel) {
            self.hub.end_watches(&StoreError::Closed);
        }
        Receipt::ready(Ok(()))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore(revision {})", self.hub.revision())
    }
}
