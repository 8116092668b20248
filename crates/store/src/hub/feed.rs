//! One queue of events for each watched prefix, and the cursors that read it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Hub;
use crate::{
    contract::{Event, Prefix, Revision},
    error::StoreError,
};

/// The recent events under one prefix. All watches of the prefix share it.
pub(super) struct Feed {
    prefix: Prefix,
    queue: Mutex<Queue>,
    notify: Notify,
    /// The newest revision a reader has a reason to look for; `u64::MAX` once the feed ended.
    newest: AtomicU64,
}

struct Queue {
    events: VecDeque<Arc<Event>>,
    /// Every matching event later than this is in `events`.
    complete_after: Revision,
    watches: usize,
    fault: Option<StoreError>,
}

impl Feed {
    /// Returns a feed that has everything later than `revision`, the newest there is.
    pub(super) fn new(prefix: Prefix, revision: Revision) -> Self {
        Self {
            prefix,
            queue: Mutex::new(Queue {
                events: VecDeque::new(),
                complete_after: revision,
                watches: 0,
                fault: None,
            }),
            notify: Notify::new(),
            newest: AtomicU64::new(0),
        }
    }

    pub(super) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Adds a watch that wants everything later than `after`, out of the history, newest first.
    pub(super) fn cover<'a>(
        &self,
        after: Revision,
        newest_first: impl Iterator<Item = &'a Arc<Event>>,
    ) {
        let mut queue = self.queue.lock();
        queue.watches += 1;
        if after >= queue.complete_after {
            return;
        }
        let known = queue.complete_after;
        for event in newest_first.skip_while(|event| event.revision > known) {
            if self.prefix.matches(&event.key) {
                queue.events.push_front(Arc::clone(event));
            }
        }
        queue.complete_after = after;
        if let Some(last) = queue.events.back() {
            self.newest.fetch_max(last.revision.0, Ordering::Release);
        }
    }

    /// Takes one watch away and returns how many are left.
    pub(super) fn leave(&self) -> usize {
        let mut queue = self.queue.lock();
        queue.watches -= 1;
        queue.watches
    }

    pub(super) fn push(&self, event: Arc<Event>) {
        let revision = event.revision.0;
        self.queue.lock().events.push_back(event);
        self.newest.fetch_max(revision, Ordering::Release);
    }

    /// Drops the event at `revision`, which is the oldest if the feed reaches back that far.
    pub(super) fn forget(&self, revision: Revision) {
        let mut queue = self.queue.lock();
        let oldest = queue.events.front();
        if oldest.is_some_and(|oldest| oldest.revision <= revision) {
            queue.events.pop_front();
            queue.complete_after = revision;
        }
    }

    /// Drops everything: whoever has not reached `revision` cannot go on.
    pub(super) fn cut(&self, revision: Revision) {
        let mut queue = self.queue.lock();
        queue.events.clear();
        queue.complete_after = revision;
        self.newest.fetch_max(revision.0, Ordering::Release);
    }

    pub(super) fn end(&self, fault: StoreError) {
        self.queue.lock().fault = Some(fault);
        self.newest.store(u64::MAX, Ordering::Release);
    }

    pub(super) fn wake(&self) {
        self.notify.notify_waiters();
    }
}

/// A cursor over the changes under one prefix. It holds no events: they wait in the window of the
/// store, and a cursor that is slower than the window is told so.
///
/// Drain it with [`Watch::try_next_batch`], then wait with [`Watch::ready`].
pub struct Watch {
    hub: Arc<Hub>,
    feed: Arc<Feed>,
    cursor: Revision,
}

impl Watch {
    pub(super) fn new(hub: Arc<Hub>, feed: Arc<Feed>, cursor: Revision) -> Self {
        Self { hub, feed, cursor }
    }

    /// Appends at most `max` events that are there already and returns how many.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] if the cursor fell out of the window: list again and start a new
    /// watch. [`StoreError::Closed`] or [`StoreError::Poisoned`] after the last event of a store
    /// that has ended.
    pub fn try_next_batch(
        &mut self,
        max: usize,
        batch: &mut Vec<Arc<Event>>,
    ) -> Result<usize, StoreError> {
        let queue = self.feed.queue.lock();
        if self.cursor < queue.complete_after {
            return Err(StoreError::Compacted {
                revision: self.cursor,
                oldest: queue.complete_after,
            });
        }
        let from = queue
            .events
            .partition_point(|event| event.revision <= self.cursor);
        let count = (queue.events.len() - from).min(max);
        if count == 0 {
            return match &queue.fault {
                Some(fault) if max > 0 => Err(fault.clone()),
                _ => Ok(0),
            };
        }
        let events = queue.events.range(from..from + count);
        batch.extend(events.map(Arc::clone));
        self.cursor = queue.events[from + count - 1].revision;
        Ok(count)
    }

    /// Waits until [`Watch::try_next_batch`] has something to say. Dropping the future loses
    /// nothing.
    pub async fn ready(&mut self) {
        loop {
            let mut notified = std::pin::pin!(self.feed.notify.notified());
            // From here on a wake-up is kept, so one between the look and the wait is not missed.
            notified.as_mut().enable();
            if self.is_ready() {
                return;
            }
            notified.await;
        }
    }

    /// Returns whether [`Watch::try_next_batch`] has something to say.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.feed.newest.load(Ordering::Acquire) > self.cursor.0
    }

    /// Returns the revision up to which this watch has seen everything, for progress marks.
    #[must_use]
    pub fn progress(&mut self) -> Revision {
        // The order matters: an event not later than this revision is in the feed by now.
        let newest = self.hub.revision();
        let queue = self.feed.queue.lock();
        let cursor = self.cursor;
        if cursor < queue.complete_after {
            return cursor;
        }
        let from = queue
            .events
            .partition_point(|event| event.revision <= cursor);
        match queue.events.get(from) {
            Some(_) => cursor,
            None => {
                self.cursor = newest.max(cursor);
                self.cursor
            }
        }
    }

    /// Returns the prefix this watch follows.
    #[must_use]
    pub fn prefix(&self) -> &Prefix {
        self.feed.prefix()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.leave(&self.feed);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({} after {})", self.feed.prefix, self.cursor)
    }
}
