//! One load generator for ipamd and its peers: connections that each have one request in flight.
//!
//! It has a thread of its own (and an open loop one that paces it), so that all who are measured share the machine with it. In a *closed*
//! loop each connection asks again as soon as it was answered: it tells how much a server does. In an *open* loop turns
//! begin at their times, however long those before them take, and what a turn waits for a free connection counts: it
//! tells what those who come see, stalls too.

mod churn;
mod claims;
mod closed;
mod fixed;
mod flood;
pub(crate) mod http;
mod open;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::processor;
use tokio::task::{JoinSet, LocalSet, spawn_blocking};
use tokio::time::Instant;

use crate::latency::Latencies;

pub(crate) use churn::Churn;
pub(crate) use claims::{Claimed, Claims};
pub(crate) use closed::{Closed, closed};
pub(crate) use fixed::Fixed;
pub(crate) use flood::{Ended, Flood};
pub(crate) use open::{Open, open};

/// What a load is of: a server, and what is asked of it.
pub(crate) trait Target: Send + Sync + 'static {
    type Client: Client;

    /// The connection with that number, from 0.
    async fn connect(&self, number: usize) -> Result<Self::Client>;
}

/// One connection and what is asked over it.
pub(crate) trait Client: 'static {
    /// What an answer told.
    type Told: Send + 'static;

    /// Asks once. An answer that is not as it must be is an error, and ends the load.
    async fn turn(&mut self) -> Result<Self::Told>;
}

/// A turn that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn<T> {
    /// When it was to begin.
    pub(crate) intended: Instant,
    /// From then on till its answer.
    pub(crate) took: Duration,
    pub(crate) told: T,
}

/// What a load has seen.
#[derive(Debug)]
pub(crate) struct Seen<T> {
    /// The turns that began after the warm-up.
    pub(crate) turns: Vec<Turn<T>>,
    /// What the warm-up's answers told.
    pub(crate) warm: Vec<T>,
    /// How many turns ended in the time that is counted,
    pub(crate) ended: u32,
    /// and how long that was.
    pub(crate) lasted: Duration,
    /// How much of a core the generator's thread has taken meanwhile. Near 1 it is the generator that is measured.
    pub(crate) generator: f64,
}

impl<T> Seen<T> {
    /// Nothing yet of a load that is counted for so long.
    fn nothing(lasted: Duration) -> Self {
        Self {
            turns: Vec::new(),
            warm: Vec::new(),
            ended: 0,
            lasted,
            generator: 0.0,
        }
    }

    /// Turns a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.ended) / self.lasted.as_secs_f64()
    }

    /// How long the turns took.
    pub(crate) fn latencies(&self) -> Latencies {
        self.turns.iter().map(|turn| turn.took).collect()
    }

    /// What all answers told.
    pub(crate) fn told(&self) -> impl Iterator<Item = &T> {
        let counted = self.turns.iter().map(|turn| &turn.told);
        self.warm.iter().chain(counted)
    }
}

/// Runs what `make` makes on a thread and a runtime of its own.
async fn on_own_thread<T, M, F>(make: M) -> Result<T>
where
    T: Send + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<T>>,
{
    let load = spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, make())
    });
    load.await.context("the load generator")?
}

/// So many connections.
async fn connected<T: Target>(target: &T, connections: usize) -> Result<Vec<T::Client>> {
    let mut connected = Vec::with_capacity(connections);
    for number in 0..connections {
        connected.push(target.connect(number).await?);
    }
    Ok(connected)
}

/// What each of the clients has seen, together.
async fn together<T: 'static>(
    mut clients: JoinSet<Result<Seen<T>>>,
    lasted: Duration,
) -> Result<Seen<T>> {
    let mut all = Seen::nothing(lasted);
    let (busy, begun) = (processor::taken_by_this_thread(), Instant::now());
    while let Some(client) = clients.join_next().await {
        let seen = client??;
        all.turns.extend(seen.turns);
        all.warm.extend(seen.warm);
        all.ended += seen.ended;
    }
    let busy = processor::taken_by_this_thread().saturating_sub(busy);
    all.generator = busy.as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(all)
}
