//! Changes of the membership, one entry after the other.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use raft_store::types::Member;
use thiserror::Error;

use super::{Consensus, Stopped};

/// Why the membership was not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ChangeError {
    /// An earlier change is not committed yet.
    #[error("an earlier change is under way")]
    InProgress,
    /// The change contradicts the membership.
    #[error("{0}")]
    Refused(String),
    /// It was handed to the log, and no more is known: as for any proposal.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// Raft has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Consensus {
    /// Adds a learner; nothing else waits for it.
    pub(crate) async fn learner_add(&self, id: u64, member: Member) -> Result<(), ChangeError> {
        self.change(
            ChangeMembers::AddNodes(BTreeMap::from([(id, member)])),
            true,
        )
        .await
    }

    /// Removes a learner.
    pub(crate) async fn learner_remove(&self, id: u64) -> Result<(), ChangeError> {
        self.change(ChangeMembers::RemoveNodes(BTreeSet::from([id])), true)
            .await
    }

    /// Makes a learner a voter.
    pub(crate) async fn voter_add(&self, id: u64) -> Result<(), ChangeError> {
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true)
            .await
    }

    /// Removes a voter altogether.
    pub(crate) async fn voter_remove(&self, id: u64) -> Result<(), ChangeError> {
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([id])), false)
            .await
    }

    /// Ends a change of the voters that an earlier leader left half done: the new set stays, and
    /// voters that are not in it leave.
    pub(crate) async fn change_finish(&self, voters: BTreeSet<u64>) -> Result<(), ChangeError> {
        self.change(ChangeMembers::ReplaceAllVoters(voters), false)
            .await
    }

    async fn change(
        &self,
        change: ChangeMembers<u64, Member>,
        retain: bool,
    ) -> Result<(), ChangeError> {
        let Err(error) = self.raft.change_membership(change, retain).await else {
            return Ok(());
        };
        Err(match error {
            RaftError::Fatal(fatal) => Stopped::new(&fatal).into(),
            RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => {
                ChangeError::OutcomeUnknown
            }
            RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => match error {
                ChangeMembershipError::InProgress(_) => ChangeError::InProgress,
                other => ChangeError::Refused(other.to_string()),
            },
        })
    }
}
