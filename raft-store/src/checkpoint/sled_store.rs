//! Checkpoints on sled 0.34.7, used as far as it can be trusted.
//!
//! What it needs, and why:
//! - `flush` writes but never calls fsync, so that `sync` here adds an `fdatasync` of its file.
//! - A leftover `snap.*.generating` makes it refuse to open: such files are removed first.
//! - Opening can destroy or panic on what a crash left behind: a marker stands in the directory from
//!   before the opening until all rows have been read and checked.
//! - Values of 64 KiB and more go to files that are never synced: the layout keeps below that.
//! - Its periodic flusher ignores errors: it is off.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::{AppliedBackend, AppliedStore, RowChange, RowVisitor};
use crate::open::is_of_the_system;

/// sled's page cache; the state is served from our own memory.
const CACHE_SIZE: u64 = 32 << 20;
/// Stands in the directory while it is being opened.
const MARKER: &str = "opening";
/// Stands in the directory once a checkpoint was completed in it.
const COMPLETED: &str = "completed";
/// How many directories that were moved aside are kept.
const ASIDE_MAX: usize = 2;

/// A directory with a sled database.
#[derive(Debug)]
pub struct SledBackend {
    dir: PathBuf,
}

impl SledBackend {
    /// The database in `dir`, made if absent.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn marker(&self) -> PathBuf {
        self.dir.join(MARKER)
    }

    fn parent(&self) -> &Path {
        self.dir.parent().unwrap_or(Path::new("."))
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                tracing::warn!(file = %entry.path().display(), "an unfinished snapshot of sled is removed");
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl SledBackend {
    fn open_marked(&self) -> io::Result<Box<dyn AppliedStore>> {
        File::create(self.marker())?.sync_all()?;
        sync_dir(&self.dir)?;
        let open = || {
            sled::Config::new()
                .path(&self.dir)
                .flush_every_ms(None)
                .cache_capacity(CACHE_SIZE)
                .open()
        };
        let db = guarded(open)??;
        let file = File::options()
            .read(true)
            .write(true)
            .open(self.dir.join("db"))?;
        file.sync_all()?;
        sync_dir(&self.dir)?;
        sync_dir(self.parent())?;
        Ok(Box::new(SledStore {
            db,
            file,
            dir: self.dir.clone(),
            completed: self.dir.join(COMPLETED).try_exists()?,
        }))
    }
}

impl AppliedBackend for SledBackend {
    fn open(&self) -> io::Result<Box<dyn AppliedStore>> {
        std::fs::create_dir_all(&self.dir)?;
        if self.marker().try_exists()? {
            return Err(io::Error::other(
                "an earlier attempt to open it did not finish",
            ));
        }
        self.remove_leftovers()?;
        let opened = self.open_marked();
        if let Err(error) = &opened
            && is_of_the_system(error)
        {
            // It says nothing about what is in the directory: the next attempt is a first one again.
            std::fs::remove_file(self.marker()).ok();
        }
        opened
    }

    fn move_aside(&self, reason: &str) -> io::Result<()> {
        let prefix = aside_prefix(&self.dir);
        let aside = aside(self.parent(), &prefix)?;
        let next = aside.last().map_or(1, |(number, _)| number + 1);
        let target = self.parent().join(format!("{prefix}{next}.{reason}"));
        if self.dir.try_exists()? {
            std::fs::rename(&self.dir, &target)?;
            sync_dir(self.parent())?;
        }
        tracing::error!(reason, moved_to = %target.display(), "the applied store is moved aside; it is rebuilt from snapshot and log");
        Ok(())
    }
}

fn aside_prefix(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.aside.")
}

/// The directories that were moved aside, with their numbers, in order.
fn aside(parent: &Path, prefix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut aside = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.split('.').next())
            .map(str::parse::<u64>);
        if let Some(Ok(number)) = number {
            aside.push((number, entry.path()));
        }
    }
    aside.sort();
    Ok(aside)
}

/// An open database.
#[derive(Debug)]
struct SledStore {
    db: sled::Db,
    /// sled's own file, for the sync that it does not do.
    file: File,
    dir: PathBuf,
    /// A checkpoint was completed, and this is noted.
    completed: bool,
}

impl AppliedStore for SledStore {
    fn scan(&mut self, visit: &mut RowVisitor<'_>) -> io::Result<()> {
        let db = &self.db;
        guarded(move || {
            for row in db.iter() {
                let (key, value) = row?;
                visit(&key, &value);
            }
            Ok::<(), sled::Error>(())
        })?
        .map_err(Into::into)
    }

    fn write(&mut self, changes: Vec<RowChange>) -> io::Result<()> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let db = &self.db;
        Ok(guarded(move || db.apply_batch(batch))??)
    }

    fn sync(&mut self) -> io::Result<()> {
        let db = &self.db;
        guarded(|| db.flush())??;
        self.file.sync_data()
    }

    fn confirm(&mut self) -> io::Result<()> {
        std::fs::remove_file(self.dir.join(MARKER))?;
        sync_dir(&self.dir)
    }

    fn completed(&mut self) -> io::Result<()> {
        if self.completed {
            return Ok(());
        }
        File::create(self.dir.join(COMPLETED))?.sync_all()?;
        sync_dir(&self.dir)?;
        self.completed = true;
        let parent = self.dir.parent().unwrap_or(Path::new("."));
        let aside = aside(parent, &aside_prefix(&self.dir))?;
        for (_, old) in aside.iter().rev().skip(ASIDE_MAX) {
            std::fs::remove_dir_all(old)?;
        }
        Ok(())
    }

    fn was_completed(&self) -> bool {
        self.completed
    }
}

/// sled panics on some of the damage that it meets; here that is an error like any other.
fn guarded<R>(act: impl FnOnce() -> R) -> io::Result<R> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| io::Error::other("sled panicked"))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
