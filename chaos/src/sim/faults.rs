//! What goes wrong, and when.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use rand::rngs::StdRng;

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
        for other in NODES.into_iter().filter(|other| *other != leader) {
            run.sim.partition(host_name(leader), host_name(other));
        }
        run.steps(self.between(1_500, 4_000))?;
        run.world
            .trace
            .event(run.sim.elapsed(), "the network is whole");
        for other in NODES.into_iter().filter(|other| *other != leader) {
            run.sim.repair(host_name(leader), host_name(other));
        }
        Ok(())
    }

    /// One node loses its power, and what its disk had not synced; it comes back.
    pub(super) fn power_loss(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.steps(self.between(1_000, 3_000))?;
        let victim = NODES[self.random.random_range(..NODES.len())];
        run.world
            .trace
            .event(run.sim.elapsed(), &format!("node {victim} loses its power"));
        // The disk first: what the process would still write on its way down must not count.
        run.world.power_off(victim);
        run.sim.crash(host_name(victim));
        run.steps(self.between(200, 2_000))?;
        run.world
            .trace
            .event(run.sim.elapsed(), &format!("node {victim} starts"));
        run.sim.bounce(host_name(victim));
        Ok(())
    }

    fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.random.random_range(from_ms..to_ms))
    }
}
