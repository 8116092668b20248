//! Segment files: made, taken into use, put aside for another use.
//!
//! The life of one: it is filled with zeros under the name of a spare, so that later writes change
//! bytes in place and a sync has no journal work to do. When the log needs it, it gets a header
//! and a number and is renamed. When a snapshot has made it needless, it is a spare again.

use std::{io, sync::Arc};

use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::{
    disk::{Disk, DiskFile},
    error::StoreError,
};

const LOG: &str = "log-";
const SPARE: &str = "spare-";
const SNAPSHOT: &str = "snapshot-";
/// What a file is called while it is being written.
pub(super) const UNFINISHED: &str = ".tmp";

/// What a file in the directory is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileRole {
    Log(u64),
    Spare(u64),
    Snapshot(u64),
    Unfinished,
    Foreign,
}

impl FileRole {
    pub(super) fn of(name: &str) -> Self {
        if name.ends_with(UNFINISHED) {
            return Self::Unfinished;
        }
        let number = |prefix| {
            let digits: &str = name.strip_prefix(prefix)?;
            let number = digits.parse().ok()?;
            // Only the one spelling we write, so that no two names are the same file to us.
            (digits == padded(number)).then_some(number)
        };
        None.or_else(|| number(LOG).map(Self::Log))
            .or_else(|| number(SPARE).map(Self::Spare))
            .or_else(|| number(SNAPSHOT).map(Self::Snapshot))
            .unwrap_or(Self::Foreign)
    }
}

fn padded(number: u64) -> String {
    format!("{number:010}")
}

pub(super) fn log_name(number: u64) -> String {
    format!("{LOG}{}", padded(number))
}

pub(super) fn spare_name(number: u64) -> String {
    format!("{SPARE}{}", padded(number))
}

pub(super) fn snapshot_name(number: u64) -> String {
    format!("{SNAPSHOT}{}", padded(number))
}

/// A segment in use.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) header: SegmentHeader,
}

impl Segment {
    pub(super) fn name(&self) -> String {
        log_name(self.header.number)
    }
}

/// A file that waits for its next use.
#[derive(Clone, Debug)]
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) size: u64,
}

/// Bytes written at once while a file is filled.
const FILL_BYTES: usize = 256 * 1024;

/// Makes a file of zeros, written and synced.
pub(super) fn make_spare(disk: &dyn Disk, number: u64, size: u64) -> Result<Spare, StoreError> {
    let name = spare_name(number);
    let unfinished = format!("{name}{UNFINISHED}");
    let fill = || {
        let file = disk.create(&unfinished)?;
        let zeros = vec![0; FILL_BYTES.min(size as usize)];
        let mut offset = 0;
        while offset < size {
            let count = zeros.len().min((size - offset) as usize);
            file.write_at(offset, &zeros[..count])?;
            offset += count as u64;
        }
        file.sync()?;
        disk.rename(&unfinished, &name)
    };
    if let Err(error) = fill() {
        // Best effort: an unfinished file is also removed at the next start.
        let _ = disk.remove(&unfinished);
        return Err(out_of_room(disk, error, |error| {
            StoreError::io("prepare", disk.path().join(&unfinished))(error)
        }));
    }
    Ok(Spare { name, size })
}

/// Gives `spare` a header and its place in the log. When this returns, the segment is durable.
pub(super) fn take_spare(
    disk: &dyn Disk,
    spare: &Spare,
    number: u64,
    salt: u64,
) -> Result<Segment, StoreError> {
    let header = SegmentHeader {
        number,
        size: spare.size,
        salt,
    };
    let take = || {
        let file = disk.open(&spare.name)?;
        file.write_at(0, &header.encode())?;
        file.sync()?;
        disk.rename(&spare.name, &log_name(number))?;
        disk.sync()?;
        Ok(file)
    };
    let file = take().map_err(|error: io::Error| {
        out_of_room(disk, error, |error| {
            StoreError::io("take into use", disk.path().join(&spare.name))(error)
        })
    })?;
    Ok(Segment { file, header })
}

/// Opens a segment of the log and checks its header against its name and size.
pub(super) fn open_segment(disk: &dyn Disk, number: u64) -> Result<Segment, StoreError> {
    let name = log_name(number);
    let path = disk.path().join(&name);
    let damaged = |offset, what| StoreError::Damaged {
        file: path.clone(),
        offset,
        what,
    };
    let open = || {
        let file = disk.open(&name)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let count = file.read_at(0, &mut bytes)?;
        let size = file.size()?;
        Ok((file, bytes, count, size))
    };
    let (file, bytes, count, size) = open().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => damaged(0, "the file is missing"),
        _ => StoreError::io("read", &path)(error),
    })?;
    if count < bytes.len() {
        return Err(damaged(count as u64, "the file ends inside its header"));
    }
    let header =
        SegmentHeader::decode(&bytes).map_err(|flaw| super::flaw_error(flaw, path.clone()))?;
    if header.number != number {
        return Err(damaged(
            16,
            "the number in the header is not that of the name",
        ));
    }
    if size < header.size {
        return Err(damaged(size, "the file was cut short"));
    }
    Ok(Segment { file, header })
}

/// Tells a full disk from other failures.
pub(super) fn out_of_room(
    disk: &dyn Disk,
    error: io::Error,
    otherwise: impl FnOnce(io::Error) -> StoreError,
) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full {
            dir: disk.path().to_owned(),
        },
        _ => otherwise(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{FileRole, log_name, snapshot_name, spare_name};

    #[track_caller]
    fn check(name: &str, expected: FileRole) {
        assert_eq!(FileRole::of(name), expected, "{name}");
    }

    #[test]
    fn knows_its_files_by_name() {
        check(&log_name(7), FileRole::Log(7));
        check(&spare_name(12), FileRole::Spare(12));
        check(
            &snapshot_name(99_999_999_999),
            FileRole::Snapshot(99_999_999_999),
        );
        check("snapshot-0000000007.tmp", FileRole::Unfinished);
        check("log-7", FileRole::Foreign);
        check("log-+000000007", FileRole::Foreign);
        check("lock", FileRole::Foreign);
    }
}
