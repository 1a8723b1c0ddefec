//! Three nodes in one thread: the real replica, allocator and log over a simulated network and simulated disks.
//!
//! A seed decides everything: latencies, elections, what the clients ask for, when the leader is cut off and which nodes
//! lose their power. The invariants are checked after every step; in the end the network is healed, the nodes agree, and
//! what clients were told is there. What happened is a trace, and the same seed gives the same trace.

mod clients;
mod faults;
mod net;
mod trace;
mod world;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use raft_store::Runtime;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::invariants::Invariants;
use faults::Faults;
pub use trace::Trace;
use world::World;

/// One step of simulated time.
const TICK: Duration = Duration::from_millis(1);
/// For the cluster to form and the clients to have a pool.
const FORM_WITHIN: Duration = Duration::from_secs(30);
/// For the nodes to agree once nothing fails any more.
const CONVERGE_WITHIN: Duration = Duration::from_mins(1);
/// Of undisturbed work after the last fault.
const QUIET: Duration = Duration::from_secs(2);
/// Claims that a run must have had acknowledged, or it has shown nothing.
const ACKNOWLEDGED_MIN: u64 = 50;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// All that happened, in order.
    pub trace: Trace,
    /// Operations that clients were told had been done.
    pub acknowledged: u64,
    /// Claims held at the end.
    pub held: usize,
}

/// Runs the world of `seed` through `rounds` rounds, each with one partition and one power loss.
///
/// # Errors
/// An invariant that did not hold, a node that did not come back, or a promise to a client that was not kept.
pub fn run(seed: u64, rounds: u32) -> Result<Outcome> {
    Runtime::seed_thread(seed);
    let outcome = simulate(seed, rounds).with_context(|| format!("seed {seed}"));
    Runtime::unseed_thread();
    outcome
}

/// Runs the world of `seed` while each sync of the followers' disks takes as long as an election: the leader is well
/// and heard, so that it stays.
///
/// # Errors
/// Another term began, or something that [`run`] would not accept.
pub fn run_with_slow_followers(seed: u64) -> Result<Outcome> {
    Runtime::seed_thread(seed);
    let outcome = formed(seed)
        .and_then(|mut run| {
            faults::slow_followers(&mut run)?;
            run.end()
        })
        .with_context(|| format!("seed {seed}"));
    Runtime::unseed_thread();
    outcome
}

fn simulate(seed: u64, rounds: u32) -> Result<Outcome> {
    let mut run = formed(seed)?;
    let mut faults = Faults::new(StdRng::seed_from_u64(seed));
    for _ in 0..rounds {
        faults.partition(&mut run)?;
        faults.power_loss(&mut run)?;
    }
    run.end()
}

/// Three nodes that have formed a cluster and whose clients are at work.
fn formed(seed: u64) -> Result<Run<'static>> {
    let world = World::new(seed);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .min_message_latency(Duration::from_micros(100))
        .max_message_latency(Duration::from_millis(5))
        .simulation_duration(Duration::from_hours(1))
        .build();
    for id in world::NODES {
        world.host(&mut sim, id);
    }
    let mut run = Run {
        sim,
        world,
        invariants: Invariants::default(),
    };
    run.until("the clients have a pool", FORM_WITHIN, |world| {
        world.clients.have_pool()
    })?;
    Ok(run)
}

/// A run under way.
struct Run<'a> {
    sim: turmoil::Sim<'a>,
    world: World,
    invariants: Invariants,
}

impl Run<'_> {
    /// One tick of time, and a look at every node.
    fn step(&mut self) -> Result<()> {
        self.sim.step().map_err(|error| anyhow!("{error}"))?;
        for glimpse in self.world.glimpses() {
            self.world.trace.glimpse(self.sim.elapsed(), &glimpse);
            self.invariants.check(&glimpse)?;
        }
        Ok(())
    }

    fn steps(&mut self, time: Duration) -> Result<()> {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.step()?;
        }
        Ok(())
    }

    fn until(
        &mut self,
        what: &str,
        within: Duration,
        holds: impl Fn(&World) -> bool,
    ) -> Result<()> {
        let end = self.sim.elapsed() + within;
        while !holds(&self.world) {
            ensure!(
                self.sim.elapsed() < end,
                "not within {within:?}: {what}: {}",
                self.world.describe()
            );
            self.step()?;
        }
        Ok(())
    }

    /// Undisturbed work, then what all nodes have must be the same, and what clients were told.
    fn end(mut self) -> Result<Outcome> {
        self.steps(QUIET)?;
        self.world.clients.stop();
        self.until(
            "all nodes have applied the same",
            CONVERGE_WITHIN,
            World::has_converged,
        )?;
        self.finish()
    }

    fn finish(self) -> Result<Outcome> {
        let mut held = 0;
        for (id, listed) in self.world.claims()? {
            held = listed.len();
            self.world
                .clients
                .ledger()
                .judge(&listed)
                .with_context(|| format!("as node {id} has it"))?;
        }
        self.world.audit()?;
        let acknowledged = self.world.clients.acknowledged();
        ensure!(
            acknowledged >= ACKNOWLEDGED_MIN,
            "only {acknowledged} operations were acknowledged"
        );
        Ok(Outcome {
            trace: self.world.trace.clone(),
            acknowledged,
            held,
        })
    }
}
