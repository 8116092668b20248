//! Seeded writes to a store, and what must be true of it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use base::{Clock, FakeClock, Rng, WallTime};
use store::{
    Drive, Durability, EmbeddedOptions, EmbeddedStore, Expected, Key, Prefix, RangeQuery, Revision,
    Store, StoreError, Value, Write, disk::SimDisk,
};

/// Small enough that a short run changes segments and takes snapshots.
pub(crate) fn options() -> EmbeddedOptions {
    EmbeddedOptions {
        segment_bytes_first: 8 * 1024,
        segment_bytes_max: 12 * 1024,
        log_slack_bytes: 6 * 1024,
        drive: Drive::Inline,
        ..EmbeddedOptions::default()
    }
}

pub(crate) fn open(disk: &SimDisk, clock: &Clock) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open_on(Arc::new(disk.clone()), clock, Rng::from_seed(3), options())
}

/// What a key may hold.
type Possible = BTreeSet<Option<Vec<u8>>>;

/// One run of writes.
pub(crate) struct Run {
    clock: Clock,
    hand: FakeClock,
    rng: Rng,
    count: u64,
    /// What each key of a synced write must hold: one state, or several if a fault made it unsure.
    synced: BTreeMap<String, Possible>,
    /// What each key of a relaxed write may hold.
    relaxed: BTreeMap<String, Possible>,
    acknowledged: Revision,
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        let (clock, hand) = Clock::fake(WallTime::from_secs(1_000_000));
        Self {
            clock,
            hand,
            rng: Rng::from_seed(seed),
            count: 0,
            synced: BTreeMap::new(),
            relaxed: BTreeMap::new(),
            acknowledged: Revision::START,
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn advance_secs(&self, secs: u64) {
        self.hand.advance(Duration::from_secs(secs));
    }

    /// Makes `count` writes, and lets time pass in between.
    pub(crate) fn writes(&mut self, store: &EmbeddedStore, count: usize) {
        for _ in 0..count {
            let _ = self.write(store);
            self.hand
                .advance(Duration::from_millis(self.rng.below(400)));
            store.tick();
        }
    }

    /// Makes one write and returns why it failed, if it did.
    pub(crate) fn write(&mut self, store: &EmbeddedStore) -> Option<StoreError> {
        match self.rng.below(4) {
            0 => self.write_relaxed(store).err(),
            _ => self.write_synced(store).err(),
        }
    }

    fn value(&mut self) -> (Value, Vec<u8>) {
        self.count += 1;
        let text = format!("value {} ", self.count);
        let size = match self.rng.below(8) {
            0 => 3_000,
            _ => self.rng.below(600) as usize,
        };
        let bytes = [text.into_bytes(), vec![b'x'; size]].concat();
        (Value::Plain(bytes.clone().into()), bytes)
    }

    pub(crate) fn write_synced(&mut self, store: &EmbeddedStore) -> Result<(), StoreError> {
        let key = format!("/synced/{}", self.rng.below(8));
        let possible = self
            .synced
            .entry(key.clone())
            .or_insert_with(|| [None].into());
        let may_delete = !possible.contains(&None);
        let (write, wanted) = if may_delete && self.rng.below(4) == 0 {
            (Write::delete(key.as_str(), None, Expected::Any), None)
        } else {
            let (value, bytes) = self.value();
            (Write::put(key.as_str(), value, Expected::Any), Some(bytes))
        };
        let possible = self.synced.get_mut(&key).expect("it was just entered");
        match store.write(write).wait() {
            Ok(written) => {
                *possible = [wanted].into();
                self.acknowledged = written.revision;
                Ok(())
            }
            Err(error) => {
                possible.insert(wanted);
                Err(error)
            }
        }
    }

    fn write_relaxed(&mut self, store: &EmbeddedStore) -> Result<(), StoreError> {
        let key = format!("/relaxed/{}", self.rng.below(4));
        let (value, bytes) = self.value();
        let possible = self
            .relaxed
            .entry(key.clone())
            .or_insert_with(|| [None].into());
        possible.insert(Some(bytes));
        let write = Write::put(key, value, Expected::Any);
        let written = store
            .write(write.with_durability(Durability::Relaxed))
            .wait()?;
        self.acknowledged = written.revision;
        Ok(())
    }

    /// Panics if `store` does not hold what was acknowledged, or holds what was never written.
    pub(crate) fn verify(&self, store: &EmbeddedStore, label: &str) {
        let found = |prefix: &str| -> BTreeMap<String, Vec<u8>> {
            let range = store
                .range(RangeQuery::all(prefix))
                .wait()
                .expect("the present");
            let pair = |entry: &Arc<store::Entry>| (entry.key.to_string(), entry.value.to_vec());
            range.entries.iter().map(pair).collect()
        };
        for (prefix, known) in [("/synced/", &self.synced), ("/relaxed/", &self.relaxed)] {
            let found = found(prefix);
            for (key, possible) in known {
                let held = found.get(key).cloned();
                assert!(
                    possible.contains(&held),
                    "{label}: {key} holds {}",
                    shown(held)
                );
            }
            assert!(found.keys().all(|key| known.contains_key(key)), "{label}");
        }
        let revision = store.revision().wait().expect("the newest revision");
        let acknowledged = self.acknowledged;
        assert!(
            revision >= acknowledged,
            "{label}: at {revision}, was at {acknowledged}"
        );
        let watch = store.watch(&Prefix::new("/"), revision);
        assert!(watch.is_ok(), "{label}");
    }

    /// Takes what `store` holds for the truth where a fault left it open.
    pub(crate) fn forget_uncertain(&mut self, store: &EmbeddedStore) {
        let all = self.synced.iter_mut().chain(&mut self.relaxed);
        for (key, possible) in all {
            let entry = store
                .get(&Key::from(key.as_str()))
                .wait()
                .expect("live state");
            *possible = [entry.map(|entry| entry.value.to_vec())].into();
        }
        self.acknowledged = store.revision().wait().expect("the newest revision");
    }
}

fn shown(value: Option<Vec<u8>>) -> String {
    value.map_or("nothing".to_owned(), |value| {
        String::from_utf8_lossy(&value[..value.len().min(20)]).into_owned()
    })
}
