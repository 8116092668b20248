//! The end of the log where frames are appended, and the segments behind it.

use std::{collections::VecDeque, sync::Arc};

use base::{Rng, WallTime};

use super::{
    format::{
        self, FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEAL_ALIGN, SEGMENT_HEADER_BYTES, aligned,
    },
    segment::{self, Segment, Spare},
};
use crate::{contract::Revision, disk::Disk, error::StoreError};

/// Room kept at the end of every segment for a seal that stands apart, another one behind it, and
/// the frame that ends it. They must fit also when the disk is full.
const RESERVE_BYTES: u64 = SEAL_ALIGN + 3 * FRAME_HEADER_BYTES as u64;

/// Appends frames. Used by one thread at a time.
pub(super) struct Log {
    disk: Arc<dyn Disk>,
    rng: Rng,
    active: Segment,
    /// Where the next frame goes.
    offset: u64,
    /// The number of the last frame.
    sequence: u64,
    /// Number and size of the full segments since the last snapshot, oldest first.
    full: VecDeque<(u64, u64)>,
    spares: Vec<Spare>,
    /// A number no spare has had.
    spare_next: u64,
    segment_bytes_max: u64,
}

/// Where a log goes on, as recovery found it.
pub(super) struct Tail {
    pub(super) active: Segment,
    pub(super) offset: u64,
    pub(super) sequence: u64,
    pub(super) full: VecDeque<(u64, u64)>,
    pub(super) spares: Vec<Spare>,
    pub(super) spare_next: u64,
}

/// What the writer of a frame knows and the log does not.
pub(super) struct FrameFacts {
    pub(super) revision: Revision,
    pub(super) ceiling: Revision,
    pub(super) wall: WallTime,
    pub(super) count: u32,
    pub(super) kind: FrameKind,
}

impl Log {
    pub(super) fn new(disk: Arc<dyn Disk>, rng: Rng, tail: Tail, segment_bytes_max: u64) -> Self {
        Self {
            disk,
            rng,
            active: tail.active,
            offset: tail.offset,
            sequence: tail.sequence,
            full: tail.full,
            spares: tail.spares,
            spare_next: tail.spare_next,
            segment_bytes_max,
        }
    }

    /// Makes the first segment of a new store.
    pub(super) fn create(disk: &dyn Disk, rng: &mut Rng, size: u64) -> Result<Tail, StoreError> {
        let spare = segment::make_spare(disk, 1, size)?;
        Ok(Tail {
            active: segment::take_spare(disk, &spare, 1, rng.next_u64())?,
            offset: SEGMENT_HEADER_BYTES as u64,
            sequence: 0,
            full: VecDeque::new(),
            spares: Vec::new(),
            spare_next: 2,
        })
    }

    /// Writes and syncs one frame, which is room for a header and then its records. When this
    /// returns, it is durable.
    ///
    /// # Errors
    /// [`StoreError::Full`], after which the same frame may be tried again; any other error leaves
    /// it unknown what is on the disk, and nothing may be appended any more.
    pub(super) fn append(
        &mut self,
        frame: &mut Vec<u8>,
        facts: &FrameFacts,
    ) -> Result<(), StoreError> {
        let needed = aligned(frame.len()) as u64 + RESERVE_BYTES;
        if self.offset + needed > self.active.header.size {
            self.rotate(facts, needed)?;
        }
        self.write_frame(frame, facts)
    }

    /// Appends a seal. It takes no new segment: where nothing else fits any more, the reserve has
    /// room for it. Returns whether it was written; a reserve is used once.
    pub(super) fn append_seal(&mut self, facts: &FrameFacts) -> Result<bool, StoreError> {
        let header_bytes = FRAME_HEADER_BYTES as u64;
        let size = self.active.header.size;
        let (behind, apart) = (self.offset, self.offset.next_multiple_of(SEAL_ALIGN));
        if apart + 2 * header_bytes <= size {
            self.offset = apart;
        } else if behind + 2 * header_bytes > size {
            return Ok(false);
        }
        let sealed = self.write_frame(&mut vec![0; FRAME_HEADER_BYTES], facts);
        if sealed.is_err() {
            // Without the seal, the next frame stands where it is looked for.
            self.offset = behind;
        }
        sealed.map(|()| true)
    }

