//! The crash matrix: the power goes, or the disk fails, at every single operation of everything that
//! the store does.
//!
//! A script does one thing, step by step ([`scripts`]). It runs once in peace, which numbers the
//! operations that change a disk or the applied store, the *points*. Then it runs again for every
//! point and every fault at it; whatever is left is drawn several times, since a power loss keeps any
//! part of what was not synced. From each draw the store must
//! 1. open by itself,
//! 2. have what was acknowledged, and nothing that was never asked for,
//! 3. be in the state that the allocator itself has after some entry between the two,
//! 4. work on: a vote, entries, a checkpoint, a snapshot, a purge; and survive the power going in the
//!    middle of that, or after it.
//!
//! Each script's table says which points it has and what an error or a full disk does there, so that a
//! script that no longer does what it is for fails. `CRASH_DRAWS=n` draws that often, and lets the
//! power go at as many points after an error.

mod labels;
mod live;
mod model;
mod points;
mod scripts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use expect_test::Expect;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use raft_store::StoreFailure;
use raft_store::env::sim::{Latency, SimRng};
use raft_store::types::Vote;

use self::labels::Label;
use self::live::{Ended, Live, Outcome};
use self::model::{Model, check_rows};
use self::points::{Fault, Points};
use crate::world::{World, entry, pass, simulate};

/// How often what a power loss leaves is drawn for each point, before and after it.
const DRAWS: u64 = 7;
/// The same where the disk failed before the power did.
const DRAWS_AFTER_ERROR: u64 = 4;
/// At how many points after an error the power goes, too.
const LATER_POINTS: u64 = 2;
const DRAWS_LATER: u64 = 2;
/// Second lives have about so many points, and so many steps.
const SECOND_POINTS: u64 = 70;
const SECOND_STEPS: u64 = 8;

/// A machine with what is known of it.
#[derive(Debug, Clone)]
struct Start {
    world: World,
    model: Model,
}

/// How a script has ended.
struct Ran {
    start: Start,
    points: Points,
    ended: Outcome,
    failure: Option<StoreFailure>,
}

