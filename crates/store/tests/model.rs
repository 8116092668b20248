//! Random calls to every engine beside a model that is obviously right.
//!
//! The model is the list of all events. Every answer of the store must be the one that list gives.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, time::Duration};

use base::{Clock, FakeClock, Rng, WallTime};
use store::{
    Drive, EmbeddedOptions, EmbeddedStore, Entry, Event, EventKind, Expected, HistoryLimits, Key,
    MemoryStore, Prefix, RangeQuery, Revision, Start, Store, StoreError, Value, Watch, Write,
    disk::SimDisk,
};

const PREFIXES: [&str; 4] = ["/", "/a/", "/a/x/", "/b/"];
const STEPS: usize = 1_500;

/// Every event there ever was, and how far back the store must remember.
struct Model {
    events: Vec<Event>,
    floor: Revision,
    newest: Revision,
    clock: Clock,
    hand: FakeClock,
    rng: Rng,
    watches: Vec<(Watch, Revision)>,
}

type State = BTreeMap<Key, Entry>;

impl Model {
    fn new(seed: u64) -> Self {
        let (clock, hand) = Clock::fake(WallTime::from_secs(1_000_000));
        Self {
            events: Vec::new(),
            floor: Revision::START,
            newest: Revision::START,
            clock,
            hand,
            rng: Rng::from_seed(seed),
            watches: Vec::new(),
        }
    }

    /// Returns the entries as they were at `revision`.
    fn state_at(&self, revision: Revision) -> State {
        let mut state = State::new();
        for event in self
            .events
            .iter()
            .filter(|event| event.revision <= revision)
        {
            match (event.kind, &event.value) {
                (EventKind::Put, Some(value)) => {
                    let created = state.get(&event.key).map_or(event.revision, |e| e.created);
                    let entry = Entry {
                        key: event.key.clone(),
                        value: value.clone(),
                        revision: event.revision,
                        created,
                    };
                    state.insert(event.key.clone(), entry);
                }
                _ => {
                    state.remove(&event.key);
                }
            }
        }
        state
    }

    fn pick(&mut self, count: u64) -> u64 {
        self.rng.below(count)
    }

    fn key(&mut self) -> Key {
        let folder = ["/a/", "/a/x/", "/b/", "/"][self.pick(4) as usize];
        Key::from(format!("{folder}{}", self.pick(6)))
    }

    fn prefix(&mut self) -> Prefix {
        Prefix::new(PREFIXES[self.pick(4) as usize])
    }

    /// Returns a revision around those that can be asked for.
    fn revision(&mut self) -> Revision {
        let span = self.newest.0 - self.floor.0 + 6;
        let back = self.pick(span);
        Revision((self.newest.0 + 2).saturating_sub(back).max(1))
    }

