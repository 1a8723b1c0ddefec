//! The world in production: the machine's clocks, its entropy, its files, and threads.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_core::{OsRng, RngCore};

use super::{Bell, Core, CoreHandle, DirectoryLock, Env, File, Fs, Next, Priority};

/// Nice value of background threads.
const BACKGROUND_NICE: i32 = 10;

/// The machine.
#[derive(Debug)]
pub struct RealEnv {
    started: Instant,
    fs: Arc<dyn Fs>,
}

impl RealEnv {
    /// The machine, its monotonic time counted from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others are told to use"
    )]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            fs: Arc::new(RealFs),
        }
    }
}

impl Default for RealEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for RealEnv {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others are told to use"
    )]
    fn wall_ms(&self) -> u64 {
        // A clock before 1970 reads as 1970: wall time is for people, never for expiry.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn random_u64(&self) -> u64 {
        OsRng.next_u64()
    }

    fn fs(&self) -> Arc<dyn Fs> {
        Arc::clone(&self.fs)
    }

    fn spawn_core(
        &self,
        name: &'static str,
        priority: Priority,
        bell: Bell,
        mut core: Box<dyn Core>,
    ) -> io::Result<CoreHandle> {
        let (handle, stopped) = CoreHandle::new(name);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if priority == Priority::Background {
                    give_way(name);
                }
                loop {
                    match core.step() {
                        Next::Again => {}
                        Next::Wait(limit) => bell.wait_thread(limit),
                        Next::Stop => break,
                    }
                }
                drop(core);
                drop(stopped);
            })?;
        Ok(handle)
    }
}

/// Lowers the priority of this thread, which Linux always allows.
fn give_way(name: &str) {
    if let Err(error) = rustix::process::setpriority_process(None, BACKGROUND_NICE) {
        tracing::warn!(core = name, %error, "the priority of a background thread stays as it is");
    }
}

/// The machine's file system.
#[derive(Debug)]
struct RealFs;

impl Fs for RealFs {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = std::fs::File::options().read(true).write(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<DirectoryLock> {
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock::new(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A file of the machine.
#[derive(Debug)]
struct RealFile(std::fs::File);

impl File for RealFile {
    fn read_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<usize> {
        let mut total = 0;
        while !buf.is_empty() {
            match self.0.read_at(buf, offset) {
                Ok(0) => break,
                Ok(read) => {
                    total += read;
                    offset += read as u64;
                    buf = &mut buf[read..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        use rustix::fs::FallocateFlags;
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, size) {
            Ok(()) => Ok(()),
            // A file system without the call: the file grows as it is written instead.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                if self.size()? < size {
                    self.0.set_len(size)?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}
