//! Members join, are promoted and leave, one change at a time, on the leader.
//!
//! Invariants:
//! 1. Changes are made one after the other; a change of the voters that an earlier leader left half
//!    done is finished before another one begins.
//! 2. A member is an id with a directory. Another directory under the same id is another member:
//!    the old one is removed before the new one is added, so that no progress of the old is
//!    counted for the new.
//! 3. A dry run goes through all that a change goes through before it, and makes none: not even one that
//!    is half done.
//! 4. A voter is added or removed, and a leader that is to be removed hands over, only if a majority
//!    of the voters that there would be answers now, a new voter among them.
//! 5. That something is so already, or that there is no such member, is said only of a membership that is
//!    committed, by a leader that a quorum has just confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use raft_store::codec::MembershipRecord;
use raft_store::types::Member;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout_at};

use crate::consensus::{ChangeError, Consensus, Members, ReadIndexError};
use crate::peers::wire::{MemberChange, MemberMode, MemberReply};
use crate::peers::{Directory, Local, probe};

/// A learner that lacks no more entries than this can become a voter.
const PROMOTE_LAG_MAX: u64 = 256;
/// Pause before a change is tried again that another one stood in the way of.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long finishing a half-done change may take.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// Makes changes, and a leader's leaving, wait for each other.
#[derive(Debug, Default)]
pub(crate) struct MemberChanges(Mutex<()>);

/// Whoever has it makes changes, alone.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _held: MutexGuard<'a, ()>,
}

impl MemberChanges {
    /// Waits for its turn; the caller bounds the time.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn {
            _held: self.0.lock().await,
        }
    }
}

/// What changes work with.
#[derive(Debug, Clone)]
pub(crate) struct MemberParts {
    /// This node.
    pub(crate) node_id: u64,
    /// The log.
    pub(crate) consensus: Consensus,
    /// The way to the others.
    pub(crate) peers: Arc<Directory>,
    /// Makes changes wait for each other.
    pub(crate) changes: Arc<MemberChanges>,
}

/// What is to be done for a change against which nothing speaks.
#[derive(Debug)]
enum Step {
    /// Nothing: it is so already.
    Nothing,
    /// A learner joins.
    LearnerAdd(u64, Member),
    /// A learner becomes a voter.
    VoterAdd(u64),
    /// A learner leaves.
    LearnerRemove(u64),
    /// A voter leaves.
    VoterRemove(u64),
}

/// Makes a change on this node, if it leads, or tries it out.
pub(crate) async fn change_here(
    parts: MemberParts,
    _turn: &Turn<'_>,
    change: MemberChange,
    mode: MemberMode,
    deadline: Instant,
) -> MemberReply {
    loop {
        if !parts.consensus.standing().leadership.is_me {
            return MemberReply::NotLeader;
        }
        let attempt = timeout_at(deadline, parts.attempt(&change, mode, deadline)).await;
        let late = match mode {
            MemberMode::Make => MemberReply::OutcomeUnknown,
            MemberMode::DryRun => MemberReply::InProgress,
        };
        match attempt.unwrap_or(late) {
            MemberReply::InProgress if Instant::now() + AGAIN_AFTER < deadline => {
                sleep(AGAIN_AFTER).await;
            }
            reply => return reply,
        }
    }
}

/// Finishes a change of the voters that an earlier leader began, if this node leads now.
pub(crate) async fn finish_half_done(parts: MemberParts) {
    let standing = parts.consensus.standing();
    if !standing.leadership.is_me || standing.members.voters.len() < 2 {
        return;
    }
    let Ok(_turn) = parts.changes.0.try_lock() else {
        return;
    };
    let until = Instant::now() + FINISH_MAX;
    match timeout_at(until, parts.finish(&standing.members)).await {
        Ok(Ok(())) => tracing::info!("a change of the voters was finished"),
        Ok(Err(error)) => tracing::debug!(%error, "a change of the voters is not finished yet"),
        Err(_) => tracing::debug!("a change of the voters is not finished yet"),
    }
}

impl MemberParts {
    async fn finish(&self, members: &Members) -> Result<(), ChangeError> {
        match members.voters.last() {
            Some(voters) if members.voters.len() > 1 => {
                self.consensus.change_finish(voters.clone()).await
            }
            _ => Ok(()),
        }
    }

