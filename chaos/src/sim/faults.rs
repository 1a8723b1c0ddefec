//! What goes wrong, and when.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use raft_store::env::sim::Latency;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Run;
use super::world::{NODES, host_name};

/// A sync of a slow disk: longer than a follower waits for its leader.
const SLOW_SYNC: (Duration, Duration) = (Duration::from_millis(700), Duration::from_millis(900));
/// How long the disks are slow.
const SLOW_FOR: Duration = Duration::from_secs(20);

/// Draws faults from the seed.
pub(super) struct Faults {
    random: StdRng,
}

impl Faults {
    pub(super) fn new(random: StdRng) -> Self {
        Self { random }
    }

    /// The leader is cut off from the others for a while; they elect another.
    pub(super) fn partition(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.steps(self.between(300, 1_500))?;
        let leader = run.world.leader().context("a leader")?;
        run.world
            .trace
            .event(run.sim.elapsed(), &format!("node {leader} is cut off"));
        cut_off(run, leader);
        run.steps(self.between(1_500, 4_000))?;
        run.world
            .trace
            .event(run.sim.elapsed(), "the network is whole");
        rejoin(run, leader);
        Ok(())
    }

    /// One node, two or all lose their power at one instant, and what their disks had not synced; they come back.
    pub(super) fn power_loss(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.steps(self.between(1_000, 3_000))?;
        let count = self.random.random_range(1..=NODES.len());
        let victims: Vec<u64> = NODES
            .choose_multiple(&mut self.random, count)
            .copied()
            .collect();
        run.world.trace.event(
            run.sim.elapsed(),
            &format!("nodes {victims:?} lose their power"),
        );
        for victim in &victims {
            // A machine without power says nothing: without this, what is dropped with the runtime would still send
            // its farewells, in an order that Tokio takes from a counter of the process. The disk goes before the
            // process for the same reason: what it would write on its way down must not count.
            cut_off(run, *victim);
            run.world.power_off(*victim);
        }
        for victim in &victims {
            run.sim.crash(host_name(*victim));
        }
        run.steps(self.between(200, 2_000))?;
        run.world
            .trace
            .event(run.sim.elapsed(), &format!("nodes {victims:?} start"));
        for victim in &victims {
            rejoin(run, *victim);
            run.sim.bounce(host_name(*victim));
        }
        Ok(())
    }

    fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.random.random_range(from_ms..to_ms))
    }
}

fn cut_off(run: &Run<'_>, node: u64) {
    for other in NODES.into_iter().filter(|other| *other != node) {
        run.sim.partition(host_name(node), host_name(other));
    }
}

fn rejoin(run: &Run<'_>, node: u64) {
    for other in NODES.into_iter().filter(|other| *other != node) {
        run.sim.repair(host_name(node), host_name(other));
    }
}

/// For a while each sync of every follower takes as long as a follower waits for its leader.
pub(super) fn slow_followers(run: &mut Run<'_>) -> Result<()> {
    let leader = run.world.leader().context("somebody leads")?;
    let term = run.world.term();
    let followers = || NODES.into_iter().filter(|id| *id != leader);
    let slow = Latency {
        sync: SLOW_SYNC,
        ..Latency::default()
    };
    followers().for_each(|id| run.world.set_latency(id, slow));
    run.steps(SLOW_FOR)?;
    followers().for_each(|id| run.world.set_latency(id, Latency::default()));
    ensure!(
        run.world.term() == term,
        "term {term} became {} although the leader was well",
        run.world.term()
    );
    Ok(())
}
