//! What goes to the leader in one message, and what becomes of its reply.

use std::sync::Arc;
use std::time::Duration;

use raft_store::AppliedState;
use tokio::time::{Instant, timeout_at};

use super::done::{Done, Ended};
use super::queue::{Item, PATIENCE};
use super::{Answered, LAST_WORD, Unanswered, Waiting};
use crate::metrics::stages;
use crate::peers::wire::{ForwardReply, NotProposed, Proposal, Reply, Request};
use crate::peers::{CallError, Link};

/// How long an answer of the leader's waits for this node to have applied its command.
const APPLY_WAIT: Duration = Duration::from_millis(50);

/// Messages with commands that go to the leader one right after the other: while they are on their way, what comes
/// waits for the next, so that one wakes nobody for each command.
const GROUPS_AT_ONCE: usize = 4;
/// Most that are on their way. Those beyond the first follow each other as slowly as the entries of a leader do whose
/// quorum is distant.
const GROUPS_MAX: usize = 16;

/// What is on its way to the leader. To another one than before nothing is: what the one before leaves unanswered
/// does not hold up what goes to the next.
#[derive(Debug, Default)]
pub(super) struct Away {
    leader: u64,
    groups: usize,
    /// When the latest one went.
    latest_at: Option<Instant>,
    /// How often the leader has changed.
    turn: u64,
}

impl Away {
    /// This one leads.
    pub(super) fn leads(&mut self, leader: u64) {
        if self.leader != leader {
            *self = Self {
                leader,
                groups: 0,
                latest_at: None,
                turn: self.turn + 1,
            };
        }
    }

    /// When one more may go: now, at a later time, or `None` where as many are on their way as may be.
    pub(super) fn room_at(&self, now: Instant) -> Option<Instant> {
        match self.groups {
            0..GROUPS_AT_ONCE => Some(now),
            GROUPS_AT_ONCE..GROUPS_MAX => Some(self.latest_at.map_or(now, |at| at + PATIENCE)),
            _ => None,
        }
    }

    /// Whether one more may go now.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.room_at(now).is_some_and(|at| at <= now)
    }

    /// One more goes; what it has to say when it has landed.
    pub(super) fn goes(&mut self, now: Instant) -> u64 {
        self.groups += 1;
        self.latest_at = Some(now);
        self.turn
    }

    /// One has landed, with a reply or without.
    pub(super) fn landed(&mut self, turn: u64) {
        if self.turn == turn {
            self.groups -= 1;
        }
    }
}

/// Commands in one message to the leader.
pub(super) struct Group {
    leader: u64,
    link: Link,
    request: Request,
    done: Vec<Option<Done>>,
    last_deadline: Instant,
}

impl Group {
    pub(super) fn new(leader: u64, link: Link, batch: Vec<Item<Waiting>>) -> Group {
        let now = Instant::now();
        let mut last_deadline = now;
        let mut proposals = Vec::with_capacity(batch.len());
        let mut done = Vec::with_capacity(batch.len());
        let waits = stages::waits_for_the_leader();
        for item in batch {
            waits.record(now - item.command.since);
            last_deadline = last_deadline.max(item.deadline);
            proposals.push(Proposal {
                command: item.command.command,
                remaining_ms: remaining_ms(item.deadline, now),
            });
            done.push(item.command.done);
        }
        Group {
            leader,
            link,
            request: Request::Propose(proposals),
            done,
            last_deadline,
        }
    }

    /// Sends them, and ends each with what the leader says of it, once this node has applied what it says.
    pub(super) async fn go(self, applied: Arc<AppliedState>) {
        let begun = Instant::now();
        let called = self
            .link
            .call(&self.request, self.last_deadline + LAST_WORD);
        let called = called.await;
        let answered = stages::leader_answered(begun);
        let ended = ended_all(called, self.leader, self.done.len());
        let last = ended.iter().flatten().map(|answered| answered.index).max();
        if let Some(last) = last {
            applied_until(&applied, last, answered + APPLY_WAIT).await;
            stages::applied_after_the_leader(answered);
        }
        for (done, ended) in self.done.into_iter().zip(ended) {
            if let Some(done) = done {
                done.end(ended);
            }
        }
    }
}

