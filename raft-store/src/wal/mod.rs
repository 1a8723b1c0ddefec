//! The write-ahead log: the one place where an acknowledged write is durable.
//!
//! A log is a row of segment files of a fixed size, allocated ahead. A segment is a header and then
//! *groups*: what one write put there, aligned to 512 bytes, with a header that names its own
//! place and `synced_to`, the place up to which the log was known to be on disk when the group was
//! written. A group holds *records*: entries, votes, the committed id, truncations and purges.
//!
//! Invariants:
//! 1. One writer. What it writes is synced before anybody is told that it is durable, and one sync
//!    serves everything that was waiting for it.
//! 2. A segment is begun only when the one before it is synced to its end, and begins with all that
//!    is still needed from earlier ones, so that earlier ones can be deleted whole.
//! 3. A checksum is seeded with the place of what it covers: bytes in another place are bad bytes.
//! 4. On opening, bad bytes below the highest readable `synced_to` are damage: the log is refused.
//!    Bad bytes at or above it were never acknowledged: the log is cut there, even if good groups
//!    follow, since a power loss writes sectors in any order.
//! 5. A log at rest ends with an empty group that proves all before it; so damage to the last
//!    records of a log at rest is found, too.
//! 6. Votes stand in the log and in a file of two slots; the greater counts.
//! 7. After a failed or hanging sync nothing is acknowledged and nothing is tried again.

mod entries;
mod format;
mod keeper;
mod recovery;
mod store;
mod tail;
mod vote_file;
mod watchdog;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use self::format::Position;
pub(crate) use self::recovery::{Examined, create, examine};
pub use self::store::{LogReader, LogStore};
pub(crate) use self::store::{Shared as LogShared, start};
use crate::codec::DecodeError;
use crate::env::Fs;
use crate::types::LogId;

/// How the log behaves.
#[derive(Debug, Clone, Copy)]
pub struct WalOptions {
    /// Size of a segment file in bytes.
    pub segment_size: u64,
    /// Bytes of recent entries that are kept in memory.
    pub cache_size: usize,
    /// Quiet time after which the log is given a proven end.
    pub idle: Duration,
    /// Time after which a sync counts as hanging.
    pub sync_timeout: Duration,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            segment_size: 64 << 20,
            cache_size: 32 << 20,
            idle: Duration::from_millis(100),
            sync_timeout: Duration::from_secs(10),
        }
    }
}

/// To whom a log belongs; a segment of another directory is not mistaken for one of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: u64,
    pub(crate) instance: u128,
}

/// Where a log is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    pub(crate) owner: Owner,
}

impl Place {
    fn segment(&self, number: u64) -> PathBuf {
        self.dir.join(segment_name(number))
    }

    fn vote(&self) -> PathBuf {
        self.dir.join("vote")
    }
}

fn segment_name(number: u64) -> String {
    format!("{number:016x}.wal")
}

fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 16)
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

/// Why a log cannot be opened.
#[derive(Debug, Error)]
pub enum WalError {
    /// The operating system failed.
    #[error("{action} {} failed", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Bytes that were durable are bad.
    #[error(
        "the log {} is damaged at segment {:016x}, offset {}: {problem}; \
         it was known to be on disk up to segment {:016x}, offset {}, \
         so that acknowledged writes may be in the damaged part",
        dir.display(), at.segment, at.offset, synced_to.segment, synced_to.offset
    )]
    Damaged {
        /// The log's directory.
        dir: PathBuf,
        /// The first bad byte's group.
        at: Position,
        /// What is wrong there.
        problem: &'static str,
        /// Up to where the log was synced.
        synced_to: Position,
    },
    /// A segment between others is not there.
    #[error("the log {} lacks segment {missing:016x}", dir.display())]
    SegmentMissing {
        /// The log's directory.
        dir: PathBuf,
        /// The segment.
        missing: u64,
    },
    /// A segment belongs to another node or another data directory.
    #[error("the log segment {} is that of node {node}, instance {instance:032x}", path.display())]
    Foreign {
        /// The segment.
        path: PathBuf,
        /// Its node.
        node: u64,
        /// Its data directory.
        instance: u128,
    },
    /// A segment was written in another format.
    #[error("the log segment {} has format {found}; this program knows {}", path.display(), format::VERSION)]
    Format {
        /// The segment.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
    /// A record that was written whole does not decode.
    #[error("the log {} has a record at segment {:016x}, offset {} that cannot be read", dir.display(), at.segment, at.offset)]
    Record {
        /// The log's directory.
        dir: PathBuf,
        /// The record.
        at: Position,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A record that was written whole has a kind that this program does not know.
    #[error("the log {} has a record of unknown kind {kind} at segment {:016x}, offset {}", dir.display(), at.segment, at.offset)]
    RecordKind {
        /// The log's directory.
        dir: PathBuf,
        /// The record.
        at: Position,
        /// Its kind.
        kind: u8,
    },
    /// Entries are missing before the first.
    #[error("the log {} begins after entry {begins_after}, but only what is up to {purged:?} has been purged", dir.display())]
    EntriesMissing {
        /// The log's directory.
        dir: PathBuf,
        /// The last entry before the first segment.
        begins_after: LogId,
        /// The last purged entry.
        purged: Option<LogId>,
    },
    /// Neither slot of the file of votes can be read.
    #[error("neither copy of the vote in {} can be read", path.display())]
    VoteDamaged {
        /// The file.
        path: PathBuf,
    },
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WalError {
    let path = path.to_owned();
    move |source| WalError::Io {
        action,
        path,
        source,
    }
}
