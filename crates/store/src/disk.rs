//! The few things a store does with a disk, so that a test can give it a worse one.
//!
//! A [`Disk`] is one directory. What was written is there after a crash only once its file was
//! synced; what was created, renamed or removed only once the directory was.

mod real;
#[cfg(any(test, feature = "suite"))]
mod simulated;

use std::{any::Any, io, path::Path, sync::Arc};

pub use self::real::RealDisk;
#[cfg(any(test, feature = "suite"))]
pub use self::simulated::{DiskFault, DiskUse, SimDisk};

/// One directory.
pub trait Disk: Send + Sync {
    /// Returns where it is, for messages.
    fn path(&self) -> &Path;

    /// Returns the names of its files, in any order.
    ///
    /// # Errors
    /// What the system says; so for every method here.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates an empty file, in place of an older one.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in one step; a file that had it before is gone.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&self) -> io::Result<()>;

    /// Takes the directory for this process until the answer is dropped.
    ///
    /// # Errors
    /// [`LockRefusal`].
    fn lock(&self) -> Result<DiskLock, LockRefusal>;
}

/// One file.
pub trait DiskFile: Send + Sync {
    /// Returns its size in bytes.
    ///
    /// # Errors
    /// What the system says; so for every method here.
    fn size(&self) -> io::Result<u64>;

    /// Reads at `offset` until `buffer` is full or the file ends, and returns how many bytes.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What the system says; some of the bytes may have been written then.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable, and the size with it.
    ///
    /// # Errors
    /// What the system says. It is unknown then what is durable, and asking again does not help.
    fn sync(&self) -> io::Result<()>;
}

/// Holds the directory until it is dropped.
pub struct DiskLock(
    #[allow(dead_code, reason = "it is held, not read")] Box<dyn Any + Send + Sync>,
);

impl DiskLock {
    /// Returns a lock that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

/// Why the directory could not be locked.
#[derive(Debug)]
pub enum LockRefusal {
    /// Another process has it; its number, if it left one.
    Taken(Option<u32>),
    /// The lock file could not be used.
    Io(io::Error),
}

/// The file that is locked. It stays when the process ends.
pub(crate) const LOCK_FILE: &str = "lock";
