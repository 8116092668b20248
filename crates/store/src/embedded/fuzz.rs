//! Files out of arbitrary bytes, for the fuzzer and for tests.
//!
//! The first byte chooses: bytes as they are, or with sound checksums around them, so that the
//! parsers behind the checksums are met too, or a sound store with some bytes changed.

use std::{collections::BTreeMap, sync::Arc};

use base::{Clock, Rng, WallTime};
use bytes::Bytes;

use super::{
    Drive, EmbeddedOptions, EmbeddedStore,
    format::{self, FRAME_HEADER_BYTES, FrameHeader, FrameKind, SegmentHeader, SnapshotHeader},
    segment::{log_name, snapshot_name},
    snapshot,
};
use crate::{
    contract::{Entry, Expected, RangeQuery, Revision, Store, Value, Write},
    disk::SimDisk,
    error::StoreError,
};

/// Salt of the files made here.
const SALT: u64 = 7;
const SEGMENT_BYTES: u64 = 12 * 1024;

type Contents = BTreeMap<String, Bytes>;

/// Opens a store on files made of `data`. It opens and can be used, or is refused with a file
/// named; anything else panics.
///
/// # Panics
/// If the store breaks its promise.
pub fn recover(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let disk = SimDisk::new(1);
    match choice % 5 {
        0 => disk.replace(&log_name(1), rest),
        1 => disk.replace(&snapshot_name(1), rest),
        2 => disk.replace(&log_name(1), &sound_log(rest)),
        3 => {
            disk.replace(&snapshot_name(1), &sound_snapshot(rest));
            disk.replace(&log_name(1), &sound_log(&[]));
        }
        _ => return changed(rest),
    }
    try_open(&disk);
}

/// Opens a sound store in which `data` changes bytes: three bytes choose a file and a place, one
/// says how.
fn changed(data: &[u8]) {
    let (disk, expected) = sound_store();
    let files = [snapshot_name(2), log_name(2), log_name(3)];
    let changes = data.chunks_exact(4);
    let count = changes.len();
    for change in changes {
        let name = &files[usize::from(change[0]) % files.len()];
        let mut bytes = disk.read(name).expect("the sound store has it");
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % bytes.len();
        bytes[at] ^= change[3];
        disk.replace(name, &bytes);
    }
    let found = try_open(&disk);
    // Two changes may hit the last frame and the seal behind it, and look like a torn write.
    if count <= 1
        && let Some(found) = found
    {
        assert_eq!(found, expected);
    }
}

fn open(disk: &SimDisk, log_slack_bytes: u64) -> Result<EmbeddedStore, StoreError> {
    let (clock, _) = Clock::fake(WallTime::from_secs(1_000_000));
    let options = EmbeddedOptions {
        segment_bytes_first: SEGMENT_BYTES,
        segment_bytes_max: SEGMENT_BYTES,
        log_slack_bytes,
        drive: Drive::Inline,
        ..EmbeddedOptions::default()
    };
    EmbeddedStore::open_on(Arc::new(disk.clone()), &clock, Rng::from_seed(3), options)
}

/// Returns what the store held if it opened, after proving that it works.
fn try_open(disk: &SimDisk) -> Option<Contents> {
    match open(disk, 1 << 20) {
        Ok(store) => {
            let found = contents(&store);
            let write = Write::put("/fuzz/new", Value::stamped("new ", ""), Expected::Any);
            match store.write(write).wait() {
                Ok(_) => store.close().wait().expect("a healthy disk"),
                // The files said that revisions have come to their end.
                Err(error) => panic!("{error}"),
            }
            let after = contents(&store);
            drop(store);
            let again = open(disk, 1 << 20).expect("what the store wrote, it reads");
            assert_eq!(contents(&again), after);
            Some(found)
        }
        Err(StoreError::Damaged { .. } | StoreError::Format { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn contents(store: &EmbeddedStore) -> Contents {
    let range = store.range(RangeQuery::all("/")).wait();
    let range = range.expect("the present");
    let pair = |entry: &Arc<Entry>| (entry.key.to_string(), entry.value.clone());
    range.entries.iter().map(pair).collect()
}

/// Returns a closed store with a snapshot and two segments.
fn sound_store() -> (SimDisk, Contents) {
    let disk = SimDisk::new(1);
    let mut expected = Contents::new();
    for slack in [1024, 1 << 20] {
        let store = open(&disk, slack).expect("a healthy disk");
        for n in 0..23 {
            let value = Value::stamped(format!("{n} "), "x".repeat(300));
            let write = Write::put(format!("/a/{}", n % 9), value, Expected::Any);
            store.write(write).wait().expect("a healthy disk");
            if slack == 1024 && store.usage().snapshots == 1 {
                break;
            }
        }
        store.close().wait().expect("a healthy disk");
        expected = contents(&store);
    }
    (disk, expected)
}

/// Returns a segment with sound checksums; `data` chooses kind, count and contents of its frames.
fn sound_log(mut data: &[u8]) -> Vec<u8> {
    let header = SegmentHeader {
        number: 1,
        size: SEGMENT_BYTES,
        salt: SALT,
    };
    let mut log = header.encode().to_vec();
    let mut sequence = 0;
    while let [kind, count, length, rest @ ..] = data {
        let (records, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        data = rest;
        sequence += 1;
        let header = FrameHeader {
            sequence,
            revision: Revision(1 + sequence),
            ceiling: Revision(u64::from(*count)),
            wall: WallTime::from_secs(1_000_000),
            count: u32::from(*count),
            kind: match kind % 8 {
                0 => FrameKind::Seal,
                1 => FrameKind::End,
                2 => FrameKind::Close,
                _ => FrameKind::Batch,
            },
        };
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        frame.extend_from_slice(records);
        format::finish_frame(&mut frame, header, SALT);
        log.extend_from_slice(&frame);
    }
    log.resize(log.len().max(SEGMENT_BYTES as usize), 0);
    log
}

/// Returns a snapshot with sound checksums around blocks that are pieces of `data`.
fn sound_snapshot(data: &[u8]) -> Vec<u8> {
    let header = SnapshotHeader {
        segment: 1,
        sequence: 0,
        revision: Revision(100),
        ceiling: Revision(100),
        salt: SALT,
    };
    let mut file = header.encode().to_vec();
    snapshot::push_sound_blocks(&mut file, data, SALT);
    file
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::recover;

    #[test]
    fn arbitrary_files_are_opened_or_refused() {
        let mut rng = Rng::from_seed(5);
        for round in 0..3_000_u64 {
            let mut data = vec![0; rng.below(200) as usize];
            rng.fill(&mut data);
            if let Some(first) = data.first_mut() {
                *first = (round % 5) as u8;
            }
            recover(&data);
        }
    }

    #[test]
    fn one_changed_byte_is_found_or_harmless() {
        let mut rng = Rng::from_seed(6);
        for _ in 0..2_000 {
            let mut data = [4, 0, 0, 0, 0];
            rng.fill(&mut data[1..]);
            recover(&data);
        }
    }
}
