//! Files cut or flipped at every single offset: the store opens with every acknowledged write, or
//! names the file and the place.

use std::{collections::BTreeMap, sync::Arc};

use base::{Clock, Rng, WallTime};
use bytes::Bytes;
use store::{
    Drive, EmbeddedOptions, EmbeddedStore, Entry, Expected, RangeQuery, Store, StoreError, Value,
    Write,
    disk::{Disk, SimDisk},
};

/// Few enough bytes to damage each of them; enough for a seal in a page of its own.
const SEGMENT_BYTES: u64 = 10 * 1024;

/// What a store must hold.
type Contents = BTreeMap<String, Bytes>;

fn open(disk: &SimDisk, clock: &Clock, log_slack_bytes: u64) -> Result<EmbeddedStore, StoreError> {
    let options = EmbeddedOptions {
        segment_bytes_first: SEGMENT_BYTES,
        segment_bytes_max: SEGMENT_BYTES,
        log_slack_bytes,
        drive: Drive::Inline,
        ..EmbeddedOptions::default()
    };
    EmbeddedStore::open_on(Arc::new(disk.clone()), clock, Rng::from_seed(3), options)
}

fn contents(store: &EmbeddedStore) -> Contents {
    let range = store
        .range(RangeQuery::all("/"))
        .wait()
        .expect("the present");
    let pair = |entry: &Arc<Entry>| (entry.key.to_string(), entry.value.clone());
    range.entries.iter().map(pair).collect()
}

/// Returns the disk of a closed store that has a snapshot and segments after it.
fn build(clock: &Clock) -> (SimDisk, Contents) {
    let disk = SimDisk::new(1);
    // First with little slack, for a snapshot; then with much, for segments behind it.
    for slack in [1024, 1 << 20] {
        let store = open(&disk, clock, slack).expect("a healthy disk");
        for n in 0..23 {
            let value = Value::stamped(format!("value {n} at "), "x".repeat(220));
            let write = Write::put(format!("/a/{}", n % 9), value, Expected::Any);
            store.write(write).wait().expect("a healthy disk");
        }
        let write = Write::delete("/a/3", None, Expected::Any);
        store.write(write).wait().expect("it is there");
        store.close().wait().expect("a healthy disk");
    }
    let store = open(&disk.copy(), clock, 1 << 20).expect("nothing is damaged");
    let contents = contents(&store);
    assert_eq!(contents.len(), 8);
    (disk, contents)
}

/// Returns the files that a start reads.
fn files(disk: &SimDisk) -> Vec<String> {
    let names = disk.list().expect("the names");
    let mut files: Vec<String> = names
        .into_iter()
        .filter(|name| name.starts_with("log-") || name.starts_with("snapshot-"))
        .collect();
    files.sort();
    assert!(
        files.len() >= 3,
        "a snapshot and several segments: {files:?}"
    );
    files
}

/// What came of opening a damaged store.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It holds everything.
    Whole,
    /// It was refused, and this place named.
    Named(u64),
}

#[track_caller]
fn outcome(disk: &SimDisk, name: &str, expected: &Contents, clock: &Clock) -> Outcome {
    match open(disk, clock, 1 << 20) {
        Ok(store) => {
            assert_eq!(&contents(&store), expected, "{name}");
            Outcome::Whole
        }
        Err(StoreError::Damaged { file, offset, .. }) => {
            assert_eq!(file.file_name().and_then(|name| name.to_str()), Some(name));
            Outcome::Named(offset)
        }
        Err(StoreError::Format { file, .. }) => {
            assert!(file.ends_with(name), "{file:?}");
            Outcome::Named(8)
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn clock() -> Clock {
    Clock::fake(WallTime::from_secs(1_000_000)).0
}

#[test]
fn every_flip_is_harmless_or_named() {
    let clock = clock();
    let (disk, expected) = build(&clock);
    for name in files(&disk) {
        let bytes = disk.read(&name).expect("it is there");
        let mut named = 0;
        for offset in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[offset] ^= mask;
                let damaged = disk.copy();
                damaged.replace(&name, &flipped);
                if let Outcome::Named(at) = outcome(&damaged, &name, &expected, &clock) {
                    assert!(
                        at <= offset as u64,
                        "{name}: {offset} is damaged, {at} is named"
                    );
                    named += 1;
                }
            }
        }
        // Only what no frame covers is harmless, and the last seal.
        let flips = 3 * bytes.len();
        let least = if name.starts_with("log") {
            flips / 16
        } else {
            flips
        };
        assert!(named >= least, "{name}: {named} of {flips} flips named");
    }
}

#[test]
fn every_cut_is_named() {
    let clock = clock();
    let (disk, expected) = build(&clock);
    for name in files(&disk) {
        let bytes = disk.read(&name).expect("it is there");
        for length in 0..bytes.len() {
            let damaged = disk.copy();
            damaged.replace(&name, &bytes[..length]);
            match outcome(&damaged, &name, &expected, &clock) {
                Outcome::Named(at) if name.starts_with("log") => assert_eq!(at, length as u64),
                // The block that does not fit any more.
                Outcome::Named(at) => assert!(at <= length as u64, "cut to {length}, {at} named"),
                Outcome::Whole => panic!("{name}, cut to {length}, was opened"),
            }
        }
    }
}

#[test]
fn every_zeroed_sector_is_harmless_or_named() {
    let clock = clock();
    let (disk, expected) = build(&clock);
    for name in files(&disk) {
        let bytes = disk.read(&name).expect("it is there");
        for offset in (0..bytes.len()).step_by(512) {
            let mut zeroed = bytes.clone();
            let end = bytes.len().min(offset + 512);
            zeroed[offset..end].fill(0);
            let damaged = disk.copy();
            damaged.replace(&name, &zeroed);
            outcome(&damaged, &name, &expected, &clock);
        }
    }
}

#[test]
fn every_missing_file_is_named() {
    let clock = clock();
    let (disk, _) = build(&clock);
    let first_log = files(&disk)[0].clone();
    for name in files(&disk) {
        let damaged = disk.copy();
        damaged.remove(&name).expect("it is there");
        match open(&damaged, &clock, 1 << 20) {
            Err(StoreError::Damaged { file, offset, .. }) => {
                // Without its snapshot, the log misses its first segment.
                let missing = match name.starts_with("snapshot") {
                    true => "log-0000000001",
                    false => name.as_str(),
                };
                assert!(
                    file.ends_with(missing) && offset == 0,
                    "{file:?}, not {missing}"
                );
                assert_ne!(first_log, "log-0000000001");
            }
            other => panic!("{name} is missing: {other:?}"),
        }
    }
}

#[test]
fn a_file_under_another_name_is_named() {
    let clock = clock();
    let (disk, expected) = build(&clock);
    let files = files(&disk);
    let bytes = disk.read(&files[0]).expect("it is there");
    disk.replace(&files[1], &bytes);
    assert!(matches!(
        outcome(&disk, &files[1], &expected, &clock),
        Outcome::Named(16)
    ));
}

#[test]
fn a_newer_format_is_refused_as_such() {
    let clock = clock();
    let (disk, _) = build(&clock);
    for name in files(&disk) {
        let mut bytes = disk.read(&name).expect("it is there");
        bytes[8] = 2;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[0..12]), &bytes[16..64]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        let newer = disk.copy();
        newer.replace(&name, &bytes);
        match open(&newer, &clock, 1 << 20) {
            Err(StoreError::Format {
                file,
                found: 2,
                supported: 1,
            }) => assert!(file.ends_with(&name)),
            other => panic!("{name} has a newer format: {other:?}"),
        }
    }
}
