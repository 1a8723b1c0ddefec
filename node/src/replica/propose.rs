//! A command's way to the log: into this node's batcher, or over one hop to the leader's.

use std::time::Duration;

use allocator::command::Envelope;
use allocator::planted::{Bug, planted};
use raft_store::codec;
use tokio::time::{Instant, timeout_at};

use super::route::Route;
use super::{Inner, ProposeError, Proposed};
use crate::batcher::{Answered, COMMAND_BYTES_MAX, Unanswered};
use crate::peers::wire::{Forward, ForwardReply, NotProposed, Reply, Request};
use crate::peers::{CallError, Link};

/// How long an answer waits for this node to have applied its command.
const APPLY_WAIT: Duration = Duration::from_millis(50);
/// Pause before a command that was surely not proposed is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long after the deadline word is waited for: whether the command was proposed is known at
/// the deadline where the leader is, and has to come back.
const LAST_WORD: Duration = Duration::from_millis(100);

impl Inner {
    pub(super) async fn propose(
        &self,
        envelope: Envelope,
        deadline: Instant,
    ) -> Result<Proposed, ProposeError> {
        let forward = sized(envelope)?;
        loop {
            self.refuse_if_stopping()?;
            let (leader, result) = match self.router.route() {
                Route::Me(id) => {
                    let command = forward.message.envelope.clone();
                    (
                        id,
                        self.propose_here(command, forward.bytes, deadline).await,
                    )
                }
                Route::Peer(id, link) => {
                    let request = Request::Propose(forward.with_deadline(deadline));
                    (id, forwarded(&link, &request, deadline).await)
                }
                Route::Nobody => (0, Err(Unanswered::NotProposed(NotProposed::NotLeader))),
            };
            match result {
                Err(Unanswered::OutcomeUnknown)
                    if leader != self.local.node_id() && planted(Bug::ForwardedTwice) =>
                {
                    let again = Unanswered::NotProposed(NotProposed::NotLeader);
                    self.try_again(again, deadline).await?;
                }
                Ok(answered) => {
                    self.applied_here(answered.index, Instant::now() + APPLY_WAIT)
                        .await;
                    return Ok(proposed(answered, leader));
                }
                Err(why) => self.try_again(why, deadline).await?,
            }
        }
    }

    pub(super) async fn dry_run(
        &self,
        envelope: Envelope,
        deadline: Instant,
    ) -> Result<Proposed, ProposeError> {
        let forward = sized(envelope)?;
        loop {
            self.refuse_if_stopping()?;
            let (leader, result) = match self.router.route() {
                Route::Me(id) => (
                    id,
                    self.dry_run_here(&forward.message.envelope, deadline).await,
                ),
                Route::Peer(id, link) => {
                    let request = Request::DryRun(forward.with_deadline(deadline));
                    (id, forwarded(&link, &request, deadline).await)
                }
                Route::Nobody => (0, Err(Unanswered::NotProposed(NotProposed::NotLeader))),
            };
            match result {
                Ok(answered) => return Ok(proposed(answered, leader)),
                // It changes nothing, so that it can always be asked again.
                Err(Unanswered::OutcomeUnknown) => {
                    self.try_again(Unanswered::NotProposed(NotProposed::NotLeader), deadline)
                        .await?;
                }
                Err(why) => self.try_again(why, deadline).await?,
            }
        }
    }