/// Runs the matrix of a script that begins where `base` ends.
fn matrix(
    name: &str,
    base: &impl AsyncFn(&mut Live<'_>) -> Outcome,
    script: &impl AsyncFn(&mut Live<'_>) -> Outcome,
    expected: &Expect,
) {
    let based = run(&empty(), Points::default(), base);
    based
        .ended
        .expect("what the script begins with can be made");
    based.start.world.disk.kill();
    let start = based.start;

    let in_peace = run(&start, Points::default(), script);
    in_peace.ended.expect("the script runs in peace");
    let labels = in_peace.points.crossed();
    let mut count = Count::default();
    survive(
        &in_peace.start,
        &mut count,
        |number| format!("{name}: in peace, draw {number}"),
        DRAWS,
    );

    let mut table = Table::default();
    for (point, label) in labels.iter().enumerate() {
        for fault in [Fault::PowerBefore, Fault::PowerAfter] {
            let ran = run_faulty(&start, point, fault, label, script);
            let context =
                |number| format!("{name}: point {point} ({label}), {fault:?}, draw {number}");
            survive(&ran.start, &mut count, context, DRAWS);
        }
        for fault in [Fault::Error, Fault::Full] {
            if fault == Fault::Full && !label.act.takes_room() {
                continue;
            }
            let ran = run_faulty(&start, point, fault, label, script);
            let context =
                |number| format!("{name}: point {point} ({label}), {fault:?}, draw {number}");
            table.add(label, fault, told(&ran, &context(0)));
            survive(&ran.start, &mut count, context, DRAWS_AFTER_ERROR);
            // A store that has failed, or goes on, loses power while it does.
            let crossed = ran.points.crossed();
            let mut rng = SimRng::new(count.starts);
            let rest = (crossed.len() - point - 1) as u64;
            for _ in 0..asked_or(LATER_POINTS).min(rest) {
                let later = usize::try_from(rng.below(rest)).expect("a few points");
                let later = point + 1 + later;
                let plan = [(point, fault), (later, Fault::PowerBefore)];
                let ran = run(&start, Points::at(plan), script);
                let context = |number| {
                    format!(
                        "{name}: point {point} ({label}), {fault:?}, power at {later} ({}), draw {number}",
                        crossed[later]
                    )
                };
                survive(&ran.start, &mut count, context, DRAWS_LATER);
            }
        }
    }
    // Past the capture of the test runner, for whoever watches.
    drop(writeln!(
        std::io::stderr().lock(),
        "crash matrix: {name}: {} points, {} starts after a fault",
        labels.len(),
        count.starts
    ));
    expected.assert_eq(&table.to_string());
}

/// A machine on which nothing was ever done. Operations take their time, always the same, so that
/// other cores come between them.
fn empty() -> Start {
    let world = World::new(1);
    world.disk.set_latency(Latency {
        write: (Duration::from_millis(1), Duration::from_millis(1)),
        sync: (Duration::from_millis(2), Duration::from_millis(2)),
    });
    Start {
        world,
        model: Model::default(),
    }
}

fn run(start: &Start, points: Points, script: &impl AsyncFn(&mut Live<'_>) -> Outcome) -> Ran {
    let world = start.world.twin(start.world.seed);
    let mut model = start.model.clone();
    let (ended, failure) = simulate(async {
        let mut live = Live::new(&world, points.clone(), &mut model);
        let ended = tokio::select! {
            // First the script, which hears what was acknowledged until then.
            biased;
            ended = script(&mut live) => ended,
            () = points.off() => Err(Ended::Off),
            () = somebody_makes_room(&points) => panic!("the script hangs"),
        };
        let failure = live.failure();
        if failure.is_some() {
            stays_stopped(&mut live).await;
        }
        (ended, failure)
    });
    let start = Start { world, model };
    Ran {
        start,
        points,
        ended,
        failure,
    }
}

fn run_faulty(
    start: &Start,
    point: usize,
    fault: Fault,
    label: &Label,
    script: &impl AsyncFn(&mut Live<'_>) -> Outcome,
) -> Ran {
    let ran = run(start, Points::at([(point, fault)]), script);
    let crossed = ran.points.crossed();
    assert_eq!(
        crossed.get(point),
        Some(label),
        "the points come in the same order each time"
    );
    if [Fault::PowerBefore, Fault::PowerAfter].contains(&fault) {
        assert_eq!(crossed.len(), point + 1, "nothing happens without power");
    }
    ran
}

/// A full disk is cleared after a while. Ends when the script has had far more time than it needs.
async fn somebody_makes_room(points: &Points) {
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        points.mend();
    }
}

/// A store that has failed acknowledges nothing any more.
async fn stays_stopped(live: &mut Live<'_>) {
    let log = &mut live.store().log;
    let state = log.get_log_state().await.expect("it is in memory");
    let next = state.last_log_id.map_or(0, |id| id.index) + 1;
    let appended = log.blocking_append([entry(9, next)]).await;
    appended.expect_err("the store has failed");
    let voted = log.save_vote(&Vote::new(9, 1)).await;
    voted.expect_err("the store has failed");
}

/// What the script was told when the disk failed.
fn told(ran: &Ran, context: &str) -> &'static str {
    match (&ran.failure, &ran.ended) {
        (Some(StoreFailure::Log { .. }), _) => "the log stops",
        (Some(StoreFailure::Checkpoint { .. }), _) => "checkpoints stop",
        (Some(StoreFailure::Snapshot { .. }), _) => "snapshots stop",
        (None, Ok(())) => "goes on",
        (None, Err(Ended::Open(_))) => "does not open",
        (None, Err(Ended::Identity(_) | Ended::Io(_) | Ended::Snapshot(_))) => "is refused",
        (failure, ended) => panic!("{context}: {failure:?}, {ended:?}"),
    }
}

#[derive(Default)]
struct Count {
    starts: u64,
}

/// When the next life ends with another power loss.
#[derive(Debug, Clone, Copy)]
enum End {
    AtPoint(usize),
    AfterStep(u64),
    AfterAll,
}

/// What a fault has left is drawn and judged, again and again: first as the death of the process
/// alone, which keeps everything that was written, then as power losses.
fn survive(start: &Start, count: &mut Count, context: impl Fn(u64) -> String, draws: u64) {
    for number in 0..=asked_or(draws) {
        let seed = count.starts;
        let world = start.world.twin(seed);
        if number < 2 {
            world.disk.kill();
        } else {
            world.crash();
        }
        let mut rng = SimRng::new(seed);
        let end = match number % 3 {
            0 => End::AfterAll,
            1 => End::AfterStep(rng.below(SECOND_STEPS)),
            _ => End::AtPoint(usize::try_from(rng.below(SECOND_POINTS)).expect("it is small")),
        };
        let model = start.model.clone();
        let lived = std::panic::catch_unwind(AssertUnwindSafe(|| live_on(&world, model, end)));
        assert!(lived.is_ok(), "{}, {end:?}", context(number));
        count.starts += 2;
    }
}

/// So many, or as many as `CRASH_DRAWS` says.
fn asked_or(usual: u64) -> u64 {
    let asked = std::env::var("CRASH_DRAWS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Two more lives, the first ended by a power loss.
fn live_on(world: &World, mut model: Model, end: End) {
    let (points, steps) = match end {
        End::AtPoint(point) => (Points::at([(point, Fault::PowerBefore)]), u64::MAX),
        End::AfterStep(step) => (Points::default(), step),
        End::AfterAll => (Points::default(), u64::MAX),
    };
    simulate(async {
        let mut live = Live::new(world, points.clone(), &mut model);
        let ended = tokio::select! {
            biased;
            () = points.off() => Err(Ended::Off),
            ended = work_on(&mut live, steps) => ended,
        };
        if !matches!(end, End::AtPoint(_)) {
            ended.unwrap_or_else(|error| panic!("it works on: {error:?}"));
        }
    });
    world.crash();
    simulate(async {
        let mut live = Live::new(world, Points::default(), &mut model);
        live.open()
            .unwrap_or_else(|error| panic!("it opens once more: {error:?}"));
        live.check().await;
    });
}

/// What a node does after a start, or the first so many steps of it.
async fn work_on(live: &mut Live<'_>, steps: u64) -> Outcome {
    live.open()?;
    live.check().await;
    let term = live.model.next_term();
    let mut appended = Vec::new();
    for step in 0..steps.min(SECOND_STEPS) {
        match step {
            0 => live.vote(term).await?,
            1 => {
                appended = live.model.further(term, 4);
                live.append(&appended).await?;
            }
            2 => live.apply(&live.model.unapplied()).await?,
            3 => live.checkpoint().await?,
            4 => live.build().await?,
            5 => live.purge(appended[2].log_id).await?,
            6 => {
                // What older checkpoints have left goes when the new one counts.
                pass(Duration::from_millis(100)).await;
                check_rows(live.world);
            }
            _ => {
                let entries = live.model.further(term, 1);
                live.commit(&entries).await?;
            }
        }
    }
    Ok(())
}

/// What an error and a full disk do at the points of each name, in the order of the script.
#[derive(Default)]
struct Table {
    order: Vec<Label>,
    rows: BTreeMap<(Label, Fault), BTreeSet<&'static str>>,
}

impl Table {
    fn add(&mut self, label: &Label, fault: Fault, told: &'static str) {
        if label.step.is_empty() {
            return;
        }
        if !self.order.contains(label) {
            self.order.push(label.clone());
        }
        self.rows
            .entry((label.clone(), fault))
            .or_default()
            .insert(told);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        for label in &self.order {
            let told = |fault| {
                let told = self.rows.get(&(label.clone(), fault))?;
                Some(told.iter().copied().collect::<Vec<_>>().join(" or "))
            };
            let error = told(Fault::Error).unwrap_or_default();
            write!(text, "{label}: {error}")?;
            match told(Fault::Full) {
                Some(full) if full != error => writeln!(text, "; if full, {full}")?,
                _ => writeln!(text)?,
            }
        }
        f.write_str(&text)
    }
}
