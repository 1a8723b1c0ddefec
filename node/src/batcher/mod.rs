//! Every command that this node takes in, on its way to the log: into an entry where this node leads, and
//! together with what else is waiting to the leader where another does.
//!
//! Invariants:
//! 1. A command is handed to the log at most once. One that is not is told so, and may be sent
//!    again by whoever waits for it; of one that was, there is an answer or "unknown". One that has left for
//!    the leader counts as handed over unless the leader says otherwise.
//! 2. A command past its deadline is never handed over.
//! 3. Each command has its own answer; what one command gets does not depend on its neighbours.
//! 4. The first command of a cluster is the one that forms it; nothing is handed over before.
//! 5. What another node sent goes into an entry here or nowhere: there is one hop.

mod done;
mod driver;
mod forward;
mod queue;
mod room;
pub mod trial;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use allocator::answer::Answer;
use raft_store::codec::EncodedCommand;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use self::done::{Done, Ended};
use self::queue::Item;
use self::room::{Place, Room};
use crate::metrics::stages;
use crate::peers::wire::NotProposed;

pub(crate) use driver::{Driver, DriverParts};
pub(crate) use forward::{applied_until, ended, not_a_word_of_it, remaining_ms, unsent};

/// Most bytes of an encoded command: 1.25 MiB.
pub(crate) const COMMAND_BYTES_MAX: usize = 1_280 << 10;

/// Most bytes of commands that wait: 64 MiB, which many small ones never reach.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// How long after the deadline word is waited for, each hop: whether the command was proposed is known at
/// the deadline where the leader is, and has to come back.
pub(crate) const LAST_WORD: Duration = Duration::from_millis(100);

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    /// What the state machine answered.
    pub(crate) answer: Answer,
    /// Index of the entry.
    pub(crate) index: u64,
    /// The node that proposed it.
    pub(crate) leader: u64,
}

/// Why a command has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It was not handed to the log, and will not be.
    NotProposed(NotProposed),
    /// It was, and no more is known.
    OutcomeUnknown,
}

/// A command on its way out of the queue.
#[derive(Debug)]
struct Waiting {
    command: EncodedCommand,
    /// Since when.
    since: Instant,
    /// `None` for a command of the node's own.
    done: Option<Done>,
    /// A place in the queue, free again when the command leaves it; a command of the node's own takes none.
    _place: Option<Place>,
    /// Another node sent it here, as to the leader.
    is_forwarded: bool,
}

/// What comes in at once.
#[derive(Debug)]
enum Arrival {
    One(Item<Waiting>),
    Many(Vec<Item<Waiting>>),
}

/// Where commands are handed in.
#[derive(Debug, Clone)]
pub(crate) struct Batcher {
    arrivals: mpsc::Sender<Arrival>,
    room: Room,
    held: Arc<AtomicBool>,
}

impl Batcher {
    /// A batcher in whose queue `waiting_max` commands have room, and its task.
    pub(crate) fn new(waiting_max: usize, parts: DriverParts) -> (Batcher, Driver) {
        // At least one: a channel has no other way to be empty.
        let waiting_max = waiting_max.max(1);
        let (arrivals, arriving) = mpsc::channel(waiting_max);
        let held = Arc::new(AtomicBool::new(false));
        let batcher = Batcher {
            arrivals,
            room: Room::new(waiting_max, WAITING_BYTES_MAX),
            held: Arc::clone(&held),
        };
        (batcher, Driver::new(parts, arriving, held))
    }

    /// Proposes nothing any more, while this node still leads: its commands wait for the next leader.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Release);
    }

    /// Has a command proposed, here or by the leader, and waits for what comes of it. Dropping the
    /// future does not take the command back.
    pub(crate) async fn propose(
        &self,
        command: EncodedCommand,
        deadline: Instant,
    ) -> Result<Answered, Unanswered> {
        let place = self.place(&command)?;
        let (done, ended) = Done::one();
        self.send(Arrival::One(item(command, deadline, done, place, false)));
        // A hop to the leader and back at most.
        match timeout_at(deadline + LAST_WORD * 2, ended).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) | Err(_) => Err(Unanswered::OutcomeUnknown),
        }
    }

    /// Has commands proposed that another node has sent, each with its deadline: what comes of each, in
    /// their order.
    pub(crate) async fn propose_forwarded(
        &self,
        proposals: impl ExactSizeIterator<Item = (EncodedCommand, Instant)>,
    ) -> Vec<Result<Answered, Unanswered>> {
        let begun = Instant::now();
        let mut last_deadline = begun;
        let (parts, gathered) = Done::many(proposals.len());
        let mut items = Vec::with_capacity(parts.len());
        for ((command, deadline), done) in proposals.zip(parts) {
            last_deadline = last_deadline.max(deadline);
            match self.place(&command) {
                Ok(place) => items.push(item(command, deadline, done, place, true)),
                Err(why) => done.end(Err(why)),
            }
        }
        if !items.is_empty() {
            self.send(Arrival::Many(items));
        }
        let ended = gathered.by(last_deadline + LAST_WORD).await;
        stages::forwarded_ended(begun);
        ended
    }

    /// A place in the queue for a command that may stand in an entry.
    fn place(&self, command: &EncodedCommand) -> Result<Place, Unanswered> {
        let not_proposed = |why| Err(Unanswered::NotProposed(why));
        if command.size() > COMMAND_BYTES_MAX {
            return not_proposed(NotProposed::TooLarge {
                size: command.size() as u64,
                limit: COMMAND_BYTES_MAX as u64,
            });
        }
        if !command.is_current() {
            // Of another release: a leader of that one will take it.
            return not_proposed(NotProposed::NotLeader);
        }
        let place = self.room.place(command.size());
        place.map_or_else(|| not_proposed(NotProposed::TooBusy), Ok)
    }

    fn send(&self, arrival: Arrival) {
        let (arrival, why) = match self.arrivals.try_send(arrival) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(arrival)) => (arrival, NotProposed::TooBusy),
            Err(mpsc::error::TrySendError::Closed(arrival)) => (arrival, NotProposed::NotLeader),
        };
        arrival.refuse(why);
    }
}

fn item(
    command: EncodedCommand,
    deadline: Instant,
    done: Done,
    place: Place,
    is_forwarded: bool,
) -> Item<Waiting> {
    Item {
        bytes: command.size(),
        deadline,
        command: Waiting {
            command,
            since: Instant::now(),
            done: Some(done),
            _place: Some(place),
            is_forwarded,
        },
    }
}

impl Arrival {
    fn refuse(self, why: NotProposed) {
        let refuse = |item: Item<Waiting>| item.command.end(Err(Unanswered::NotProposed(why)));
        match self {
            Arrival::One(item) => refuse(item),
            Arrival::Many(items) => items.into_iter().for_each(refuse),
        }
    }
}

impl Waiting {
    fn end(self, ended: Ended) {
        if let Some(done) = self.done {
            done.end(ended);
        }
    }
}
