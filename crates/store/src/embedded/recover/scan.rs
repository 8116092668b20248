//! Reads the frames of one segment, and looks for frames where there should be none.

use std::{path::PathBuf, sync::Arc};

use super::super::{
    format::{
        self, FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader, SEAL_ALIGN, SEGMENT_HEADER_BYTES,
        aligned,
    },
    segment::Segment,
};
use crate::{disk::DiskFile, error::StoreError};

/// Bytes read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// How far ahead of the expected one a sequence number is still taken for ours. It only saves
/// checksums: random bytes fall into this window once in 2^32 places.
const SEQUENCE_WINDOW: u64 = 1 << 32;

/// What stands at an offset.
pub(super) enum Found {
    /// A frame whose checksum holds.
    Frame(FrameHeader),
    /// Anything else.
    Nothing,
}

/// Walks over the frames of a segment with the memory of one frame.
pub(super) struct FrameReader {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    size: u64,
    salt: u64,
    /// Where the next frame begins.
    offset: u64,
    chunk: Vec<u8>,
    chunk_offset: u64,
    records: std::ops::Range<usize>,
}

impl FrameReader {
    pub(super) fn new(segment: &Segment, path: PathBuf) -> Self {
        Self {
            file: Arc::clone(&segment.file),
            path,
            size: segment.header.size,
            salt: segment.header.salt,
            offset: SEGMENT_HEADER_BYTES as u64,
            chunk: Vec::new(),
            chunk_offset: 0,
            records: 0..0,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the records of the last frame.
    pub(super) fn records(&self) -> &[u8] {
        &self.chunk[self.records.clone()]
    }

    pub(super) fn damaged(&self, offset: u64, what: &'static str) -> StoreError {
        StoreError::Damaged {
            file: self.path.clone(),
            offset,
            what,
        }
    }

    /// Reads the frame at the current offset and goes on behind it.
    pub(super) fn next_frame(&mut self) -> Result<Found, StoreError> {
        let mut begin = self.offset;
        let mut found = self.frame_at(begin)?;
        if matches!(found, Found::Nothing) {
            // A seal stands apart.
            begin = self.offset.next_multiple_of(SEAL_ALIGN);
            found = match self.frame_at(begin)? {
                Found::Frame(header) if header.kind.is_seal() => Found::Frame(header),
                _ => Found::Nothing,
            };
        }
        if let Found::Frame(_) = found {
            let length = FRAME_HEADER_BYTES + self.records.len();
            self.offset = begin + aligned(length) as u64;
        }
        Ok(found)
    }

    fn frame_at(&mut self, offset: u64) -> Result<Found, StoreError> {
        let Some(at) = self.load(offset, FRAME_HEADER_BYTES)? else {
            return Ok(Found::Nothing);
        };
        let header = self.chunk[at..at + FRAME_HEADER_BYTES].try_into();
        let header = header.expect("a slice of the size of a header");
        let Some(payload_bytes) = format::payload_bytes(header) else {
            return Ok(Found::Nothing);
        };
        let length = FRAME_HEADER_BYTES + payload_bytes;
        let Some(at) = self.load(offset, length)? else {
            return Ok(Found::Nothing);
        };
        let Some(header) = format::read_frame(&self.chunk[at..at + length], self.salt) else {
            return Ok(Found::Nothing);
        };
        self.records = at + FRAME_HEADER_BYTES..at + length;
        Ok(Found::Frame(header))
    }

    /// Makes `length` bytes from `offset` on part of the chunk and returns where they begin in it;
    /// nothing if the segment ends before.
    fn load(&mut self, offset: u64, length: usize) -> Result<Option<usize>, StoreError> {
        if offset + length as u64 > self.size {
            return Ok(None);
        }
        let end = self.chunk_offset + self.chunk.len() as u64;
        if offset < self.chunk_offset || offset + length as u64 > end {
            let wanted = (length.max(CHUNK_BYTES) as u64).min(self.size - offset);
            self.chunk.resize(wanted as usize, 0);
            let read = self.file.read_at(offset, &mut self.chunk);
            let count = read.map_err(StoreError::io("read", &self.path))?;
            self.chunk.truncate(count);
            self.chunk_offset = offset;
            if count < length {
                return Ok(None);
            }
        }
        Ok(Some((offset - self.chunk_offset) as usize))
    }

    /// Returns whether a frame with a number after `expected` stands anywhere from `from` on.
    pub(super) fn finds_later_frame(
        &mut self,
        from: u64,
        expected: u64,
    ) -> Result<bool, StoreError> {
        let mut offset = from;
        while let Some(at) = self.load(offset, FRAME_HEADER_BYTES)? {
            let here = &self.chunk[at..];
            let places = (here.len() - FRAME_HEADER_BYTES) / FRAME_ALIGN + 1;
            let candidate = (0..places).find(|place| {
                let sequence = format::sequence_of(&here[place * FRAME_ALIGN..]);
                sequence.wrapping_sub(expected + 1) < SEQUENCE_WINDOW
            });
            let Some(place) = candidate else {
                offset += (places * FRAME_ALIGN) as u64;
                continue;
            };
            offset += (place * FRAME_ALIGN) as u64;
            if let Found::Frame(header) = self.frame_at(offset)?
                && header.sequence > expected
            {
                return Ok(true);
            }
            offset += FRAME_ALIGN as u64;
        }
        Ok(false)
    }

    /// Returns whether somebody began to write the frame with this number at `offset`.
    pub(super) fn is_torn(&mut self, offset: u64, sequence: u64) -> Result<bool, StoreError> {
        let at = self.load(offset, FRAME_HEADER_BYTES)?;
        Ok(at.is_some_and(|at| format::sequence_of(&self.chunk[at..]) == sequence))
    }
}
