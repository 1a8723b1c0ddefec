//! A simulated world: one thread, a seed, disks that forget what was not synced.
//!
//! [`SimEnv`] runs inside a tokio runtime whose time is simulated (turmoil, or tokio's paused
//! clock). Cores run as tasks; the time that their disk operations take passes between steps, so
//! that a crash can fall between a write, its sync and the acknowledgement.

mod disk;
mod fs;
mod rng;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

pub use self::disk::Latency;
pub use self::fs::SimFs;
pub use self::rng::SimRng;
use super::{Bell, Core, CoreHandle, Env, Fs, Next, Priority};

/// Wall time at the start of a simulation: 2026-01-01T00:00:00Z.
const WALL_START_MS: i64 = 1_767_225_600_000;

/// One simulated machine. It outlives crashes of the processes on it; its disk stays.
#[derive(Debug)]
pub struct SimEnv {
    started: tokio::time::Instant,
    wall_offset_ms: AtomicI64,
    rng: Mutex<SimRng>,
    fs: SimFs,
}

impl SimEnv {
    /// A machine whose randomness and disk faults follow from `seed`. To be called inside the
    /// runtime whose clock it reads.
    pub fn new(seed: u64, fs: SimFs) -> Self {
        Self {
            started: tokio::time::Instant::now(),
            wall_offset_ms: AtomicI64::new(0),
            rng: Mutex::new(SimRng::new(seed)),
            fs,
        }
    }

    /// Moves this machine's wall clock, forwards or backwards.
    pub fn wall_jump_ms(&self, by: i64) {
        self.wall_offset_ms.fetch_add(by, Ordering::Relaxed);
    }

    /// The simulated disk.
    pub fn disk(&self) -> &SimFs {
        &self.fs
    }
}

impl Env for SimEnv {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall_ms(&self) -> u64 {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now = WALL_START_MS
            .saturating_add(elapsed)
            .saturating_add(self.wall_offset_ms.load(Ordering::Relaxed));
        u64::try_from(now).unwrap_or(0)
    }

    fn random_u64(&self) -> u64 {
        self.rng.lock().draw()
    }

    fn fs(&self) -> Arc<dyn Fs> {
        Arc::new(self.fs.clone())
    }

    fn spawn_core(
        &self,
        name: &'static str,
        _priority: Priority,
        bell: Bell,
        mut core: Box<dyn Core>,
    ) -> io::Result<CoreHandle> {
        let (handle, stopped) = CoreHandle::new(name);
        let fs = self.fs.clone();
        let driver = async move {
            loop {
                // A step runs without interruption in a world of one thread, so what the disk
                // is owed after it is this core's.
                fs.step_begin();
                let next = core.step();
                let (owed, unfinished) = fs.step_end();
                if !owed.is_zero() {
                    tokio::time::sleep(owed).await;
                }
                fs.finish(unfinished);
                match next {
                    Next::Again => tokio::task::yield_now().await,
                    Next::Wait(limit) => bell.wait_task(limit).await,
                    Next::Stop => break,
                }
            }
            drop(core);
            drop(stopped);
        };
        drop(tokio::spawn(driver));
        Ok(handle)
    }
}