    async fn attempt(
        &self,
        change: &MemberChange,
        mode: MemberMode,
        deadline: Instant,
    ) -> MemberReply {
        let members = Arc::clone(&self.consensus.standing().members);
        match mode {
            MemberMode::Make => {
                if let Err(error) = self.finish(&members).await {
                    return reply_to(error);
                }
            }
            MemberMode::DryRun if members.voters.len() > 1 => return MemberReply::InProgress,
            MemberMode::DryRun => {}
        }
        let serial = self.consensus.standing().members.serial;
        let planned = self.plan(change, deadline).await;
        let rests_on_members = matches!(
            &planned,
            Ok(Step::Nothing)
                | Err(MemberReply::Unknown { .. } | MemberReply::AlreadyMember { .. })
        );
        if rests_on_members && let Err(reply) = self.settled(serial).await {
            return reply;
        }
        match (planned, mode) {
            (Err(reply), _) => reply,
            (Ok(step), MemberMode::Make) => self.make(step).await,
            (Ok(step), MemberMode::DryRun) => {
                let members = Arc::clone(&self.consensus.standing().members);
                MemberReply::Would(after(&members, step))
            }
        }
    }

    /// Whether the membership of that serial is the newest and committed, on a node that leads: one that is not may be
    /// taken back, and nothing may be said that rests on it.
    async fn settled(&self, serial: u64) -> Result<(), MemberReply> {
        let read = self.consensus.read_index().await;
        let members = Arc::clone(&self.consensus.standing().members);
        match read {
            Ok(index) if members.serial == serial && members.version() <= index + 1 => Ok(()),
            Ok(_) => Err(MemberReply::InProgress),
            Err(ReadIndexError::NotLeader) => Err(MemberReply::NotLeader),
            Err(ReadIndexError::Stopped(_)) => Err(MemberReply::OutcomeUnknown),
        }
    }

    async fn make(&self, step: Step) -> MemberReply {
        let made = match step {
            Step::Nothing => return MemberReply::Done,
            Step::LearnerAdd(id, member) => self.consensus.learner_add(id, member).await,
            Step::VoterAdd(id) => self.consensus.voter_add(id).await,
            Step::LearnerRemove(id) => self.consensus.learner_remove(id).await,
            Step::VoterRemove(id) => self.consensus.voter_remove(id).await,
        };
        match made {
            Ok(()) => MemberReply::Done,
            Err(error) => reply_to(error),
        }
    }

    /// What a change comes to, or what speaks against it.
    async fn plan(&self, change: &MemberChange, deadline: Instant) -> Result<Step, MemberReply> {
        match change {
            MemberChange::Add {
                id,
                peer_address,
                http_url,
            } => self.add(*id, peer_address, http_url.as_deref()).await,
            MemberChange::Promote { id } => self.promote(*id, deadline).await,
            MemberChange::Remove { id } => self.remove(*id).await,
        }
    }

    async fn add(
        &self,
        id: u64,
        address: &str,
        http_url: Option<&str>,
    ) -> Result<Step, MemberReply> {
        let not_reachable = |reason: String| MemberReply::NotReachable {
            address: address.to_owned(),
            reason,
        };
        let local: &dyn Local = self.peers.local().as_ref();
        let card = match probe(self.peers.net().as_ref(), local, id, address).await {
            Ok(welcome) => welcome.card,
            Err(error) => return Err(not_reachable(error.to_string())),
        };
        let ours = local.card().cluster;
        if card.cluster.is_some() && card.cluster != ours {
            let reason = "its data directory belongs to another cluster".to_owned();
            return Err(not_reachable(reason));
        }
        let member = Member {
            instance: card.instance,
            peer_address: address.to_owned(),
            http_url: http_url.map_or(card.http_url, str::to_owned),
        };
        match self.consensus.standing().members.all.get(&id) {
            Some(known) if *known == member => Ok(Step::Nothing),
            Some(known) => Err(MemberReply::AlreadyMember {
                id,
                member: known.clone().into(),
            }),
            None => Ok(Step::LearnerAdd(id, member)),
        }
    }

    async fn promote(&self, id: u64, deadline: Instant) -> Result<Step, MemberReply> {
        let mut lag;
        loop {
            let standing = self.consensus.standing();
            if !standing.leadership.is_me {
                return Err(MemberReply::NotLeader);
            }
            if !standing.members.all.contains_key(&id) {
                return Err(MemberReply::Unknown { id });
            }
            if standing.members.is_voter(id) {
                return Ok(Step::Nothing);
            }
            let last = standing.last_log_index().unwrap_or(0);
            let matched = standing.matched.get(&id).copied().flatten();
            lag = matched.map_or(last + 1, |matched| last.saturating_sub(matched));
            if lag <= PROMOTE_LAG_MAX && matched.is_some() {
                break;
            }
            if Instant::now() + AGAIN_AFTER * 2 >= deadline {
                return Err(MemberReply::NotCaughtUp { id, lag });
            }
            sleep(AGAIN_AFTER).await;
        }
        // At rest a learner that is long dead has the whole log, too.
        let members = Arc::clone(&self.consensus.standing().members);
        match self.quorum_with(id, &members).await {
            Ok(()) => Ok(Step::VoterAdd(id)),
            Err(reason) => Err(MemberReply::WouldLoseQuorum { reason }),
        }
    }

