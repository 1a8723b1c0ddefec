//! A change of the membership on its way to the leader.
//!
//! The change itself runs in a task of the replica: whoever waits for it may give up at any moment,
//! and it goes on to its end or its deadline all the same.

use std::sync::Arc;
use std::time::Duration;

use raft_store::codec::{MemberRecord, MembershipRecord};
use tokio::time::{Instant, timeout_at};

use super::route::Route;
use super::{ClusterStatus, Inner, MemberError, MemberRole, MemberStatus};
use crate::batcher::{LAST_WORD, remaining_ms};
use crate::members::{MemberParts, Turn, change_here};
use crate::peers::wire::{MemberChange, MemberMode, MemberReply, Reply, Request};

/// Pause before a change that was surely not made is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

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
        self: &Arc<Self>,
        change: MemberChange,
        deadline: Instant,
    ) -> Result<(), MemberError> {
        let asked = self.member_ask(change, MemberMode::Make, deadline);
        asked.await.map(|_| ())
    }

    pub(super) async fn member_dry_run(
        self: &Arc<Self>,
        change: MemberChange,
        deadline: Instant,
    ) -> Result<ClusterStatus, MemberError> {
        let asked = self.member_ask(change, MemberMode::DryRun, deadline);
        Ok(match asked.await? {
            Some(members) => self.status_with(members),
            None => self.status(),
        })
    }

    /// This node's word on the cluster, with other members.
    fn status_with(&self, members: MembershipRecord) -> ClusterStatus {
        let status = self.status();
        let MembershipRecord { voters, members } = members;
        let shown = |(id, member): (u64, MemberRecord)| {
            let known = status.members.iter().find(|known| known.id == id);
            let known = known.filter(|known| known.instance == member.instance);
            MemberStatus {
                id,
                role: if voters.iter().any(|set| set.contains(&id)) {
                    MemberRole::Voter
                } else {
                    MemberRole::Learner
                },
                peer_address: member.peer_address,
                http_url: member.http_url,
                instance: member.instance,
                matched_index: known.and_then(|known| known.matched_index),
                last_contact_ms: known.and_then(|known| known.last_contact_ms),
            }
        };
        let members = members.into_iter().map(shown).collect();
        ClusterStatus { members, ..status }
    }

    /// Asks the leader; for a dry run it answers with the members that there would be.
    async fn member_ask(
        self: &Arc<Self>,
        change: MemberChange,
        mode: MemberMode,
        deadline: Instant,
    ) -> Result<Option<MembershipRecord>, MemberError> {
        loop {
            if self.stop.is_cancelled() {
                return Err(MemberError::Stopping);
            }
            let reply = match self.router.route() {
                Route::Me(_) => {
                    self.member_change_here(change.clone(), mode, deadline)
                        .await
                }
                Route::Peer(_, link) => {
                    let request = Request::Member {
                        change: change.clone(),
                        mode,
                        remaining_ms: remaining_ms(deadline, Instant::now()),
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
            let reply = match (reply, mode) {
                // It changes nothing, so that it can always be asked again.
                (MemberReply::OutcomeUnknown, MemberMode::DryRun) => MemberReply::NotLeader,
                (reply, _) => reply,
            };
            match result(reply) {
                Err(MemberError::NoLeader) if Instant::now() < deadline => {
                    self.router.changed(AGAIN_AFTER, deadline).await;
                }
                result => return result,
            }
        }
    }

    /// Makes a change on this node, if it leads, or tries it out. Dropping the future does not stop the change.
    pub(super) async fn member_change_here(
        self: &Arc<Self>,
        change: MemberChange,
        mode: MemberMode,
        deadline: Instant,
    ) -> MemberReply {
        if self.leaving.is_cancelled() {
            return MemberReply::NotLeader;
        }
        let inner = Arc::clone(self);
        let change = async move { inner.member_change_in_turn(change, mode, deadline).await };
        // A node that stops hands over at once; the next leader finishes what is half done.
        let task = self.leaving.clone().run_until_cancelled_owned(change);
        match self.tasks.spawn_on(task, &self.runtime).await {
            Ok(Some(reply)) => reply,
            Ok(None) => MemberReply::OutcomeUnknown,
            Err(error) => {
                tracing::error!(%error, "a change of the membership ended on a bug");
                MemberReply::OutcomeUnknown
            }
        }
    }

    async fn member_change_in_turn(
        &self,
        change: MemberChange,
        mode: MemberMode,
        deadline: Instant,
    ) -> MemberReply {
        let Ok(turn) = timeout_at(deadline, self.members.turn()).await else {
            return MemberReply::InProgress;
        };
        let standing = self.consensus.standing();
        let me = self.local.node_id();
        let leaves = mode == MemberMode::Make && change == MemberChange::Remove { id: me };
        if leaves && standing.leadership.is_me && standing.members.voter_ids().len() > 1 {
            return self.leave(&turn).await;
        }
        change_here(self.member_parts(), &turn, change, mode, deadline).await
    }

    /// A leader that is to be removed hands over first, if the others can do without it; the next
    /// one removes it.
    async fn leave(&self, turn: &Turn<'_>) -> MemberReply {
        if let Err(reason) = self.member_parts().quorum_without_me().await {
            return MemberReply::WouldLoseQuorum { reason };
        }
        if self.hand_over(Some(turn)).await {
            return MemberReply::NotLeader;
        }
        MemberReply::WouldLoseQuorum {
            reason: "this node leads, and no other voter has taken the leadership over; try again"
                .to_owned(),
        }
    }
}

fn result(reply: MemberReply) -> Result<Option<MembershipRecord>, MemberError> {
    Err(match reply {
        MemberReply::Done => return Ok(None),
        MemberReply::Would(members) => return Ok(Some(members)),
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
