//! What goes to the leader in one message, and what becomes of its reply.

use raft_store::AppliedState;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::done::{Done, Ended};
use super::queue::Item;
use super::{Answered, LAST_WORD, Unanswered, Waiting};
use crate::peers::wire::{ForwardReply, NotProposed, Proposal, Reply, Request};
use crate::peers::{CallError, Link};

/// How long an answer of the leader's waits for this node to have applied its command.
const APPLY_WAIT: Duration = Duration::from_millis(50);

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
        for item in batch {
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
        let called = self
            .link
            .call(&self.request, self.last_deadline + LAST_WORD);
        let ended = ended_all(called.await, self.leader, self.done.len());
        let last = ended.iter().flatten().map(|answered| answered.index).max();
        if let Some(last) = last {
            applied_until(&applied, last, Instant::now() + APPLY_WAIT).await;
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
