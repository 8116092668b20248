//! A directory in memory that fails on request and can lose power.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base::Rng;
use parking_lot::Mutex;

use super::{Disk, DiskFile, DiskLock, LockRefusal};

/// What goes wrong with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// It is refused and has no effect.
    Fail,
    /// It is refused half done: some sectors of a write, some of what a sync should keep.
    Tear,
    /// It is reported as done and has no effect. A dropped sync leaves its writes to the next one.
    Drop,
    /// There is no room for it.
    NoSpace,
}

/// How much a [`SimDisk`] holds and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Sum of the sizes of all files.
    pub bytes: u64,
    /// Largest sum so far.
    pub bytes_peak: u64,
    /// Number of files.
    pub files: usize,
    /// Bytes written so far.
    pub written_bytes: u64,
    /// Syncs of files so far.
    pub syncs: u64,
    /// Operations so far that a fault can hit: writes, syncs, creations, renames and removals.
    pub operations: u64,
}

/// A directory in memory. A clone is the same directory; [`SimDisk::crash`] is what a power cut
/// leaves of it.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    is_locked: Arc<AtomicBool>,
    path: PathBuf,
}

struct State {
    files: Vec<Contents>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    usage: DiskUse,
    fault: Option<(u64, DiskFault)>,
    room_bytes: u64,
    rng: Rng,
}

#[derive(Clone, Default)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(u64, Vec<u8>)>,
}

#[derive(Clone)]
enum NameChange {
    Put(String, usize),
    Rename(String, String),
    Remove(String),
}

/// What a disk writes in one piece.
const SECTOR_BYTES: usize = 512;

impl SimDisk {
    /// Returns an empty directory; `seed` decides what is lost when something is torn.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_files(Rng::from_seed(seed), BTreeMap::new())
    }

    fn with_files(rng: Rng, contents: BTreeMap<String, Vec<u8>>) -> Self {
        let mut state = State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            usage: DiskUse::default(),
            fault: None,
            room_bytes: u64::MAX,
            rng,
        };
        for (name, bytes) in contents {
            state.names.insert(name, state.files.len());
            state.files.push(Contents {
                now: bytes.clone(),
                durable: bytes,
                unsynced: Vec::new(),
            });
        }
        state.durable_names = state.names.clone();
        state.measure();
        Self {
            state: Arc::new(Mutex::new(state)),
            is_locked: Arc::new(AtomicBool::new(false)),
            path: PathBuf::from("/simulated"),
        }
    }

    /// Makes the operation with this number go wrong, counted from the first one of the disk.
    pub fn set_fault(&self, operation: u64, fault: DiskFault) {
        self.state.lock().fault = Some((operation, fault));
    }

    /// Bounds the sum of all file sizes.
    pub fn set_room(&self, bytes: u64) {
        self.state.lock().room_bytes = bytes;
    }

    /// Returns how much it holds and has done.
    #[must_use]
    pub fn usage(&self) -> DiskUse {
        self.state.lock().usage
    }

    /// Returns the directory as a power cut leaves it: what was synced, and by chance some sectors
    /// of what was not.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut state = self.state.lock();
        let State {
            files,
            durable_names,
            unsynced_names,
            rng,
            ..
        } = &mut *state;
        // A journal keeps the order of name changes, so a first part of them survives.
        let kept = rng.below(unsynced_names.len() as u64 + 1) as usize;
        let mut names = durable_names.clone();
        unsynced_names[..kept]
            .iter()
            .for_each(|change| change.apply(&mut names));
        let contents = names.into_iter().map(|(name, file)| {
            let contents = &files[file];
            let mut bytes = contents.durable.clone();
            for (offset, written) in &contents.unsynced {
                tear(&mut bytes, *offset, written, rng);
            }
            (name, bytes)
        });
        let contents = contents.collect();
        Self::with_files(Rng::from_seed(rng.next_u64()), contents)
    }

    /// Returns the directory as a killed process leaves it: everything written is there.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut state = self.state.lock();
        let names = state.names.iter();
        let contents = names.map(|(name, file)| (name.clone(), state.files[*file].now.clone()));
        let contents = contents.collect();
        let seed = state.rng.next_u64();
        Self::with_files(Rng::from_seed(seed), contents)
    }

    /// Returns the bytes of a file.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let file = *state.names.get(name)?;
        Some(state.files[file].now.clone())
    }

    /// Replaces the bytes of a file, durably, however it came to be.
    pub fn replace(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state.lock();
        let file = state.files.len();
        state.files.push(Contents {
            now: bytes.to_vec(),
            durable: bytes.to_vec(),
            unsynced: Vec::new(),
        });
        state.names.insert(name.to_owned(), file);
        state.durable_names.insert(name.to_owned(), file);
        state.measure();
    }
}

impl State {
    /// Counts an operation and returns what goes wrong with it.
    fn count(&mut self) -> Option<DiskFault> {
        let number = self.usage.operations;
        self.usage.operations += 1;
        let (at, fault) = self.fault?;
        (at == number).then_some(fault)
    }

    fn change_names(&mut self, change: NameChange) -> io::Result<()> {
        match self.count() {
            None => {}
            Some(DiskFault::Drop) => return Ok(()),
            Some(fault) => return Err(fault.error()),
        }
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
        self.measure();
        Ok(())
    }

