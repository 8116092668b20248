//! What a person or a caller is told, where no other test gets there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base::{Chain, Clock, Rng, WallTime};
use expect_test::{Expect, expect};
use store::{
    Drive, Durability, EmbeddedOptions, EmbeddedStore, Entry, Expected, Key, Prefix, Revision,
    Store, StoreError, Value, Write,
    disk::{Disk, DiskFile, DiskLock, LockRefusal, SimDisk},
};

#[track_caller]
fn check(error: &StoreError, expected: &Expect) {
    expected.assert_eq(&Chain(error).to_string());
}

fn open(dir: &Path) -> Result<EmbeddedStore, StoreError> {
    let options = EmbeddedOptions::default();
    EmbeddedStore::open(dir, &Clock::system(), Rng::from_seed(1), options)
}

#[test]
fn a_directory_in_use_names_who_uses_it() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let first = open(root.path()).expect("an empty directory");
    match open(root.path()) {
        Err(StoreError::Locked { dir, pid }) => {
            assert_eq!(
                (dir.as_path(), pid),
                (root.path(), Some(std::process::id()))
            );
        }
        other => panic!("opened twice: {other:?}"),
    }
    drop(first);
    assert!(open(root.path()).is_ok(), "the lock ends with the store");
}

#[test]
fn a_file_in_place_of_the_directory_is_named() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let file = root.path().join("file");
    fs::write(&file, "not a directory").expect("a file");
    for dir in [file.clone(), file.join("below")] {
        match open(&dir) {
            Err(StoreError::Io { file, .. }) => assert_eq!(file, dir),
            other => panic!("opened a file: {other:?}"),
        }
    }
}

#[test]
fn only_the_owner_can_read_the_files() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let dir = root.path().join("made/by/the/store");
    let store = open(&dir).expect("missing directories are made");
    drop(store);
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).expect("it is there") {
        let path = entry.expect("a readable entry").path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn a_new_store_is_small() {
    let root = tempfile::tempdir().expect("a directory for the test");
    drop(open(root.path()).expect("an empty directory"));
    let sizes = fs::read_dir(root.path())
        .expect("it is there")
        .map(|entry| {
            let entry = entry.expect("a readable entry");
            entry.metadata().expect("it is there").len()
        });
    assert!(sizes.sum::<u64>() < 4 * 1024 * 1024);
}

#[test]
fn messages_say_what_to_look_at() {
    let dir = PathBuf::from("/var/lib/pintle");
    let found = Arc::new(Entry {
        key: Key::from("/a"),
        value: "x".into(),
        revision: Revision(7),
        created: Revision(7),
    });
    check(
        &StoreError::Changed {
            expected: Expected::At(Revision(5)),
            found: Some(found),
        },
        &expect!["expected revision 5, found revision 7"],
    );
    check(
        &StoreError::Changed {
            expected: Expected::Any,
            found: None,
        },
        &expect!["expected an entry, found no entry"],
    );
    check(
        &StoreError::Locked {
            dir: dir.clone(),
            pid: Some(42),
        },
        &expect!["'/var/lib/pintle' is in use by another process (pid 42)"],
    );
    check(
        &StoreError::Damaged {
            file: dir.join("log-1"),
            offset: 64,
            what: "it is torn",
        },
        &expect!["'/var/lib/pintle/log-1' is damaged at offset 64: it is torn"],
    );
    let sync = StoreError::Sync {
        file: dir.join("log-1"),
        source: Arc::new(std::io::Error::other("the disk failed")),
    };
    check(
        &sync,
        &expect!["failed to sync '/var/lib/pintle/log-1': the disk failed"],
    );
    check(
        &StoreError::Poisoned {
            source: Arc::new(sync),
        },
        &expect![
            "the store stopped after a fault: failed to sync '/var/lib/pintle/log-1': the disk failed"
        ],
    );
}

/// A disk whose syncs wait until the test lets them go.
struct SlowDisk(SimDisk, Arc<parking_lot::RwLock<()>>);
struct SlowFile(Arc<dyn DiskFile>, Arc<parking_lot::RwLock<()>>);

impl Disk for SlowDisk {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn list(&self) -> std::io::Result<Vec<String>> {
        self.0.list()
    }
    fn open(&self, name: &str) -> std::io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SlowFile(self.0.open(name)?, Arc::clone(&self.1))))
    }
    fn create(&self, name: &str) -> std::io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SlowFile(
            self.0.create(name)?,
            Arc::clone(&self.1),
        )))
    }
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.0.remove(name)
    }
    fn sync(&self) -> std::io::Result<()> {
        Disk::sync(&self.0)
    }
    fn lock(&self) -> Result<DiskLock, LockRefusal> {
        self.0.lock()
    }
}

impl DiskFile for SlowFile {
    fn size(&self) -> std::io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn sync(&self) -> std::io::Result<()> {
        let _go = self.1.read();
        self.0.sync()
    }
}

