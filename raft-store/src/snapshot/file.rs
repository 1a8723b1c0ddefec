//! A handle to a snapshot's file, for those who send and receive it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SnapshotError;
use super::format::verify;
use crate::env::{File, Fs};
use crate::types::SnapshotMeta;

/// A snapshot's file: complete, where it was served; in the making, where it is received.
///
/// The handle stays readable when a newer snapshot replaces this one. A file that is received and
/// never installed is removed with its last handle.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    path: PathBuf,
    file: Arc<dyn File>,
    /// Removes the file, unless it was given its name before.
    temporary: Option<Arc<Temporary>>,
}

impl SnapshotFile {
    /// A file that is complete.
    pub(super) fn complete(path: PathBuf, file: Arc<dyn File>) -> Self {
        Self {
            path,
            file,
            temporary: None,
        }
    }

    /// A file in the making.
    pub(super) fn temporary(path: PathBuf, file: Arc<dyn File>, fs: Arc<dyn Fs>) -> Self {
        let temporary = Temporary {
            fs,
            path: path.clone(),
            kept: AtomicBool::new(false),
        };
        Self {
            path,
            file,
            temporary: Some(Arc::new(temporary)),
        }
    }

    /// Size in bytes, as far as it is written.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    /// Reads up to `buf.len()` bytes; fewer only at the end.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }

    /// Writes a part of a snapshot that is received. Parts may come in any order.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    /// Reads the whole file and checks it, without making a state of it.
    ///
    /// # Errors
    /// It cannot be read, or is not a whole snapshot.
    pub fn verify(&self) -> Result<SnapshotMeta, SnapshotError> {
        verify(self).map(|header| header.meta.into())
    }

    /// Where the file is or was.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &dyn File {
        self.file.as_ref()
    }

    pub(crate) fn shared(&self) -> Arc<dyn File> {
        Arc::clone(&self.file)
    }

    /// Whether the file has its name.
    pub(crate) fn is_complete(&self) -> bool {
        self.temporary.is_none()
    }

    /// The file has its name now: it stays.
    pub(super) fn keep(&self) {
        if let Some(temporary) = &self.temporary {
            temporary.kept.store(true, Ordering::Relaxed);
        }
    }
}

struct Temporary {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    kept: AtomicBool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.kept.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.fs.remove(&self.path) {
            // It is removed at the next start.
            tracing::debug!(path = %self.path.display(), %error, "an unfinished snapshot stays for now");
        }
    }
}

impl fmt::Debug for Temporary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Temporary")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
