//! An open store, and what a node decides with it.

use std::io;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::applied::AppliedState;
use crate::background::{BackgroundOptions, BackgroundRequest};
use crate::durable::Durable;
use crate::env::{CoreHandle, Post};
use crate::failure::{Failures, StoreFailure};
use crate::identity::Directory;
use crate::machine::Machine;
use crate::snapshot::{SnapshotError, SnapshotFile, Snapshots};
use crate::types::{LogId, SnapshotMeta};
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
    pub(crate) log: Arc<LogShared>,
    pub(crate) applied: Arc<AppliedState>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) durable: Arc<Durable>,
    pub(crate) background: Post<BackgroundRequest>,
    pub(crate) failures: Failures,
    pub(crate) options: BackgroundOptions,
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
    /// Sees the first failure of storage when it comes: the process must then stop.
    pub fn failure_watch(&self) -> watch::Receiver<Option<StoreFailure>> {
        self.failures.watch()
    }

    /// The first failure of storage, if there was one.
    pub fn failure(&self) -> Option<StoreFailure> {
        self.failures.first()
    }

    /// What will end the store soon if nobody does anything, such as a full disk.
    pub fn trouble(&self) -> Option<String> {
        let reason = self.log.trouble()?;
        Some(format!("no room for the next segment of the log: {reason}"))
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
        let current = self.snapshots.current();
        let snapshot = current.filter(|current| !current.damaged)?;
        let snapshot = snapshot.meta.last_log_id?;
        let checkpoint = self.durable.checkpoint()?;
        let durable = if snapshot.index < checkpoint.index {
            snapshot
        } else {
            checkpoint
        };
        let (target, gained) = self.log.keeping(durable, self.options.log_kept)?;
        (gained > self.options.log_kept / 16).then_some(target)
    }

    /// Whether the log is four times as long as it should ever be, for want of a purge.
    pub fn log_too_long(&self) -> bool {
        let snapshot = self.snapshots.current().map_or(0, |current| current.size);
        let ordinary = self.options.log_kept.max(snapshot).saturating_mul(2);
        self.log.bytes_after(None) > ordinary.saturating_mul(4)
    }

    /// Takes a checkpoint now and waits until it is durable, so that the next start has little to
    /// replay. False when the store has failed meanwhile.
    pub async fn checkpoint(&self) -> bool {
        let (done, durable) = oneshot::channel();
        self.background.send(BackgroundRequest::Checkpoint { done });
        durable.await.is_ok()
    }

    /// A new file for a snapshot that another node is about to send. It is removed with its last
    /// handle, unless [`StoreControl::snapshot_receive`] takes it in.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn snapshot_create(&self) -> io::Result<SnapshotFile> {
        self.snapshots.create()
    }

    /// Checks a snapshot that has come whole and makes it durable: what has to happen before openraft
    /// is told to install it, since it purges the log at once, and takes a snapshot that does
    /// not check for a failure of this node. The file to hand to openraft.
    ///
    /// # Errors
    /// It is not a whole snapshot, not the one that was announced, or could not be made durable. This
    /// node is as it was before.
    pub async fn snapshot_receive(
        &self,
        meta: SnapshotMeta,
        file: SnapshotFile,
    ) -> Result<SnapshotFile, SnapshotError> {
        let (done, received) = oneshot::channel();
        let request = BackgroundRequest::Receive { meta, file, done };
        self.background.send(request);
        received.await.unwrap_or(Err(SnapshotError::Stopped))
    }

    /// Reads the newest snapshot again, after another node has refused it; if it has been damaged
    /// since it was written, waits until there is another.
    pub async fn snapshot_recheck(&self) {
        let (done, sound) = oneshot::channel();
        self.background.send(BackgroundRequest::Recheck { done });
        if sound.await.unwrap_or(true) {
            return;
        }
        let (send, cut) = oneshot::channel();
        self.applied
            .cut_at_boundary(move |cut| drop(send.send(cut)));
        let Ok(cut) = cut.await else { return };
        let (done, built) = oneshot::channel();
        self.background.send(BackgroundRequest::Snapshot {
            cut: Box::new(cut),
            done,
        });
        // A failure was logged; the next attempt to send is refused again, and leads here again.
        drop(built.await);
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
