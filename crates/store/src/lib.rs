//! Keys, bytes, revisions and watches, on disk or in memory.
//!
//! A [`Store`] compares and writes bytes at keys, under one line of revisions; reads ranges, also
//! as they were a while ago; and lets anyone follow the changes under a prefix. [`MemoryStore`]
//! forgets everything at the end, and can be forked and reset in no time. [`EmbeddedStore`] keeps
//! an acknowledged write through a crash.
//!
//! Invariant: a value is bytes. This room never parses one and knows no JSON, kinds or users.
//! Invariant: it never calls upward. No closure is handed down; watches are pulled.
//! Invariant: it never retries a write for its caller; who sees the meaning decides again.
//! Invariant: what is not durable is not visible (except in the relaxed class, by choice of the
//! writer).
//!
//! Start reading at [`contract`], then `hub` (reads, history and watches, shared by the engines),
//! [`memory`], and [`embedded`] (the log, snapshots and recovery).
//!
//! ```
//! use base::Clock;
//! use store::{Expected, MemoryStore, Prefix, Revision, Store, Value, Write};
//!
//! let store = MemoryStore::new(Clock::system());
//! let mut watch = store.watch(&Prefix::new("/fruit/"), Revision::START)?;
//! let value = Value::stamped("apple, revision ", "!");
//! let written = store.write(Write::create("/fruit/a", value)).wait()?;
//! assert_eq!(written.value.as_deref(), Some(&b"apple, revision 2!"[..]));
//!
//! let mut events = Vec::new();
//! watch.try_next_batch(10, &mut events)?;
//! assert_eq!(events[0].revision, written.revision);
//! # Ok::<(), store::StoreError>(())
//! ```

pub mod contract;
pub mod disk;
pub mod embedded;
mod error;
#[allow(
    dead_code,
    reason = "the embedded engine, which comes next, uses the rest"
)]
mod history;
#[allow(
    dead_code,
    reason = "the embedded engine, which comes next, uses the rest"
)]
mod hub;
pub mod memory;
#[allow(
    dead_code,
    reason = "the embedded engine, which comes next, uses the rest"
)]
mod receipt;
#[cfg(any(test, feature = "suite"))]
#[allow(clippy::missing_panics_doc, reason = "tests panic")]
pub mod suite;

pub use contract::{
    Change, Durability, Entry, Event, EventKind, Expected, KEY_BYTES_MAX, Key, Prefix, Range,
    RangeQuery, Revision, Start, Store, VALUE_BYTES_MAX, Value, Write, Written,
};
pub use embedded::{Drive, EmbeddedOptions, EmbeddedStore, StoreUsage};
pub use error::StoreError;
pub use history::HistoryLimits;
pub use hub::Watch;
pub use memory::{Mark, MemoryStore};
pub use receipt::Receipt;

/// How long a relaxed write may wait for its sync. A lease lives for tens of seconds, so one second
/// of lost heartbeats changes nothing, and one sync a second is cheap for flash.
pub const RELAXED_DELAY_MAX: std::time::Duration = std::time::Duration::from_secs(1);
