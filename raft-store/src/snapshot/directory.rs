//! The directory of snapshots: at most one counts, the newest that checks.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::format::verify;
use super::{SnapshotError, SnapshotFile};
use crate::env::{Env, Fs};
use crate::types::{LogId, Snapshot, SnapshotMeta};

/// Ending of what is not complete.
const TEMPORARY: &str = ".tmp";
/// Ending of what did not check.
const ASIDE: &str = ".damaged";
/// Files that did not check are kept up to this number.
const ASIDE_MAX: usize = 2;

/// The snapshot that counts.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) meta: SnapshotMeta,
    pub(crate) file: SnapshotFile,
    pub(crate) size: u64,
    /// It came from another node.
    pub(crate) received: bool,
    /// It was damaged after it was written.
    pub(crate) damaged: bool,
}

/// How far a file is on its way to count.
#[derive(Debug, Default)]
pub(crate) enum Naming {
    /// Its bytes are to be made durable,
    #[default]
    Sync,
    /// then it is to be given its name,
    Name,
    /// and then the name is to be made durable.
    SyncName(Current),
}

/// The directory.
pub(crate) struct Snapshots {
    env: Arc<dyn Env>,
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    current: Mutex<Option<Current>>,
}

impl Snapshots {
    /// Opens the directory, made if absent: the newest snapshot that checks counts, others are
    /// removed, what is damaged is moved aside.
    pub(crate) fn open(env: &Arc<dyn Env>, dir: PathBuf) -> Result<Self, SnapshotError> {
        let fs = env.fs();
        let listed = fs
            .create_dir_all(&dir)
            .and_then(|()| dir.parent().map_or(Ok(()), |above| fs.sync_dir(above)))
            // A name that was given just before a crash of the process need not be durable yet.
            .and_then(|()| fs.sync_dir(&dir))
            .and_then(|()| fs.list(&dir));
        let names = listed.map_err(io_error("listing", &dir))?;
        let opened = Self {
            env: Arc::clone(env),
            fs,
            dir,
            current: Mutex::new(None),
        };
        // Names begin with the index, so that the newest comes last.
        let mut newest = None;
        for name in names.iter().rev() {
            let path = opened.dir.join(name);
            if name.ends_with(TEMPORARY) {
                opened.remove(&path)?;
            } else if let Some(received) = is_received(name) {
                if newest.is_some() {
                    opened.remove(&path)?;
                } else {
                    newest = opened.check(&path, received)?;
                }
            }
        }
        opened.limit_aside()?;
        *opened.current.lock() = newest;
        Ok(opened)
    }

    /// The snapshot that counts.
    pub(crate) fn current(&self) -> Option<Current> {
        self.current.lock().clone()
    }

    /// The snapshot that counts, as openraft wants it.
    pub(crate) fn current_for_raft(&self) -> Option<Snapshot> {
        self.current().map(|current| Snapshot {
            meta: current.meta,
            snapshot: Box::new(current.file),
        })
    }

    /// A new file that has no name yet: for a snapshot that is built or received.
    pub(crate) fn create(&self) -> io::Result<SnapshotFile> {
        let path = self
            .dir
            .join(format!("{:016x}{TEMPORARY}", self.env.random_u64()));
        let file = self.fs.create(&path)?;
        Ok(SnapshotFile::temporary(path, file, Arc::clone(&self.fs)))
    }

    /// A name for a snapshot that is built here.
    pub(crate) fn new_id(&self, last: Option<LogId>) -> String {
        let random = self.env.random_u64();
        match last {
            Some(id) => format!(
                "{}-{}-{}-{random:016x}",
                id.leader_id.term, id.leader_id.node_id, id.index
            ),
            None => format!("empty-{random:016x}"),
        }
    }

    /// Copies a file of another directory into a new one of this.
    pub(crate) fn adopt(&self, foreign: SnapshotFile) -> Result<SnapshotFile, SnapshotError> {
        if foreign.path().parent() == Some(&self.dir) {
            return Ok(foreign);
        }
        let copy = || -> io::Result<SnapshotFile> {
            let copy = self.create()?;
            let mut buffer = vec![0; 1 << 20];
            let mut offset = 0;
            loop {
                let read = foreign.read_at(offset, &mut buffer)?;
                if read == 0 {
                    return Ok(copy);
                }
                copy.write_at(offset, &buffer[..read])?;
                offset += read as u64;
            }
        };
        copy().map_err(io_error("copying", foreign.path()))
    }

