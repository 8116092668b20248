//! The bytes of the files: headers, frames and records. Pure; no file is touched here.
//!
//! `docs/internals/store-file-format.md` draws all of it. Numbers are little-endian.

use base::WallTime;
use bytes::Bytes;

use crate::contract::{Change, Event, EventKind, Key, Revision, Value};

/// The version of the format. Readers refuse a higher one.
pub(super) const FORMAT: u32 = 1;

/// First bytes of a log segment.
pub(super) const LOG_MAGIC: &[u8; 8] = b"pintlelg";
/// First bytes of a snapshot.
pub(super) const SNAPSHOT_MAGIC: &[u8; 8] = b"pintlesn";

/// Bytes of a segment's header; frames begin after it.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a frame's header; records begin after it.
pub(super) const FRAME_HEADER_BYTES: usize = 48;
/// Bytes of a snapshot's header; blocks begin after it.
pub(super) const SNAPSHOT_HEADER_BYTES: usize = 64;
/// Frames begin at multiples of this.
pub(super) const FRAME_ALIGN: usize = 8;
/// A seal stands at a multiple of this, so that no lost sector or page takes both the last records
/// and the seal that vouches for them.
pub(super) const SEAL_ALIGN: u64 = 4096;
/// No frame is larger: a frame is closed at [`FRAME_BYTES_FULL`], and one record fits on top.
pub(super) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024 - 64 * 1024;
/// A frame this large takes no more records. Larger ones would hold up their writers for longer
/// than a sync takes.
pub(super) const FRAME_BYTES_FULL: usize = 1024 * 1024;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Records that were written together.
    Batch,
    /// Nothing: it stands behind the last batch when the store is idle, so that damage to that
    /// batch cannot be taken for a torn write.
    Seal,
    /// Nothing more in this segment; the log goes on in the next one.
    End,
    /// The store was closed. As [`FrameKind::Seal`], and no relaxed write was lost.
    Close,
}

impl FrameKind {
    /// Returns whether the frame stands at the next multiple of [`SEAL_ALIGN`], if the segment is
    /// long enough, and not right behind its predecessor.
    pub(super) fn is_seal(self) -> bool {
        matches!(self, Self::Seal | Self::Close)
    }

    fn code(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Seal => 2,
            Self::End => 3,
            Self::Close => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Batch, Self::Seal, Self::End, Self::Close]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Its place in the line of frames; each has one more than the one before, across segments.
    pub(super) sequence: u64,
    /// Revision of its first record; the others follow without a gap. Of a frame without records,
    /// the newest revision before it.
    pub(super) revision: Revision,
    /// Relaxed writes up to this revision may have been acknowledged before they were written.
    pub(super) ceiling: Revision,
    /// When it was written.
    pub(super) wall: WallTime,
    /// Number of records.
    pub(super) count: u32,
    /// What it is for.
    pub(super) kind: FrameKind,
}

/// Rounds up to where the next frame may begin.
pub(super) fn aligned(length: usize) -> usize {
    length.next_multiple_of(FRAME_ALIGN)
}

