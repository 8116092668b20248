//! The words of the store and the one trait every engine implements.
//!
//! The life of one value: a caller builds a [`Write`] with the state it [`Expected`] to find; the
//! engine compares, assigns the next [`Revision`], puts its digits into the hole of a stamped
//! [`Value`], makes the write durable, shows the [`Event`] to every [`Watch`] whose prefix matches,
//! and then resolves the [`Receipt`]. Readers see the new [`Entry`] from that moment on, never
//! before. Superseded entries stay readable for a window of time, through [`RangeQuery::at`] and
//! through watches that start at an old revision.

use std::{borrow::Borrow, fmt, num::NonZeroUsize, ops::Deref, sync::Arc};

use bytes::Bytes;

pub use crate::{error::StoreError, hub::Watch, receipt::Receipt};

/// The largest value that is stored, in bytes.
///
/// Upstream's etcd refuses requests above 1.5 MiB, counted in protobuf. We count JSON, where the
/// same object can be a third larger (base64, escapes), so half a MiB is added: whatever fits there
/// fits here.
pub const VALUE_BYTES_MAX: usize = (1536 + 512) * 1024;

/// The longest key, in bytes. Four parts of at most 253 characters and their slashes fit twice.
pub const KEY_BYTES_MAX: usize = 2048;

/// A point in the one line of changes. The empty store stands at [`Revision::START`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a store nothing was ever written to. The first write gets the next one.
    /// It is 1 because clients give 0 a meaning of its own.
    pub const START: Self = Self(1);

    /// Returns the revision after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an entry: bytes with `/` between the parts. Cheap to clone, ordered bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// Returns the key with these bytes.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(Arc::from(bytes.as_ref()))
    }

    /// Returns the bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The beginning of keys, always ending with `/`. Cheap to clone.
///
/// That it ends with `/` is what lets one event find its watchers in as many steps as its key has
/// parts, however many watchers there are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Key);

impl Prefix {
    /// Returns the prefix with these bytes; a missing `/` is added at the end.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        if bytes.ends_with(b"/") {
            return Self(Key::new(bytes));
        }
        Self(Key::new([bytes, b"/"].concat()))
    }

    /// Returns the bytes of the prefix.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns whether `key` begins with this prefix.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        key.starts_with(&self.0)
    }

    /// Returns the smallest bytes that are larger than every key with this prefix.
    pub(crate) fn end(&self) -> Vec<u8> {
        // The last byte is `/`, so adding one never overflows.
        let mut end = self.0.to_vec();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        end
    }
}

impl Borrow<[u8]> for Prefix {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Prefix {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// These bytes as they are. They are kept without a copy, so a small slice of a large buffer
    /// keeps the large buffer alive.
    Plain(Bytes),
    /// `before`, then the decimal digits of the revision the write gets, then `after`.
    Stamped {
        /// Bytes before the digits.
        before: Bytes,
        /// Bytes after the digits.
        after: Bytes,
    },
}

impl Value {
    /// Returns the value with a hole for the revision between the two halves.
    #[must_use]
    pub fn stamped(before: impl Into<Bytes>, after: impl Into<Bytes>) -> Self {
        Self::Stamped {
            before: before.into(),
            after: after.into(),
        }
    }

    /// Returns the size it has with the longest stamp.
    pub(crate) fn size_bytes_max(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Stamped { before, after } => before.len() + after.len() + STAMP_BYTES_MAX,
        }
    }

    /// Returns the final bytes for a write at `revision`.
    pub(crate) fn at(self, revision: Revision) -> Bytes {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Stamped { before, after } => {
                let mut digits = [0; STAMP_BYTES_MAX];
                let digits = decimal(revision.0, &mut digits);
                // The exact capacity matters: what is allocated here lives as long as the entry.
                let mut bytes = Vec::with_capacity(before.len() + digits.len() + after.len());
                bytes.extend_from_slice(&before);
                bytes.extend_from_slice(digits);
                bytes.extend_from_slice(&after);
                Bytes::from(bytes)
            }
        }
    }
}

/// Digits of the largest `u64`.
const STAMP_BYTES_MAX: usize = 20;

fn decimal(mut number: u64, buffer: &mut [u8; STAMP_BYTES_MAX]) -> &[u8] {
    let mut at = STAMP_BYTES_MAX;
    loop {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

/// What a write does to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Creates or replaces the entry.
    Put(Value),
    /// Removes the entry. `last` is what watchers see as its last state, stamped with the revision
    /// of the deletion; without it they see only the previous entry.
    Delete {
        /// The last state; it goes out in the event and is not kept.
        last: Option<Value>,
    },
}

/// What must be true of the key for the write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is no entry.
    Absent,
    /// The entry was last changed at this revision.
    At(Revision),
    /// Anything; but a delete still needs an entry to delete.
    Any,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no entry"),
            Self::At(revision) => write!(f, "revision {revision}"),
            Self::Any => f.write_str("an entry"),
        }
    }
}

/// How much a crash may take back of an acknowledged write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: it was synced before it was acknowledged or seen.
    #[default]
    Synced,
    /// At most the last [`RELAXED_DELAY_MAX`](crate::RELAXED_DELAY_MAX) before the crash. For
    /// heartbeats and other writes that are soon repeated; saves a sync for each.
    Relaxed,
}