fn put(key: &str) -> Write {
    Write::put(key, Value::Plain(vec![b'x'; 1_000].into()), Expected::Any)
}

#[test]
fn nothing_is_seen_before_it_is_synced_and_a_full_queue_is_busy() {
    let gate = Arc::new(parking_lot::RwLock::new(()));
    let disk = Arc::new(SlowDisk(SimDisk::new(1), Arc::clone(&gate)));
    let options = EmbeddedOptions {
        queue_bytes_max: 10_000,
        ..EmbeddedOptions::default()
    };
    let store = EmbeddedStore::open_on(disk, &Clock::system(), Rng::from_seed(1), options);
    let store = store.expect("an empty disk");
    let start = store.revision().wait().expect("the newest");
    let mut watch = store.watch(&Prefix::new("/"), start).expect("the present");

    let closed = gate.write();
    let first = store.write(put("/a/1"));
    // Who loses against a write that is not synced must not learn of it before it is.
    let lost = store.write(Write::create("/a/1", Value::Plain("y".into())));
    // Nor may a relaxed write overtake it.
    let relaxed = store.write(put("/a/2").with_durability(Durability::Relaxed));
    let mut receipts = Vec::new();
    let busy = loop {
        match store.write(put("/a/3")).try_take() {
            Ok(outcome) => break outcome.expect_err("nothing is synced"),
            Err(receipt) => receipts.push(receipt),
        }
    };
    assert!(matches!(busy, StoreError::Busy { queued_bytes } if queued_bytes > 10_000));
    assert_eq!(
        store.get(&Key::from("/a/1")).wait().expect("live state"),
        None
    );
    assert_eq!(store.revision().wait().expect("the newest"), start);
    assert_eq!(
        watch
            .try_next_batch(10, &mut Vec::new())
            .expect("the present"),
        0
    );
    let lost = lost.try_take().expect_err("it must wait");
    let first = first.try_take().expect_err("it must wait");
    let relaxed = relaxed.try_take().expect_err("it must wait");
    drop(closed);

    assert_eq!(first.wait().expect("synced now").revision, start.next());
    assert!(matches!(
        lost.wait(),
        Err(StoreError::Changed { found: Some(_), .. })
    ));
    assert_eq!(
        relaxed.wait().expect("synced now").revision,
        start.next().next()
    );
    let count = receipts.len() as u64;
    for receipt in receipts {
        receipt.wait().expect("synced now");
    }
    let newest = store.revision().wait().expect("the newest");
    assert_eq!(
        newest,
        Revision(start.0 + 2 + count),
        "who was busy took no revision"
    );
}

#[test]
fn nobody_goes_on_from_a_revision_that_was_lost() {
    let (clock, hand) = Clock::fake(WallTime::from_secs(1_000_000));
    let mut disk = SimDisk::new(9);
    let open = |disk: &SimDisk| {
        let options = EmbeddedOptions {
            drive: Drive::Inline,
            ..EmbeddedOptions::default()
        };
        EmbeddedStore::open_on(Arc::new(disk.clone()), &clock, Rng::from_seed(1), options)
            .expect("a healthy disk")
    };
    let relaxed = |store: &EmbeddedStore| {
        let written = store
            .write(put("/lease/1").with_durability(Durability::Relaxed))
            .wait();
        written.expect("a healthy disk").revision
    };
    let store = open(&disk);
    // The first relaxed write waits for a frame that allows later ones to run ahead.
    let kept = relaxed(&store);
    let lost = relaxed(&store);
    assert_eq!(lost, kept.next());
    disk = disk.copy();
    drop(store);

    for _ in 0..2 {
        let store = open(&disk);
        let newest = store.revision().wait().expect("the newest");
        assert!(newest > lost, "a revision somebody saw does not come again");
        let held = store
            .get(&Key::from("/lease/1"))
            .wait()
            .expect("live state");
        assert_eq!(held.expect("it was synced").revision, kept);
        let watch = |after: Revision| store.watch(&Prefix::new("/"), after).map(|_| ());
        match watch(lost) {
            Err(StoreError::Compacted { oldest, .. }) => assert!(oldest > lost),
            other => panic!("went on from what is lost: {other:?}"),
        }
        assert!(watch(kept).is_ok() && watch(newest).is_ok());
        // Also when the store has gone on and is opened once more.
        assert!(
            store
                .write(put("/a/1"))
                .wait()
                .expect("a healthy disk")
                .revision
                > newest
        );
        disk = disk.copy();
    }
    let store = open(&disk);
    let acknowledged = relaxed(&store);
    hand.advance(Duration::from_secs(2));
    store.tick();
    let store = open(&disk.copy());
    let held = store
        .get(&Key::from("/lease/1"))
        .wait()
        .expect("live state");
    assert_eq!(held.expect("its time has come").revision, acknowledged);
}
