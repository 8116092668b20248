//! The window of past events: long enough for a client that was away, bounded all the same.

use std::{sync::Arc, time::Duration};

use base::Moment;
use imbl::Vector;

use crate::{
    contract::{Event, Revision},
    error::StoreError,
};

/// How much of the past is kept.
#[derive(Clone, Debug)]
pub struct HistoryLimits {
    /// Events younger than this are kept, unless `bytes_max` is passed.
    pub age: Duration,
    /// The hard bound on the memory that only history holds on to.
    pub bytes_max: usize,
    /// This many of the newest events may stay even when they are older than `age`, so that a
    /// client of a quiet store that comes back does not have to list again.
    pub quiet_count: usize,
    /// As `quiet_count`, in bytes.
    pub quiet_bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            // Upstream compacts every five minutes; clients are written for that.
            age: Duration::from_secs(300),
            // At 2.4 KB an event this is five minutes of 300 writes a second.
            bytes_max: 256 * 1024 * 1024,
            quiet_count: 1024,
            quiet_bytes: 1024 * 1024,
        }
    }
}

/// What one event costs beside its values: the event itself, its key, its places in the window and
/// in the feeds, and what the allocator adds.
const EVENT_OVERHEAD_BYTES: usize = 256;

/// The events of the recent past, oldest first. A clone is a pointer copy.
#[derive(Clone)]
pub(crate) struct History {
    events: Vector<Aged>,
    bytes: usize,
    /// Every event later than this is kept.
    floor: Revision,
    /// Revisions that crashes took back: later than the first, earlier than the second. Somebody
    /// may have seen them, so nobody can continue from one of them.
    lost: Vec<(Revision, Revision)>,
    limits: Arc<HistoryLimits>,
}

#[derive(Clone)]
struct Aged {
    at: Moment,
    event: Arc<Event>,
}

impl History {
    pub(crate) fn new(limits: HistoryLimits, floor: Revision) -> Self {
        Self {
            events: Vector::new(),
            bytes: 0,
            floor,
            lost: Vec::new(),
            limits: Arc::new(limits),
        }
    }

    pub(crate) fn push(&mut self, event: Arc<Event>, at: Moment) {
        self.bytes += cost(&event);
        self.events.push_back(Aged { at, event });
    }

    /// Takes out and returns the oldest event if the limits no longer let it stay.
    pub(crate) fn pop_excess(&mut self, now: Moment) -> Option<Arc<Event>> {
        let oldest = self.events.front()?;
        let limits = &self.limits;
        let is_old = now.since(oldest.at) > limits.age;
        let is_quiet = self.events.len() <= limits.quiet_count && self.bytes <= limits.quiet_bytes;
        if self.bytes > limits.bytes_max || (is_old && !is_quiet) {
            return self.pop();
        }
        None
    }

    /// Returns whether there is more than may stay for any length of time.
    pub(crate) fn has_excess(&self) -> bool {
        self.events.len() > self.limits.quiet_count || self.bytes > self.limits.quiet_bytes
    }

    /// Takes out and returns the oldest event if it is not later than `through`.
    pub(crate) fn pop_through(&mut self, through: Revision) -> Option<Arc<Event>> {
        let oldest = self.events.front()?;
        if oldest.event.revision > through {
            return None;
        }
        self.pop()
    }

    fn pop(&mut self) -> Option<Arc<Event>> {
        let Aged { event, .. } = self.events.pop_front()?;
        self.bytes -= cost(&event);
        self.floor = event.revision;
        Some(event)
    }

    /// Says that nothing up to `floor` can be asked for, even if no event was there to drop.
    pub(crate) fn raise_floor(&mut self, floor: Revision) {
        self.floor = self.floor.max(floor);
    }

    /// Says that a crash took back what was later than `kept` and earlier than `resumed`.
    pub(crate) fn add_lost(&mut self, kept: Revision, resumed: Revision) {
        let floor = self.floor;
        self.lost.retain(|(_, resumed)| *resumed > floor);
        self.lost.push((kept, resumed));
    }

    /// Returns whether a reader that has seen everything up to `revision` can go on from there.
    pub(crate) fn check(&self, revision: Revision, newest: Revision) -> Result<(), StoreError> {
        if revision > newest {
            return Err(StoreError::Future { revision, newest });
        }
        if revision < self.floor {
            let oldest = self.floor;
            return Err(StoreError::Compacted { revision, oldest });
        }
        for (kept, resumed) in &self.lost {
            if revision > *kept && revision < *resumed {
                let oldest = *resumed;
                return Err(StoreError::Compacted { revision, oldest });
            }
        }
        Ok(())
    }

    /// Returns the events later than `after`, newest first.
    pub(crate) fn newest_first(&self, after: Revision) -> impl Iterator<Item = &Arc<Event>> {
        let later = move |event: &&Arc<Event>| event.revision > after;
        let events = self.events.iter().rev().map(|aged| &aged.event);
        events.take_while(later)
    }

    /// Returns how many events are kept and the bytes only they hold on to.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.events.len(), self.bytes)
    }
}

/// What is freed when the event goes: the value it replaced, which only history still holds. The
/// value it wrote is live, or was replaced by a later event that counts it.
fn cost(event: &Event) -> usize {
    let replaced = event.previous.as_ref().map_or(0, |entry| entry.value.len());
    let last = match event.kind {
        crate::contract::EventKind::Put => 0,
        crate::contract::EventKind::Delete => event.value.as_ref().map_or(0, bytes::Bytes::len),
    };
    EVENT_OVERHEAD_BYTES + replaced + last
}
