//! Which key is to be looked at next.
//!
//! [`Order`] is the pure core: it is told the time and answers at once. [`Queue`] puts a lock and a
//! wake-up around it.
//!
//! The life of a key: it is *added* (twice is once), *taken* by one worker, perhaps added again
//! meanwhile (then it comes back when the worker is done), and *done*. A failed key is *retried*
//! after a delay that doubles with each failure; a success *forgets* the failures.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base::{Clock, Moment, Rng};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Most keys held at once. A queue holds names of existing objects, so this is a net against a
/// mistake, not a size to plan with: past it keys are refused and counted, and the owner of the
/// queue adds everything again when it has run empty.
pub const KEYS_MAX: usize = 1 << 20;

/// One key in so many is taken from the lowest priority that waits, so that none starves.
const FAIR_EVERY: u32 = 8;

/// First delay of a failed key; as client-go's workqueue.
const RETRY_FIRST: Duration = Duration::from_millis(5);

/// Longest delay of a failed key. client-go goes on to 1,000 s; a server in the same process is
/// back long before that.
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// How soon a key wants to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Someone waits for it.
    High,
    /// An ordinary change.
    #[default]
    Normal,
    /// A first look after a start or a repeated check.
    Low,
}

/// What [`Order::take`] answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<K> {
    /// Look at this key, then say [`Order::done`].
    Key(K),
    /// Nothing is due before this moment.
    At(Moment),
    /// Nothing is due until something is added.
    Nothing,
}

/// The pure core: order, deduplication, delays.
#[derive(Debug)]
pub struct Order<K> {
    entries: HashMap<K, Entry>,
    ready: [VecDeque<K>; 3],
    delayed: BTreeMap<(Moment, u64), K>,
    counter: u64,
    taken: u32,
    refused: u64,
}

#[derive(Debug, Default)]
struct Entry {
    waiting: Option<Priority>,
    working: bool,
    due: Option<(Moment, u64)>,
    failures: u32,
}

impl<K> Default for Order<K> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            ready: Default::default(),
            delayed: BTreeMap::new(),
            counter: 0,
            taken: 0,
            refused: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> Order<K> {
    /// Adds a key to be looked at now; a key that waits already keeps its place or gains priority.
    pub fn add(&mut self, key: K, priority: Priority) {
        if self.entries.len() >= KEYS_MAX && !self.entries.contains_key(&key) {
            self.refused += 1;
            return;
        }
        let entry = self.entries.entry(key.clone()).or_default();
        match entry.waiting {
            Some(held) if held <= priority => return,
            Some(_) | None => entry.waiting = Some(priority),
        }
        if !entry.working {
            // A key that gained priority leaves its old place behind; `pop` skips it there.
            self.ready[priority as usize].push_back(key);
        }
    }

    /// Adds a key to be looked at after a delay; of two delays the sooner counts.
    pub fn add_after(&mut self, key: K, delay: Duration, now: Moment) {
        if self.entries.len() >= KEYS_MAX && !self.entries.contains_key(&key) {
            self.refused += 1;
            return;
        }
        let at = now + delay;
        let entry = self.entries.entry(key.clone()).or_default();
        if let Some(held) = entry.due {
            if held.0 <= at {
                return;
            }
            self.delayed.remove(&held);
        }
        self.counter += 1;
        entry.due = Some((at, self.counter));
        self.delayed.insert((at, self.counter), key);
    }

    /// Adds a failed key again, later each time.
    pub fn retry(&mut self, key: K, now: Moment, rng: &mut Rng) {
        let failures = match self.entries.get_mut(&key) {
            Some(entry) => {
                entry.failures = entry.failures.saturating_add(1);
                entry.failures
            }
            None => 1,
        };
        let full = RETRY_FIRST
            .saturating_mul(1 << (failures - 1).min(20))
            .min(RETRY_LONGEST);
        // Up to a quarter less, so that many failed keys do not come back together.
        let delay = full.mul_f64(1.0 - rng.unit() / 4.0);
        self.add_after(key.clone(), delay, now);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.failures = failures;
        }
    }

    /// Forgets that a key ever failed.
    pub fn forget(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.failures = 0;
        }
    }

    /// Takes the next key, or says when to ask again.
    pub fn take(&mut self, now: Moment) -> Next<K> {
        while let Some(first) = self.delayed.first_entry() {
            if first.key().0 > now {
                break;
            }
            let key = first.remove();
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.due = None;
            }
            self.add(key, Priority::Normal);
        }
        self.taken = self.taken.wrapping_add(1);
        let fair = self.taken.is_multiple_of(FAIR_EVERY);
        for step in 0..3 {
            let level = if fair { 2 - step } else { step };
            if let Some(key) = self.pop(level) {
                return Next::Key(key);
            }
        }
        self.delayed
            .first_key_value()
            .map_or(Next::Nothing, |((at, _), _)| Next::At(*at))
    }

    fn pop(&mut self, level: usize) -> Option<K> {
        while let Some(key) = self.ready[level].pop_front() {
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            if entry.waiting.is_some_and(|held| held as usize == level) && !entry.working {
                entry.waiting = None;
                entry.working = true;
                return Some(key);
            }
        }
        None
    }

    /// Says that the worker is done with a key; if it was added meanwhile, it is ready again.
    pub fn done(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.working = false;
        match entry.waiting {
            Some(priority) => self.ready[priority as usize].push_back(key.clone()),
            None if entry.due.is_none() && entry.failures == 0 => {
                self.entries.remove(key);
            }
            None => {}
        }
    }

    /// Returns how many keys are ready, delayed or worked on.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether nothing is ready, delayed or worked on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many keys were refused since this was last asked.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    fn has_delayed(&self) -> bool {
        !self.delayed.is_empty()
    }

    fn has_ready(&self) -> bool {
        self.ready.iter().any(|level| !level.is_empty())
    }
}