    /// Proposes on this node, which leads or has just led.
    pub(super) async fn propose_here(
        &self,
        envelope: Envelope,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Answered, Unanswered> {
        let answer = self.batcher.propose(envelope, bytes, deadline);
        timeout_at(deadline + LAST_WORD, answer)
            .await
            .unwrap_or(Err(Unanswered::OutcomeUnknown))
    }

    /// Tries a command out on this node, after making sure that it leads.
    pub(super) async fn dry_run_here(
        &self,
        envelope: &Envelope,
        deadline: Instant,
    ) -> Result<Answered, Unanswered> {
        let not_leader = Unanswered::NotProposed(NotProposed::NotLeader);
        let point = self.rounds.point(deadline).await.ok_or(not_leader)?;
        if point.leader != self.local.node_id() || !self.applied_here(point.index, deadline).await {
            return Err(not_leader);
        }
        let answer = self.applied.dry_run(envelope);
        Ok(Answered {
            answer,
            index: self.applied.at().index.unwrap_or(0),
        })
    }

    /// Waits until this node has applied an entry; whether it has.
    pub(super) async fn applied_here(&self, index: u64, deadline: Instant) -> bool {
        let mut applied = self.applied.watch();
        let reached = applied.wait_for(|at| at.index >= Some(index));
        matches!(timeout_at(deadline, reached).await, Ok(Ok(_)))
    }

    async fn try_again(&self, why: Unanswered, deadline: Instant) -> Result<(), ProposeError> {
        match why {
            Unanswered::OutcomeUnknown => Err(ProposeError::OutcomeUnknown),
            Unanswered::NotProposed(NotProposed::TooBusy) => Err(ProposeError::TooBusy),
            Unanswered::NotProposed(NotProposed::TooLarge { size, limit }) => {
                Err(ProposeError::TooLarge { size, limit })
            }
            Unanswered::NotProposed(NotProposed::Late) => Err(ProposeError::NoLeader),
            Unanswered::NotProposed(NotProposed::NotLeader) => {
                if Instant::now() >= deadline {
                    return Err(ProposeError::NoLeader);
                }
                self.router.changed(AGAIN_AFTER, deadline).await;
                Ok(())
            }
        }
    }

    fn refuse_if_stopping(&self) -> Result<(), ProposeError> {
        if self.stop.is_cancelled() {
            return Err(ProposeError::Stopping);
        }
        Ok(())
    }
}

/// A command with its encoded size.
struct Outgoing {
    message: Forward,
    bytes: usize,
}

impl Outgoing {
    fn with_deadline(&self, deadline: Instant) -> Forward {
        Forward {
            envelope: self.message.envelope.clone(),
            remaining_ms: remaining_ms(deadline),
        }
    }
}

fn sized(envelope: Envelope) -> Result<Outgoing, ProposeError> {
    let message = Forward {
        envelope,
        remaining_ms: 0,
    };
    let limit = COMMAND_BYTES_MAX as u64;
    match codec::encode(&message) {
        Ok(encoded) if encoded.len() <= COMMAND_BYTES_MAX => Ok(Outgoing {
            message,
            bytes: encoded.len(),
        }),
        Ok(encoded) => Err(ProposeError::TooLarge {
            size: encoded.len() as u64,
            limit,
        }),
        Err(codec::EncodeError::TooLarge { size, .. }) => Err(ProposeError::TooLarge {
            size: size as u64,
            limit,
        }),
        Err(error @ codec::EncodeError::Encoder(_)) => {
            tracing::error!(%error, "a command could not be encoded");
            Err(ProposeError::TooLarge { size: 0, limit })
        }
    }
}

/// How long there is until a deadline, for another node to count down by itself.
pub(super) fn remaining_ms(deadline: Instant) -> u32 {
    u32::try_from(
        deadline
            .saturating_duration_since(Instant::now())
            .as_millis(),
    )
    .unwrap_or(u32::MAX)
}

async fn forwarded(
    link: &Link,
    request: &Request,
    deadline: Instant,
) -> Result<Answered, Unanswered> {
    match link.call(request, deadline + LAST_WORD).await {
        Ok(Reply::Proposed(ForwardReply::Answered { answer, index })) => {
            Ok(Answered { answer, index })
        }
        Ok(Reply::Proposed(ForwardReply::NotProposed(why))) => Err(Unanswered::NotProposed(why)),
        // What answers for a node that is stopping has not looked at the command.
        Ok(Reply::Unable { .. }) => Err(Unanswered::NotProposed(NotProposed::NotLeader)),
        Ok(_) => Err(Unanswered::OutcomeUnknown),
        Err(error) => Err(unsent(&error)),
    }
}

fn unsent(error: &CallError) -> Unanswered {
    match error {
        CallError::NoReply(_) => Unanswered::OutcomeUnknown,
        CallError::Congested => Unanswered::NotProposed(NotProposed::TooBusy),
        CallError::NotSent(_) | CallError::Refused(_) => {
            Unanswered::NotProposed(NotProposed::NotLeader)
        }
    }
}

fn proposed(answered: Answered, leader: u64) -> Proposed {
    Proposed {
        answer: answered.answer,
        index: answered.index,
        leader,
    }
}
