//! A machine whose power or disk fails at one chosen operation.
//!
//! Every operation that changes a disk or the applied store is a *point*. Points are counted in the
//! order in which they are crossed, which the same start and the same seed repeat, so that a number
//! names one. Around the simulated disk rather than in it: the disk decides what is lost, this when.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raft_store::checkpoint::{AppliedBackend, AppliedStore, MemoryBackend, RowChange, RowVisitor};
use raft_store::env::sim::{SimEnv, SimFs};
use raft_store::env::{Bell, Core, CoreHandle, DirectoryLock, Env, File, Fs, Next, Priority};
use tokio::sync::Notify;

use super::labels::{Act, Label, class};

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The power goes; the operation has not begun.
    PowerBefore,
    /// The power goes when the operation has ended, before the process hears of it.
    PowerAfter,
    /// The operation fails with EIO; half of what was to be written is. The next one is well again.
    Error,
    /// From here on there is no room, until [`Points::mend`].
    Full,
}

/// The points of one machine. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Points {
    inner: Arc<Mutex<Inner>>,
    went_off: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    step: &'static str,
    /// The core that is at work; the script itself where none is.
    core: &'static str,
    crossed: Vec<Label>,
    plan: Vec<(usize, Fault)>,
    off: bool,
    full: bool,
}

/// What becomes of an operation.
enum Verdict {
    Pass,
    /// It happens, and nobody hears of it.
    Last,
    Refused(io::Error),
}

impl Points {
    /// Each fault comes at the point of its number, counted from 0.
    pub(super) fn at(plan: impl IntoIterator<Item = (usize, Fault)>) -> Self {
        let points = Self::default();
        points.inner.lock().plan = plan.into_iter().collect();
        points
    }

    /// Names what comes next.
    pub(super) fn step(&self, name: &'static str) {
        self.inner.lock().step = name;
    }

    /// The points that were crossed, in order.
    pub(super) fn crossed(&self) -> Vec<Label> {
        self.inner.lock().crossed.clone()
    }

    /// The process is over: whatever of it still moves changes nothing.
    pub(super) fn power_off(&self) {
        self.inner.lock().off = true;
        self.went_off.notify_one();
    }

    /// Waits until the power goes.
    pub(super) async fn off(&self) {
        while !self.inner.lock().off {
            self.went_off.notified().await;
        }
    }

    /// There is room again.
    pub(super) fn mend(&self) {
        self.inner.lock().full = false;
    }

    /// The world of a process on a machine: `fs` and `applied`, with the points around them.
    pub(super) fn env(&self, seed: u64, fs: &SimFs) -> Arc<dyn Env> {
        Arc::new(PointsEnv {
            sim: SimEnv::new(seed, fs.clone()),
            fs: PointsFs {
                fs: fs.clone(),
                points: self.clone(),
            },
        })
    }

    /// The applied store with the points around it.
    pub(super) fn applied(&self, backend: &MemoryBackend) -> Arc<dyn AppliedBackend> {
        Arc::new(PointsBackend {
            backend: backend.clone(),
            points: self.clone(),
        })
    }

    fn alive(&self) -> io::Result<()> {
        if self.inner.lock().off {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(())
        }
    }

    fn cross(&self, act: Act, class: String) -> Verdict {
        let mut inner = self.inner.lock();
        if inner.off {
            return Verdict::Refused(io::Error::other("the power is off"));
        }
        let number = inner.crossed.len();
        let label = Label {
            step: inner.step,
            core: inner.core,
            act,
            class,
        };
        inner.crossed.push(label);
        let fault = inner.plan.iter().find(|(point, _)| *point == number);
        let fault = fault.copied();
        match fault.map(|(_, fault)| fault) {
            Some(Fault::PowerBefore) => {
                drop(inner);
                self.power_off();
                return Verdict::Refused(io::Error::other("the power went"));
            }
            Some(Fault::PowerAfter) => {
                drop(inner);
                self.power_off();
                return Verdict::Last;
            }
            Some(Fault::Error) => return Verdict::Refused(io::Error::other("EIO at the point")),
            Some(Fault::Full) => inner.full = act.takes_room(),
            None => {}
        }
        if inner.full && act.takes_room() {
            Verdict::Refused(io::ErrorKind::StorageFull.into())
        } else {
            Verdict::Pass
        }
    }

    /// Crosses a point. `spoil` is what an operation that fails does all the same.
    fn operate<R>(
        &self,
        act: Act,
        class: String,
        operate: impl FnOnce() -> io::Result<R>,
        spoil: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<R> {
        match self.cross(act, class) {
            Verdict::Pass => operate(),
            Verdict::Last => {
                drop(operate()?);
                Err(io::Error::other("the power went"))
            }
            Verdict::Refused(error) => {
                if self.alive().is_ok() && error.kind() != io::ErrorKind::StorageFull {
                    // How it fails in detail is the disk's affair; the error is the one of the plan.
                    drop(spoil());
                }
                Err(error)
            }
        }
    }

    fn named<R>(
        &self,
        act: Act,
        path: &Path,
        operate: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.operate(act, class(path), operate, || Ok(()))
    }
}

#[derive(Debug)]
struct PointsEnv {
    sim: SimEnv,
    fs: PointsFs,
}

impl Env for PointsEnv {
    fn monotonic(&self) -> Duration {
        self.sim.monotonic()
    }

    fn wall_ms(&self) -> u64 {
        self.sim.wall_ms()
    }

