//! The node's durable copy of the applied state: pages in a key-value store, switched from one
//! consistent cut to the next.
//!
//! It acknowledges nothing. It makes a restart quick and lets the log be purged; whenever it cannot
//! be opened or does not check, it is moved aside and the node starts from a snapshot and the log.
//!
//! Invariants:
//! 1. The row `c` names one cut, and every page of that cut is there, under (page, cut in which it
//!    was last written), until a later cut has been switched to and synced.
//! 2. What a switch needs is synced before the switch, and the switch is one row.
//! 3. No value is larger than `PART_SIZE`; larger pages are divided.
//! 4. Every page is checked against the size and checksum in the manifest when it is loaded, and
//!    the state against its digest.

mod layout;
mod load;
mod memory;
mod sled_store;
mod writer;

use std::fmt;
use std::io;

use allocator::pages::LoadError;
use thiserror::Error;

pub(crate) use self::load::{LoadedCheckpoint, load};
pub use self::memory::MemoryBackend;
pub use self::sled_store::SledBackend;
pub(crate) use self::writer::{CheckpointJob, Checkpointer, Progress};
use crate::codec::DecodeError;

/// A change of one row: its key, and its new value or `None` where it goes.
pub type RowChange = (Vec<u8>, Option<Vec<u8>>);

/// Sees the rows of a store, one by one.
pub type RowVisitor<'a> = dyn FnMut(&[u8], &[u8]) + 'a;

/// An ordered key-value store in which checkpoints are kept.
pub trait AppliedStore: Send + fmt::Debug {
    /// Visits all rows in order of their keys.
    ///
    /// # Errors
    /// A row cannot be read.
    fn scan(&mut self, visit: &mut RowVisitor<'_>) -> io::Result<()>;

    /// Changes rows: after a crash all of them or none.
    ///
    /// # Errors
    /// The store can no longer be written.
    fn write(&mut self, changes: Vec<RowChange>) -> io::Result<()>;

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// The store can no longer be trusted.
    fn sync(&mut self) -> io::Result<()>;

    /// The store's contents have been read and are good.
    ///
    /// # Errors
    /// That could not be noted.
    fn confirm(&mut self) -> io::Result<()>;

    /// A checkpoint was completed: notes it durably, if that was not done before. From now on a store
    /// without one is damaged, and what was moved aside before may go.
    ///
    /// # Errors
    /// That could not be noted.
    fn completed(&mut self) -> io::Result<()>;

    /// Whether a checkpoint was ever completed.
    fn was_completed(&self) -> bool;
}

/// Where an [`AppliedStore`] comes from: sled in production, memory that crashes in the simulation.
pub trait AppliedBackend: Send + Sync + fmt::Debug {
    /// Opens the store, made if absent.
    ///
    /// # Errors
    /// It cannot be opened; [`AppliedBackend::move_aside`] makes room for a new one.
    fn open(&self) -> io::Result<Box<dyn AppliedStore>>;

    /// Moves the store's files out of the way, under a name that tells the reason (one short word).
    ///
    /// # Errors
    /// They cannot be moved.
    fn move_aside(&self, reason: &str) -> io::Result<()>;
}

/// Why the rows of a store are not a state.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The store failed.
    #[error("the applied store cannot be read")]
    Store(#[source] io::Error),
    /// A row that must be there is not, or is not what was written.
    #[error("the applied store is damaged: {problem}")]
    Damaged {
        /// What is wrong.
        problem: String,
    },
    /// A row cannot be decoded.
    #[error("the applied store has a record that cannot be read")]
    Record(#[source] DecodeError),
    /// The store is that of another data directory.
    #[error("the applied store belongs to instance {found:032x}")]
    Foreign {
        /// That data directory.
        found: u128,
    },
    /// The pages are not a state.
    #[error("the pages of the applied store are not a state")]
    State(#[source] LoadError),
}
