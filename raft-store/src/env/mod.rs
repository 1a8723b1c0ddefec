//! The world as this project sees it: time, randomness, the file system, and something that runs
//! cores.
//!
//! Everything that a node does with the outside goes through [`Env`], so that the simulation can
//! supply another world: one thread, simulated disks, a clock that the test moves.
//!
//! Invariants:
//! 1. `env::real` is the only module of the workspace that reads a clock or spawns a thread for a core.
//! 2. What is durable goes through [`Fs`]. The one exception is sled, which calls the operating
//!    system itself; the simulation replaces it through `AppliedStore`.
//! 3. A core never blocks on another core: it is stepped by a driver and asks with [`Next`] for
//!    its next step.

mod core;
mod fs;
mod real;
mod shared;
pub mod sim;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use self::core::{Bell, Core, CoreHandle, Inbox, Next, Post, Priority, inbox};
pub use self::fs::{DirectoryLock, File, Fs, write_durably};
pub use self::real::RealEnv;
pub(crate) use self::shared::Shared;

/// The world: clocks, randomness, files, and the running of cores.
pub trait Env: Send + Sync + fmt::Debug + 'static {
    /// Time since some fixed moment of this process; never goes backwards.
    fn monotonic(&self) -> Duration;

    /// Wall time in milliseconds since the Unix epoch; may jump either way.
    fn wall_ms(&self) -> u64;

    /// Random bits, unpredictable in production.
    fn random_u64(&self) -> u64;

    /// Random bits, unpredictable in production.
    fn random_u128(&self) -> u128 {
        u128::from(self.random_u64()) << 64 | u128::from(self.random_u64())
    }

    /// The file system.
    fn fs(&self) -> Arc<dyn Fs>;

    /// Runs a core until it stops: on a thread in production, in a task in the simulation. The
    /// bell wakes it.
    ///
    /// # Errors
    /// The operating system refused the thread.
    fn spawn_core(
        &self,
        name: &'static str,
        priority: Priority,
        bell: Bell,
        core: Box<dyn Core>,
    ) -> io::Result<CoreHandle>;
}