/// Starts a checksum that only frames of one use of one segment can match.
pub(super) fn salted(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

/// Fills in the header of `frame`, which holds [`FRAME_HEADER_BYTES`] of room and then records,
/// and pads it.
pub(super) fn finish_frame(frame: &mut Vec<u8>, header: FrameHeader, salt: u64) {
    let payload_bytes = frame.len() - FRAME_HEADER_BYTES;
    frame[0..4].copy_from_slice(&(payload_bytes as u32).to_le_bytes());
    frame[8..16].copy_from_slice(&header.sequence.to_le_bytes());
    frame[16..24].copy_from_slice(&header.revision.0.to_le_bytes());
    frame[24..32].copy_from_slice(&header.ceiling.0.to_le_bytes());
    frame[32..40].copy_from_slice(&header.wall.micros.to_le_bytes());
    frame[40..44].copy_from_slice(&header.count.to_le_bytes());
    frame[44..48].copy_from_slice(&[header.kind.code(), 0, 0, 0]);
    let crc = frame_crc(frame, salt);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    frame.resize(aligned(frame.len()), 0);
}

fn frame_crc(frame: &[u8], salt: u64) -> u32 {
    crc32c::crc32c_append(
        crc32c::crc32c_append(salted(salt), &frame[0..4]),
        &frame[8..],
    )
}

/// Returns how many bytes of records follow this frame header, if it is one that a writer could
/// have written with this sequence number.
pub(super) fn payload_bytes(header: &[u8; FRAME_HEADER_BYTES]) -> Option<usize> {
    let length = u32_at(header, 0) as usize;
    let kind = FrameKind::from_code(header[44]);
    (kind.is_some() && length + FRAME_HEADER_BYTES <= FRAME_BYTES_MAX).then_some(length)
}

/// Returns the sequence number in a frame header.
pub(super) fn sequence_of(header: &[u8]) -> u64 {
    u64_at(header, 8)
}

/// Returns the header of a whole frame without its padding, if its checksum holds.
pub(super) fn read_frame(frame: &[u8], salt: u64) -> Option<FrameHeader> {
    if frame_crc(frame, salt) != u32_at(frame, 4) {
        return None;
    }
    Some(FrameHeader {
        sequence: sequence_of(frame),
        revision: Revision(u64_at(frame, 16)),
        ceiling: Revision(u64_at(frame, 24)),
        wall: WallTime {
            micros: u64_at(frame, 32).cast_signed(),
        },
        count: u32_at(frame, 40),
        kind: FrameKind::from_code(frame[44])?,
    })
}

/// What a record does.
const PUT: u8 = 1;
const DELETE: u8 = 2;
const DELETE_WITH_LAST: u8 = 3;

/// Bytes of a record before its key.
const RECORD_HEADER_BYTES: usize = 7;

/// Appends the record of `event` to a frame.
pub(super) fn push_record(frame: &mut Vec<u8>, event: &Event) {
    let op = match (event.kind, &event.value) {
        (EventKind::Put, _) => PUT,
        (EventKind::Delete, None) => DELETE,
        (EventKind::Delete, Some(_)) => DELETE_WITH_LAST,
    };
    let value: &[u8] = event.value.as_deref().unwrap_or_default();
    let key: &[u8] = &event.key;
    frame.reserve(RECORD_HEADER_BYTES + key.len() + value.len());
    frame.push(op);
    // Sizes were checked against limits far below these widths.
    frame.extend_from_slice(&(key.len() as u16).to_le_bytes());
    frame.extend_from_slice(&(value.len() as u32).to_le_bytes());
    frame.extend_from_slice(key);
    frame.extend_from_slice(value);
}

/// Takes the next record off `records`; nothing if they do not hold a whole one.
pub(super) fn take_record(records: &mut &[u8]) -> Option<(Key, Change)> {
    let (header, rest) = records.split_at_checked(RECORD_HEADER_BYTES)?;
    let key_bytes = usize::from(u16::from_le_bytes([header[1], header[2]]));
    let value_bytes = u32_at(header, 3) as usize;
    let (key, rest) = rest.split_at_checked(key_bytes)?;
    let (value, rest) = rest.split_at_checked(value_bytes)?;
    let plain = || Value::Plain(Bytes::from(value.to_vec()));
    let change = match header[0] {
        PUT => Change::Put(plain()),
        DELETE if value.is_empty() => Change::Delete { last: None },
        DELETE_WITH_LAST => Change::Delete {
            last: Some(plain()),
        },
        _ => return None,
    };
    *records = rest;
    Some((Key::new(key), change))
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Its place in the line of segments.
    pub(super) number: u64,
    /// Size of its file; a shorter file was cut.
    pub(super) size: u64,
    /// A number drawn anew for each use of the file; see [`salted`].
    pub(super) salt: u64,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = begin(LOG_MAGIC);
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.size.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.salt.to_le_bytes());
        end(bytes)
    }

    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, HeaderFlaw> {
        check_header(bytes, LOG_MAGIC)?;
        Ok(Self {
            number: u64_at(bytes, 16),
            size: u64_at(bytes, 24),
            salt: u64_at(bytes, 32),
        })
    }
}

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SnapshotHeader {
    /// The segment whose frames come after it.
    pub(super) segment: u64,
    /// The last frame before that segment.
    pub(super) sequence: u64,
    /// The revision it was taken at.
    pub(super) revision: Revision,
    /// As in a frame.
    pub(super) ceiling: Revision,
    /// Checksums of the blocks begin with it.
    pub(super) salt: u64,
}

impl SnapshotHeader {
    pub(super) fn encode(self) -> [u8; SNAPSHOT_HEADER_BYTES] {
        let mut bytes = begin(SNAPSHOT_MAGIC);
        bytes[16..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.revision.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.ceiling.0.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.salt.to_le_bytes());
        end(bytes)
    }

    pub(super) fn decode(bytes: &[u8; SNAPSHOT_HEADER_BYTES]) -> Result<Self, HeaderFlaw> {
        check_header(bytes, SNAPSHOT_MAGIC)?;
        Ok(Self {
            segment: u64_at(bytes, 16),
            sequence: u64_at(bytes, 24),
            revision: Revision(u64_at(bytes, 32)),
            ceiling: Revision(u64_at(bytes, 40)),
            salt: u64_at(bytes, 48),
        })
    }
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFlaw {
    /// It is not what was written.
    Damaged(&'static str),
    /// It is sound, and of a newer format.
    Newer(u32),
}

// Both headers: magic, format, checksum of everything else, then what is special to each.
fn begin(magic: &[u8; 8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0..8].copy_from_slice(magic);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes
}

fn end(mut bytes: [u8; 64]) -> [u8; 64] {
    let crc = header_crc(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn header_crc(bytes: &[u8; 64]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[0..12]), &bytes[16..])
}

fn check_header(bytes: &[u8; 64], magic: &[u8; 8]) -> Result<(), HeaderFlaw> {
    if &bytes[0..8] != magic {
        return Err(HeaderFlaw::Damaged("the header does not begin as it must"));
    }
    if header_crc(bytes) != u32_at(bytes, 12) {
        return Err(HeaderFlaw::Damaged("the checksum of the header is wrong"));
    }
    match u32_at(bytes, 8) {
        FORMAT => Ok(()),
        newer => Err(HeaderFlaw::Newer(newer)),
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes[at..at + 4].try_into();
    u32::from_le_bytes(four.expect("a slice of four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes[at..at + 8].try_into();
    u64::from_le_bytes(eight.expect("a slice of eight bytes"))
}
