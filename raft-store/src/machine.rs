//! The state machine as openraft sees it: it hands over, and waits.

use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{AnyError, OptionalSend, RaftSnapshotBuilder, StorageIOError};
use tokio::sync::oneshot;

use crate::applied::{AppliedState, Applier, ApplyRequest, StateCut};
use crate::background::{BackgroundRequest, chain};
use crate::env::Post;
use crate::snapshot::{SnapshotFile, Snapshots};
use crate::types::{
    Applied, LogEntry, LogId, Snapshot, SnapshotMeta, StorageError, StoredMembership, TypeConfig,
};

/// Openraft's `RaftStateMachine`. Clones are the same machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) applied: Arc<AppliedState>,
    pub(crate) apply: Applier,
    pub(crate) background: Post<BackgroundRequest>,
    pub(crate) snapshots: Arc<Snapshots>,
}

/// Builds one snapshot, of the state at the moment at which the builder was made.
#[derive(Debug)]
pub struct SnapshotBuilder {
    cut: Option<oneshot::Receiver<StateCut>>,
    /// `None` once it has been asked, so that whoever waits for a snapshot that cannot be built does
    /// not keep the store from stopping.
    background: Option<Post<BackgroundRequest>>,
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok(self.applied.position())
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (done, result) = oneshot::channel();
        self.apply.apply(ApplyRequest {
            entries: entries.into_iter().collect(),
            done,
        });
        match result.await {
            Ok(Ok(applied)) => Ok(applied),
            Ok(Err(error)) => {
                let reason = AnyError::error(chain(&error));
                Err(StorageIOError::new(
                    openraft::ErrorSubject::LogIndex(error.index),
                    openraft::ErrorVerb::Write,
                    reason,
                )
                .into())
            }
            Err(_) => {
                Err(StorageIOError::write_state_machine(stopped("the applying thread")).into())
            }
        }
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let (send, cut) = oneshot::channel();
        // Openraft waits for each apply, so that no entry is open and the cut is taken at once.
        self.applied
            .cut_at_boundary(move |cut| drop(send.send(cut)));
        SnapshotBuilder {
            cut: Some(cut),
            background: Some(self.background.clone()),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, StorageError> {
        let file = self.snapshots.create();
        Ok(Box::new(file.map_err(|error| {
            StorageIOError::write_snapshot(None, AnyError::new(&error))
        })?))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<SnapshotFile>,
    ) -> Result<(), StorageError> {
        let (done, result) = oneshot::channel();
        self.background.send(BackgroundRequest::Install {
            meta: meta.clone(),
            file: *snapshot,
            done,
        });
        let signature = Some(meta.signature());
        match result.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StorageIOError::write_snapshot(
                signature,
                AnyError::error(chain(&error)),
            )
            .into()),
            Err(_) => Err(StorageIOError::write_snapshot(
                signature,
                stopped("the background thread"),
            )
            .into()),
        }
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        Ok(self.snapshots.current_for_raft())
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let failed =
            |error: AnyError| StorageError::from(StorageIOError::write_snapshot(None, error));
        let (cut, background) = self
            .cut
            .take()
            .zip(self.background.take())
            .ok_or_else(|| failed(AnyError::error("a builder builds one snapshot")))?;
        let cut = cut
            .await
            .map_err(|_| failed(stopped("the applied state")))?;
        let (done, result) = oneshot::channel();
        background.send(BackgroundRequest::Snapshot {
            cut: Box::new(cut),
            done,
        });
        drop(background);
        match result.await {
            Ok(Ok(snapshot)) => Ok(snapshot),
            Ok(Err(error)) => Err(failed(AnyError::error(chain(&error)))),
            Err(_) => Err(failed(stopped("the background thread"))),
        }
    }
}

fn stopped(what: &str) -> AnyError {
    AnyError::error(format!("{what} has stopped"))
}