/// One compare-and-write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which entry.
    pub key: Key,
    /// What to do to it.
    pub change: Change,
    /// What it must be like now.
    pub expected: Expected,
    /// How soon it must be on disk.
    pub durability: Durability,
}

impl Write {
    /// Returns a synced write that creates `key`.
    #[must_use]
    pub fn create(key: impl Into<Key>, value: Value) -> Self {
        Self::put(key, value, Expected::Absent)
    }

    /// Returns a synced write that puts `value` at `key`.
    #[must_use]
    pub fn put(key: impl Into<Key>, value: Value, expected: Expected) -> Self {
        Self {
            key: key.into(),
            change: Change::Put(value),
            expected,
            durability: Durability::Synced,
        }
    }

    /// Returns a synced write that deletes `key`.
    #[must_use]
    pub fn delete(key: impl Into<Key>, last: Option<Value>, expected: Expected) -> Self {
        Self {
            key: key.into(),
            change: Change::Delete { last },
            expected,
            durability: Durability::Synced,
        }
    }

    /// Returns the same write in another durability class.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

/// One key and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The final bytes, stamp included.
    pub value: Bytes,
    /// When it was last changed.
    pub revision: Revision,
    /// When it came into being.
    pub created: Revision,
}

/// Whether an event left an entry behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The key holds [`Event::value`] now.
    Put,
    /// The key holds nothing now.
    Delete,
}

/// One change, as watches see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the line of changes. Every event has its own.
    pub revision: Revision,
    /// The key that changed.
    pub key: Key,
    /// The final bytes; for a delete the stamped last state if the writer gave one.
    pub value: Option<Bytes>,
    /// Put or delete.
    pub kind: EventKind,
    /// What the key held before; nothing if this event created it.
    pub previous: Option<Arc<Entry>>,
}

/// The answer to a write that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The revision it got.
    pub revision: Revision,
    /// The stamped bytes; for a delete the stamped last state if one was given.
    pub value: Option<Bytes>,
    /// What the key held before.
    pub previous: Option<Arc<Entry>>,
}

/// Where a range begins, inside its prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the first key.
    #[default]
    First,
    /// At this key or the first one after it.
    At(Key),
    /// At the first key after this one.
    After(Key),
}

/// Which entries to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeQuery {
    /// Keys beginning with this.
    pub prefix: Prefix,
    /// From where on.
    pub start: Start,
    /// At most this many.
    pub limit: Option<NonZeroUsize>,
    /// As they were at this revision; the newest if there is none.
    pub at: Option<Revision>,
}

impl RangeQuery {
    /// Returns the query for everything under `prefix`, as it is now.
    #[must_use]
    pub fn all(prefix: impl Into<Prefix>) -> Self {
        Self {
            prefix: prefix.into(),
            start: Start::First,
            limit: None,
            at: None,
        }
    }
}

/// The entries of one moment, in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The entries.
    pub entries: Vec<Arc<Entry>>,
    /// The moment: the revision asked for, or the newest one.
    pub revision: Revision,
    /// True if the limit left some out.
    pub more: bool,
    /// How many the limit left out.
    pub remaining: usize,
}

/// Compare-and-write of bytes at keys under one line of revisions, with watches and history.
///
/// Every method may be called from any thread. No method blocks for long: what can take time comes
/// back as a [`Receipt`]. Dropping a receipt does not undo or stop what was asked for.
pub trait Store: Send + Sync {
    /// Compares and writes one key.
    ///
    /// When the receipt resolves, reads and watches already see the change. Two writes by the same
    /// caller happen in the order of the calls.
    ///
    /// # Errors
    /// [`StoreError::Changed`] with the entry found, if `expected` does not hold;
    /// [`StoreError::TooLarge`]; [`StoreError::Busy`] and [`StoreError::Full`], after which the
    /// same write may succeed later; any fault. After a fault it is unknown whether the write will
    /// be there when the store is opened again.
    fn write(&self, write: Write) -> Receipt<Written>;

    /// Returns the newest entry at `key`.
    ///
    /// # Errors
    /// Faults only, and only from engines on another machine: the live state is in memory.
    fn get(&self, key: &Key) -> Receipt<Option<Arc<Entry>>>;

    /// Returns the entries `query` names, all of one revision.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] and [`StoreError::Future`] if `query.at` is outside the window.
    fn range(&self, query: RangeQuery) -> Receipt<Range>;

    /// Returns the newest revision.
    ///
    /// # Errors
    /// As for [`Store::get`].
    fn revision(&self) -> Receipt<Revision>;

    /// Returns a cursor over the changes under `prefix` that are later than `after`.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] if changes after `after` are no longer kept;
    /// [`StoreError::Future`] if `after` was not reached yet.
    fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError>;

    /// Forgets the history up to and including `through`. What is live stays, and reads at
    /// `through` itself are still possible.
    ///
    /// # Errors
    /// [`StoreError::Future`] if `through` was not reached yet.
    fn compact(&self, through: Revision) -> Receipt<()>;

    /// Returns nothing while writes are possible, else why they are not.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Closed`] or [`StoreError::Poisoned`].
    fn health(&self) -> Result<(), StoreError>;

    /// Makes everything acknowledged durable and refuses writes from now on. Reads go on.
    /// Closing twice is allowed.
    ///
    /// # Errors
    /// Faults of the disk.
    fn close(&self) -> Receipt<()>;
}
