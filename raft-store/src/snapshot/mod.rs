//! Snapshots as files: the state at one entry, whole, checked, and durable before it counts.
//!
//! Invariants:
//! 1. A snapshot's file is complete and synced before it has its name, and its name is synced
//!    before anybody is told of it.
//! 2. A file that does not check is never installed; it is moved aside, not removed, as soon as
//!    there is another.
//! 3. The name tells a snapshot that was received from one that was built here: only a received one
//!    explains a state that is ahead of the log.
//! 4. One that covers less never takes the place of one that covers more, nor one that was built the
//!    place of one that was received and covers as much: until the log is known to begin after it,
//!    only the received one explains the state (3).

mod directory;
mod file;
pub(crate) mod format;

use std::io;
use std::path::PathBuf;

use allocator::pages::LoadError;
use thiserror::Error;

pub(crate) use self::directory::{Naming, Snapshots};
pub use self::file::SnapshotFile;
pub(crate) use self::format::{SnapshotWriter, load};
use crate::codec::DecodeError;

/// Why a snapshot cannot be read, written or installed.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The operating system failed.
    #[error("{action} the snapshot {} failed", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not a whole snapshot.
    #[error("the snapshot {} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// A record in the file cannot be read.
    #[error("the snapshot {} has a record that cannot be read", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// The pages are not a state.
    #[error("the pages of the snapshot {} are not a state", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The file is not the snapshot that it was announced to be.
    #[error("the snapshot {} covers {found}, but {announced} was announced", path.display())]
    OtherThanAnnounced {
        /// The file.
        path: PathBuf,
        /// What the file says.
        found: String,
        /// What was announced.
        announced: String,
    },
    /// The store is stopping, or has failed.
    #[error("the store has stopped")]
    Stopped,
}
