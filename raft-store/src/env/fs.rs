//! Files as the durable parts of the store use them.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file system. Errors are those of the operating system; `NotFound` is told apart from
/// everything else, since a missing file and an unreadable one are different things.
pub trait Fs: Send + Sync + fmt::Debug + 'static {
    /// Makes a new, empty file for reading and writing. An existing file is `AlreadyExists`.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Makes a directory and those above it; existing ones are left alone.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Names of the entries of a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether there is something at a path.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Moves a file or directory within its file system, over what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable: creations, renames and removals in it.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock that the file at `path` stands for, made if absent, until the result is
    /// dropped. `WouldBlock` when another process has it.
    fn lock(&self, path: &Path) -> io::Result<DirectoryLock>;
}

/// An open file. Reads and writes name their offset, so that a handle can be shared.
pub trait File: Send + Sync + fmt::Debug + 'static {
    /// Reads up to `buf.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reserves space and makes the file at least `size` bytes long; new bytes read as zero.
    fn allocate(&self, size: u64) -> io::Result<()>;

    /// Cuts or extends the file; new bytes read as zero.
    fn set_len(&self, size: u64) -> io::Result<()>;

    /// Size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Makes what was written durable, with the metadata that is needed to read it back
    /// (`fdatasync`). After an error nothing may be assumed about any earlier write.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes contents and all metadata durable (`fsync`).
    fn sync_all(&self) -> io::Result<()>;

    /// Reads exactly `buf.len()` bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let read = self.read_at(offset, buf)?;
        if read == buf.len() {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file ends before the bytes that are read",
            ))
        }
    }
}

/// Writes a whole file so that after a crash there is the old one or the new one, never a mixture.
///
/// # Errors
/// Those of the operating system; the old file is then still there.
pub fn write_durably(fs: &dyn Fs, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    if fs.exists(&temporary)? {
        fs.remove(&temporary)?;
    }
    let file = fs.create(&temporary)?;
    file.write_at(0, bytes)?;
    file.sync_all()?;
    fs.rename(&temporary, &dir.join(name))?;
    fs.sync_dir(dir)
}

/// Holds a lock until it is dropped.
pub struct DirectoryLock(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl DirectoryLock {
    /// A lock that ends when `guard` is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for DirectoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryLock").finish_non_exhaustive()
    }
}