/// Waits until an entry has been applied here; whether it has.
pub(crate) async fn applied_until(applied: &AppliedState, index: u64, deadline: Instant) -> bool {
    let mut applied = applied.watch();
    let reached = applied.wait_for(|at| at.index >= Some(index));
    matches!(timeout_at(deadline, reached).await, Ok(Ok(_)))
}

/// How long there is until a deadline, for another node to count down by itself.
pub(crate) fn remaining_ms(deadline: Instant, now: Instant) -> u32 {
    u32::try_from(deadline.saturating_duration_since(now).as_millis()).unwrap_or(u32::MAX)
}

/// What the leader's reply says of each of `count` commands.
fn ended_all(reply: Result<Reply, CallError>, leader: u64, count: usize) -> Vec<Ended> {
    let of_all = match reply {
        Ok(Reply::Proposed(replies)) if replies.len() == count => {
            let ended = replies.into_iter().map(|reply| ended(reply, leader));
            return ended.collect();
        }
        Ok(reply) => not_a_word_of_it(&reply),
        Err(error) => unsent(&error),
    };
    vec![Err(of_all); count]
}

/// What a leader says of a command.
pub(crate) fn ended(reply: ForwardReply, leader: u64) -> Result<Answered, Unanswered> {
    match reply {
        ForwardReply::Answered { answer, index } => Ok(Answered {
            answer,
            index,
            leader,
        }),
        ForwardReply::NotProposed(why) => Err(Unanswered::NotProposed(why)),
        ForwardReply::OutcomeUnknown => Err(Unanswered::OutcomeUnknown),
    }
}

/// What a reply says of a command that is not to it.
pub(crate) fn not_a_word_of_it(reply: &Reply) -> Unanswered {
    match reply {
        // What answers for a node that is stopping has not looked at the command.
        Reply::Unable { .. } => Unanswered::NotProposed(NotProposed::NotLeader),
        _ => Unanswered::OutcomeUnknown,
    }
}

/// What is known of a command whose call has no reply.
pub(crate) fn unsent(error: &CallError) -> Unanswered {
    match error {
        CallError::NoReply(_) => Unanswered::OutcomeUnknown,
        CallError::Congested => Unanswered::NotProposed(NotProposed::TooBusy),
        CallError::NotSent(_) | CallError::Refused(_) => {
            Unanswered::NotProposed(NotProposed::NotLeader)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets as many go at one time as may, and says how many there were and what they say.
    fn go_all(away: &mut Away, now: Instant) -> Vec<u64> {
        let mut turns = Vec::new();
        while away.has_room(now) {
            turns.push(away.goes(now));
        }
        turns
    }

    #[test]
    fn what_the_leader_before_leaves_unanswered_does_not_hold_up_the_next() {
        let now = Instant::now();
        let mut away = Away::default();
        away.leads(1);
        let before = go_all(&mut away, now);
        assert_eq!(before.len(), GROUPS_AT_ONCE);
        away.leads(1);
        assert!(!away.has_room(now), "the same one still owes them");
        away.leads(2);
        let after = go_all(&mut away, now);
        assert_eq!(after.len(), GROUPS_AT_ONCE);
        for turn in before {
            away.landed(turn);
        }
        assert!(!away.has_room(now), "late replies of the one before");
        away.landed(after[0]);
        assert!(away.has_room(now));
    }

    #[test]
    fn more_follow_slowly_while_the_leader_is_distant() {
        let now = Instant::now();
        let mut away = Away::default();
        away.leads(1);
        let mut went = Vec::new();
        for millisecond in 0..100 {
            let at = now + Duration::from_millis(millisecond);
            let turns = go_all(&mut away, at);
            went.extend(turns.iter().map(|_| millisecond));
        }
        assert_eq!(went.len(), GROUPS_MAX);
        assert_eq!(went[..6], [0, 0, 0, 0, 3, 6]);
        assert_eq!(away.room_at(now), None);
    }
}