    /// Does the next step of making a whole file count: sync it, give it its name, make the name
    /// durable. In the end what counts: this one, or the one that is newer and stays.
    pub(crate) fn step(
        &self,
        naming: &mut Naming,
        file: &SnapshotFile,
        meta: &SnapshotMeta,
        received: bool,
    ) -> Result<Option<Current>, SnapshotError> {
        match naming {
            Naming::Sync => {
                let synced = file.file().sync_all();
                synced.map_err(io_error("syncing", file.path()))?;
                *naming = Naming::Name;
                Ok(None)
            }
            Naming::Name => {
                if let Some(stays) = self.stays_before(meta, received) {
                    return Ok(Some(stays));
                }
                *naming = Naming::SyncName(self.name(file, meta, received)?);
                Ok(None)
            }
            Naming::SyncName(named) => {
                let synced = self.fs.sync_dir(&self.dir);
                synced.map_err(io_error("naming", named.file.path()))?;
                let before = self.current.lock().replace(named.clone());
                let cleared = match before {
                    Some(before) if before.damaged => self.move_aside(before.file.path()),
                    Some(before) => self.remove(before.file.path()),
                    None => Ok(()),
                };
                if let Err(error) = cleared {
                    // The new one counts all the same, and the next start clears what is left.
                    tracing::warn!(error = %crate::background::chain(&error), "an old snapshot stays");
                }
                Ok(Some(named.clone()))
            }
        }
    }

    /// The snapshot that counts, if it is sound and does not give way to another: it covers more, or
    /// it was received and the other was built of no more.
    fn stays_before(&self, meta: &SnapshotMeta, received: bool) -> Option<Current> {
        let current = self.current.lock();
        let stays = |current: &&Current| {
            let (this, other) = (current.meta.last_log_id, meta.last_log_id);
            !current.damaged && (this > other || (this == other && current.received && !received))
        };
        current.as_ref().filter(stays).cloned()
    }

    fn name(
        &self,
        file: &SnapshotFile,
        meta: &SnapshotMeta,
        received: bool,
    ) -> Result<Current, SnapshotError> {
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let kind = if received { "received" } else { "built" };
        let path = self.dir.join(format!(
            "{index:020}-{:016x}.{kind}.snapshot",
            self.env.random_u64()
        ));
        let size = file.size().map_err(io_error("reading", file.path()))?;
        self.fs
            .rename(file.path(), &path)
            .map_err(io_error("naming", &path))?;
        file.keep();
        Ok(Current {
            meta: meta.clone(),
            file: SnapshotFile::complete(path, file.shared()),
            size,
            received,
            damaged: false,
        })
    }

    /// Reads the snapshot that counts once more; whether it is sound. One that is not is replaced by
    /// the next, whatever that covers, and no longer explains anything.
    pub(crate) fn recheck(&self) -> bool {
        let Some(current) = self.current() else {
            return true;
        };
        let Err(error) = verify(&current.file) else {
            return true;
        };
        tracing::error!(path = %current.file.path().display(), %error, "the newest snapshot has been damaged since it was written");
        if let Some(current) = &mut *self.current.lock() {
            current.damaged = true;
        }
        false
    }

    /// The current snapshot turned out to be damaged: it no longer counts.
    pub(crate) fn reject_current(&self) -> Result<(), SnapshotError> {
        match self.current.lock().take() {
            Some(current) => self.move_aside(current.file.path()),
            None => Ok(()),
        }
    }

    fn check(&self, path: &Path, received: bool) -> Result<Option<Current>, SnapshotError> {
        let file = self.fs.open(path).map_err(io_error("opening", path))?;
        let file = SnapshotFile::complete(path.to_owned(), file);
        match verify(&file) {
            Ok(header) => {
                let size = file.size().map_err(io_error("reading", path))?;
                Ok(Some(Current {
                    meta: header.meta.into(),
                    file,
                    size,
                    received,
                    damaged: false,
                }))
            }
            Err(error @ SnapshotError::Io { .. }) => Err(error),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a snapshot does not check and is moved aside");
                self.move_aside(path)?;
                Ok(None)
            }
        }
    }

    fn move_aside(&self, path: &Path) -> Result<(), SnapshotError> {
        let mut target = path.as_os_str().to_owned();
        target.push(ASIDE);
        self.fs
            .rename(path, Path::new(&target))
            .and_then(|()| self.fs.sync_dir(&self.dir))
            .map_err(io_error("moving aside", path))
    }

    fn limit_aside(&self) -> Result<(), SnapshotError> {
        let names = self
            .fs
            .list(&self.dir)
            .map_err(io_error("listing", &self.dir))?;
        let aside: Vec<_> = names.iter().filter(|name| name.ends_with(ASIDE)).collect();
        for name in aside.iter().rev().skip(ASIDE_MAX) {
            self.remove(&self.dir.join(name))?;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), SnapshotError> {
        self.fs.remove(path).map_err(io_error("removing", path))
    }
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// Whether a name is that of a received snapshot; `None` where it is no snapshot's.
fn is_received(name: &str) -> Option<bool> {
    if name.ends_with(".received.snapshot") {
        Some(true)
    } else {
        name.ends_with(".built.snapshot").then_some(false)
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io {
        action,
        path,
        source,
    }
}
