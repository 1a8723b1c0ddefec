//! openraft's own certification of a store, on real files and real sled.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{LogFlushed, RaftLogStorage, RaftStateMachine};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{EntryPayload, LogState, OptionalSend, RaftLogReader};
use raft_store::env::{Env, RealEnv};
use raft_store::types::{LogEntry, LogId, StorageError, TypeConfig, Vote};
use raft_store::{
    AppliedState, LogReader, LogStore, Machine, StoreControl, StoreOptions, StoreTasks, open,
};
use tempfile::TempDir;

struct Builder;

/// Keeps what a store needs while it is tested. The directory goes last.
struct Guard {
    _tasks: StoreTasks,
    _dir: TempDir,
}

/// The log, for a suite that purges what was never applied: before each purge a checkpoint is taken
/// that reaches as far, since the log waits for one.
struct Covered {
    log: LogStore,
    machine: Machine,
    applied: Arc<AppliedState>,
    control: StoreControl,
}

impl StoreBuilder<TypeConfig, Covered, Machine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, Covered, Machine), StorageError> {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let env: Arc<dyn Env> = Arc::new(RealEnv::new());
        let mut options = StoreOptions::new(dir.path().join("data"), 1);
        options.wal.segment_size = 64 << 10;
        let store = open(&env, options).expect("a new directory opens");
        let covered = Covered {
            log: store.log,
            machine: store.machine.clone(),
            applied: store.applied,
            control: store.control,
        };
        let guard = Guard {
            _tasks: store.tasks,
            _dir: dir,
        };
        Ok((guard, covered, store.machine))
    }
}

impl RaftLogReader<TypeConfig> for Covered {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, StorageError> {
        self.log.try_get_log_entries(range).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<LogEntry>, StorageError> {
        self.log.limited_get_log_entries(start, end).await
    }
}

impl RaftLogStorage<TypeConfig> for Covered {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        self.log.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> LogReader {
        self.log.get_log_reader().await
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.log.save_vote(vote).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        self.log.read_vote().await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        self.log.save_committed(committed).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        self.log.read_committed().await
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.log.append(entries, callback).await
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.log.truncate(log_id).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        if self.applied.last() < Some(log_id) {
            let payload = EntryPayload::Blank;
            self.machine.apply([LogEntry { log_id, payload }]).await?;
        }
        assert!(
            self.control.checkpoint().await,
            "a checkpoint can be taken of what was applied"
        );
        self.log.purge(log_id).await
    }
}

#[test]
fn the_store_passes_openrafts_suite() {
    Suite::test_all(Builder).expect("every case of the suite passes");
}
