//! The live objects of one stored kind, and what happened to them lately.
//!
//! A collection is read from the store when it is first used. From then on whoever reads it first
//! drains the store's feed, under a lock held for that moment only, and takes the root of a
//! persistent map: a list walks its own unchanging state while writes go on. A write's own event is
//! in the feed before the write is acknowledged, so everyone reads what they have written without
//! waiting.
//!
//! Invariant: nobody holds the lock across an await, and nobody is called back under it.

mod bell;
mod history;
mod stored;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use api::Text;
use base::{Clock, Tasks};
use parking_lot::Mutex;
use store::{
    Durability, Event, EventKind, Expected, Prefix, RangeQuery, Revision, Store, StoreError, Value,
    Write,
};

pub use bell::{Bell, Interest, Seat, Seated};
pub use history::{Change, FrameKey, History};
pub use stored::{Stored, place_of};

/// Where it is written that a revision was left; no collection holds it.
const LEFT: &str = "compact_rev_key";

/// How often a revision is left at most: reads may not make the store busy.
const LEAVE_SECONDS_MIN: i64 = 60;

/// How many events are taken from the feed at once.
const BATCH: usize = 1_024;

/// After so many changes everyone is woken, so that a watcher whom none of them concerned moves on
/// before its place in the history is forgotten.
const WAKE_ALL_EVERY: u64 = history::CHANGES_MAX as u64 / 4;

/// How many past states are kept for lists that are read page by page.
const PINNED_MAX: usize = 8;

/// Objects by the end of their key: `namespace/name`, or `name` where there are no namespaces.
/// The order is the order of lists, which is upstream's order of keys.
pub type Objects = imbl::OrdMap<Text, Arc<Stored>>;

/// The state of a collection at one revision.
#[derive(Clone)]
pub struct View {
    /// The objects.
    pub objects: Objects,
    /// The revision.
    pub revision: Revision,
    /// The revision of the newest change in it: the same one, the same objects.
    pub changed: Revision,
}

/// The live objects of one stored kind.
#[derive(Clone)]
pub struct Collection(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    prefix: Prefix,
    clock: Clock,
    tasks: Tasks,
    /// Held by the one that reads the collection for the first time (or anew).
    loading: tokio::sync::Mutex<()>,
    live: Mutex<Option<Live>>,
    bell: Bell,
    ended: AtomicBool,
    /// A task rings the bell for changes nobody reads.
    ringing: AtomicBool,
    /// When a revision was left last, in seconds of the wall clock.
    left: AtomicI64,
}

struct Live {
    feed: store::Watch,
    objects: Objects,
    /// Everything up to here is in `objects`.
    revision: Revision,
    /// When `objects` last changed.
    changed: Revision,
    history: History,
    /// Counts the times the collection was read anew; watchers of an older one have lost their place.
    epoch: u64,
    pinned: Vec<View>,
    batch: Vec<Arc<Event>>,
}

/// A place in the changes of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    epoch: u64,
    next: u64,
}

/// What a cursor finds.
pub enum Step {
    /// These changes, oldest first, and the revision up to which nothing is missing.
    Changes(Vec<Arc<Change>>, Revision),
    /// The cursor is too far behind; what it wants is gone.
    Lost,
    /// The collection is no longer served.
    Ended,
}

