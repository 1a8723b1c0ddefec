//! Histories that are wrong are rejected, by the checker whose business it is, and those that are right are accepted.
//!
//! `histories/` has one of each kind by hand, with its mended twin. The rest is random: histories that are right by
//! construction, and the same with one thing done to them that makes them wrong for certain.

#[path = "bad_histories/corruptions.rs"]
mod corruptions;
#[path = "bad_histories/simulator.rs"]
mod simulator;
#[path = "bad_histories/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use chaos::checkers::{Kind, Verdict, check};
use chaos::history::{Line, Reply, What, read};
use cluster_tests::requirements::say;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use corruptions::{CORRUPTIONS, Facts};
use simulator::{Setup, simulate};

/// Each bad history and who must say so; `NAME.good.jsonl` is its mended twin.
const BY_HAND: &[(&str, &[&str])] = &[
    ("atomic_batch_half_done", &["whole_batches"]),
    ("different_digests", &["digests"]),
    ("double_hold", &["no_double_hold", "linearizable_blocks"]),
    ("early_reuse", &["no_early_reuse", "linearizable_blocks"]),
    ("gap_in_a_watch", &["watches"]),
    (
        "lease_ended_early",
        &["acknowledged_stays", "linearizable_names"],
    ),
    ("local_read_behind", &["local_reads"]),
    (
        "lost_claim",
        &["acknowledged_stays", "final_lists", "linearizable_names"],
    ),
    (
        "overlapping_blocks",
        &["no_double_hold", "linearizable_blocks"],
    ),
    ("release_undone", &["final_lists", "agreement"]),
    ("repeat_in_a_watch", &["watches"]),
    ("reused_generation", &["generations"]),
    ("revision_goes_back", &["revisions"]),
    ("stale_read", &["linearizable_names"]),
];

#[test]
fn each_bad_history_is_rejected_and_its_mended_twin_is_not() -> Result<()> {
    for (name, accusers) in BY_HAND {
        let verdict = check(&history(&format!("{name}.bad"))?);
        let said = verdict.accusers();
        for accuser in *accusers {
            ensure!(
                said.contains(accuser),
                "{name}: {accuser} is silent; {said:?} are not"
            );
        }
        let verdict = check(&history(&format!("{name}.good"))?);
        ensure!(verdict.is_ok(), "the mended {name}: {}", findings(&verdict));
    }
    Ok(())
}

#[test]
fn every_history_by_hand_is_in_the_table() -> Result<()> {
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(histories())? {
        there.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    let twins = |name: &str| [format!("{name}.bad.jsonl"), format!("{name}.good.jsonl")];
    let known: BTreeSet<String> = BY_HAND.iter().flat_map(|(name, _)| twins(name)).collect();
    ensure!(there == known, "{there:?}");
    Ok(())
}

#[test]
fn the_documentation_has_an_example_that_is_a_history_and_names_every_checker() -> Result<()> {
    let page = std::fs::read_to_string(histories().join("../../../docs/history.md"))?;
    let example = page
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let lines = read(example.context("an example")?.as_bytes())?;
    let events: BTreeSet<String> = lines
        .iter()
        .map(|line| serde_json::to_value(line).map(|line| line["event"].to_string()))
        .collect::<Result<_, _>>()?;
    for event in [
        "run", "invoke", "ok", "unknown", "fault", "leader", "watching", "watched", "digest",
        "claims",
    ] {
        ensure!(
            events.contains(&format!("\"{event}\"")),
            "no example of {event}"
        );
    }
    let verdict = check(&lines);
    ensure!(verdict.is_ok(), "{}", findings(&verdict));
    for examined in &verdict.checkers {
        let row = format!("\n| `{}` | ", examined.checker);
        ensure!(page.contains(&row), "{} has no row", examined.checker);
    }
    Ok(())
}

#[test]
fn the_command_prints_a_report_writes_a_page_and_tells_by_its_exit() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let page = scratch.path().join("page.html");
    for (name, code, says) in [
        ("stale_read.good", 0, "OK, but 6 checkers saw nothing"),
        (
            "stale_read.bad",
            1,
            "linearizable_names: what a was told that it holds contradicts itself",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ipam-chaos"))
            .arg("check")
            .arg(histories().join(format!("{name}.jsonl")))
            .arg("--html")
            .arg(&page)
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.code() == Some(code), "{name}: {said}");
        ensure!(said.contains(says), "{name}: {said}");
        ensure!(std::fs::read_to_string(&page)?.contains("<svg "), "{name}");
    }
    Ok(())
}

