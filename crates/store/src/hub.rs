//! What every engine shows to its readers: the live entries, the recent past, and the feeds.
//!
//! An engine decides when a write happens; from then on it is the hub's: [`Hub::publish`] puts it
//! into the live map and the history and wakes exactly those watches whose prefix matches.
//!
//! There is one feed for each prefix somebody watches. An event finds its feeds by looking up each
//! beginning of its key that ends with `/`, so delivery costs as many look-ups as the key has
//! parts, whether ten prefixes are watched or ten thousand.

mod feed;
mod read;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use base::{Clock, Moment};
use imbl::OrdMap;
use parking_lot::{RwLock, RwLockUpgradableReadGuard};

use self::feed::Feed;
pub use self::feed::Watch;
use crate::{
    contract::{
        Change, Entry, Event, EventKind, Expected, KEY_BYTES_MAX, Key, Prefix, Range, RangeQuery,
        Revision, VALUE_BYTES_MAX, Value, Write, Written,
    },
    error::StoreError,
    history::{History, HistoryLimits},
};

/// The live entries in the order of their keys. A clone is a pointer copy.
pub(crate) type Live = OrdMap<Key, Arc<Entry>>;

/// What a single entry costs on disk beside its key and value, about.
const ENTRY_OVERHEAD_BYTES: u64 = 32;

/// The state that readers see.
pub(crate) struct Hub {
    state: RwLock<State>,
    /// The revision of `state`, for those who need nothing else. Stored after the feeds have the
    /// event, so whoever reads a revision here finds its event in the feed.
    newest: AtomicU64,
    clock: Clock,
}

/// Everything that changes together.
struct State {
    live: Live,
    live_bytes: u64,
    history: History,
    revision: Revision,
    feeds: HashMap<Prefix, Arc<Feed>>,
    /// Why there will be no more events, once there will be none.
    ended: Option<StoreError>,
}

/// A moment of the whole store: a pointer copy of the live entries.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) live: Live,
    pub(crate) live_bytes: u64,
    pub(crate) revision: Revision,
}

/// Returns what `entry` adds to the size of a snapshot, about.
pub(crate) fn live_bytes(entry: &Entry) -> u64 {
    entry.key.len() as u64 + entry.value.len() as u64 + ENTRY_OVERHEAD_BYTES
}

impl View {
    pub(crate) fn empty() -> Self {
        Self {
            live: Live::new(),
            live_bytes: 0,
            revision: Revision::START,
        }
    }
}

/// The feeds that got something new.
#[must_use = "whoever waits for a feed sleeps until it is woken"]
pub(crate) struct Woken(Vec<Arc<Feed>>);

impl Woken {
    /// Wakes who waits; best called without any lock.
    pub(crate) fn wake(&self) {
        self.0.iter().for_each(|feed| feed.wake());
    }
}

impl Hub {
    /// Returns a hub that stands at `view`, with no past.
    pub(crate) fn new(clock: Clock, limits: HistoryLimits, view: View) -> Self {
        let history = History::new(limits, view.revision);
        Self::with_history(clock, history, view)
    }

