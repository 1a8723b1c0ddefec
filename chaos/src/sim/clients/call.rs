//! Asking, and writing down what was asked and what was told.

use std::time::Duration;

use allocator::State;
use allocator::answer::{Answer, Outcome, Rejection};
use allocator::command::{ClaimRelease, ClaimRenew, Command, Operation};
use allocator::prefix::Prefix;
use allocator::view::ClaimView;
use anyhow::{Result, bail};
use api::problem::{Problem, Viewer};
use node::replica::{Consistency, ProposeError, ReadError};
use rand::Rng;

use super::{Client, DEADLINE, pools};
use crate::history::{self, Op, Reply, What};
use crate::invariants::Acknowledged;
use crate::sim::world::now;

/// How a question ended.
enum Ended {
    Ok(Reply),
    Fail(String),
    Unknown(String),
}

impl Client {
    /// Asks for the next thing.
    pub(super) async fn work(&mut self) -> Result<()> {
        let Some(op) = self.draw() else {
            return self.edit().await;
        };
        let id = {
            let mut book = self.book.lock();
            for generation in releases(&op) {
                book.invariants.release_asked(generation);
            }
            let at = micros(now());
            book.history
                .invoke(at, self.seat.number, self.seat.node, op.clone())
        };
        let ended = match &op {
            Op::Get { name, consistency } => {
                let name = pools::name(name)?;
                let look = |state: &State| state.claim(&pools::tenant(), &name).ok();
                let seen = self.read(*consistency, look).await?;
                shown(seen, |claim, revision| Reply::Found {
                    block: claim.block.to_string(),
                    generation: claim.generation,
                    revision,
                })
            }
            Op::Lookup { block, consistency } => {
                let block = pools::prefix(block)?;
                let seen = self
                    .read(*consistency, |state| holder(state, block))
                    .await?;
                shown(seen, |claim, revision| Reply::HeldBy {
                    name: claim.spec.name.to_string(),
                    generation: claim.generation,
                    revision,
                })
            }
            _ => self.command(&op).await?,
        };
        self.note(id, &op, ended);
        Ok(())
    }

    /// A pool's description is edited. That must concern no holder, and is no part of the history.
    async fn edit(&mut self) -> Result<()> {
        let names: Vec<&str> = pools::names().collect();
        let pool = names[self.random.random_range(..names.len())];
        let description = format!("edited by {}.{}", self.seat.number, self.commands);
        let command = pools::edit(pool, &description)?;
        let envelope = self.envelope(command);
        match self.replica.propose(envelope, DEADLINE).await {
            Ok(proposed) => match proposed.answer.result {
                Ok(_) => {
                    let mut book = self.book.lock();
                    book.acknowledged += 1;
                    book.invariants.answered(proposed.answer.revision);
                    Ok(())
                }
                Err(rejection) => bail!("an edit of {pool} was refused: {rejection:?}"),
            },
            Err(error) => {
                let mut book = self.book.lock();
                match error {
                    ProposeError::OutcomeUnknown => book.unknown += 1,
                    _ => book.not_proposed += 1,
                }
                Ok(())
            }
        }
    }

    async fn command(&mut self, op: &Op) -> Result<Ended> {
        let command = match op {
            Op::Batch { operations } => Command::Batch {
                tenant: pools::tenant(),
                atomic: true,
                operations: operations.iter().map(operation).collect::<Result<_>>()?,
            },
            Op::Renew {
                name, generation, ..
            } => Command::ClaimRenew(ClaimRenew {
                tenant: pools::tenant(),
                name: pools::name(name)?,
                owner: None,
                generation: Some(*generation),
                ttl_seconds: pools::ttl_seconds(name),
            }),
            single => match operation(single)? {
                Operation::CreateClaim(claim) => Command::ClaimCreate(claim),
                Operation::ReleaseClaim(release) => Command::ClaimRelease(release),
            },
        };
        let envelope = self.envelope(command);
        Ok(match self.replica.propose(envelope, DEADLINE).await {
            Ok(proposed) => Ended::Ok(reply(op, proposed.answer)?),
            Err(error @ ProposeError::OutcomeUnknown) => Ended::Unknown(error.to_string()),
            Err(error @ ProposeError::TooLarge { .. }) => bail!("{op:?}: {error}"),
            Err(
                error @ (ProposeError::TooBusy | ProposeError::NoLeader | ProposeError::Stopping),
            ) => Ended::Fail(error.to_string()),
        })
    }