/// A queue that several workers wait on. Cheap to clone.
pub struct Queue<K>(Arc<Shared<K>>);

struct Shared<K> {
    order: Mutex<Order<K>>,
    /// Workers that wait for a moment and not only for a wake-up; changed under the lock above.
    timed: AtomicUsize,
    rng: Mutex<Rng>,
    wake: Notify,
    clock: Clock,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// Returns an empty queue.
    #[must_use]
    pub fn new(clock: Clock, rng: Rng) -> Self {
        Self(Arc::new(Shared {
            order: Mutex::new(Order::default()),
            timed: AtomicUsize::new(0),
            rng: Mutex::new(rng),
            wake: Notify::new(),
            clock,
        }))
    }

    /// Adds a key to be looked at now.
    pub fn add(&self, key: K) {
        self.add_with(key, Priority::Normal);
    }

    /// Adds a key to be looked at now, with a priority.
    pub fn add_with(&self, key: K, priority: Priority) {
        self.0.order.lock().add(key, priority);
        self.0.wake.notify_one();
    }

    /// Adds a key to be looked at after a delay.
    pub fn add_after(&self, key: K, delay: Duration) {
        let now = self.0.clock.now();
        self.0.order.lock().add_after(key, delay, now);
        self.0.wake.notify_one();
    }

    /// Adds a failed key again, later each time.
    pub fn retry(&self, key: K) {
        let now = self.0.clock.now();
        self.0.order.lock().retry(key, now, &mut self.0.rng.lock());
        self.0.wake.notify_one();
    }

    /// Forgets that a key ever failed.
    pub fn forget(&self, key: &K) {
        self.0.order.lock().forget(key);
    }

    /// Says that the worker is done with a key.
    pub fn done(&self, key: &K) {
        let ready = {
            let mut order = self.0.order.lock();
            order.done(key);
            order.has_ready()
        };
        if ready {
            self.0.wake.notify_one();
        }
    }

    /// Waits for the next key. Dropping the future loses nothing: a key is taken only when given.
    pub async fn next(&self) -> K {
        loop {
            let next = {
                let mut order = self.0.order.lock();
                let next = order.take(self.0.clock.now());
                match &next {
                    Next::Key(_) => {
                        // One wake-up stands for any number of keys; pass it on to the next worker.
                        // And someone must wait for the delayed ones while we work.
                        let untimed = self.0.timed.load(Ordering::Relaxed) == 0;
                        if order.has_ready() || (untimed && order.has_delayed()) {
                            self.0.wake.notify_one();
                        }
                    }
                    Next::At(_) => {
                        self.0.timed.fetch_add(1, Ordering::Relaxed);
                    }
                    Next::Nothing => {}
                }
                next
            };
            match next {
                Next::Key(key) => return key,
                Next::Nothing => self.0.wake.notified().await,
                Next::At(at) => {
                    let _timed = Timed(&self.0.timed);
                    tokio::select! {
                        () = self.0.wake.notified() => {}
                        () = self.0.clock.sleep_until(at) => {}
                    }
                }
            }
        }
    }

    /// Takes a key if one is ready, without waiting.
    #[must_use]
    pub fn try_next(&self) -> Option<K> {
        match self.0.order.lock().take(self.0.clock.now()) {
            Next::Key(key) => Some(key),
            Next::At(_) | Next::Nothing => None,
        }
    }

    /// Returns how many keys are ready, delayed or worked on.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.order.lock().len()
    }

    /// Returns whether nothing is ready, delayed or worked on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many keys were refused since this was last asked.
    #[must_use]
    pub fn take_refused(&self) -> u64 {
        self.0.order.lock().take_refused()
    }
}

/// Counts a timed wait down, however it ends.
struct Timed<'a>(&'a AtomicUsize);

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "queue/tests.rs"]
mod tests;
