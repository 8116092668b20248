//! Snapshots: every live entry in one file, written in the background, read at the start.
//!
//! A header, blocks of records, a footer that counts them. A block is checked by itself, so that
//! reading needs the memory of one block; the footer makes a cut between two blocks visible.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    flaw_error,
    format::{SNAPSHOT_HEADER_BYTES, SnapshotHeader, salted, u32_at, u64_at},
    segment::{UNFINISHED, out_of_room, snapshot_name},
};
use crate::{
    contract::{Entry, KEY_BYTES_MAX, Key, Revision, VALUE_BYTES_MAX},
    disk::{Disk, DiskFile},
    error::StoreError,
    hub::View,
};

/// A block this large takes no more entries.
const BLOCK_BYTES_FULL: usize = 256 * 1024;
/// No block is larger.
const BLOCK_BYTES_MAX: usize =
    BLOCK_BYTES_FULL + RECORD_HEADER_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX;
/// Length, checksum, number of the block, number of entries.
const BLOCK_HEADER_BYTES: usize = 24;
/// Sizes of key and value, the two revisions.
const RECORD_HEADER_BYTES: usize = 24;
/// The number that marks the footer, which is a block without entries.
const FOOTER: u64 = u64::MAX;

/// Writing one snapshot, which may be done on another thread.
pub(super) struct SnapshotJob {
    pub(super) header: SnapshotHeader,
    pub(super) view: View,
    /// Set when the store is closed: what is not finished then is given up.
    pub(super) is_ending: Arc<AtomicBool>,
}

impl SnapshotJob {
    /// Writes the snapshot. When this returns, it is durable under its name.
    ///
    /// # Errors
    /// Any; the log is untouched and the store goes on without the snapshot.
    pub(super) fn run(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let name = snapshot_name(self.header.segment);
        let unfinished = format!("{name}{UNFINISHED}");
        let write = || {
            let file = disk.create(&unfinished)?;
            self.write(&*file)?;
            file.sync()?;
            disk.rename(&unfinished, &name)?;
            disk.sync()
        };
        write().map_err(|error| {
            // Best effort: an unfinished file is also removed at the next start.
            let _ = disk.remove(&unfinished);
            out_of_room(disk, error, |error| {
                StoreError::io("write", disk.path().join(&unfinished))(error)
            })
        })
    }

    fn write(&self, file: &dyn DiskFile) -> std::io::Result<()> {
        file.write_at(0, &self.header.encode())?;
        let mut offset = SNAPSHOT_HEADER_BYTES as u64;
        let mut number = 0;
        let mut entries = 0;
        let mut block = vec![0; BLOCK_HEADER_BYTES];
        let mut total = 0_u64;
        for entry in self.view.live.values() {
            push_entry(&mut block, entry);
            entries += 1;
            total += 1;
            if block.len() >= BLOCK_BYTES_FULL {
                finish_block(&mut block, number, entries, self.header.salt);
                if self.is_ending.load(Ordering::Acquire) {
                    return Err(std::io::ErrorKind::Interrupted.into());
                }
                file.write_at(offset, &block)?;
                offset += block.len() as u64;
                number += 1;
                entries = 0;
                block.truncate(BLOCK_HEADER_BYTES);
            }
        }
        let mut rest = block;
        if entries > 0 {
            finish_block(&mut rest, number, entries, self.header.salt);
            number += 1;
        } else {
            rest.clear();
        }
        let mut footer = vec![0; BLOCK_HEADER_BYTES];
        footer.extend_from_slice(&total.to_le_bytes());
        footer.extend_from_slice(&u64::to_le_bytes(number));
        finish_block(&mut footer, FOOTER, 0, self.header.salt);
        rest.extend_from_slice(&footer);
        file.write_at(offset, &rest)
    }
}

fn push_entry(block: &mut Vec<u8>, entry: &Entry) {
    block.extend_from_slice(&(entry.key.len() as u32).to_le_bytes());
    block.extend_from_slice(&(entry.value.len() as u32).to_le_bytes());
    block.extend_from_slice(&entry.revision.0.to_le_bytes());
    block.extend_from_slice(&entry.created.0.to_le_bytes());
    block.extend_from_slice(&entry.key);
    block.extend_from_slice(&entry.value);
}

fn finish_block(block: &mut [u8], number: u64, entries: u32, salt: u64) {
    let length = (block.len() - BLOCK_HEADER_BYTES) as u32;
    block[0..4].copy_from_slice(&length.to_le_bytes());
    block[8..16].copy_from_slice(&number.to_le_bytes());
    block[16..20].copy_from_slice(&entries.to_le_bytes());
    block[20..24].fill(0);
    let crc = block_crc(block, salt);
    block[4..8].copy_from_slice(&crc.to_le_bytes());
}

fn block_crc(block: &[u8], salt: u64) -> u32 {
    crc32c::crc32c_append(
        crc32c::crc32c_append(salted(salt), &block[0..4]),
        &block[8..],
    )
}

