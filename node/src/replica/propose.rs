//! A command's way to the log, over and over until there is word of it; and the same without its effect.

use std::time::Duration;

use allocator::command::Envelope;
use allocator::planted::{Bug, planted};
use raft_store::codec::{EncodeError, EncodedCommand};
use tokio::time::Instant;

use super::route::Route;
use super::{Inner, ProposeError, Proposed};
use crate::batcher::{
    Answered, COMMAND_BYTES_MAX, LAST_WORD, Unanswered, applied_until, ended, not_a_word_of_it,
    remaining_ms, unsent,
};
use crate::peers::Link;
use crate::peers::wire::{Forward, NotProposed, Reply, Request};

/// Pause before a command that was surely not proposed is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

impl Inner {
    pub(super) async fn propose(
        &self,
        envelope: Envelope,
        deadline: Instant,
    ) -> Result<Proposed, ProposeError> {
        let command = encoded(&envelope)?;
        drop(envelope);
        loop {
            self.refuse_if_stopping()?;
            match self.batcher.propose(command.clone(), deadline).await {
                Ok(answered) => return Ok(proposed(answered)),
                Err(Unanswered::OutcomeUnknown)
                    if planted(Bug::ForwardedTwice)
                        && !matches!(self.router.route(), Route::Me(_)) =>
                {
                    let again = Unanswered::NotProposed(NotProposed::NotLeader);
                    self.try_again(again, deadline).await?;
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
        encoded(&envelope)?;
        loop {
            self.refuse_if_stopping()?;
            let result = match self.router.route() {
                Route::Me(_) => self.dry_run_here(&envelope, deadline).await,
                Route::Peer(leader, link) => {
                    let request = Request::DryRun(Forward {
                        envelope: envelope.clone(),
                        remaining_ms: remaining_ms(deadline, Instant::now()),
                    });
                    tried_out(&link, &request, leader, deadline).await
                }
                Route::Nobody => Err(Unanswered::NotProposed(NotProposed::NotLeader)),
            };
            match result {
                Ok(answered) => return Ok(proposed(answered)),
                // It changes nothing, so that it can always be asked again.
                Err(Unanswered::OutcomeUnknown) => {
                    self.try_again(Unanswered::NotProposed(NotProposed::NotLeader), deadline)
                        .await?;
                }
                Err(why) => self.try_again(why, deadline).await?,
            }
        }
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
            leader: self.local.node_id(),
        })
    }

    /// Waits until this node has applied an entry; whether it has.
    pub(super) async fn applied_here(&self, index: u64, deadline: Instant) -> bool {
        applied_until(&self.applied, index, deadline).await
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

/// The command as it will stand in an entry.
fn encoded(envelope: &Envelope) -> Result<EncodedCommand, ProposeError> {
    let limit = COMMAND_BYTES_MAX as u64;
    match EncodedCommand::encode(envelope) {
        Ok(encoded) if encoded.size() <= COMMAND_BYTES_MAX => Ok(encoded),
        Ok(encoded) => Err(ProposeError::TooLarge {
            size: encoded.size() as u64,
            limit,
        }),
        Err(EncodeError::TooLarge { size, .. }) => Err(ProposeError::TooLarge {
            size: size as u64,
            limit,
        }),
        Err(error @ EncodeError::Encoder(_)) => {
            tracing::error!(%error, "a command could not be encoded");
            Err(ProposeError::TooLarge { size: 0, limit })
        }
    }
}

async fn tried_out(
    link: &Link,
    request: &Request,
    leader: u64,
    deadline: Instant,
) -> Result<Answered, Unanswered> {
    match link.call(request, deadline + LAST_WORD).await {
        Ok(Reply::TriedOut(reply)) => ended(reply, leader),
        Ok(reply) => Err(not_a_word_of_it(&reply)),
        Err(error) => Err(unsent(&error)),
    }
}

fn proposed(answered: Answered) -> Proposed {
    Proposed {
        answer: answered.answer,
        index: answered.index,
        leader: answered.leader,
    }
}