    fn write_frame(&mut self, frame: &mut Vec<u8>, facts: &FrameFacts) -> Result<(), StoreError> {
        let header = FrameHeader {
            sequence: self.sequence + 1,
            revision: facts.revision,
            ceiling: facts.ceiling,
            wall: facts.wall,
            count: facts.count,
            kind: facts.kind,
        };
        format::finish_frame(frame, header, self.active.header.salt);
        let path = || self.disk.path().join(self.active.name());
        let file = &self.active.file;
        file.write_at(self.offset, frame).map_err(|error| {
            segment::out_of_room(&*self.disk, error, |error| {
                StoreError::io("write", path())(error)
            })
        })?;
        file.sync().map_err(|error| StoreError::Sync {
            file: path(),
            source: Arc::new(error),
        })?;
        self.offset += frame.len() as u64;
        self.sequence += 1;
        Ok(())
    }

    /// Goes on in a new segment with room for `needed` bytes. Its predecessor says so in its last
    /// frame, so that a lost segment is noticed.
    pub(super) fn rotate(&mut self, facts: &FrameFacts, needed: u64) -> Result<(), StoreError> {
        let size_min = SEGMENT_HEADER_BYTES as u64 + needed;
        let fitting = self.spares.iter().position(|spare| spare.size >= size_min);
        let spare = match fitting {
            Some(at) => self.spares.swap_remove(at),
            None => {
                let mut job = self.spare_job();
                job.size = job.size.max(size_min);
                job.run(&*self.disk)?
            }
        };
        let number = self.active.header.number + 1;
        let salt = self.rng.next_u64();
        let next = match segment::take_spare(&*self.disk, &spare, number, salt) {
            Ok(next) => next,
            Err(error) => {
                self.spares.push(spare);
                return Err(error);
            }
        };
        let end = FrameFacts {
            kind: FrameKind::End,
            count: 0,
            ..*facts
        };
        self.write_frame(&mut vec![0; FRAME_HEADER_BYTES], &end)?;
        let done = std::mem::replace(&mut self.active, next);
        self.full.push_back((done.header.number, done.header.size));
        self.offset = SEGMENT_HEADER_BYTES as u64;
        Ok(())
    }

    /// Returns the work of making a spare, which may be done elsewhere.
    pub(super) fn spare_job(&mut self) -> SpareJob {
        let number = self.spare_next;
        self.spare_next += 1;
        // Doubling keeps a small store small and a busy one away from changing segments often.
        let size = (self.active.header.size * 2).min(self.segment_bytes_max);
        SpareJob { number, size }
    }

    /// Returns whether a spare should be made before it is needed.
    pub(super) fn wants_spare(&self) -> bool {
        self.spares.is_empty() && self.offset > self.active.header.size / 2
    }

    pub(super) fn add_spare(&mut self, spare: Spare) {
        self.spares.push(spare);
    }

    /// Makes spares of the segments before `number`, which a snapshot has made needless, and
    /// removes what is more than `spare_bytes_max`.
    pub(super) fn release_before(
        &mut self,
        number: u64,
        spare_bytes_max: u64,
    ) -> Result<(), StoreError> {
        let mut spare_bytes: u64 = self.spares.iter().map(|spare| spare.size).sum();
        while let Some((segment, size)) = self.full.front().copied() {
            if segment >= number {
                break;
            }
            let name = segment::log_name(segment);
            let failed = |action| StoreError::io(action, self.disk.path().join(&name));
            if spare_bytes + size > spare_bytes_max {
                self.disk.remove(&name).map_err(failed("remove"))?;
            } else {
                let spare = segment::spare_name(self.spare_next);
                self.disk
                    .rename(&name, &spare)
                    .map_err(failed("put aside"))?;
                self.spare_next += 1;
                spare_bytes += size;
                self.spares.push(Spare { name: spare, size });
            }
            self.full.pop_front();
        }
        Ok(())
    }

    /// Returns the bytes of frames since the last snapshot, full segments counted whole.
    pub(super) fn used_bytes(&self) -> u64 {
        self.full.iter().map(|(_, size)| size).sum::<u64>() + self.offset
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the number of the segment that is being written.
    pub(super) fn number(&self) -> u64 {
        self.active.header.number
    }

    pub(super) fn next_salt(&mut self) -> u64 {
        self.rng.next_u64()
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }
}

/// Making one spare.
pub(super) struct SpareJob {
    number: u64,
    size: u64,
}

impl SpareJob {
    pub(super) fn run(&self, disk: &dyn Disk) -> Result<Spare, StoreError> {
        segment::make_spare(disk, self.number, self.size)
    }
}