/// Reads the snapshot that comes before segment `number`.
pub(super) fn read(disk: &dyn Disk, number: u64) -> Result<(SnapshotHeader, View), StoreError> {
    let name = snapshot_name(number);
    let path = disk.path().join(&name);
    let file = disk.open(&name).map_err(StoreError::io("open", &path))?;
    let mut reader = Reader {
        file,
        path,
        offset: 0,
        salt: 0,
    };
    let mut bytes = [0; SNAPSHOT_HEADER_BYTES];
    reader.fill(&mut bytes)?;
    let header =
        SnapshotHeader::decode(&bytes).map_err(|flaw| flaw_error(flaw, reader.path.clone()))?;
    if header.segment != number {
        reader.offset = 16;
        return Err(reader.damaged("the number in the header is not that of the name"));
    }
    reader.salt = header.salt;
    let view = reader.read_blocks(header.revision)?;
    Ok((header, view))
}

struct Reader {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    offset: u64,
    salt: u64,
}

impl Reader {
    fn damaged(&self, what: &'static str) -> StoreError {
        StoreError::Damaged {
            file: self.path.clone(),
            offset: self.offset,
            what,
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), StoreError> {
        let read = self.file.read_at(self.offset, buffer);
        let count = read.map_err(StoreError::io("read", &self.path))?;
        if count < buffer.len() {
            self.offset += count as u64;
            return Err(self.damaged("the file ends before its footer"));
        }
        self.offset += count as u64;
        Ok(())
    }

    fn read_blocks(&mut self, revision: Revision) -> Result<View, StoreError> {
        let mut view = View::empty();
        view.revision = revision;
        let mut block = Vec::new();
        for expected in 0_u64.. {
            let begin = self.offset;
            let mut header = [0; BLOCK_HEADER_BYTES];
            self.fill(&mut header)?;
            let length = u32_at(&header, 0) as usize;
            let number = u64_at(&header, 8);
            let at_begin = |reader: &mut Self, what| {
                reader.offset = begin;
                Err(reader.damaged(what))
            };
            if length > BLOCK_BYTES_MAX {
                return at_begin(self, "a block is longer than any that is written");
            }
            block.clear();
            block.extend_from_slice(&header);
            block.resize(BLOCK_HEADER_BYTES + length, 0);
            match self.fill(&mut block[BLOCK_HEADER_BYTES..]) {
                Err(StoreError::Damaged { .. }) => {
                    return at_begin(self, "the file ends inside this block");
                }
                other => other?,
            }
            if block_crc(&block, self.salt) != u32_at(&header, 4) {
                return at_begin(self, "the checksum of a block is wrong");
            }
            let records = &block[BLOCK_HEADER_BYTES..];
            if number == FOOTER {
                let is_whole = length == 16
                    && u64_at(records, 0) == view.live.len() as u64
                    && u64_at(records, 8) == expected;
                if !is_whole {
                    return at_begin(self, "the footer counts other entries than there are");
                }
                return Ok(view);
            }
            if number != expected {
                return at_begin(self, "a block is missing");
            }
            if take_entries(records, u32_at(&header, 16), &mut view).is_none() {
                return at_begin(self, "an entry does not fit its block");
            }
        }
        Err(self.damaged("there are more blocks than numbers"))
    }
}

fn take_entries(mut records: &[u8], count: u32, view: &mut View) -> Option<()> {
    for _ in 0..count {
        let (header, rest) = records.split_at_checked(RECORD_HEADER_BYTES)?;
        let (key, rest) = rest.split_at_checked(u32_at(header, 0) as usize)?;
        let (value, rest) = rest.split_at_checked(u32_at(header, 4) as usize)?;
        let key = Key::new(key);
        let entry = Entry {
            key: key.clone(),
            value: bytes::Bytes::from(value.to_vec()),
            revision: Revision(u64_at(header, 8)),
            created: Revision(u64_at(header, 16)),
        };
        view.live_bytes += crate::hub::live_bytes(&entry);
        view.live.insert(key, Arc::new(entry));
        records = rest;
    }
    records.is_empty().then_some(())
}

/// Appends blocks with sound checksums and the footer: of each piece of `data`, the first byte is
/// how many entries the block claims.
#[cfg(any(test, feature = "suite"))]
pub(super) fn push_sound_blocks(file: &mut Vec<u8>, data: &[u8], salt: u64) {
    let pieces: Vec<&[u8]> = data.chunks(64).collect();
    let mut total = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let entries = u32::from(piece[0]);
        let mut block = vec![0; BLOCK_HEADER_BYTES];
        block.extend_from_slice(&piece[1..]);
        finish_block(&mut block, number as u64, entries, salt);
        file.extend_from_slice(&block);
        total += u64::from(entries);
    }
    let mut footer = vec![0; BLOCK_HEADER_BYTES];
    footer.extend_from_slice(&total.to_le_bytes());
    footer.extend_from_slice(&(pieces.len() as u64).to_le_bytes());
    finish_block(&mut footer, FOOTER, 0, salt);
    file.extend_from_slice(&footer);
}