    async fn read(
        &mut self,
        consistency: history::Consistency,
        look: impl FnOnce(&State) -> Option<ClaimView>,
    ) -> Result<Result<(u64, Option<ClaimView>), ReadError>> {
        let (wanted, asked) = match consistency {
            history::Consistency::Linearizable => {
                let newest = self.book.lock().invariants.newest_acknowledged();
                (newest, Consistency::Linearizable)
            }
            history::Consistency::Local { min_revision } => (
                min_revision,
                Consistency::Local {
                    min_revision: Some(min_revision),
                    max_staleness_ms: None,
                },
            ),
        };
        if let Err(error) = self.replica.read_ready(asked, DEADLINE).await {
            return Ok(Err(error));
        }
        let (revision, seen) = self
            .replica
            .applied()
            .read(|state| (state.revision(), look(state)));
        self.book.lock().invariants.read(wanted, revision)?;
        Ok(Ok((revision, seen)))
    }

    fn note(&mut self, id: u64, op: &Op, ended: Ended) {
        let mut book = self.book.lock();
        let at = now();
        let told = match &ended {
            Ended::Ok(reply) => format!("{reply:?}"),
            Ended::Fail(code) | Ended::Unknown(code) => code.clone(),
        };
        book.trace.event(
            at,
            &format!(
                "client {} of node {}: {op:?}: {told}",
                self.seat.number, self.seat.node
            ),
        );
        let what = match ended {
            Ended::Ok(reply) => {
                book.acknowledged += 1;
                self.seen = self.seen.max(reply.revision());
                book.invariants.answered(reply.revision());
                let is_claim = matches!(op, Op::Claim { .. } | Op::Batch { .. });
                for acknowledged in acknowledged(op, &reply) {
                    let Acknowledged {
                        name,
                        block,
                        generation,
                        ..
                    } = acknowledged.clone();
                    match block {
                        Some(block) => {
                            book.claims += u64::from(is_claim);
                            book.heard.insert(name, (block, generation));
                        }
                        None => drop(book.heard.remove(&name)),
                    }
                    book.invariants.acknowledged(acknowledged);
                }
                What::Ok { id, reply }
            }
            Ended::Fail(code) => {
                book.not_proposed += 1;
                What::Fail { id, code }
            }
            Ended::Unknown(code) => {
                book.unknown += 1;
                What::Unknown { id, code }
            }
        };
        book.history.note(micros(at), what);
    }
}

/// What a read has shown, as a history has it.
fn shown(
    seen: Result<(u64, Option<ClaimView>), ReadError>,
    found: impl FnOnce(&ClaimView, u64) -> Reply,
) -> Ended {
    match seen {
        Ok((revision, Some(claim))) => Ended::Ok(found(&claim, revision)),
        Ok((revision, None)) => Ended::Ok(Reply::Nothing { revision }),
        Err(error) => Ended::Fail(error.to_string()),
    }
}

