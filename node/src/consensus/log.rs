//! The log as Raft sees it at a start: with a vote that does not make this node the leader.
//!
//! openraft resumes a leadership that its vote says was granted. The log's clock counts the
//! monotonic time of a leadership, and that clock began anew with the process; and a leader of
//! yesterday would answer before anyone has confirmed it. So the vote is read as one that was asked
//! for and not granted; the node then waits for a leader or is elected with a higher term.

use std::fmt::Debug;
use std::ops::RangeBounds;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use raft_store::types::{LogEntry, LogId, StorageError, TypeConfig, Vote};

/// A log store that gives back this node's own leadership as a mere candidacy.
pub(super) struct Restarted<L> {
    log: L,
    node_id: u64,
}

impl<L> Restarted<L> {
    pub(super) fn new(log: L, node_id: u64) -> Restarted<L> {
        Restarted { log, node_id }
    }
}

impl<L: RaftLogReader<TypeConfig>> RaftLogReader<TypeConfig> for Restarted<L> {
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

impl<L: RaftLogStorage<TypeConfig>> RaftLogStorage<TypeConfig> for Restarted<L> {
    type LogReader = L::LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        self.log.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.log.get_log_reader().await
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.log.save_vote(vote).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let vote = self.log.read_vote().await?;
        Ok(vote.map(|vote| {
            let own = vote.leader_id.node_id == self.node_id;
            Vote {
                committed: vote.committed && !own,
                ..vote
            }
        }))
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
        self.log.purge(log_id).await
    }
}
