//! Clients on each simulated node: they ask its replica, and write down what they asked and what they were told.

mod call;
pub(super) mod pools;
mod work;

use std::time::Duration;

use allocator::command::{Command, Envelope};
use anyhow::{Result, anyhow};
use node::replica::Replica;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::book::Book;

/// How long an answer is waited for.
const DEADLINE: Duration = Duration::from_secs(2);

/// Where a client sits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    /// The node that it asks.
    pub(super) node: u64,
    /// Its own number, of this start of the node.
    pub(super) number: u64,
    pub(super) seed: u64,
    /// How long it thinks, in milliseconds.
    pub(super) think_ms: (u64, u64),
}

/// One client, until its node dies. The first that sits at node 1 makes the tenant and its pools.
///
/// # Errors
/// It was told something that cannot be.
pub(super) async fn run(seat: Seat, replica: Replica, book: Book) -> Result<()> {
    let mut client = Client {
        random: StdRng::seed_from_u64(seat.seed),
        commands: 0,
        seen: 0,
        seat,
        replica,
        book,
    };
    while seat.node == 1 && !client.book.lock().have_pools {
        if client.set_up().await? {
            client.book.lock().have_pools = true;
        }
    }
    loop {
        let (from, to) = seat.think_ms;
        let think = client.random.random_range(from..=to);
        tokio::time::sleep(Duration::from_millis(think)).await;
        let (open, closed) = {
            let book = client.book.lock();
            (book.have_pools, book.closed)
        };
        if closed {
            return Ok(());
        }
        if open {
            client.work().await?;
        }
    }
}

/// A client at its seat.
struct Client {
    seat: Seat,
    replica: Replica,
    book: Book,
    random: StdRng,
    commands: u64,
    /// The newest revision that it was told of.
    seen: u64,
}

impl Client {
    /// Makes the tenant and its pools; false where some of it did not come to an answer.
    async fn set_up(&mut self) -> Result<bool> {
        for command in pools::set_up()? {
            let envelope = self.envelope(command);
            match self.replica.propose(envelope, DEADLINE).await {
                Ok(proposed) => proposed
                    .answer
                    .result
                    .map(drop)
                    .map_err(|rejection| anyhow!("{rejection:?}"))?,
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A command under a name of its own, by which it is known again in what it changed.
    fn envelope(&mut self, command: Command) -> Envelope {
        self.commands += 1;
        Envelope {
            actor: "".into(),
            source: format!("{}.{}", self.seat.number, self.commands).into(),
            command,
        }
    }
}
