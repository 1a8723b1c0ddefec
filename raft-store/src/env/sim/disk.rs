//! What a simulated disk holds: what is there, what of it is durable, and what may be lost.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::SimRng;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// How long operations of the disk take, drawn evenly between the bounds, both inclusive.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Shortest and longest time of a write.
    pub write: (Duration, Duration),
    /// Shortest and longest time of a sync.
    pub sync: (Duration, Duration),
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            write: (Duration::ZERO, Duration::from_millis(1)),
            sync: (Duration::ZERO, Duration::from_millis(3)),
        }
    }
}

#[derive(Debug)]
pub(super) struct Disk {
    pub(super) rng: SimRng,
    /// Counts crashes; a handle of an earlier generation is dead.
    pub(super) generation: u64,
    pub(super) names: BTreeMap<PathBuf, Node>,
    pub(super) durable_names: BTreeMap<PathBuf, Node>,
    pub(super) journal: Vec<NameChange>,
    pub(super) locks: BTreeMap<PathBuf, u64>,
    pub(super) latency: Latency,
    pub(super) owed: Duration,
    pub(super) syncs_to_fail: u32,
    pub(super) writes_to_fail: u32,
    pub(super) removals_to_fail: u32,
    /// A core's step is under way.
    pub(super) in_step: bool,
    /// The file whose sync was the last thing that it did.
    pub(super) unfinished: Option<InodeRef>,
    pub(super) writes_to_cut: u32,
    pub(super) capacity: Option<u64>,
    pub(super) syncs: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Dir,
    File(Arc<Mutex<Inode>>),
}

/// Files that were copied, so that a file with two entries is copied once.
#[derive(Default)]
pub(super) struct Copies(Vec<(InodeRef, InodeRef)>);

pub(super) type InodeRef = Arc<Mutex<Inode>>;

impl Copies {
    pub(super) fn copy(&mut self, node: &Node) -> Node {
        let Node::File(inode) = node else {
            return Node::Dir;
        };
        if let Some((_, copy)) = self
            .0
            .iter()
            .find(|(original, _)| Arc::ptr_eq(original, inode))
        {
            return Node::File(Arc::clone(copy));
        }
        let copy = Arc::new(Mutex::new(inode.lock().clone()));
        self.0.push((Arc::clone(inode), Arc::clone(&copy)));
        Node::File(copy)
    }
}

#[derive(Debug, Default, Clone)]
pub(super) struct Inode {
    pub(super) current: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
    /// So many of them are being synced.
    pub(super) syncing: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Size(usize),
}

