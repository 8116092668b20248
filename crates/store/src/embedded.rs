//! The engine that remembers: everything live in memory, every change in a log on disk.
//!
//! A synced write is acknowledged, and seen, only after its frame of the log was synced. One
//! thread writes frames; whatever was staged during the last sync goes into the next frame. Now
//! and then a snapshot of all live entries makes the log before it needless, so the files stay
//! within the size of the live entries and some slack. At the start the newest snapshot is read
//! and the log after it replayed. Files that contradict themselves are refused and named; nothing
//! is ever repaired by guessing or reset.
//!
//! Invariant: a sync that failed is never tried again; the store stops writing.
//!
//! Start reading at `committer` (a write until its receipt), `format` (the bytes), then `recover`.

mod committer;
mod driver;
mod format;
#[cfg(any(test, feature = "suite"))]
#[allow(clippy::missing_panics_doc, reason = "a fuzz target panics")]
pub mod fuzz;
mod log;
mod recover;
mod segment;
mod snapshot;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use base::{Clock, Rng};
use parking_lot::Mutex;

use self::{
    driver::{Committer, Shared},
    format::HeaderFlaw,
};
use crate::{
    contract::{
        Entry, Key, Prefix, Range, RangeQuery, Receipt, Revision, Store, Watch, Write, Written,
    },
    disk::{Disk, LockRefusal, RealDisk},
    error::StoreError,
    history::HistoryLimits,
};

/// Who appends to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// A thread of the store's own.
    #[default]
    Thread,
    /// The caller of each write, before the write returns; [`EmbeddedStore::tick`] does what has
    /// become due in between. For simulations, where one thread must do everything in order.
    Inline,
}

/// The bounds of an embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// How much of the past is kept in memory.
    pub history: HistoryLimits,
    /// The log may be this much larger than the live entries before a snapshot makes it small
    /// again. More means fewer snapshots, thus less wear; and a longer start.
    pub log_slack_bytes: u64,
    /// Size of the first segment. Small, because a new store should be small and start at once.
    /// Each next one is twice as large; one that is too small for a frame is made larger.
    pub segment_bytes_first: u64,
    /// Segments grow up to this size.
    pub segment_bytes_max: u64,
    /// Writes are refused as busy while more than this waits for the disk.
    pub queue_bytes_max: usize,
    /// Who appends to the log.
    pub drive: Drive,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            history: HistoryLimits::default(),
            // Replayed in about a quarter of a second.
            log_slack_bytes: 64 * 1024 * 1024,
            // Zeroed in a millisecond.
            segment_bytes_first: 1024 * 1024,
            // Changing segments costs three syncs; at 16 MiB that is one for 2,000 small writes.
            segment_bytes_max: 16 * 1024 * 1024,
            // Twenty of the largest values; more than a healthy disk ever lets wait.
            queue_bytes_max: 40 * 1024 * 1024,
            drive: Drive::Thread,
        }
    }
}

impl EmbeddedOptions {
    /// Returns bounds for a machine with little flash and memory.
    #[must_use]
    pub fn small() -> Self {
        Self {
            history: HistoryLimits {
                bytes_max: 32 * 1024 * 1024,
                ..HistoryLimits::default()
            },
            log_slack_bytes: 16 * 1024 * 1024,
            segment_bytes_max: 4 * 1024 * 1024,
            ..Self::default()
        }
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreUsage {
    /// Keys and values of the live entries.
    pub live_bytes: u64,
    /// Events kept.
    pub history_events: usize,
    /// Bytes that only those events hold on to.
    pub history_bytes: usize,
    /// Bytes of the log since the last snapshot.
    pub log_bytes: u64,
    /// Snapshots written since the store was opened.
    pub snapshots: u64,
}

/// A store in one directory, used by one process.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    driver: Driver,
}

enum Driver {
    Thread(Mutex<Option<JoinHandle<()>>>),
    Inline(Box<Mutex<Committer>>),
}

impl EmbeddedStore {
    /// Opens the store in `dir`, or begins a new one if the directory is empty or missing.
    ///
    /// Blocks until everything live is in memory.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it open; [`StoreError::Damaged`] and
    /// [`StoreError::Format`], which name the file; [`StoreError::Full`]; [`StoreError::Io`].
    pub fn open(
        dir: &Path,
        clock: &Clock,
        rng: Rng,
        options: EmbeddedOptions,
    ) -> Result<Self, StoreError> {
        let disk = RealDisk::open(dir).map_err(StoreError::io("open", dir))?;
        Self::open_on(Arc::new(disk), clock, rng, options)
    }