impl Collection {
    /// Returns the collection of what lies under `prefix`; nothing is read yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, prefix: Prefix, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(Inner {
            store,
            prefix,
            clock,
            tasks,
            loading: tokio::sync::Mutex::new(()),
            live: Mutex::new(None),
            bell: Bell::default(),
            ended: AtomicBool::new(false),
            ringing: AtomicBool::new(false),
            left: AtomicI64::new(i64::MIN),
        }))
    }

    /// Returns the key of the object at this place.
    #[must_use]
    pub fn key(&self, place: &str) -> store::Key {
        let prefix = self.0.prefix.as_bytes();
        let mut key = Vec::with_capacity(prefix.len() + place.len());
        key.extend_from_slice(prefix);
        key.extend_from_slice(place.as_bytes());
        store::Key::new(key)
    }

    /// Returns the newest state. Everything acknowledged before the call is in it.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn view(&self) -> Result<View, StoreError> {
        let revision = self.newest().await?;
        self.with_live(|live| {
            live.revision = live.revision.max(revision);
            live.view()
        })
        .await
    }

    /// Returns the object at this place as it is now.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn get(&self, place: &str) -> Result<Option<Arc<Stored>>, StoreError> {
        self.with_live(|live| live.objects.get(place).cloned())
            .await
    }

    /// Returns the newest state if the collection was read before, without waiting; for readers
    /// that cannot wait (authorization) and are content with nothing until then.
    #[must_use]
    pub fn peek(&self) -> Option<View> {
        let mut live = self.0.live.lock();
        let live = live.as_mut()?;
        // A broken feed is mended by the next reader that can wait.
        let _ = self.0.catch_up(live);
        Some(live.view())
    }

    /// Returns the state as it was at `revision`.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] if it is too old, [`StoreError::Future`] if it is not reached yet;
    /// faults of the store.
    pub async fn view_at(&self, revision: Revision) -> Result<View, StoreError> {
        let newest = self.newest().await?;
        if revision > newest {
            return Err(StoreError::Future { revision, newest });
        }
        if let Some(view) = self.with_live(|live| live.at(revision)).await? {
            return Ok(view);
        }
        let query = RangeQuery {
            at: Some(revision),
            ..RangeQuery::all(self.0.prefix.clone())
        };
        let range = self.0.store.range(query).await?;
        let mut objects = Objects::new();
        for entry in &range.entries {
            let object = Stored::new(entry.value.clone(), entry.revision);
            objects.insert(self.0.place(&entry.key), Arc::new(object));
        }
        Ok(View {
            objects,
            revision,
            changed: revision,
        })
    }

    /// Keeps a state for the next page of a list; the oldest one kept is forgotten.
    pub fn pin(&self, view: &View) {
        if let Some(live) = &mut *self.0.live.lock() {
            if live
                .pinned
                .iter()
                .any(|known| known.revision == view.revision)
            {
                return;
            }
            if live.pinned.len() >= PINNED_MAX {
                live.pinned.remove(0);
            }
            live.pinned.push(view.clone());
        }
    }

    /// Returns the newest state and the place of the changes that follow it.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn follow(&self) -> Result<(View, Cursor), StoreError> {
        let revision = self.newest().await?;
        self.with_live(|live| {
            live.revision = live.revision.max(revision);
            let view = live.view();
            let cursor = Cursor {
                epoch: live.epoch,
                next: live.history.end(),
            };
            (view, cursor)
        })
        .await
    }

    /// Returns the place of the changes later than `revision`.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] if they are no longer kept; faults of the store.
    pub async fn follow_after(&self, revision: Revision) -> Result<Cursor, StoreError> {
        let find = |live: &mut Live| {
            let next = live.history.after(revision)?;
            Some(Cursor {
                epoch: live.epoch,
                next,
            })
        };
        if let Some(cursor) = self.with_live(find).await? {
            return Ok(cursor);
        }
        self.fetch_older(revision).await?;
        let oldest = self.with_live(|live| live.history.since()).await?;
        self.with_live(find)
            .await?
            .ok_or(StoreError::Compacted { revision, oldest })
    }

    /// Returns what comes at this place, without waiting; the cursor moves behind it.
    ///
    /// At most `max` changes are returned at once.
    #[must_use]
    pub fn step(&self, cursor: &mut Cursor, max: usize) -> Step {
        let mut guard = self.0.live.lock();
        if self.0.ended.load(Ordering::Acquire) {
            return Step::Ended;
        }
        let Some(live) = guard.as_mut() else {
            return Step::Lost;
        };
        if self.0.catch_up(live).is_err() || live.epoch != cursor.epoch {
            return Step::Lost;
        }
        let Some(changes) = live.history.from(cursor.next) else {
            return Step::Lost;
        };
        let changes: Vec<Arc<Change>> = changes.take(max).map(Arc::clone).collect();
        cursor.next += changes.len() as u64;
        let through = if cursor.next == live.history.end() {
            live.revision = live.revision.max(live.feed.progress());
            live.revision
        } else {
            changes
                .last()
                .map_or(live.revision, |change| change.revision)
        };
        Step::Changes(changes, through)
    }

    /// Waits until the store has reached `revision`. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn reach(&self, revision: Revision) -> Result<(), StoreError> {
        // Any change anywhere moves the revision, so the wait is on everything.
        let newest = self.newest().await?;
        let mut feed = self.0.store.watch(&Prefix::new("/"), newest)?;
        let mut batch = Vec::new();
        while self.newest().await? < revision {
            feed.ready().await;
            feed.try_next_batch(BATCH, &mut batch)?;
            batch.clear();
        }
        Ok(())
    }

    /// Returns the newest revision up to which this collection has seen everything.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn progress(&self) -> Result<Revision, StoreError> {
        let revision = self.newest().await?;
        self.with_live(|live| {
            live.revision = live.revision.max(revision);
            live.revision
        })
        .await
    }

    /// Moves on from a revision that shall not be read any more, if the store is still at it.
    ///
    /// Whoever goes on with a list whose token is over can tell by the revision that it is another
    /// one; upstream's compaction writes a key of its own to that end
    /// (k8s.io/apiserver, pkg/storage/etcd3/compact.go).
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn leave(&self, revision: Revision) -> Result<(), StoreError> {
        let now = self.0.clock.wall().secs();
        let last = self.0.left.load(Ordering::Relaxed);
        if self.newest().await? != revision || now < last.saturating_add(LEAVE_SECONDS_MIN) {
            return Ok(());
        }
        self.0.left.store(now, Ordering::Relaxed);
        let value = Value::Plain(Vec::from(revision.0.to_string()).into());
        let write = Write::put(LEFT, value, Expected::Any).with_durability(Durability::Relaxed);
        self.0.store.write(write).await.map(drop)
    }

    /// Returns the bell that rings for changes.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// Takes a seat at the bell that is given back when the value is dropped.
    #[must_use]
    pub fn sit(&self, interest: Interest) -> Seated<'_> {
        self.keep_ringing();
        Seated {
            bell: &self.0.bell,
            seat: self.0.bell.enter(interest),
        }
    }

    /// Makes sure that the bell rings even if nobody reads the collection.
    pub fn keep_ringing(&self) {
        if self.0.ringing.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(&self.0);
        drop(self.0.tasks.spawn("collection", ring(inner)));
    }

    /// Ends every watch, because the collection is no longer served.
    pub fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.bell.ring_all();
    }

    /// Returns whether [`Collection::end`] was called.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    fn newest(&self) -> impl Future<Output = Result<Revision, StoreError>> + Send + use<> {
        self.0.store.revision()
    }

    /// Runs `read` on the state with everything that has happened in it.
    async fn with_live<T>(&self, read: impl FnOnce(&mut Live) -> T) -> Result<T, StoreError> {
        loop {
            if let Some(live) = &mut *self.0.live.lock()
                && self.0.catch_up(live).is_ok()
            {
                return Ok(read(live));
            }
            self.load().await?;
        }
    }

    /// Reads the collection from the store, unless someone else has done so meanwhile.
    async fn load(&self) -> Result<(), StoreError> {
        let _held = self.0.loading.lock().await;
        let mut epoch = 0;
        if let Some(live) = &mut *self.0.live.lock() {
            if self.0.catch_up(live).is_ok() {
                return Ok(());
            }
            epoch = live.epoch + 1;
        }
        let range = self
            .0
            .store
            .range(RangeQuery::all(self.0.prefix.clone()))
            .await?;
        let feed = self.0.store.watch(&self.0.prefix, range.revision)?;
        let objects = range
            .entries
            .iter()
            .map(|entry| {
                let object = Stored::loaded(entry.value.clone(), entry.revision);
                (self.0.place(&entry.key), Arc::new(object))
            })
            .collect();
        *self.0.live.lock() = Some(Live {
            feed,
            objects,
            revision: range.revision,
            changed: range.revision,
            history: History::new(range.revision),
            epoch,
            pinned: Vec::new(),
            batch: Vec::new(),
        });
        self.0.bell.ring_all();
        Ok(())
    }

    /// Fetches changes later than `revision` that the store still has and the history has not.
    async fn fetch_older(&self, revision: Revision) -> Result<(), StoreError> {
        let _held = self.0.loading.lock().await;
        let since = self.0.live.lock().as_ref().map(|live| live.history.since());
        let Some(since) = since.filter(|since| revision < *since) else {
            return Ok(());
        };
        let mut feed = self.0.store.watch(&self.0.prefix, revision)?;
        let mut older = Vec::new();
        let mut batch = Vec::new();
        loop {
            feed.try_next_batch(BATCH, &mut batch)?;
            if batch.is_empty() {
                break;
            }
            for event in batch.drain(..) {
                if event.revision <= since {
                    older.push(Arc::new(self.0.change(&event, None)));
                }
            }
        }
        if let Some(live) = &mut *self.0.live.lock()
            && live.history.since() == since
        {
            live.history.prepend(older, revision);
        }
        Ok(())
    }
}