    pub(crate) fn with_history(clock: Clock, history: History, view: View) -> Self {
        Self {
            newest: AtomicU64::new(view.revision.0),
            state: RwLock::new(State {
                live: view.live,
                live_bytes: view.live_bytes,
                history,
                revision: view.revision,
                feeds: HashMap::new(),
                ended: None,
            }),
            clock,
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn revision(&self) -> Revision {
        Revision(self.newest.load(Ordering::Acquire))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.state.read().live.get(key).cloned()
    }

    pub(crate) fn view(&self) -> View {
        let state = self.state.read();
        View {
            live: state.live.clone(),
            live_bytes: state.live_bytes,
            revision: state.revision,
        }
    }

    /// Returns the view together with the past that leads to it.
    pub(crate) fn view_with_history(&self) -> (View, History) {
        let state = self.state.read();
        let view = View {
            live: state.live.clone(),
            live_bytes: state.live_bytes,
            revision: state.revision,
        };
        (view, state.history.clone())
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.state.read().live_bytes
    }

    /// Returns whether the past will shrink by itself as time passes.
    pub(crate) fn has_excess(&self) -> bool {
        self.state.read().history.has_excess()
    }

    pub(crate) fn history_size(&self) -> (usize, usize) {
        self.state.read().history.size()
    }

    /// Compares and writes in one step, for engines that need nothing in between.
    pub(crate) fn commit(&self, write: Write) -> Result<Written, StoreError> {
        check_size(&write)?;
        let now = self.clock.now();
        let state = self.state.upgradable_read();
        let found = state.live.get(&write.key);
        check_expected(&write, found)?;
        let event = Arc::new(make_event(write, state.revision.next(), found.cloned()));
        let written = written(&event);
        let mut state = RwLockUpgradableReadGuard::upgrade(state);
        let mut woken = Vec::new();
        state.apply(event, now, now, &mut woken);
        self.newest.store(state.revision.0, Ordering::Release);
        drop(state);
        Woken(woken).wake();
        Ok(written)
    }

    /// Shows `events`, which the caller has decided on and made durable, to every reader.
    pub(crate) fn publish(&self, events: impl IntoIterator<Item = Arc<Event>>) -> Woken {
        let now = self.clock.now();
        self.publish_at(events, now, now)
    }

    /// As [`Hub::publish`], for events that happened at an earlier moment.
    pub(crate) fn publish_at(
        &self,
        events: impl IntoIterator<Item = Arc<Event>>,
        at: Moment,
        now: Moment,
    ) -> Woken {
        let mut woken = Vec::new();
        let mut state = self.state.write();
        for event in events {
            state.apply(event, at, now, &mut woken);
        }
        self.newest.store(state.revision.0, Ordering::Release);
        Woken(woken)
    }

    /// Forgets events that are past their time. Engines call it when nothing is written.
    pub(crate) fn trim(&self) {
        let now = self.clock.now();
        self.state.write().trim(now);
    }

    pub(crate) fn compact(&self, through: Revision) -> Result<(), StoreError> {
        let mut state = self.state.write();
        if through > state.revision {
            let (revision, newest) = (through, state.revision);
            return Err(StoreError::Future { revision, newest });
        }
        while let Some(event) = state.history.pop_through(through) {
            state.forget(&event);
        }
        state.history.raise_floor(through);
        Ok(())
    }

    /// Moves on to `resumed` without an event; what was between was lost in a crash.
    pub(crate) fn skip_lost(&self, resumed: Revision) {
        let mut state = self.state.write();
        let kept = state.revision;
        state.history.add_lost(kept, resumed);
        state.revision = resumed;
        self.newest.store(resumed.0, Ordering::Release);
    }

    /// Puts the live entries back to `view` at a new revision. No reader can go on from before.
    pub(crate) fn reset(&self, view: &View) {
        let mut state = self.state.write();
        state.live = view.live.clone();
        state.live_bytes = view.live_bytes;
        state.revision = state.revision.max(view.revision).next();
        let revision = state.revision;
        while state.history.pop_through(revision).is_some() {}
        state.history.raise_floor(revision);
        self.newest.store(revision.0, Ordering::Release);
        for feed in state.feeds.values() {
            feed.cut(revision);
            feed.wake();
        }
    }

    /// Ends every watch after what it has not read yet; `fault` is what it gets then.
    pub(crate) fn end_watches(&self, fault: &StoreError) {
        let mut state = self.state.write();
        state.ended = Some(fault.clone());
        for feed in state.feeds.values() {
            feed.end(fault.clone());
            feed.wake();
        }
    }

    pub(crate) fn range(&self, query: &RangeQuery) -> Result<Range, StoreError> {
        read::range(&self.state, query)
    }

    pub(crate) fn watch(
        self: &Arc<Self>,
        prefix: &Prefix,
        after: Revision,
    ) -> Result<Watch, StoreError> {
        let mut state = self.state.write();
        state.history.check(after, state.revision)?;
        let state = &mut *state;
        let feed = state.feeds.entry(prefix.clone());
        let feed = feed.or_insert_with(|| Arc::new(Feed::new(prefix.clone(), state.revision)));
        feed.cover(after, state.history.newest_first(after));
        if let Some(fault) = &state.ended {
            feed.end(fault.clone());
        }
        Ok(Watch::new(Arc::clone(self), Arc::clone(feed), after))
    }

    /// Gives up one watch; the last one of a prefix takes the feed with it.
    fn leave(&self, feed: &Arc<Feed>) {
        let mut state = self.state.write();
        if feed.leave() == 0 {
            state.feeds.remove(feed.prefix());
        }
    }
}

impl State {
    fn apply(&mut self, event: Arc<Event>, at: Moment, now: Moment, woken: &mut Vec<Arc<Feed>>) {
        if let Some(previous) = &event.previous {
            self.live_bytes -= live_bytes(previous);
        }
        match (event.kind, &event.value) {
            (EventKind::Put, Some(value)) => {
                let entry = Arc::new(entry_of(&event, value));
                self.live_bytes += live_bytes(&entry);
                self.live.insert(event.key.clone(), entry);
            }
            _ => {
                self.live.remove(&event.key);
            }
        }
        self.revision = event.revision;
        self.each_feed(&event.key, |feed| {
            feed.push(Arc::clone(&event));
            woken.push(Arc::clone(feed));
        });
        self.history.push(event, at);
        self.trim(now);
    }

    fn trim(&mut self, now: Moment) {
        while let Some(event) = self.history.pop_excess(now) {
            self.forget(&event);
        }
    }

    fn forget(&self, event: &Event) {
        self.each_feed(&event.key, |feed| feed.forget(event.revision));
    }

    /// Visits the feeds whose prefix matches `key`, in as many steps as `key` has parts.
    fn each_feed(&self, key: &[u8], mut visit: impl FnMut(&Arc<Feed>)) {
        if self.feeds.is_empty() {
            return;
        }
        for (at, _) in key.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            if let Some(feed) = self.feeds.get(&key[..=at]) {
                visit(feed);
            }
        }
    }
}

/// Refuses what is larger than the store takes.
pub(crate) fn check_size(write: &Write) -> Result<(), StoreError> {
    let value = match &write.change {
        Change::Put(value) => Some(value),
        Change::Delete { last } => last.as_ref(),
    };
    let checks = [
        (write.key.len(), KEY_BYTES_MAX),
        (value.map_or(0, Value::size_bytes_max), VALUE_BYTES_MAX),
    ];
    for (size_bytes, size_bytes_max) in checks {
        if size_bytes > size_bytes_max {
            return Err(StoreError::TooLarge {
                size_bytes,
                size_bytes_max,
            });
        }
    }
    Ok(())
}

/// Compares what the writer expected with what is there.
pub(crate) fn check_expected(write: &Write, found: Option<&Arc<Entry>>) -> Result<(), StoreError> {
    let holds = match (write.expected, found) {
        (Expected::Absent, found) => found.is_none(),
        (Expected::At(revision), found) => found.is_some_and(|entry| entry.revision == revision),
        (Expected::Any, Some(_)) => true,
        (Expected::Any, None) => matches!(write.change, Change::Put(_)),
    } && (found.is_some() || matches!(write.change, Change::Put(_)));
    if holds {
        return Ok(());
    }
    Err(StoreError::Changed {
        expected: write.expected,
        found: found.cloned(),
    })
}

/// Returns the event that `write` is, once it has its revision.
pub(crate) fn make_event(write: Write, revision: Revision, previous: Option<Arc<Entry>>) -> Event {
    let (kind, value) = match write.change {
        Change::Put(value) => (EventKind::Put, Some(value)),
        Change::Delete { last } => (EventKind::Delete, last),
    };
    Event {
        revision,
        key: write.key,
        value: value.map(|value| value.at(revision)),
        kind,
        previous,
    }
}

/// Returns the entry that a put leaves behind.
pub(crate) fn entry_of(event: &Event, value: &bytes::Bytes) -> Entry {
    let created = event.previous.as_ref();
    Entry {
        key: event.key.clone(),
        value: value.clone(),
        revision: event.revision,
        created: created.map_or(event.revision, |entry| entry.created),
    }
}

/// Returns the answer to the writer of `event`.
pub(crate) fn written(event: &Event) -> Written {
    Written {
        revision: event.revision,
        value: event.value.clone(),
        previous: event.previous.clone(),
    }
}