    /// As [`EmbeddedStore::open`], on any disk.
    ///
    /// # Errors
    /// As [`EmbeddedStore::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        clock: &Clock,
        mut rng: Rng,
        options: EmbeddedOptions,
    ) -> Result<Self, StoreError> {
        let dir = disk.path().to_owned();
        let lock = disk.lock().map_err(|refusal| match refusal {
            LockRefusal::Taken(pid) => StoreError::Locked {
                dir: dir.clone(),
                pid,
            },
            LockRefusal::Io(error) => StoreError::io("lock", &dir)(error),
        })?;
        let recovered = recover::recover(&disk, clock, &options, &mut rng)?;
        let drive = options.drive;
        let (shared, committer) = driver::start(disk, rng, recovered, lock, options);
        let driver = match drive {
            Drive::Inline => Driver::Inline(Box::new(Mutex::new(committer))),
            Drive::Thread => {
                let shared = Arc::clone(&shared);
                let thread = thread::Builder::new().name("store-writer".to_owned());
                let handle = thread
                    .spawn(move || shared.run(committer))
                    .map_err(StoreError::io("start the writer of", &dir))?;
                Driver::Thread(Mutex::new(Some(handle)))
            }
        };
        Ok(Self { shared, driver })
    }

    /// Does what has become due: syncs relaxed writes, seals an idle log, forgets old events.
    /// Only needed with [`Drive::Inline`]; a store with a thread does it by itself.
    pub fn tick(&self) {
        if let Driver::Inline(committer) = &self.driver {
            self.shared.tick(&mut committer.lock());
        }
    }

    /// Returns how much the store holds.
    #[must_use]
    pub fn usage(&self) -> StoreUsage {
        self.shared.usage()
    }
}

impl Store for EmbeddedStore {
    fn write(&self, write: Write) -> Receipt<Written> {
        let receipt = self.shared.write(write);
        if let Driver::Inline(committer) = &self.driver {
            self.shared.drive(&mut committer.lock());
        }
        receipt
    }

    fn get(&self, key: &Key) -> Receipt<Option<Arc<Entry>>> {
        Receipt::ready(Ok(self.shared.hub.get(key)))
    }

    fn range(&self, query: RangeQuery) -> Receipt<Range> {
        Receipt::ready(self.shared.hub.range(&query))
    }

    fn revision(&self) -> Receipt<Revision> {
        Receipt::ready(Ok(self.shared.hub.revision()))
    }

    fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.shared.hub.watch(prefix, after)
    }

    fn compact(&self, through: Revision) -> Receipt<()> {
        Receipt::ready(self.shared.hub.compact(through))
    }

    fn health(&self) -> Result<(), StoreError> {
        self.shared.health()
    }

    fn close(&self) -> Receipt<()> {
        let receipt = self.shared.begin_close();
        if let Driver::Inline(committer) = &self.driver {
            self.shared.finish(&mut committer.lock());
        }
        receipt
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // Whoever wants to know how it ended closes the store before dropping it.
        drop(self.close());
        if let Driver::Thread(handle) = &self.driver
            && let Some(handle) = handle.lock().take()
        {
            // A panic of the writer has been reported by its own thread.
            let _ = handle.join();
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.shared.hub.revision();
        write!(
            f,
            "EmbeddedStore({}, revision {revision})",
            self.shared.dir().display()
        )
    }
}

/// Says what is wrong with the header of `file`.
fn flaw_error(flaw: HeaderFlaw, file: PathBuf) -> StoreError {
    match flaw {
        HeaderFlaw::Damaged(what) => StoreError::Damaged {
            file,
            offset: 0,
            what,
        },
        HeaderFlaw::Newer(found) => StoreError::Format {
            file,
            found,
            supported: format::FORMAT,
        },
    }
}