impl Inner {
    /// Takes everything out of the feed.
    fn catch_up(&self, live: &mut Live) -> Result<(), StoreError> {
        loop {
            live.feed.try_next_batch(BATCH, &mut live.batch)?;
            if live.batch.is_empty() {
                return Ok(());
            }
            let start = live.history.end();
            let mut batch = std::mem::take(&mut live.batch);
            for event in &batch {
                self.take_in(live, event);
            }
            let wake_all = start / WAKE_ALL_EVERY != live.history.end() / WAKE_ALL_EVERY;
            if wake_all {
                self.bell.ring_all();
            } else {
                let prefix = self.prefix.as_bytes().len();
                let places = batch
                    .iter()
                    .filter_map(|event| std::str::from_utf8(&event.key[prefix..]).ok());
                self.bell.ring(places);
            }
            batch.clear();
            live.batch = batch;
        }
    }

    fn take_in(&self, live: &mut Live, event: &Event) {
        live.revision = event.revision;
        live.changed = event.revision;
        let place = self.place(&event.key);
        let before = live.objects.get(&place).cloned();
        let change = self.change(event, before);
        if change.deleted {
            live.objects.remove(&place);
        } else {
            live.objects.insert(place, Arc::clone(&change.object));
        }
        live.history.push(Arc::new(change));
    }

