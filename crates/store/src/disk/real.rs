//! A directory of the operating system.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use rustix::fs::FlockOperation;

use super::{Disk, DiskFile, DiskLock, LOCK_FILE, LockRefusal};

/// A directory of the operating system.
#[derive(Debug)]
pub struct RealDisk {
    dir: PathBuf,
}

/// Only the owner reads the store: it holds secrets.
const DIR_MODE: u32 = 0o700;
/// As [`DIR_MODE`], for files.
const FILE_MODE: u32 = 0o600;

impl RealDisk {
    /// Opens `dir`, and creates it and its parents if they are missing.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(DIR_MODE).create(dir)?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
        })
    }
}

impl Disk for RealDisk {
    fn path(&self) -> &Path {
        &self.dir
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.dir.join(name))?;
        Ok(Arc::new(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.mode(FILE_MODE).open(self.dir.join(name))?;
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn lock(&self) -> Result<DiskLock, LockRefusal> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let path = self.dir.join(LOCK_FILE);
        let mut file = options
            .mode(FILE_MODE)
            .open(path)
            .map_err(LockRefusal::Io)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // The number is a courtesy to the reader; without it the refusal stands.
                let _ = file.read_to_string(&mut text);
                return Err(LockRefusal::Taken(text.trim().parse().ok()));
            }
            Err(errno) => return Err(LockRefusal::Io(errno.into())),
        }
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())
        };
        match note(&mut file) {
            // A full disk must not keep a store from opening: the lock holds without the number.
            Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(LockRefusal::Io(error)),
            _ => Ok(DiskLock::new(file)),
        }
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // Data and size, not the times: one journal commit less.
        self.sync_data()
    }
}
