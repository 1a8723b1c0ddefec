//! What goes wrong, and when.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Run;
use super::world::{NODES, host_name};

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
