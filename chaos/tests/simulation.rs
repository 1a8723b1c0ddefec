//! Some worlds of the simulation; `ipam-chaos sim --seed N --worlds M` runs others.

use std::time::Duration;

use anyhow::{Result, ensure};
use chaos::sim::{self, Failure, Figures, Outcome, Plan};

/// Any will do; this one stays, so that a failure is a change of the code.
const SEED: u64 = 2_026;

fn run(plan: &Plan) -> Result<Outcome> {
    sim::run(plan).map_err(|failure: Failure| failure.error)
}

#[test]
fn a_world_keeps_every_promise_and_is_the_same_twice() -> Result<()> {
    let plan = Plan::draw(SEED, Duration::from_secs(20));
    let first = run(&plan)?;
    let second = run(&plan)?;
    ensure!(
        first.trace == second.trace,
        "one seed, two worlds: {}",
        first_difference(&first, &second)
    );
    ensure!(first == second, "one trace, and something else differs");
    let other = run(&Plan::draw(SEED + 1, Duration::from_secs(20)))?;
    ensure!(first.trace != other.trace, "another seed is another world");
    Ok(())
}

#[test]
fn a_leader_that_is_well_stays_while_its_followers_disks_are_slow() -> Result<()> {
    let plan = Plan::draw(SEED, Duration::from_secs(20)).without_faults();
    sim::run_with_slow_followers(&plan).map_err(|failure| failure.error)?;
    Ok(())
}

#[test]
fn the_twin_of_a_world_without_its_faults_answers_everything() -> Result<()> {
    for seed in SEED..SEED + 4 {
        let plan = Plan::draw(seed, Duration::from_secs(20)).without_faults();
        let Figures {
            acknowledged,
            unanswered,
            ..
        } = run(&plan)?.figures;
        ensure!(
            acknowledged > 0 && unanswered == (0, 0),
            "seed {seed}: {acknowledged} answered, {unanswered:?} not"
        );
    }
    Ok(())
}

fn first_difference(one: &Outcome, other: &Outcome) -> String {
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