    fn measure(&mut self) {
        let sizes = self
            .names
            .values()
            .map(|file| self.files[*file].now.len() as u64);
        self.usage.bytes = sizes.sum();
        self.usage.files = self.names.len();
        self.usage.bytes_peak = self.usage.bytes_peak.max(self.usage.bytes);
        let State {
            files,
            names,
            durable_names,
            unsynced_names,
            ..
        } = self;
        for (file, contents) in files.iter_mut().enumerate() {
            // What no name leads to is freed, as a real disk does once it is closed.
            let is_named = |names: &BTreeMap<String, usize>| names.values().any(|n| *n == file);
            if unsynced_names.is_empty() && !is_named(names) && !is_named(durable_names) {
                *contents = Contents::default();
            }
        }
    }

    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let grown = (offset as usize + bytes.len()).saturating_sub(self.files[file].now.len());
        let fault = self.count();
        if self.usage.bytes + grown as u64 > self.room_bytes {
            return Err(DiskFault::NoSpace.error());
        }
        let contents = &mut self.files[file];
        match fault {
            None => {
                put(&mut contents.now, offset, bytes);
                contents.unsynced.push((offset, bytes.to_vec()));
            }
            Some(DiskFault::Drop) => {}
            Some(fault @ DiskFault::Tear) => {
                let mut torn = contents.now.clone();
                tear(&mut torn, offset, bytes, &mut self.rng);
                contents.unsynced.push((0, torn.clone()));
                contents.now = torn;
                return Err(fault.error());
            }
            Some(fault) => return Err(fault.error()),
        }
        self.usage.written_bytes += bytes.len() as u64;
        if grown > 0 {
            self.measure();
        }
        Ok(())
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        self.usage.syncs += 1;
        let fault = self.count();
        let contents = &mut self.files[file];
        match fault {
            None => {
                for (offset, bytes) in std::mem::take(&mut contents.unsynced) {
                    put(&mut contents.durable, offset, &bytes);
                }
                Ok(())
            }
            Some(DiskFault::Drop) => Ok(()),
            Some(fault @ DiskFault::Tear) => {
                // What a failed sync did not keep is forgotten: the next sync says nothing of it.
                for (offset, bytes) in std::mem::take(&mut contents.unsynced) {
                    tear(&mut contents.durable, offset, &bytes, &mut self.rng);
                }
                Err(fault.error())
            }
            Some(fault) => {
                contents.unsynced.clear();
                Err(fault.error())
            }
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Put(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl DiskFault {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => io::Error::from(io::ErrorKind::StorageFull),
            _ => io::Error::other("the simulated disk failed"),
        }
    }
}

fn put(contents: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (from, to) = (offset as usize, offset as usize + bytes.len());
    if contents.len() < to {
        contents.resize(to, 0);
    }
    contents[from..to].copy_from_slice(bytes);
}

/// Writes some of the sectors of `bytes`, by chance.
fn tear(contents: &mut Vec<u8>, offset: u64, bytes: &[u8], rng: &mut Rng) {
    let mut at = 0;
    // One draw in four keeps all, one nothing, so that both ends are met often.
    let style = rng.below(4);
    while at < bytes.len() {
        let absolute = offset as usize + at;
        let end = (at + SECTOR_BYTES - absolute % SECTOR_BYTES).min(bytes.len());
        let keep = match style {
            0 => true,
            1 => false,
            _ => rng.below(2) == 0,
        };
        if keep {
            put(contents, absolute as u64, &bytes[at..end]);
        }
        at = end;
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    file: usize,
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.state.lock().files[self.file].now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state.lock();
        let contents = &state.files[self.file].now;
        let from = contents.len().min(offset as usize);
        let count = buffer.len().min(contents.len() - from);
        buffer[..count].copy_from_slice(&contents[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.state.lock().write(self.file, offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.state.lock().sync(self.file)
    }
}

impl Disk for SimDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let names = &self.state.lock().names;
        let file = *names.get(name).ok_or(io::ErrorKind::NotFound)?;
        let state = Arc::clone(&self.state);
        Ok(Arc::new(SimFile { state, file }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let file = state.files.len();
        state.files.push(Contents::default());
        state.change_names(NameChange::Put(name.to_owned(), file))?;
        drop(state);
        let state = Arc::clone(&self.state);
        Ok(Arc::new(SimFile { state, file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let change = NameChange::Rename(from.to_owned(), to.to_owned());
        self.state.lock().change_names(change)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state
            .lock()
            .change_names(NameChange::Remove(name.to_owned()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.count() {
            None => {}
            Some(DiskFault::Drop) => return Ok(()),
            Some(fault) => return Err(fault.error()),
        }
        let state = &mut *state;
        for change in state.unsynced_names.drain(..) {
            change.apply(&mut state.durable_names);
        }
        state.measure();
        Ok(())
    }

    fn lock(&self) -> Result<DiskLock, LockRefusal> {
        if self.is_locked.swap(true, Ordering::AcqRel) {
            return Err(LockRefusal::Taken(None));
        }
        Ok(DiskLock::new(Unlock(Arc::clone(&self.is_locked))))
    }
}

struct Unlock(Arc<AtomicBool>);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
