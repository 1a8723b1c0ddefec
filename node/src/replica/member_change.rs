//! A change of the membership on its way to the leader.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::propose::remaining_ms;
use super::route::Route;
use super::{Inner, MemberError};
use crate::members::{MemberParts, change_here};
use crate::peers::wire::{MemberChange, MemberReply, Reply, Request};

/// Pause before a change that was surely not made is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long after the deadline the leader's word is waited for.
const LAST_WORD: Duration = Duration::from_millis(100);

impl Inner {
    /// What a change works with.
    pub(super) fn member_parts(&self) -> MemberParts {
        MemberParts {
            node_id: self.local.node_id(),
            consensus: self.consensus.clone(),
            peers: Arc::clone(&self.peers),
            changes: Arc::clone(&self.members),
        }
    }

    pub(super) async fn member_change(
        &self,
        change: MemberChange,
        deadline: Instant,
    ) -> Result<(), MemberError> {
        loop {
            if self.stop.is_cancelled() {
                return Err(MemberError::Stopping);
            }
            let reply = match self.router.route() {
                Route::Me(_) => self.member_change_here(change.clone(), deadline).await,
                Route::Peer(_, link) => {
                    let request = Request::Member {
                        change: change.clone(),
                        remaining_ms: remaining_ms(deadline),
                    };
                    match link.call(&request, deadline + LAST_WORD).await {
                        Ok(Reply::Member(reply)) => reply,
                        Ok(_) => MemberReply::OutcomeUnknown,
                        Err(error) if error.was_sent() => MemberReply::OutcomeUnknown,
                        Err(_) => MemberReply::NotLeader,
                    }
                }
                Route::Nobody => MemberReply::NotLeader,
            };
            match result(reply) {
                Err(MemberError::NoLeader) if Instant::now() < deadline => {
                    self.router.changed(AGAIN_AFTER, deadline).await;
                }
                result => return result,
            }
        }
    }

    /// Makes a change on this node, if it leads. A leader that is to leave hands over first; the
    /// next one removes it.
    pub(super) async fn member_change_here(
        &self,
        change: MemberChange,
        deadline: Instant,
    ) -> MemberReply {
        let standing = self.consensus.standing();
        let leaves = change
            == MemberChange::Remove {
                id: self.local.node_id(),
            };
        if leaves && standing.leadership.is_me && standing.members.voter_ids().len() > 1 {
            self.hand_over().await;
            return MemberReply::NotLeader;
        }
        change_here(self.member_parts(), change, deadline).await
    }
}

fn result(reply: MemberReply) -> Result<(), MemberError> {
    Err(match reply {
        MemberReply::Done => return Ok(()),
        MemberReply::NotLeader => MemberError::NoLeader,
        MemberReply::OutcomeUnknown => MemberError::OutcomeUnknown,
        MemberReply::Unknown { id } => MemberError::Unknown { id },
        MemberReply::AlreadyMember { id, .. } => MemberError::AlreadyMember { id },
        MemberReply::NotReachable { address, reason } => {
            MemberError::NotReachable { address, reason }
        }
        MemberReply::NotCaughtUp { id, lag } => MemberError::NotCaughtUp { id, lag },
        MemberReply::WouldLoseQuorum { reason } => MemberError::WouldLoseQuorum { reason },
        MemberReply::InProgress => MemberError::InProgress,
    })
}