#[derive(Debug)]
pub(super) enum NameChange {
    Add(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Disk {
    pub(super) fn inode(&self, path: &Path) -> io::Result<Arc<Mutex<Inode>>> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(Arc::clone(inode)),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn parent_exists(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            None => Ok(()),
            Some(parent) if is_root(parent) => Ok(()),
            Some(parent) => match self.names.get(parent) {
                Some(Node::Dir) => Ok(()),
                Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.journal.push(change);
    }

    /// Whatever comes after a sync comes when it is over.
    pub(super) fn finish_sync(&mut self) {
        if let Some(inode) = self.unfinished.take() {
            inode.lock().sync_begun();
        }
    }

    pub(super) fn used(&self) -> u64 {
        let size = |node: &Node| match node {
            Node::Dir => 0,
            Node::File(inode) => inode.lock().current.len() as u64,
        };
        self.names.values().map(size).sum()
    }

    pub(super) fn owe(&mut self, (shortest, longest): (Duration, Duration)) {
        let span = u64::try_from(longest.saturating_sub(shortest).as_micros()).unwrap_or(u64::MAX);
        let drawn = self.rng.below(span.saturating_add(1));
        self.owed += shortest + Duration::from_micros(drawn);
    }

    pub(super) fn crash(&mut self) {
        self.generation += 1;
        self.unfinished = None;
        self.locks.clear();
        let kept = self.rng.below(self.journal.len() as u64 + 1);
        for (position, change) in std::mem::take(&mut self.journal).into_iter().enumerate() {
            if (position as u64) < kept {
                change.apply(&mut self.durable_names);
            }
        }
        // An entry whose directory was lost is lost with it.
        let mut names: BTreeMap<PathBuf, Node> = BTreeMap::new();
        for (path, node) in &self.durable_names {
            let reachable = path
                .parent()
                .is_none_or(|parent| is_root(parent) || names.contains_key(parent));
            if reachable {
                names.insert(path.clone(), node.clone());
            }
        }
        for node in names.values() {
            if let Node::File(inode) = node {
                inode.lock().crash(&mut self.rng);
            }
        }
        self.durable_names = names.clone();
        self.names = names;
    }
}

impl NameChange {
    pub(super) fn copy(&self, made: &mut Copies) -> Self {
        match self {
            Self::Add(path, node) => Self::Add(path.clone(), made.copy(node)),
            Self::Rename(from, to) => Self::Rename(from.clone(), to.clone()),
            Self::Remove(path) => Self::Remove(path.clone()),
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Add(path, node) => {
                names.insert(path.clone(), node.clone());
            }
            Self::Remove(path) => {
                names.retain(|name, _| !name.starts_with(path));
            }
            Self::Rename(from, to) => {
                let moved: Vec<_> = names
                    .iter()
                    .filter(|(name, _)| name.starts_with(from))
                    .map(|(name, node)| (name.clone(), node.clone()))
                    .collect();
                names.retain(|name, _| !name.starts_with(from));
                for (name, node) in moved {
                    let tail = name.strip_prefix(from).unwrap_or(Path::new(""));
                    let target = if tail.as_os_str().is_empty() {
                        to.clone()
                    } else {
                        to.join(tail)
                    };
                    names.insert(target, node);
                }
            }
        }
    }

    /// Whether a directory was removed, alone or with one above it. What is made again in its place
    /// cannot be durable before that: names are paths here, and a removal takes all below along.
    pub(super) fn removes(&self, dir: &Path) -> bool {
        matches!(self, Self::Remove(path) if dir.starts_with(path))
    }

    pub(super) fn is_above(&self, dir: &Path) -> bool {
        match self {
            Self::Add(path, _) | Self::Remove(path) => dir.starts_with(path),
            Self::Rename(from, to) => dir.starts_with(from) || dir.starts_with(to),
        }
    }

    pub(super) fn concerns(&self, dir: &Path) -> bool {
        match self {
            Self::Add(path, _) | Self::Remove(path) => path.parent() == Some(dir),
            Self::Rename(from, to) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}

impl Change {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Size(size) => bytes.resize(*size, 0),
            Self::Write {
                offset,
                bytes: written,
            } => write(bytes, *offset, written),
        }
    }
}

fn write(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

impl Inode {
    /// What was there when the sync began is durable.
    pub(super) fn sync_begun(&mut self) {
        let syncing = std::mem::take(&mut self.syncing).min(self.pending.len());
        for change in self.pending.drain(..syncing) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn sync(&mut self) {
        self.syncing = 0;
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn crash(&mut self, rng: &mut SimRng) {
        self.syncing = 0;
        for change in std::mem::take(&mut self.pending) {
            match rng.below(3) {
                0 => {}
                1 => change.apply(&mut self.durable),
                _ => match &change {
                    Change::Size(_) => change.apply(&mut self.durable),
                    Change::Write { offset, bytes } => {
                        tear(&mut self.durable, *offset, bytes, rng);
                    }
                },
            }
        }
        self.current = self.durable.clone();
    }
}

/// Writes some of the sectors of a write.
fn tear(target: &mut Vec<u8>, offset: usize, bytes: &[u8], rng: &mut SimRng) {
    let mut start = 0;
    while start < bytes.len() {
        let to_boundary = SECTOR - (offset + start) % SECTOR;
        let end = bytes.len().min(start + to_boundary);
        if rng.chance(2) {
            write(target, offset + start, &bytes[start..end]);
        }
        start = end;
    }
}

/// The root is always there; relative paths are read from it.
pub(super) fn is_root(path: &Path) -> bool {
    [Path::new(""), Path::new("/"), Path::new(".")].contains(&path)
}