    fn change(&self, event: &Event, before: Option<Arc<Stored>>) -> Change {
        let before = before.or_else(|| {
            let entry = event.previous.as_ref()?;
            Some(Arc::new(Stored::new(entry.value.clone(), entry.revision)))
        });
        let deleted = event.kind == EventKind::Delete;
        let bytes = event.value.clone();
        let object = match (bytes, &before) {
            (Some(bytes), _) => Arc::new(Stored::new(bytes, event.revision)),
            // A deletion without a last state: the object as it was before.
            (None, Some(before)) => Arc::clone(before),
            (None, None) => Arc::new(Stored::new(
                bytes::Bytes::from_static(b"{}"),
                event.revision,
            )),
        };
        Change::new(
            event.revision,
            self.place(&event.key),
            object,
            before,
            deleted,
            self.clock.now(),
        )
    }

    fn place(&self, key: &[u8]) -> Text {
        let end = key.get(self.prefix.as_bytes().len()..).unwrap_or_default();
        Text::from_utf8_lossy(end)
    }
}

impl Live {
    fn view(&self) -> View {
        View {
            objects: self.objects.clone(),
            revision: self.revision,
            changed: self.changed,
        }
    }

    /// Returns the state at `revision`, if the history reaches back so far.
    fn at(&mut self, revision: Revision) -> Option<View> {
        if let Some(view) = self.pinned.iter().find(|view| view.revision == revision) {
            return Some(view.clone());
        }
        let mut objects = self.objects.clone();
        for change in self.history.back_to(revision)? {
            match &change.before {
                Some(before) => objects.insert(change.place.clone(), Arc::clone(before)),
                None => objects.remove(&change.place),
            };
        }
        Some(View {
            objects,
            revision,
            changed: revision,
        })
    }
}

/// Rings the bell for changes that nobody reads, as long as someone waits.
///
/// Dropping the future loses nothing: whoever reads the collection rings as well.
async fn ring(inner: Arc<Inner>) {
    let mut drain = inner.tasks.drain_signal();
    loop {
        let followed = tokio::select! {
            biased;
            () = drain.requested() => Ok(()),
            followed = inner.ring_until_lost() => followed,
        };
        inner.ringing.store(false, Ordering::Release);
        // Someone may have come while the task was about to go.
        let needed = followed.is_err() || !inner.bell.is_empty();
        if drain.is_requested() || !needed || inner.ringing.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

impl Inner {
    /// Rings until nobody waits any more.
    ///
    /// # Errors
    /// [`StoreError`] when the feed broke; the next one begins at the newest revision.
    async fn ring_until_lost(&self) -> Result<(), StoreError> {
        let newest = self.store.revision().await?;
        let mut feed = self.store.watch(&self.prefix, newest)?;
        // What happened before the feed began.
        self.catch_up_if_live();
        let mut batch = Vec::new();
        loop {
            feed.ready().await;
            if self.bell.is_empty() || self.ended.load(Ordering::Acquire) {
                return Ok(());
            }
            while feed.try_next_batch(BATCH, &mut batch)? > 0 {
                batch.clear();
            }
            self.catch_up_if_live();
        }
    }

    fn catch_up_if_live(&self) {
        if let Some(live) = &mut *self.live.lock()
            && self.catch_up(live).is_err()
        {
            // Watchers look again and find that they lost their place.
            self.bell.ring_all();
        }
    }
}

#[cfg(test)]
mod tests;
