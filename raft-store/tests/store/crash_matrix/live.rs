//! One process of the store: what a script does with it, told to the model before and after.

use std::time::Duration;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::{EntryPayload, RaftSnapshotBuilder};
use raft_store::types::{LogEntry, LogId, Snapshot, StorageError, Vote};
use raft_store::{OpenError, SnapshotError, SnapshotFile, Store, StoreFailure, StoreOptions, open};
use thiserror::Error;

use super::model::Model;
use super::points::Points;
use crate::world::{World, log_id, pass, tenants};

/// What becomes of a script.
pub(super) type Outcome = Result<(), Ended>;

/// Why a script did not come to its end.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error("the store is not opened: {0}")]
    Open(#[from] OpenError),
    #[error("the store has stopped: {0}")]
    Storage(Box<StorageError>),
    #[error("a snapshot is refused: {0}")]
    Snapshot(#[from] SnapshotError),
    #[error("a file cannot be made: {0}")]
    Io(#[from] std::io::Error),
    #[error("no checkpoint is taken")]
    Checkpoint,
    #[error("the cluster is not noted: {0}")]
    Identity(#[from] raft_store::IdentityError),
    #[error("the power is off")]
    Off,
}

impl From<StorageError> for Ended {
    fn from(error: StorageError) -> Self {
        Self::Storage(Box::new(error))
    }
}

/// A snapshot of another node.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    pub(super) snapshot: Snapshot,
    pub(super) bytes: Vec<u8>,
}

impl Foreign {
    pub(super) fn last(&self) -> u64 {
        self.snapshot.meta.last_log_id.map_or(0, |id| id.index)
    }
}

/// A process.
pub(super) struct Live<'a> {
    pub(super) world: &'a World,
    pub(super) points: Points,
    pub(super) model: &'a mut Model,
    store: Option<Store>,
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        // A process that dies does nothing more, not even what its values would do when dropped.
        self.points.power_off();
    }
}

impl<'a> Live<'a> {
    pub(super) fn new(world: &'a World, points: Points, model: &'a mut Model) -> Self {
        Self {
            world,
            points,
            model,
            store: None,
        }
    }

    pub(super) fn step(&self, name: &'static str) {
        self.points.step(name);
    }

