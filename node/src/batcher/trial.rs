//! The queue and the ends of its commands without a task, a log or a clock: for whoever measures what they cost.

use std::time::Duration;

use allocator::answer::Answer;
use raft_store::codec::EncodedCommand;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::done::{Done, Ended, Gathered};
use super::queue::{Item, Queue};
use super::room::Room;
use super::{Answered, Waiting, item};

const WAITS_MAX: Duration = Duration::from_secs(5);

/// A queue of commands and the room that they take.
#[derive(Debug)]
pub struct Trial {
    room: Room,
    queue: Queue<Waiting>,
}

/// Commands that have left the queue together.
#[derive(Debug)]
pub struct Batch(Vec<Item<Waiting>>);

/// Where the end of one command is told.
#[derive(Debug)]
pub struct End(oneshot::Receiver<Ended>);

/// Where the ends of several are told, together.
#[derive(Debug)]
pub struct Ends(Gathered);

impl Trial {
    /// An empty queue with room for so many commands.
    pub fn new(waiting_max: usize) -> Trial {
        Trial {
            room: Room::new(waiting_max, super::WAITING_BYTES_MAX),
            queue: Queue::new(),
        }
    }

    /// Puts a command of a client of this node into the queue.
    ///
    /// # Panics
    /// There is no room for it.
    pub fn push(&mut self, command: EncodedCommand) -> End {
        let (done, ended) = Done::one();
        self.push_with(command, done);
        End(ended)
    }

    /// Puts commands of another node's message into the queue.
    ///
    /// # Panics
    /// There is no room for them.
    pub fn push_all(&mut self, commands: impl ExactSizeIterator<Item = EncodedCommand>) -> Ends {
        let (parts, gathered) = Done::many(commands.len());
        for (command, done) in commands.zip(parts) {
            self.push_with(command, done);
        }
        Ends(gathered)
    }

    fn push_with(&mut self, command: EncodedCommand, done: Done) {
        let place = self.room.place(command.size());
        let place = place.expect("the queue has room for what is tried");
        let deadline = Instant::now() + WAITS_MAX;
        self.queue.push(item(command, deadline, done, place, false));
    }

    /// Takes what goes into one entry.
    pub fn take(&mut self) -> Batch {
        Batch(self.queue.take().unwrap_or_default())
    }
}

impl Batch {
    /// How many commands there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Ends each with its answer.
    pub fn end(self, answers: Vec<Answer>) {
        for (item, answer) in self.0.into_iter().zip(answers) {
            item.command.end(Ok(Answered {
                answer,
                index: 0,
                leader: 0,
            }));
        }
    }
}

impl End {
    /// The answer; `None` where the command has not ended.
    pub fn answer(mut self) -> Option<Answer> {
        let answered = self.0.try_recv().ok()?.ok()?;
        Some(answered.answer)
    }
}

impl Ends {
    /// The answers of those that have ended.
    pub async fn answers(self) -> Vec<Answer> {
        let ended = self.0.by(Instant::now() + WAITS_MAX).await;
        let answered = ended.into_iter().flatten();
        answered.map(|answered| answered.answer).collect()
    }
}