    async fn remove(&self, id: u64) -> Result<Step, MemberReply> {
        let standing = self.consensus.standing();
        let members = &standing.members;
        if !members.all.contains_key(&id) {
            return Err(MemberReply::Unknown { id });
        }
        if !members.is_voter(id) {
            return Ok(Step::LearnerRemove(id));
        }
        match self.quorum_without(id, members).await {
            Ok(()) => Ok(Step::VoterRemove(id)),
            Err(reason) => Err(MemberReply::WouldLoseQuorum { reason }),
        }
    }

    /// Whether the others can agree when this node leaves.
    pub(crate) async fn quorum_without_me(&self) -> Result<(), String> {
        let members = Arc::clone(&self.consensus.standing().members);
        self.quorum_without(self.node_id, &members).await
    }

    /// Whether those who stay when `id` leaves can agree.
    async fn quorum_without(&self, id: u64, members: &Members) -> Result<(), String> {
        let mut stay: BTreeSet<u64> = members.voter_ids();
        stay.remove(&id);
        if stay.is_empty() {
            return Err("the last voter cannot be removed".to_owned());
        }
        let silent = self.silent(&stay, members).await;
        quorum(&format!("without node {id}"), &stay, &silent)
    }

    /// Whether the voters can agree when `id` is one of them, and it is there to do its part.
    async fn quorum_with(&self, id: u64, members: &Members) -> Result<(), String> {
        let mut voters = members.voter_ids();
        voters.insert(id);
        let silent = self.silent(&voters, members).await;
        if silent.contains(&id) {
            let address = members.all.get(&id).map(|member| &member.peer_address);
            return Err(format!(
                "node {id} does not answer at {}, and as a voter it would be missed; start it, then promote it",
                address.map_or("its address", String::as_str)
            ));
        }
        quorum(&format!("with node {id}"), &voters, &silent)
    }

    /// Those that do not answer now with the directory that the membership names.
    async fn silent(&self, ids: &BTreeSet<u64>, members: &Members) -> BTreeSet<u64> {
        let (net, local) = (self.peers.net().as_ref(), self.peers.local().as_ref());
        let asked = ids
            .iter()
            .filter(|id| **id != self.node_id)
            .map(|id| async {
                let answers = match members.all.get(id) {
                    Some(member) => probe(net, local, *id, &member.peer_address)
                        .await
                        .is_ok_and(|welcome| welcome.card.instance == member.instance),
                    None => false,
                };
                (!answers).then_some(*id)
            });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// Whether a majority of these voters answers; if not, who is missing, as a clause.
fn quorum(when: &str, voters: &BTreeSet<u64>, silent: &BTreeSet<u64>) -> Result<(), String> {
    if voters.difference(silent).count() * 2 > voters.len() {
        return Ok(());
    }
    Err(format!(
        "{when} the voters would be {voters:?}, and no majority of them answers: {silent:?} do not"
    ))
}

/// The members that there would be after a step.
fn after(members: &Members, step: Step) -> MembershipRecord {
    let mut voters = members.voter_ids();
    let mut all: BTreeMap<u64, Member> = members.all.clone();
    match step {
        Step::Nothing => {}
        Step::LearnerAdd(id, member) => drop(all.insert(id, member)),
        Step::VoterAdd(id) => drop(voters.insert(id)),
        Step::LearnerRemove(id) | Step::VoterRemove(id) => {
            voters.remove(&id);
            all.remove(&id);
        }
    }
    MembershipRecord {
        voters: vec![voters],
        members: all
            .into_iter()
            .map(|(id, member)| (id, member.into()))
            .collect(),
    }
}

fn reply_to(error: ChangeError) -> MemberReply {
    match error {
        ChangeError::InProgress => MemberReply::InProgress,
        ChangeError::Refused(reason) => MemberReply::WouldLoseQuorum { reason },
        ChangeError::OutcomeUnknown | ChangeError::Stopped(_) => MemberReply::OutcomeUnknown,
    }
}