/// What an answer says for certain about who holds what.
fn acknowledged(op: &Op, reply: &Reply) -> Vec<Acknowledged> {
    let one = |name: &String, block: Option<&String>, generation: u64| Acknowledged {
        revision: reply.revision(),
        name: name.clone(),
        block: block.cloned(),
        generation,
    };
    match (op, reply) {
        (
            Op::Claim { name, .. },
            Reply::Holds {
                block, generation, ..
            },
        )
        | (
            Op::Get { name, .. },
            Reply::Found {
                block, generation, ..
            },
        ) => {
            vec![one(name, Some(block), *generation)]
        }
        (Op::Release { name, .. }, Reply::Released { generation, .. }) => {
            vec![one(name, None, *generation)]
        }
        (Op::Batch { operations }, Reply::Batch { replies, revision }) => operations
            .iter()
            .zip(replies)
            .flat_map(|(op, reply)| acknowledged(op, reply))
            .map(|told| Acknowledged {
                revision: *revision,
                ..told
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The holdings that something may end.
fn releases(op: &Op) -> Vec<u64> {
    match op {
        Op::Release { generation, .. } => vec![*generation],
        Op::Batch { operations } => operations.iter().flat_map(releases).collect(),
        _ => Vec::new(),
    }
}

fn operation(op: &Op) -> Result<Operation> {
    match op {
        Op::Claim { name, ttl_ms, .. } => {
            let ttl = ttl_ms.map(Duration::from_millis);
            Ok(Operation::CreateClaim(Box::new(pools::claim(name, ttl)?)))
        }
        Op::Release { name, generation } => Ok(Operation::ReleaseClaim(ClaimRelease {
            tenant: pools::tenant(),
            name: pools::name(name)?,
            generation: Some(*generation),
        })),
        other => bail!("{other:?} is no part of a batch"),
    }
}

/// The answer, as a history has it.
fn reply(op: &Op, answer: Answer) -> Result<Reply> {
    let Answer {
        revision, result, ..
    } = answer;
    match result {
        Ok(outcome) => done(op, outcome, revision),
        Err(rejection) => refused(op, &rejection, revision),
    }
}

fn done(op: &Op, outcome: Outcome, revision: u64) -> Result<Reply> {
    Ok(match (op, outcome) {
        (Op::Claim { .. }, Outcome::ClaimCreated(claim)) => holds(&claim, true, revision),
        (Op::Claim { .. }, Outcome::ClaimRepeated(claim)) => holds(&claim, false, revision),
        (
            Op::Release { generation, .. },
            Outcome::ClaimReleased(claim) | Outcome::ClaimAlreadyReleased(claim),
        ) if claim.generation == *generation => Reply::Released {
            generation: claim.generation,
            revision,
        },
        (Op::Renew { generation, .. }, Outcome::ClaimRenewed(claim))
            if claim.generation == *generation =>
        {
            Reply::Renewed {
                generation: claim.generation,
                revision,
            }
        }
        (Op::Batch { operations }, Outcome::Batch(parts)) if parts.len() == operations.len() => {
            let replies = operations.iter().zip(parts).map(|(op, part)| match part {
                Ok(outcome) => done(op, outcome, revision),
                Err(rejection) => bail!("a part of an atomic batch was refused: {rejection:?}"),
            });
            Reply::Batch {
                replies: replies.collect::<Result<_>>()?,
                revision,
            }
        }
        (op, outcome) => bail!("{op:?} was answered {outcome:?}"),
    })
}

fn holds(claim: &ClaimView, new: bool, revision: u64) -> Reply {
    Reply::Holds {
        block: claim.block.to_string(),
        generation: claim.generation,
        new,
        revision,
    }
}

/// Only what may be: full pools, blocks that others hold, holdings that are over.
fn refused(op: &Op, rejection: &Rejection, revision: u64) -> Result<Reply> {
    let problem = Problem::from_rejection(rejection, revision, Viewer::Admin);
    let may_be = [
        "pool_exhausted",
        "address_taken",
        "generation_stale",
        "claim_not_found",
    ];
    if !may_be.contains(&problem.code.as_str()) {
        bail!("{op:?} was refused: {rejection:?}");
    }
    Ok(Reply::Refused {
        code: problem.code,
        revision,
    })
}

fn holder(state: &State, block: Prefix) -> Option<ClaimView> {
    let space = pools::name(allocator::command::SPACE_DEFAULT).ok()?;
    let found = state.lookup(&pools::tenant(), &space, block).ok()?;
    found.claim.map(|claim| *claim)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