    /// The store, which a script opens first.
    pub(super) fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("the script has opened it")
    }

    pub(super) fn both(&mut self) -> (&mut Store, &mut Model) {
        let store = self.store.as_mut().expect("the script has opened it");
        (store, self.model)
    }

    pub(super) fn failure(&self) -> Option<StoreFailure> {
        self.store.as_ref()?.control.failure()
    }

    pub(super) fn open(&mut self) -> Outcome {
        let quiet = |options: &mut StoreOptions| {
            // Checkpoints come when the script asks for them.
            options.background.checkpoint_bytes = 1 << 30;
            options.background.checkpoint_interval = Duration::from_hours(1);
        };
        self.open_as(quiet)
    }

    pub(super) fn open_as(&mut self, change: impl FnOnce(&mut StoreOptions)) -> Outcome {
        let mut options = self.world.options();
        change(&mut options);
        options.applied = Some(self.points.applied(&self.world.applied));
        // Each process draws other numbers, as it would from the machine.
        let seed = self.world.seed << 32 | self.world.disk.syncs();
        let store = open(&self.points.env(seed, &self.world.disk), options)?;
        self.model.opened(&store);
        self.store = Some(store);
        Ok(())
    }

    /// Opens it, and applies what was committed before, as openraft does.
    pub(super) async fn start(&mut self) -> Outcome {
        self.open()?;
        self.replay().await
    }

    pub(super) async fn replay(&mut self) -> Outcome {
        let (store, model) = self.both();
        let applied = store.applied.last().map_or(0, |id| id.index);
        let committed = model.committed_after(applied);
        if !committed.is_empty() {
            store.machine.apply(committed).await?;
        }
        Ok(())
    }

    /// As after every start.
    pub(super) async fn check(&mut self) {
        let store = self.store.as_mut().expect("it is open");
        self.model.check(self.world, store).await;
    }

    /// Ends the process in good order.
    pub(super) async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            crate::world::close(store).await;
        }
    }

    pub(super) fn cluster(&mut self, cluster: u128) -> Outcome {
        let (store, model) = self.both();
        model.cluster_asked(cluster);
        store.identity.draw_cluster(cluster)?;
        model.opened(store);
        Ok(())
    }

    pub(super) async fn append(&mut self, entries: &[LogEntry]) -> Outcome {
        let (store, model) = self.both();
        model.append_asked(entries);
        store.log.blocking_append(entries.to_vec()).await?;
        model.appended(entries);
        Ok(())
    }

    pub(super) async fn vote(&mut self, term: u64) -> Outcome {
        let (store, model) = self.both();
        let vote = Vote::new(term, 1);
        model.vote_asked(vote);
        store.log.save_vote(&vote).await?;
        model.voted(vote);
        Ok(())
    }

    /// Hands a vote over without waiting for it, so that it is written with what comes next.
    pub(super) async fn vote_beside(&mut self, term: u64) {
        let (store, model) = self.both();
        let vote = Vote::new(term, 1);
        model.vote_asked(vote);
        let saved = store.log.save_vote(&vote);
        tokio::time::timeout(Duration::ZERO, saved).await.ok();
    }

    pub(super) async fn truncate(&mut self, from: &LogEntry) -> Outcome {
        let (store, model) = self.both();
        model.truncate_asked(from.log_id.index);
        Ok(store.log.truncate(from.log_id).await?)
    }

    /// Entries that were appended are committed, and applied.
    pub(super) async fn apply(&mut self, entries: &[LogEntry]) -> Outcome {
        let (store, model) = self.both();
        let last = entries.last().expect("there is something to apply").log_id;
        model.apply_asked(last);
        store.log.save_committed(Some(last)).await?;
        store.machine.apply(entries.to_vec()).await?;
        model.check_applied(store, last.index);
        Ok(())
    }

    pub(super) async fn commit(&mut self, entries: &[LogEntry]) -> Outcome {
        self.append(entries).await?;
        self.apply(entries).await
    }

    pub(super) async fn purge(&mut self, id: LogId) -> Outcome {
        let (store, model) = self.both();
        model.purge_asked(id.index);
        Ok(store.log.purge(id).await?)
    }

    pub(super) async fn checkpoint(&mut self) -> Outcome {
        let (store, model) = self.both();
        let last = store.applied.last().map_or(0, |id| id.index);
        if !store.control.checkpoint().await {
            return Err(Ended::Checkpoint);
        }
        model.checkpoint_durable(last);
        Ok(())
    }

    pub(super) async fn build(&mut self) -> Outcome {
        let (store, model) = self.both();
        let mut builder = store.machine.get_snapshot_builder().await;
        let built = builder.build_snapshot().await?;
        model.snapshot_durable(built.meta.last_log_id.map_or(0, |id| id.index));
        Ok(())
    }

    /// The same, without waiting for it.
    pub(super) async fn build_beside(&mut self) {
        let mut builder = self.store().machine.get_snapshot_builder().await;
        drop(tokio::spawn(async move {
            builder.build_snapshot().await.map(|_| ())
        }));
    }

    /// Takes the bytes of a snapshot, as they come over the network.
    pub(super) fn deliver(&mut self, foreign: &Foreign) -> Result<SnapshotFile, Ended> {
        let (store, model) = self.both();
        model.snapshot_sent(foreign.last());
        let file = store.control.snapshot_create()?;
        let half = foreign.bytes.len() / 2;
        file.write_at(0, &foreign.bytes[..half])?;
        file.write_at(half as u64, &foreign.bytes[half..])?;
        Ok(file)
    }

    /// Checks a snapshot and makes it durable. One that could not be taken in is sent again.
    pub(super) async fn receive(&mut self, foreign: &Foreign) -> Result<SnapshotFile, Ended> {
        match self.try_receive(foreign).await {
            Err(Ended::Snapshot(_) | Ended::Io(_)) => {
                pass(Duration::from_secs(10)).await;
                self.try_receive(foreign).await
            }
            other => other,
        }
    }

    async fn try_receive(&mut self, foreign: &Foreign) -> Result<SnapshotFile, Ended> {
        let file = self.deliver(foreign)?;
        let (store, model) = self.both();
        let meta = foreign.snapshot.meta.clone();
        let file = store.control.snapshot_receive(meta, file).await?;
        model.snapshot_durable(foreign.last());
        Ok(file)
    }

    /// Does what openraft does: it installs, and purges the log at the same time.
    pub(super) async fn install(&mut self, foreign: &Foreign, file: SnapshotFile) -> Outcome {
        let (store, model) = self.both();
        let last = log_id(1, foreign.last());
        let Store { log, machine, .. } = store;
        let (installed, purged) = tokio::join!(
            machine.install_snapshot(&foreign.snapshot.meta, Box::new(file)),
            log.purge(last)
        );
        installed?;
        model.snapshot_durable(foreign.last());
        Ok(purged?)
    }
}

/// An entry of about two kibibytes and a half: three fill a segment.
pub(super) fn large(term: u64, index: u64) -> LogEntry {
    sized(term, index, 10)
}

/// An entry that is larger than a segment.
pub(super) fn huge(term: u64, index: u64) -> LogEntry {
    sized(term, index, 40)
}

fn sized(term: u64, index: u64, tenants_count: usize) -> LogEntry {
    let names: Vec<String> = (0..tenants_count)
        .map(|number| format!("t{term}-{index}-{number}-{}", "x".repeat(230)))
        .collect();
    LogEntry {
        log_id: log_id(term, index),
        payload: EntryPayload::Normal(tenants(&names)),
    }
}
