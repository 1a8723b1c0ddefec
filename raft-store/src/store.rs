//! An open store, and what a node decides with it.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::applied::AppliedState;
use crate::background::{BackgroundOptions, BackgroundRequest, Durable};
use crate::env::{CoreHandle, Post};
use crate::failure::{Failures, StoreFailure};
use crate::identity::Directory;
use crate::machine::Machine;
use crate::snapshot::Snapshots;
use crate::types::LogId;
use crate::wal::{LogShared, LogStore};

/// An open data directory. `log` and `machine` go to openraft; when they and all clones of
/// `control` are gone, the store's threads stop.
#[derive(Debug)]
pub struct Store {
    /// Whose directory it is.
    pub identity: Arc<Directory>,
    /// The log.
    pub log: LogStore,
    /// The state machine.
    pub machine: Machine,
    /// The applied state.
    pub applied: Arc<AppliedState>,
    /// Failures, and what decides about snapshots and purges.
    pub control: StoreControl,
    /// The store's threads.
    pub tasks: StoreTasks,
}

/// The store's threads, for who waits for their end. The directory stays locked as long.
#[derive(Debug)]
pub struct StoreTasks {
    cores: Vec<CoreHandle>,
    directory: Arc<Directory>,
}

impl StoreTasks {
    pub(crate) fn new(cores: Vec<CoreHandle>, directory: Arc<Directory>) -> Self {
        Self { cores, directory }
    }

    /// Waits until all have stopped.
    pub async fn stopped(self) {
        for core in self.cores {
            core.stopped().await;
        }
        drop(self.directory);
    }

    /// Blocks until all have stopped. Not for use inside a runtime.
    pub fn stopped_blocking(self) {
        for core in self.cores {
            core.stopped_blocking();
        }
        drop(self.directory);
    }
}

/// What the node watches and decides.
#[derive(Debug, Clone)]
pub struct StoreControl {
    log: Arc<LogShared>,
    snapshots: Arc<Snapshots>,
    durable: Arc<Durable>,
    background: Post<BackgroundRequest>,
    failures: Failures,
    options: BackgroundOptions,
}

/// Figures of a store at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// The last entry of the log.
    pub log_last: Option<LogId>,
    /// The last purged entry.
    pub log_purged: Option<LogId>,
    /// The last committed entry that was noted in the log.
    pub log_committed: Option<LogId>,
    /// How many entries the log has.
    pub log_entries: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// The last entry in the newest snapshot.
    pub snapshot_last: Option<LogId>,
    /// The size of its file; 0 where there is none.
    pub snapshot_bytes: u64,
    /// The last entry in the last checkpoint.
    pub checkpoint_last: Option<LogId>,
}

impl StoreControl {
    pub(crate) fn new(
        log: Arc<LogShared>,
        snapshots: Arc<Snapshots>,
        durable: Arc<Durable>,
        background: Post<BackgroundRequest>,
        failures: Failures,
        options: BackgroundOptions,
    ) -> Self {
        Self {
            log,
            snapshots,
            durable,
            background,
            failures,
            options,
        }
    }

    /// Sees the first failure of storage when it comes: the process must then stop.
    pub fn failure_watch(&self) -> watch::Receiver<Option<StoreFailure>> {
        self.failures.watch()
    }

    /// The first failure of storage, if there was one.
    pub fn failure(&self) -> Option<StoreFailure> {
        self.failures.first()
    }

    /// Whether it is time for `raft.trigger().snapshot()`: the log since the last snapshot is larger
    /// than 64 MiB and than the snapshot itself.
    pub fn snapshot_due(&self) -> bool {
        let current = self.snapshots.current();
        let size = current.as_ref().map_or(0, |current| current.size);
        let last = current.and_then(|current| current.meta.last_log_id);
        self.log.bytes_after(last) > size.max(self.options.log_kept)
    }

    /// Up to where `raft.trigger().purge_log()` may go, if it is worth a call: what is both in a
    /// snapshot and in a checkpoint, less 64 MiB of log.
    pub fn purge_due(&self) -> Option<LogId> {
        let snapshot = self.snapshots.current()?.meta.last_log_id?;
        let checkpoint = self.durable.checkpoint()?;
        let durable = if snapshot.index < checkpoint.index {
            snapshot
        } else {
            checkpoint
        };
        let target = self.log.keeping(durable, self.options.log_kept)?;
        let gained = self.log.bytes_after(self.log.purged()) - self.log.bytes_after(Some(target));
        (gained > self.options.log_kept / 16).then_some(target)
    }

    /// Takes a checkpoint now and waits until it is durable, so that the next start has little to
    /// replay. False when the store has failed meanwhile.
    pub async fn checkpoint(&self) -> bool {
        let (done, durable) = oneshot::channel();
        self.background.send(BackgroundRequest::Checkpoint { done });
        durable.await.is_ok()
    }

    /// Figures for metrics.
    pub fn stats(&self) -> StoreStats {
        let snapshot = self.snapshots.current();
        StoreStats {
            log_last: self.log.last(),
            log_purged: self.log.purged(),
            log_committed: self.log.committed(),
            log_entries: self.log.count() as u64,
            log_bytes: self.log.bytes_after(None),
            snapshot_bytes: snapshot.as_ref().map_or(0, |current| current.size),
            snapshot_last: snapshot.and_then(|current| current.meta.last_log_id),
            checkpoint_last: self.durable.checkpoint(),
        }
    }
}
