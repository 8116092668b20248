//! From files to a store: the newest snapshot, then every frame after it.
//!
//! One rule decides between a torn write and damage. A frame is written only after the one before
//! it was synced, so a frame that does not check out can be the last one, torn by a crash; if a
//! good frame follows anywhere, what was synced has changed, and the store is refused.

mod scan;

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use base::{Clock, Moment, Rng, WallTime};

use self::scan::{Found, FrameReader};
use super::{
    EmbeddedOptions,
    format::{FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, take_record},
    log::{Log, Tail},
    segment::{self, FileRole, Segment, Spare, log_name, snapshot_name},
    snapshot,
};
use crate::{
    contract::{Change, Durability, Expected, Revision, Write},
    disk::Disk,
    error::StoreError,
    hub::{Hub, View, make_event},
};

/// What was found in a directory.
pub(super) struct Recovered {
    pub(super) hub: Hub,
    pub(super) tail: Tail,
    /// Relaxed writes up to here may have been acknowledged.
    pub(super) ceiling: Revision,
    /// Number of the snapshot that was read.
    pub(super) snapshot: Option<u64>,
    /// False if the last frame holds records, which damage could make look like a torn write.
    pub(super) is_sealed: bool,
}

/// The names in the directory, sorted by what they are.
#[derive(Default)]
struct Inventory {
    logs: Vec<u64>,
    snapshots: Vec<u64>,
    spares: Vec<u64>,
    unfinished: Vec<String>,
}

/// Opens what `disk` holds, or begins a new store if it holds nothing.
pub(super) fn recover(
    disk: &Arc<dyn Disk>,
    clock: &Clock,
    options: &EmbeddedOptions,
    rng: &mut Rng,
) -> Result<Recovered, StoreError> {
    let inventory = take_inventory(&**disk)?;
    for name in &inventory.unfinished {
        remove(&**disk, name)?;
    }
    let newest = inventory.snapshots.last().copied();
    if newest.is_none() && inventory.logs.is_empty() {
        return begin(disk, clock, options, rng, &inventory);
    }
    let (first, sequence, ceiling, view) = match newest {
        Some(number) => {
            let (header, view) = snapshot::read(&**disk, number)?;
            (number, header.sequence, header.ceiling, view)
        }
        None => (1, 0, Revision::START, View::empty()),
    };
    let mut replay = Replay {
        disk,
        now: clock.now(),
        wall: clock.wall(),
        hub: Hub::new(clock.clone(), options.history.clone(), view),
        sequence,
        ceiling,
        last: None,
    };
    let logs: Vec<u64> = inventory
        .logs
        .iter()
        .copied()
        .filter(|n| *n >= first)
        .collect();
    let (active, offset, full, unused) = replay.run(first, &logs)?;
    let Replay {
        hub,
        sequence,
        ceiling,
        last,
        ..
    } = replay;

    // Nothing was changed on the disk so far; from here on only what recovery has made needless.
    let size_min = options.segment_bytes_first;
    let mut spares = keep_spares(&**disk, &inventory, size_min)?;
    let mut spare_next = inventory.spares.last().copied().unwrap_or(0) + 1;
    for number in unused {
        let name = segment::spare_name(spare_next);
        spare_next += 1;
        let path = disk.path().join(log_name(number));
        disk.rename(&log_name(number), &name)
            .map_err(StoreError::io("put aside", path))?;
        spares.extend(spare_of(&**disk, name, size_min)?);
    }
    for number in inventory.logs.iter().filter(|number| **number < first) {
        remove(&**disk, &log_name(*number))?;
    }
    for number in inventory.snapshots.iter().filter(|number| **number < first) {
        remove(&**disk, &snapshot_name(*number))?;
    }
    let kept = hub.revision();
    if ceiling > kept {
        tracing::info!(
            kept = kept.0,
            resumed = ceiling.0,
            "the store was not closed; relaxed writes after its last sync are lost"
        );
        hub.skip_lost(ceiling);
    }
    Ok(Recovered {
        hub,
        tail: Tail {
            active,
            offset,
            sequence,
            full,
            spares,
            spare_next,
        },
        ceiling,
        snapshot: newest,
        is_sealed: !matches!(last, Some(FrameKind::Batch)),
    })
}

fn begin(
    disk: &Arc<dyn Disk>,
    clock: &Clock,
    options: &EmbeddedOptions,
    rng: &mut Rng,
    inventory: &Inventory,
) -> Result<Recovered, StoreError> {
    for number in &inventory.spares {
        remove(&**disk, &segment::spare_name(*number))?;
    }
    Ok(Recovered {
        hub: Hub::new(clock.clone(), options.history.clone(), View::empty()),
        tail: Log::create(&**disk, rng, options.segment_bytes_first)?,
        ceiling: Revision::START,
        snapshot: None,
        is_sealed: true,
    })
}

fn take_inventory(disk: &dyn Disk) -> Result<Inventory, StoreError> {
    let names = disk.list().map_err(StoreError::io("list", disk.path()))?;
    let mut inventory = Inventory::default();
    for name in names {
        match FileRole::of(&name) {
            FileRole::Log(number) => inventory.logs.push(number),
            FileRole::Snapshot(number) => inventory.snapshots.push(number),
            FileRole::Spare(number) => inventory.spares.push(number),
            FileRole::Unfinished => inventory.unfinished.push(name),
            FileRole::Foreign => {}
        }
    }
    inventory.logs.sort_unstable();
    inventory.snapshots.sort_unstable();
    inventory.spares.sort_unstable();
    Ok(inventory)
}

fn remove(disk: &dyn Disk, name: &str) -> Result<(), StoreError> {
    disk.remove(name)
        .map_err(StoreError::io("remove", disk.path().join(name)))
}

