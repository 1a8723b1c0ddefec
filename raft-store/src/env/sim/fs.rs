//! A file system in memory that is as forgetful as POSIX allows.
//!
//! Invariants:
//! 1. After a crash a file holds what was synced, plus any subset of the 512-byte sectors written
//!    since, chosen by the seed.
//! 2. After a crash a directory holds the entries that were there at its last `sync_dir`, plus a
//!    prefix (over the whole file system, as a journal would) of the later changes.
//! 3. After a failed sync the writes that it covered are readable but will never be durable: a
//!    later successful sync does not bring them back.
//! 4. A handle from before a crash fails for ever.
//! 5. The last sync of a core's step is durable when its time is over, and not before.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::SimRng;
use super::disk::{Change, Copies, Disk, Inode, Latency, NameChange, Node, is_root};
use crate::env::{DirectoryLock, File, Fs};

/// A simulated disk with its file system. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimFs(Arc<Mutex<Disk>>);

impl SimFs {
    /// An empty disk whose faults follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            rng: SimRng::new(seed),
            generation: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            journal: Vec::new(),
            locks: BTreeMap::new(),
            latency: Latency::default(),
            owed: Duration::ZERO,
            syncs_to_fail: 0,
            writes_to_fail: 0,
            removals_to_fail: 0,
            in_step: false,
            unfinished: None,
            writes_to_cut: 0,
            capacity: None,
            syncs: 0,
        })))
    }

    /// The power goes: what was not synced is lost, in whole, in part or not at all.
    pub fn crash(&self) {
        self.0.lock().crash();
    }

    /// The process dies and the machine lives on: everything written is still there, but the
    /// process's handles and locks are gone.
    pub fn kill(&self) {
        let mut disk = self.0.lock();
        disk.generation += 1;
        disk.locks.clear();
    }

    /// The next `count` syncs fail with EIO and lose what they covered.
    pub fn fail_syncs(&self, count: u32) {
        self.0.lock().syncs_to_fail = count;
    }

    /// The next `count` writes fail with EIO and write nothing.
    pub fn fail_writes(&self, count: u32) {
        self.0.lock().writes_to_fail = count;
    }

    /// The next `count` writes fail with EIO after a part of their bytes, which the seed draws, is written.
    pub fn cut_writes(&self, count: u32) {
        self.0.lock().writes_to_cut = count;
    }

    /// The next `count` removals of files fail with EIO and remove nothing.
    pub fn fail_removals(&self, count: u32) {
        self.0.lock().removals_to_fail = count;
    }

    /// Bounds the disk: what would go above it is refused as full. `None` is without bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Changes how long operations take from now on.
    pub fn set_latency(&self, latency: Latency) {
        self.0.lock().latency = latency;
    }

    /// A core's step begins: what its operations take is counted, and a sync at its end has not come back yet.
    pub(super) fn step_begin(&self) {
        let mut disk = self.0.lock();
        disk.finish_sync();
        disk.owed = Duration::ZERO;
        disk.in_step = true;
    }

    /// It ends: the time that its operations take, and the sync that is over only then.
    pub(super) fn step_end(&self) -> (Duration, Option<Unfinished>) {
        let mut disk = self.0.lock();
        disk.in_step = false;
        let generation = disk.generation;
        let unfinished = disk.unfinished.take();
        let owed = std::mem::take(&mut disk.owed);
        (
            owed,
            unfinished.map(|inode| Unfinished { inode, generation }),
        )
    }

    /// A sync is over, unless a crash came first.
    pub(super) fn finish(&self, unfinished: Option<Unfinished>) {
        let disk = self.0.lock();
        if let Some(Unfinished { inode, generation }) = unfinished
            && generation == disk.generation
        {
            inode.lock().sync_begun();
        }
    }

    /// How many syncs have succeeded or failed so far, of files and directories.
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// A copy of this disk as it is, which goes its own way from here on.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let disk = self.0.lock();
        let copy =
            |names: &BTreeMap<PathBuf, Node>, made: &mut Copies| -> BTreeMap<PathBuf, Node> {
                names
                    .iter()
                    .map(|(path, node)| (path.clone(), made.copy(node)))
                    .collect()
            };
        let mut made = Copies::default();
        let names = copy(&disk.names, &mut made);
        let durable_names = copy(&disk.durable_names, &mut made);
        let journal = disk
            .journal
            .iter()
            .map(|change| change.copy(&mut made))
            .collect();
        Self(Arc::new(Mutex::new(Disk {
            rng: SimRng::new(seed),
            generation: 0,
            names,
            durable_names,
            journal,
            locks: BTreeMap::new(),
            unfinished: None,
            ..*disk
        })))
    }

    /// Damages a file at rest: the byte at `offset` is combined with `mask` by exclusive or.
    ///
    /// # Errors
    /// There is no such file or no such byte.
    pub fn damage(&self, path: &Path, offset: usize, mask: u8) -> io::Result<()> {
        let inode = self.0.lock().inode(path)?;
        let mut inode = inode.lock();
        let byte = inode
            .current
            .get_mut(offset)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        *byte ^= mask;
        if let Some(byte) = inode.durable.get_mut(offset) {
            *byte ^= mask;
        }
        Ok(())
    }

    /// All files with their sizes, for traces and assertions.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let disk = self.0.lock();
        let file = |(path, node): (&PathBuf, &Node)| match node {
            Node::Dir => None,
            Node::File(inode) => Some((path.clone(), inode.lock().current.len() as u64)),
        };
        disk.names.iter().filter_map(file).collect()
    }

    fn handle(&self, disk: &Disk, inode: Arc<Mutex<Inode>>) -> Arc<dyn File> {
        Arc::new(SimFile {
            disk: Arc::clone(&self.0),
            generation: disk.generation,
            inode,
        })
    }
}