    fn write(&mut self, store: &dyn Store) {
        let key = self.key();
        let held = self.state_at(self.newest).remove(&key);
        let expected = match self.pick(4) {
            0 => Expected::Absent,
            1 => Expected::At(held.as_ref().map_or(Revision(7), |entry| entry.revision)),
            2 => Expected::At(self.revision()),
            _ => Expected::Any,
        };
        let size = self.pick(300) as usize;
        let (before, after) = (format!("{} ", "v".repeat(size)), " end");
        let is_delete = self.pick(4) == 0;
        let with_last = self.pick(2) == 0;
        let value = Value::stamped(before.clone(), after);
        let write = match is_delete {
            true => Write::delete(key.clone(), with_last.then_some(value), expected),
            false => Write::put(key.clone(), value, expected),
        };
        let holds = match expected {
            Expected::Absent => held.is_none() && !is_delete,
            Expected::At(revision) => held.as_ref().is_some_and(|e| e.revision == revision),
            Expected::Any => held.is_some() || !is_delete,
        };
        match store.write(write).wait() {
            Ok(written) => {
                assert!(holds, "{key} was written although {expected} does not hold");
                assert_eq!(written.revision, self.newest.next());
                assert_eq!(written.previous.as_deref(), held.as_ref());
                let bytes = format!("{before}{}{after}", written.revision).into_bytes();
                let value = (!is_delete || with_last).then_some(bytes.into());
                assert_eq!(written.value, value);
                let kind = if is_delete {
                    EventKind::Delete
                } else {
                    EventKind::Put
                };
                self.newest = written.revision;
                self.events.push(Event {
                    revision: written.revision,
                    key,
                    value,
                    kind,
                    previous: held.map(Arc::new),
                });
            }
            Err(StoreError::Changed { found, .. }) => {
                assert!(!holds, "{key} was refused although {expected} holds");
                assert_eq!(found.as_deref(), held.as_ref());
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns what a read or watch from `revision` must be refused with, if anything.
    fn check_window<T>(&self, revision: Revision, answer: &Result<T, StoreError>) -> bool {
        match answer {
            Ok(_) => {
                assert!(
                    revision <= self.newest && revision >= self.floor,
                    "{revision}"
                );
                true
            }
            Err(StoreError::Future { newest, .. }) => {
                assert!(revision > self.newest && *newest == self.newest);
                false
            }
            Err(StoreError::Compacted { oldest, .. }) => {
                assert!(
                    revision < self.floor && *oldest == self.floor,
                    "{revision}, {oldest}"
                );
                false
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn read(&mut self, store: &dyn Store) {
        let at = (self.pick(3) > 0).then(|| self.revision());
        let key = self.key();
        let query = RangeQuery {
            prefix: self.prefix(),
            start: match self.pick(3) {
                0 => Start::First,
                1 => Start::At(key.clone()),
                _ => Start::After(key.clone()),
            },
            limit: NonZeroUsize::new(self.pick(8) as usize),
            at,
        };
        let revision = at.unwrap_or(self.newest);
        let answer = store.range(query.clone()).wait();
        if !self.check_window(revision, &answer) {
            return;
        }
        let range = answer.expect("it was just checked");
        let begins = |entry: &Entry| match &query.start {
            Start::First => true,
            Start::At(start) => entry.key >= *start,
            Start::After(start) => entry.key > *start,
        };
        let state = self.state_at(revision);
        let all = state
            .into_values()
            .filter(|entry| query.prefix.matches(&entry.key));
        let mut all: Vec<Entry> = all.filter(begins).collect();
        let limit = query.limit.map_or(usize::MAX, NonZeroUsize::get);
        let rest = all.split_off(limit.min(all.len()));
        let found: Vec<Entry> = range
            .entries
            .iter()
            .map(|entry| (**entry).clone())
            .collect();
        assert_eq!(found, all, "{query:?}");
        assert_eq!(range.remaining, rest.len(), "{query:?}");
        assert_eq!((range.revision, range.more), (revision, !rest.is_empty()));
        let held = store.get(&key).wait().expect("live state");
        assert_eq!(held.as_deref(), self.state_at(self.newest).get(&key));
    }

    fn start_watch(&mut self, store: &dyn Store) {
        let (prefix, after) = (self.prefix(), self.revision());
        let answer = store.watch(&prefix, after);
        if self.check_window(after, &answer) {
            self.watches
                .push((answer.expect("it was just checked"), after));
        }
        if self.watches.len() > 12 {
            let at = self.pick(12) as usize;
            self.watches.swap_remove(at);
        }
    }

    fn drain(&mut self) {
        if self.watches.is_empty() {
            return;
        }
        let at = self.pick(self.watches.len() as u64) as usize;
        let max = self.pick(6) as usize;
        let (mut watch, mut seen) = self.watches.swap_remove(at);
        let expected = |seen: Revision, watch: &Watch| -> Vec<Event> {
            let later = self.events.iter().filter(|event| event.revision > seen);
            later
                .filter(|event| watch.prefix().matches(&event.key))
                .cloned()
                .collect()
        };
        let waiting = expected(seen, &watch);
        let mut events = Vec::new();
        match watch.try_next_batch(max, &mut events) {
            Ok(count) => {
                let found: Vec<Event> = events.iter().map(|event| (**event).clone()).collect();
                assert_eq!(found, waiting[..max.min(waiting.len())]);
                assert_eq!(count, found.len());
                seen = found.last().map_or(seen, |event| event.revision);
            }
            Err(StoreError::Compacted { .. }) => {
                let lost = waiting.iter().any(|event| event.revision <= self.floor);
                assert!(lost, "nothing this watch needs was forgotten");
                return;
            }
            Err(error) => panic!("{error}"),
        }
        let is_behind = !expected(seen, &watch).is_empty();
        assert_eq!(watch.is_ready(), is_behind);
        let progress = watch.progress();
        assert_eq!(progress == self.newest, !is_behind || seen == self.newest);
        let seen = if is_behind { seen } else { progress };
        self.watches.push((watch, seen));
    }

    fn compact(&mut self, store: &dyn Store) {
        let through = self.revision();
        match store.compact(through).wait() {
            Ok(()) => {
                assert!(through <= self.newest);
                self.floor = self.floor.max(through);
            }
            Err(StoreError::Future { .. }) => assert!(through > self.newest),
            Err(error) => panic!("{error}"),
        }
    }

    fn step(&mut self, store: &dyn Store) {
        match self.pick(20) {
            0..9 => self.write(store),
            9..13 => self.read(store),
            13..15 => self.start_watch(store),
            15..19 => self.drain(),
            _ if self.pick(5) == 0 => self.compact(store),
            _ => self.hand.advance(Duration::from_millis(100)),
        }
        assert_eq!(store.revision().wait().expect("the newest"), self.newest);
    }
}

#[test]
fn memory_agrees_with_the_model() {
    for seed in 0..20 {
        let mut model = Model::new(seed);
        let store = MemoryStore::new(model.clock.clone());
        for _ in 0..STEPS {
            model.step(&store);
        }
    }
}

#[test]
fn embedded_agrees_with_the_model_also_after_reopening() {
    for seed in 100..120 {
        let mut model = Model::new(seed);
        let disk = SimDisk::new(seed);
        let open = |model: &Model| {
            let options = EmbeddedOptions {
                segment_bytes_first: 16 * 1024,
                segment_bytes_max: 16 * 1024,
                log_slack_bytes: 64 * 1024,
                drive: Drive::Inline,
                ..EmbeddedOptions::default()
            };
            let disk = Arc::new(disk.clone());
            EmbeddedStore::open_on(disk, &model.clock, Rng::from_seed(seed), options)
                .expect("a healthy disk")
        };
        let mut store = open(&model);
        for _ in 0..5 {
            for _ in 0..STEPS / 5 {
                model.step(&store);
            }
            model.watches.clear();
            drop(store);
            store = open(&model);
            // What compaction forgot may be there again, out of the log; what a snapshot has made
            // needless is not. The store itself says where its history begins.
            let start = Revision(0);
            if let Err(StoreError::Compacted { oldest, .. }) = store.watch(&Prefix::new("/"), start)
            {
                model.floor = oldest;
            }
        }
    }
}

#[test]
fn memory_resets_and_forks() {
    let mut model = Model::new(77);
    let store = MemoryStore::new(model.clock.clone());
    for _ in 0..200 {
        model.step(&store);
    }
    let (mark, marked) = (store.mark(), model.state_at(model.newest));
    let fork = store.fork();
    let at_fork = model.newest;
    for _ in 0..200 {
        model.step(&store);
    }
    let all = |store: &MemoryStore| -> Vec<Entry> {
        let range = store
            .range(RangeQuery::all("/"))
            .wait()
            .expect("the present");
        range
            .entries
            .iter()
            .map(|entry| (**entry).clone())
            .collect()
    };
    let expected: Vec<Entry> = marked.into_values().collect();
    assert_eq!(all(&fork), expected);
    assert_eq!(fork.revision().wait().expect("the newest"), at_fork);
    // The past of the fork is that of its origin.
    assert!(
        fork.watch(&Prefix::new("/"), model.floor.min(at_fork))
            .is_ok()
    );

    let mut watch = store
        .watch(&Prefix::new("/a/"), model.newest)
        .expect("the present");
    store.reset(&mark);
    assert_eq!(all(&store), expected);
    let newest = store.revision().wait().expect("the newest");
    assert_eq!(newest, model.newest.next(), "revisions go on growing");
    let outcome = watch.try_next_batch(1, &mut Vec::new());
    assert!(matches!(outcome, Err(StoreError::Compacted { .. })));
    assert!(store.watch(&Prefix::new("/a/"), newest).is_ok());
}

#[test]
fn history_is_bounded_by_age_and_bytes() {
    let (clock, hand) = Clock::fake(WallTime::from_secs(0));
    let limits = HistoryLimits {
        age: Duration::from_secs(300),
        bytes_max: 100_000,
        quiet_count: 10,
        quiet_bytes: 10_000,
    };
    let store = MemoryStore::with_history(clock, limits);
    let put = |size: usize| {
        let value = Value::Plain(vec![b'x'; size].into());
        let written = store.write(Write::put("/a/1", value, Expected::Any)).wait();
        written.expect("a put").revision
    };
    let reaches = |revision: Revision| store.watch(&Prefix::new("/"), revision).is_ok();
    // Five minutes are kept whole.
    let first = put(10);
    for _ in 0..100 {
        hand.advance(Duration::from_secs(3));
        put(10);
    }
    assert!(reaches(first));
    hand.advance(Duration::from_secs(30));
    let newest = put(10);
    assert!(!reaches(first));
    // Of what is older, a few stay for those who come back to a quiet store.
    hand.advance(Duration::from_secs(1_000));
    put(10);
    assert!(reaches(Revision(newest.0 - 8)) && !reaches(Revision(newest.0 - 20)));
    // The hard bound wins over the age.
    let begin = put(10_000);
    for _ in 0..20 {
        put(10_000);
    }
    assert!(!reaches(begin));
    assert!(reaches(Revision(begin.0 + 15)));
}