fn keep_spares(
    disk: &dyn Disk,
    inventory: &Inventory,
    size_min: u64,
) -> Result<Vec<Spare>, StoreError> {
    let mut spares = Vec::new();
    for number in &inventory.spares {
        spares.extend(spare_of(disk, segment::spare_name(*number), size_min)?);
    }
    Ok(spares)
}

/// Returns the file as a spare, or removes it if it is too small to be one.
fn spare_of(disk: &dyn Disk, name: String, size_min: u64) -> Result<Option<Spare>, StoreError> {
    let size = disk.open(&name).and_then(|file| file.size());
    let size = size.map_err(StoreError::io("open", disk.path().join(&name)))?;
    if size < size_min {
        remove(disk, &name)?;
        return Ok(None);
    }
    Ok(Some(Spare { name, size }))
}

/// Puts the frames of the log, one after the other, on top of a snapshot.
struct Replay<'a> {
    disk: &'a Arc<dyn Disk>,
    now: Moment,
    wall: WallTime,
    hub: Hub,
    sequence: u64,
    ceiling: Revision,
    last: Option<FrameKind>,
}

/// The segment to go on in, where in it, the full ones before it, and unused ones after it.
type End = (Segment, u64, VecDeque<(u64, u64)>, Vec<u64>);

impl Replay<'_> {
    fn run(&mut self, first: u64, logs: &[u64]) -> Result<End, StoreError> {
        let mut full = VecDeque::new();
        for number in first.. {
            // A missing file is found when it is opened, and named.
            let segment = segment::open_segment(&**self.disk, number)?;
            let mut reader = FrameReader::new(&segment, self.path(&segment));
            let offset = self.replay_segment(&mut reader)?;
            if self.last == Some(FrameKind::End) {
                full.push_back((number, segment.header.size));
                // Cleared, so that an empty next segment does not look ended.
                self.last = None;
                continue;
            }
            let unused: Vec<u64> = logs.iter().copied().filter(|n| *n > number).collect();
            self.check_tail(&segment, offset, &unused)?;
            return Ok((segment, offset, full, unused));
        }
        unreachable!("segment numbers do not end")
    }

    fn path(&self, segment: &Segment) -> PathBuf {
        self.disk.path().join(segment.name())
    }

    /// Applies the frames of one segment and returns where the first one that is none begins.
    fn replay_segment(&mut self, reader: &mut FrameReader) -> Result<u64, StoreError> {
        loop {
            let offset = reader.offset();
            match reader.next_frame()? {
                Found::Frame(header) if header.sequence == self.sequence + 1 => {
                    self.sequence += 1;
                    self.ceiling = header.ceiling;
                    self.last = Some(header.kind);
                    if let Err(what) = self.apply(header, reader.records()) {
                        return Err(reader.damaged(offset, what));
                    }
                    if header.kind == FrameKind::End {
                        return Ok(reader.offset());
                    }
                }
                Found::Frame(header) if header.sequence > self.sequence => {
                    return Err(reader.damaged(offset, "a frame is missing before this one"));
                }
                // An old number is what an earlier use of the file left. Its salt tells already,
                // but where chance is seeded, salts may come again.
                Found::Frame(_) | Found::Nothing => return Ok(offset),
            }
        }
    }

    fn apply(&self, header: FrameHeader, mut records: &[u8]) -> Result<(), &'static str> {
        let age = u64::try_from(self.wall.micros - header.wall.micros).unwrap_or(0);
        let at = self.now - Duration::from_micros(age);
        let mut revision = header.revision;
        let known = self.hub.revision();
        if header.count > 0 && revision > known.next() {
            // A crash took relaxed writes back here, and the store went on behind them.
            self.hub.skip_lost(Revision(revision.0 - 1));
        }
        for _ in 0..header.count {
            let Some((key, change)) = take_record(&mut records) else {
                return Err("a record does not fit its frame");
            };
            // The snapshot may be newer than the frames that follow it.
            if revision > known {
                let previous = self.hub.get(&key);
                if previous.is_none() && matches!(change, Change::Delete { .. }) {
                    return Err("a record deletes what is not there");
                }
                let write = Write {
                    key,
                    change,
                    expected: Expected::Any,
                    durability: Durability::Synced,
                };
                let event = make_event(write, revision, previous);
                // Nobody watches yet, so nobody is woken.
                let _ = self.hub.publish_at([Arc::new(event)], at, self.now);
            }
            revision = revision.next();
        }
        if records.is_empty() {
            return Ok(());
        }
        Err("a frame holds more than its records")
    }

    /// Makes sure that nothing good follows the end, and says what was dropped there.
    fn check_tail(&self, segment: &Segment, offset: u64, unused: &[u64]) -> Result<(), StoreError> {
        let mut reader = FrameReader::new(segment, self.path(segment));
        let damage = "this frame is damaged, and a good one follows";
        if reader.finds_later_frame(offset, self.sequence + 1)? {
            return Err(reader.damaged(offset, damage));
        }
        for number in unused {
            let later = segment::open_segment(&**self.disk, *number)?;
            let mut later_reader = FrameReader::new(&later, self.path(&later));
            let begin = SEGMENT_HEADER_BYTES as u64;
            if later_reader.finds_later_frame(begin, self.sequence)? {
                return Err(reader.damaged(offset, damage));
            }
        }
        if reader.is_torn(offset, self.sequence + 1)? {
            tracing::warn!(
                file = %self.path(segment).display(),
                offset,
                "dropped a torn write at the end of the log; it was never acknowledged"
            );
        }
        Ok(())
    }
}