#[test]
fn right_histories_are_accepted_and_corrupted_ones_are_rejected() -> Result<()> {
    let mut caught: BTreeMap<&str, u32> = BTreeMap::new();
    let mut looked_at: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for seed in 0..40 {
        let lines = simulate(small(seed));
        let verdict = check(&lines);
        ensure!(verdict.is_ok(), "seed {seed}: {}", findings(&verdict));
        for examined in &verdict.checkers {
            for (what, count) in &examined.counts {
                *looked_at.entry((examined.checker, what)).or_default() += count;
            }
        }
        let facts = Facts::of(&lines);
        let mut random = StdRng::seed_from_u64(seed);
        for (kind, accuser, corrupt) in CORRUPTIONS {
            let Some(corrupted) = corrupt(&facts, &mut random) else {
                continue;
            };
            let said = check(&corrupted).accusers();
            ensure!(
                said.contains(accuser),
                "seed {seed}: {kind}: {accuser} is silent, {said:?} are not"
            );
            *caught.entry(kind).or_default() += 1;
        }
    }
    for (kind, ..) in CORRUPTIONS {
        let count = caught.get(kind).copied().unwrap_or(0);
        say(&format!("{kind}: {count} caught of {count}"));
        ensure!(count >= 10, "{kind} was tried {count} times only");
    }
    // A checker that looked at nothing has shown nothing.
    let idle = looked_at.iter().find(|(_, count)| **count == 0);
    ensure!(idle.is_none(), "{idle:?}");
    Ok(())
}

/// One answer is changed at random, which need not be wrong: what an operation of unknown outcome may explain is not.
#[test]
fn most_answers_cannot_be_changed_unnoticed() -> Result<()> {
    let (mut caught, mut tried) = (BTreeMap::<&str, u32>::new(), BTreeMap::<&str, u32>::new());
    for seed in 100..130 {
        let lines = simulate(small(seed));
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..10 {
            let mut changed = lines.clone();
            let Some(kind) = change_an_answer(&mut changed, &mut random) else {
                continue;
            };
            *tried.entry(kind).or_default() += 1;
            let noticed = !check(&changed).accusers().is_empty();
            *caught.entry(kind).or_default() += u32::from(noticed);
        }
    }
    for (kind, tried) in &tried {
        let caught = caught.get(kind).copied().unwrap_or(0);
        say(&format!("{kind} changed: {caught} noticed of {tried}"));
        ensure!(caught * 10 >= tried * 9, "{kind}: {caught} of {tried}");
    }
    Ok(())
}

#[test]
fn the_work_grows_with_the_history_and_not_with_what_is_unknown_in_it() {
    // As many operations as a run of ten minutes has; half of them on contended names, one in twenty unknown.
    let long = simulate(Setup {
        seed: 1,
        operations: 60_000,
        clients: 24,
        unknown_percent: 5,
        contended: 16,
    });
    let many_unknown = simulate(Setup {
        unknown_percent: 30,
        ..small(2)
    });
    for lines in [long, many_unknown] {
        let verdict = check(&lines);
        assert!(verdict.is_ok(), "{}", findings(&verdict));
        for checker in ["linearizable_names", "linearizable_blocks"] {
            let count = |what| verdict.count(checker, what);
            let (operations, steps) = (count("operations"), count("steps"));
            say(&format!(
                "{checker}: {steps} steps for {operations} operations"
            ));
            assert!(
                steps < 4 * operations,
                "{steps} steps for {operations} operations"
            );
        }
    }
}

fn small(seed: u64) -> Setup {
    Setup {
        seed,
        operations: 400,
        clients: 6,
        unknown_percent: 5,
        contended: 12,
    }
}

/// Changes what one answer says of a generation, a block, or whether anything is held.
fn change_an_answer(lines: &mut [Line], random: &mut StdRng) -> Option<&'static str> {
    let answers: Vec<usize> = (0..lines.len())
        .filter(|place| matches!(lines[*place].what, What::Ok { .. }))
        .collect();
    let place = *answers.choose(random)?;
    let What::Ok { reply, .. } = &mut lines[place].what else {
        return None;
    };
    let other = random.random_range(1..4);
    match reply {
        Reply::Holds {
            block, generation, ..
        }
        | Reply::Found {
            block, generation, ..
        } => {
            if random.random_bool(0.5) {
                *generation += other;
                Some("a generation")
            } else {
                "10.2.77.7/32".clone_into(block);
                Some("a block")
            }
        }
        Reply::HeldBy { name, .. } => {
            "nobody".clone_into(name);
            Some("a holder")
        }
        Reply::Renewed { revision, .. } => {
            *revision += other;
            Some("the revision of a renewal")
        }
        _ => None,
    }
}

fn history(name: &str) -> Result<Vec<Line>> {
    let path = histories().join(format!("{name}.jsonl"));
    let text = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
    read(text.as_slice()).with_context(|| format!("{}", path.display()))
}

fn histories() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

fn findings(verdict: &Verdict) -> String {
    let lines: Vec<String> = verdict
        .findings
        .iter()
        .map(|finding| {
            let kind = if finding.kind == Kind::Wrong {
                ""
            } else {
                "? "
            };
            format!("{kind}{finding}")
        })
        .collect();
    lines.join("\n")
}
