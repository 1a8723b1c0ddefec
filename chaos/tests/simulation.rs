//! The smoke test of the simulation; `ipam-chaos sim --seed N` runs other worlds.

use anyhow::{Result, ensure};
use chaos::sim;

/// Any will do; this one stays, so that a failure is a change of the code.
const SEED: u64 = 2_026;

#[test]
fn a_world_with_a_partition_and_a_power_loss_keeps_every_promise_and_is_the_same_twice()
-> Result<()> {
    let first = sim::run(SEED, 1)?;
    let second = sim::run(SEED, 1)?;
    ensure!(
        first.trace == second.trace,
        "one seed, two worlds: {}",
        first_difference(&first, &second)
    );
    ensure!(first == second, "{first:?} {second:?}");
    let other = sim::run(SEED + 1, 1)?;
    ensure!(first.trace != other.trace, "another seed is another world");
    Ok(())
}

#[test]
fn a_leader_that_is_well_stays_while_its_followers_disks_are_slow() -> Result<()> {
    sim::run_with_slow_followers(SEED)?;
    Ok(())
}

fn first_difference(one: &sim::Outcome, other: &sim::Outcome) -> String {
    let (one, other) = (one.trace.text(), other.trace.text());
    let differing = one
        .lines()
        .zip(other.lines())
        .find(|(one, other)| one != other);
    differing.map_or_else(
        || "one is longer".to_owned(),
        |(one, other)| format!("\n{one}\n{other}"),
    )
}
