//! Each planted bug is found in the world in which it was found first; without it, the same world keeps every promise.
//!
//! Needs debug assertions; says so where there are none.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;

use allocator::planted::{Bug, choose};
use anyhow::{Context, Result, ensure};
use cluster_tests::requirements::say;

/// The bug, the seed, and what is said when it is found.
const FOUND: [(Bug, u64, &str); Bug::ALL.len()] = [
    (Bug::AcknowledgedBeforeSync, 2, "the log has lost its end"),
    (Bug::VoteNotSynced, 1, "votes are kept"),
    (Bug::PurgedForgotten, 1, "the log cannot be used"),
    (Bug::AppliedTwice, 4, "the same state at the same index"),
    (Bug::LastCommandSkipped, 1, "what was acknowledged stays"),
    (
        Bug::EndedATickEarly,
        6,
        "no block is used again before its time",
    ),
    (
        Bug::WallClockForExpiry,
        2,
        "the log's clock is not ahead of time",
    ),
    (Bug::LeaseForgotten, 1, "the applying thread has stopped"),
    (Bug::CheckpointSplit, 4, "the same state at the same index"),
    (Bug::ReadWithoutIndex, 1, "reads reach what they must"),
    (Bug::BadChecksumAccepted, 1, "the log cannot be used"),
    (
        Bug::TimeCountedTwice,
        5,
        "the log's clock is not ahead of time",
    ),
    (Bug::ForwardedTwice, 2, "linearizable_names"),
    (Bug::WipedMemberVotes, 2, "a node panicked"),
    (Bug::RenumberedOnEdit, 1, "what was acknowledged stays"),
];

/// A world in a process of its own, since a node that panics takes it down: whether every promise was kept, and what was said.
fn live(seed: u64, planted: Option<Bug>) -> Result<(bool, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipam-chaos"));
    command.args(["sim", "--seed", &seed.to_string()]);
    if let Some(bug) = planted {
        command.args(["--planted", bug.name()]);
    }
    let output = command.env("RUST_BACKTRACE", "0").output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn every_planted_bug_is_found_and_nothing_is_found_without_it() -> Result<()> {
    if !choose(None) {
        say("planted bugs: skipped: this build has none, since it has no debug assertions");
        return Ok(());
    }
    // Two at a time; each world is a process of its own.
    let (one, other) = Bug::ALL.split_at(Bug::ALL.len() / 2);
    thread::scope(|scope| {
        let find = |bugs: &[Bug]| bugs.iter().try_for_each(|bug| is_found(*bug));
        let both = [one, other].map(|bugs| scope.spawn(move || find(bugs)));
        both.into_iter()
            .try_for_each(|part| part.join().expect("it does not panic"))
    })?;
    let seeds: BTreeSet<u64> = FOUND.iter().map(|(_, seed, _)| *seed).collect();
    for seed in seeds {
        let (kept, said) = live(seed, None)?;
        ensure!(kept, "seed {seed} without a bug: {said}");
    }
    Ok(())
}

fn is_found(bug: Bug) -> Result<()> {
    let name = bug.name();
    let found = FOUND.iter().find(|(known, ..)| *known == bug);
    let (_, seed, words) = found.with_context(|| format!("no seed is recorded for {name}"))?;
    let (kept, said) = live(*seed, Some(bug))?;
    ensure!(
        !kept && said.contains(words),
        "{name} with seed {seed} has to be found by: {words}; said was: {said}"
    );
    Ok(())
}