impl Fs for SimFs {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        disk.parent_exists(path)?;
        if disk.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = Arc::new(Mutex::new(Inode::default()));
        disk.change(NameChange::Add(
            path.to_owned(),
            Node::File(Arc::clone(&inode)),
        ));
        Ok(self.handle(&disk, inode))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let disk = self.0.lock();
        let inode = disk.inode(path)?;
        Ok(self.handle(&disk, inode))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for dir in above {
            if is_root(dir) {
                continue;
            }
            match disk.names.get(dir) {
                Some(Node::Dir) => {}
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => disk.change(NameChange::Add(dir.to_owned(), Node::Dir)),
            }
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.0.lock();
        if !is_root(dir) && !matches!(disk.names.get(dir), Some(Node::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(is_root(path) || self.0.lock().names.contains_key(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        if !disk.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.parent_exists(to)?;
        disk.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.inode(path)?;
        if disk.removals_to_fail > 0 {
            disk.removals_to_fail -= 1;
            return Err(io::Error::other("simulated EIO"));
        }
        disk.change(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        if !matches!(disk.names.get(path), Some(Node::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        if !is_root(dir) && !matches!(disk.names.get(dir), Some(Node::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.finish_sync();
        let latency = disk.latency.sync;
        disk.owe(latency);
        disk.syncs += 1;
        if disk.syncs_to_fail > 0 {
            disk.syncs_to_fail -= 1;
            return Err(io::Error::other("simulated EIO"));
        }
        let made_again = disk.journal.iter().any(|change| change.removes(dir));
        let (done, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut disk.journal)
            .into_iter()
            .partition(|change| change.concerns(dir) || (made_again && change.is_above(dir)));
        disk.journal = waiting;
        for change in done {
            change.apply(&mut disk.durable_names);
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<DirectoryLock> {
        let mut disk = self.0.lock();
        disk.parent_exists(path)?;
        if disk.locks.contains_key(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if !disk.names.contains_key(path) {
            let inode = Arc::new(Mutex::new(Inode::default()));
            disk.change(NameChange::Add(path.to_owned(), Node::File(inode)));
        }
        let generation = disk.generation;
        disk.locks.insert(path.to_owned(), generation);
        Ok(DirectoryLock::new(SimLock {
            disk: Arc::clone(&self.0),
            path: path.to_owned(),
            generation,
        }))
    }
}

struct SimLock {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
    generation: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.disk.lock();
        // After a crash another process may hold the lock; that one is not ours to end.
        if disk.locks.get(&self.path) == Some(&self.generation) {
            disk.locks.remove(&self.path);
        }
    }
}

/// A sync whose time is not over.
#[derive(Debug)]
pub(super) struct Unfinished {
    inode: Arc<Mutex<Inode>>,
    generation: u64,
}

#[derive(Debug)]
struct SimFile {
    disk: Arc<Mutex<Disk>>,
    generation: u64,
    inode: Arc<Mutex<Inode>>,
}

impl SimFile {
    fn alive(&self, disk: &Disk) -> io::Result<()> {
        if disk.generation == self.generation {
            Ok(())
        } else {
            Err(io::Error::other(
                "the simulated process that opened this file is dead",
            ))
        }
    }

    fn alter(&self, change: Change) -> io::Result<()> {
        let mut disk = self.disk.lock();
        self.alive(&disk)?;
        disk.finish_sync();
        let latency = disk.latency.write;
        disk.owe(latency);
        if disk.writes_to_fail > 0 {
            disk.writes_to_fail -= 1;
            return Err(io::Error::other("simulated EIO"));
        }
        if let Change::Write { offset, bytes } = &change
            && disk.writes_to_cut > 0
        {
            disk.writes_to_cut -= 1;
            let size = usize::try_from(disk.rng.below(bytes.len() as u64)).unwrap_or(0);
            let part = Change::Write {
                offset: *offset,
                bytes: bytes[..size].to_vec(),
            };
            let mut inode = self.inode.lock();
            part.apply(&mut inode.current);
            inode.pending.push(part);
            return Err(io::Error::other("simulated EIO"));
        }
        if let Some(capacity) = disk.capacity {
            let size = self.inode.lock().current.len();
            let end = match &change {
                Change::Write { offset, bytes } => offset + bytes.len(),
                Change::Size(size) => *size,
            };
            if end > size && disk.used() + (end - size) as u64 > capacity {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let mut inode = self.inode.lock();
        change.apply(&mut inode.current);
        inode.pending.push(change);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        self.alive(&disk)?;
        disk.finish_sync();
        let latency = disk.latency.sync;
        disk.owe(latency);
        disk.syncs += 1;
        let mut inode = self.inode.lock();
        if disk.syncs_to_fail > 0 {
            disk.syncs_to_fail -= 1;
            // Invariant 3: the kernel marks the pages clean and forgets them.
            inode.pending.clear();
            inode.syncing = 0;
            return Err(io::Error::other("simulated EIO"));
        }
        if disk.in_step {
            inode.syncing = inode.pending.len();
            drop(inode);
            disk.unfinished = Some(Arc::clone(&self.inode));
        } else {
            inode.sync();
        }
        Ok(())
    }
}

fn position(value: u64) -> io::Result<usize> {
    usize::try_from(value).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl File for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.alive(&self.disk.lock())?;
        let inode = self.inode.lock();
        let start = position(offset)?.min(inode.current.len());
        let end = inode.current.len().min(start + buf.len());
        buf[..end - start].copy_from_slice(&inode.current[start..end]);
        Ok(end - start)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.alter(Change::Write {
            offset: position(offset)?,
            bytes: bytes.to_vec(),
        })
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        if self.size()? < size {
            self.alter(Change::Size(position(size)?))
        } else {
            Ok(())
        }
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.alter(Change::Size(position(size)?))
    }

    fn size(&self) -> io::Result<u64> {
        self.alive(&self.disk.lock())?;
        Ok(self.inode.lock().current.len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }
}