    fn random_u64(&self) -> u64 {
        self.sim.random_u64()
    }

    fn fs(&self) -> Arc<dyn Fs> {
        Arc::new(self.fs.clone())
    }

    fn spawn_core(
        &self,
        name: &'static str,
        priority: Priority,
        bell: Bell,
        core: Box<dyn Core>,
    ) -> io::Result<CoreHandle> {
        let named = NamedCore {
            name,
            points: self.fs.points.clone(),
            core,
        };
        self.sim.spawn_core(name, priority, bell, Box::new(named))
    }
}

/// Tells whose operations they are.
struct NamedCore {
    name: &'static str,
    points: Points,
    core: Box<dyn Core>,
}

impl Core for NamedCore {
    fn step(&mut self) -> Next {
        self.points.inner.lock().core = self.name;
        let next = self.core.step();
        self.points.inner.lock().core = "";
        next
    }
}

#[derive(Debug, Clone)]
struct PointsFs {
    fs: SimFs,
    points: Points,
}

impl PointsFs {
    fn file(&self, path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(PointsFile {
            fs: self.clone(),
            path: path.to_owned(),
            file,
        })
    }
}

impl Fs for PointsFs {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let create = || self.fs.create(path);
        let created = self.points.named(Act::Create, path, create)?;
        Ok(self.file(path, created))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.points.alive()?;
        Ok(self.file(path, self.fs.open(path)?))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if self.exists(path)? {
            return self.fs.create_dir_all(path);
        }
        let make = || self.fs.create_dir_all(path);
        self.points.named(Act::MakeDirectory, path, make)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.points.alive()?;
        self.fs.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.points.alive()?;
        self.fs.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let between = format!("{} to {}", class(from), class(to));
        let rename = || self.fs.rename(from, to);
        self.points.operate(Act::Rename, between, rename, || Ok(()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let remove = || self.fs.remove(path);
        self.points.named(Act::Remove, path, remove)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let remove = || self.fs.remove_dir_all(path);
        self.points.named(Act::RemoveDirectory, path, remove)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let sync = || self.fs.sync_dir(dir);
        self.points.named(Act::SyncDirectory, dir, sync)
    }

    fn lock(&self, path: &Path) -> io::Result<DirectoryLock> {
        if self.exists(path)? {
            return self.fs.lock(path);
        }
        let lock = || self.fs.lock(path);
        self.points.named(Act::Create, path, lock)
    }
}

struct PointsFile {
    fs: PointsFs,
    path: PathBuf,
    file: Arc<dyn File>,
}

impl fmt::Debug for PointsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointsFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl PointsFile {
    fn operate(
        &self,
        act: Act,
        operate: impl FnOnce() -> io::Result<()>,
        spoil: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let points = &self.fs.points;
        points.operate(act, class(&self.path), operate, spoil)
    }

    fn sync(&self) -> io::Result<()> {
        self.operate(
            Act::Sync,
            || self.file.sync_all(),
            || {
                self.fs.fs.fail_syncs(1);
                self.file.sync_all()
            },
        )
    }
}

impl File for PointsFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.fs.points.alive()?;
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        let act = if end > self.size()? {
            Act::Extend
        } else {
            Act::Write
        };
        self.operate(
            act,
            || self.file.write_at(offset, bytes),
            || self.file.write_at(offset, &bytes[..bytes.len() / 2]),
        )
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        if size <= self.size()? {
            return self.file.allocate(size);
        }
        self.operate(Act::Allocate, || self.file.allocate(size), || Ok(()))
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.operate(Act::SetLength, || self.file.set_len(size), || Ok(()))
    }

    fn size(&self) -> io::Result<u64> {
        self.fs.points.alive()?;
        self.file.size()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }
}

#[derive(Debug)]
struct PointsBackend {
    backend: MemoryBackend,
    points: Points,
}

#[derive(Debug)]
struct PointsStore {
    store: Box<dyn AppliedStore>,
    points: Points,
}

fn applied() -> String {
    "applied store".to_owned()
}

impl AppliedBackend for PointsBackend {
    fn open(&self) -> io::Result<Box<dyn AppliedStore>> {
        self.points.alive()?;
        Ok(Box::new(PointsStore {
            store: self.backend.open()?,
            points: self.points.clone(),
        }))
    }

    fn move_aside(&self, reason: &str) -> io::Result<()> {
        let aside = || self.backend.move_aside(reason);
        self.points
            .operate(Act::Rename, applied(), aside, || Ok(()))
    }
}

impl AppliedStore for PointsStore {
    fn scan(&mut self, visit: &mut RowVisitor<'_>) -> io::Result<()> {
        self.points.alive()?;
        self.store.scan(visit)
    }

    fn write(&mut self, changes: Vec<RowChange>) -> io::Result<()> {
        let Self { store, points } = self;
        let write = || store.write(changes);
        points.operate(Act::Extend, applied(), write, || Ok(()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let Self { store, points } = self;
        points.operate(Act::Sync, applied(), || store.sync(), || Ok(()))
    }

    fn confirm(&mut self) -> io::Result<()> {
        self.points.alive()?;
        self.store.confirm()
    }

    fn completed(&mut self) -> io::Result<()> {
        let Self { store, points } = self;
        points.operate(Act::Note, applied(), || store.completed(), || Ok(()))
    }

    fn was_completed(&self) -> bool {
        self.store.was_completed()
    }
}
