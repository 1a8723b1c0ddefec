//! Many commands in one entry: what came while the last entries were on their way to the disks
//! goes into the next.
//!
//! Invariants:
//! 1. A command is handed to the log at most once. One that is not is told so, and may be sent
//!    again by whoever waits for it; of one that was, there is an answer or "unknown".
//! 2. A command past its deadline is never handed over.
//! 3. Each command has its own answer; what one command gets does not depend on its neighbours.
//! 4. The first command of a cluster is the one that forms it; nothing is handed over before.

mod driver;
mod queue;
mod room;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use allocator::answer::Answer;
use allocator::command::Envelope;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::room::{Place, Room};
use crate::peers::wire::NotProposed;

pub(crate) use driver::{Driver, DriverParts};

/// Most bytes of an encoded command: 1.25 MiB.
pub(crate) const COMMAND_BYTES_MAX: usize = 1_280 << 10;

/// Most bytes of commands that wait: 64 MiB, which many small ones never reach.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    /// What the state machine answered.
    pub(crate) answer: Answer,
    /// Index of the entry.
    pub(crate) index: u64,
}

/// Why a command has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It was not handed to the log, and will not be.
    NotProposed(NotProposed),
    /// It was, and no more is known.
    OutcomeUnknown,
}

/// A command on its way into a batch.
#[derive(Debug)]
struct Waiting {
    envelope: Envelope,
    /// `None` for a command of the node's own.
    done: Option<oneshot::Sender<Result<Answered, Unanswered>>>,
    /// A place in the queue, free again when the command leaves it.
    place: Option<Place>,
}

/// Where commands are handed in.
#[derive(Debug, Clone)]
pub(crate) struct Batcher {
    commands: mpsc::Sender<queue::Item<Waiting>>,
    room: Room,
    held: Arc<AtomicBool>,
}

impl Batcher {
    /// A batcher in whose queue `waiting_max` commands have room, and its task.
    pub(crate) fn new(waiting_max: usize, parts: DriverParts) -> (Batcher, Driver) {
        // At least one: a channel has no other way to be empty.
        let waiting_max = waiting_max.max(1);
        let (commands, arriving) = mpsc::channel(waiting_max);
        let held = Arc::new(AtomicBool::new(false));
        let batcher = Batcher {
            commands,
            room: Room::new(waiting_max, WAITING_BYTES_MAX),
            held: Arc::clone(&held),
        };
        (batcher, Driver::new(parts, arriving, held))
    }

    /// Takes nothing out of the queue any more, while this node still leads: its commands wait for
    /// the next leader.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Release);
    }

    /// Proposes a command of `bytes` encoded bytes and waits for what comes of it. Dropping the
    /// future does not take the command back.
    pub(crate) async fn propose(
        &self,
        envelope: Envelope,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Answered, Unanswered> {
        if bytes > COMMAND_BYTES_MAX {
            return Err(Unanswered::NotProposed(NotProposed::TooLarge {
                size: bytes as u64,
                limit: COMMAND_BYTES_MAX as u64,
            }));
        }
        let busy = Unanswered::NotProposed(NotProposed::TooBusy);
        let place = self.room.place(bytes).ok_or(busy)?;
        let (done, answered) = oneshot::channel();
        let item = queue::Item {
            bytes,
            deadline,
            command: Waiting {
                envelope,
                done: Some(done),
                place: Some(place),
            },
        };
        match self.commands.try_send(item) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(busy),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(Unanswered::NotProposed(NotProposed::NotLeader));
            }
        }
        // Without an answer the driver is gone, and what it had is unknown.
        answered.await.unwrap_or(Err(Unanswered::OutcomeUnknown))
    }
}
