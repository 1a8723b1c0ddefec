//! A short run here; `ipam-chaos run --duration D` is as long as is wanted.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chaos::history::{self, Line, Stage, What};
use chaos::real::REQUIREMENTS;
use cluster_tests::process::Process;
use cluster_tests::requirements::{say, skipped};
use cluster_tests::wait;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// One run at a time: two on two cores would disturb each other.
static TURN: Mutex<()> = Mutex::const_new(());

/// For the end of a run, the rest of its nodes included.
const ENDED_WITHIN: Duration = Duration::from_mins(3);
/// For the first fault, where the daemon has to be built first, too.
const BROKEN_WITHIN: Duration = Duration::from_mins(5);
/// For what belongs to a run that was killed to be gone: less than an end in good order takes.
const GONE_WITHIN: Duration = Duration::from_secs(5);

fn run(folder: &TempDir, duration: &str, faults: &str) -> Result<Process> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipam-chaos"));
    command
        .args(["run", "--seed", "2026"])
        .args(["--duration", duration])
        .args(["--faults", faults])
        .arg("--history")
        .arg(folder.path().join("history.jsonl"));
    Process::start(&mut command, &folder.path().join("log"))
}

/// Waits until a run has broken something.
async fn broken(run: &Process) -> Result<()> {
    wait::until("something is broken", BROKEN_WITHIN, || async {
        run.printed().contains("-one of [").then_some(())
    })
    .await
    .with_context(|| run.printed())
}

async fn ended_well(run: &mut Process) -> Result<()> {
    let status = run.exited(ENDED_WITHIN).await?;
    let printed = run.printed();
    say(&printed);
    ensure!(status.success(), "{status}");
    Ok(())
}

fn recorded(folder: &TempDir) -> Result<Vec<Line>> {
    let file = File::open(folder.path().join("history.jsonl"))?;
    history::read(BufReader::new(file))
}

#[tokio::test]
async fn a_short_run_finds_nothing_and_leaves_a_history_of_all_that_happened() -> Result<()> {
    if skipped(
        "a_short_run_finds_nothing_and_leaves_a_history_of_all_that_happened",
        REQUIREMENTS,
    ) {
        return Ok(());
    }
    let _turn = TURN.lock().await;
    let folder = TempDir::new()?;
    let mut run = run(&folder, "16s", "kill-leader,power-loss-all")?;
    ended_well(&mut run).await?;

    let lines = recorded(&folder)?;
    ensure!(
        lines.is_sorted_by_key(|line| line.at_us),
        "in order of time"
    );
    let kinds: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| match &line.what {
            What::Fault {
                kind,
                stage: Stage::Ends,
                ..
            } => Some(kind.as_str()),
            _ => None,
        })
        .collect();
    ensure!(
        kinds == BTreeSet::from(["kill-leader", "power-loss-all"]),
        "{kinds:?}"
    );
    let count = |is: fn(&What) -> bool| lines.iter().filter(|line| is(&line.what)).count();
    ensure!(count(|what| matches!(what, What::Run { .. })) == 1);
    ensure!(count(|what| matches!(what, What::Digest { .. })) == 3);
    ensure!(count(|what| matches!(what, What::Claims { .. })) == 3);
    ensure!(count(|what| matches!(what, What::Leader { .. })) >= 2);
    ensure!(count(|what| matches!(what, What::Watching { .. })) >= 3);
    ensure!(count(|what| matches!(what, What::Ok { .. })) >= 500);
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_told_to_end_heals_what_it_has_broken_first() -> Result<()> {
    if skipped(
        "a_run_that_is_told_to_end_heals_what_it_has_broken_first",
        REQUIREMENTS,
    ) {
        return Ok(());
    }
    let _turn = TURN.lock().await;
    let folder = TempDir::new()?;
    let mut run = run(&folder, "1h", "pause-one,isolate-one")?;
    broken(&run).await?;
    run.signal(Signal::TERM)?;
    ended_well(&mut run).await?;
    let stages = |wanted: Stage| {
        let lines = recorded(&folder)?;
        let of = lines
            .iter()
            .filter(|line| matches!(line.what, What::Fault { stage, .. } if stage == wanted));
        anyhow::Ok(of.count())
    };
    ensure!(stages(Stage::Begins)? == 1 && stages(Stage::Ends)? == 1);
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_a_run_that_is_killed() -> Result<()> {
    if skipped("nothing_is_left_of_a_run_that_is_killed", REQUIREMENTS) {
        return Ok(());
    }
    let _turn = TURN.lock().await;
    let before = interfaces()?;
    let folder = TempDir::new()?;
    let mut run = run(&folder, "1h", "isolate-one")?;
    broken(&run).await?;
    let processes = tree(run.id())?;
    let devices = loop_devices(&processes)?;
    ensure!(
        processes.len() >= 6,
        "the command, unshare, itself inside, three nodes: {processes:?}"
    );
    ensure!(devices.len() == 2, "two nodes have disks: {devices:?}");

    run.kill()?;
    wait::until("its processes are gone", GONE_WITHIN, || async {
        let there = |id: &&u32| Path::new("/proc").join(id.to_string()).exists();
        processes.iter().find(there).is_none().then_some(())
    })
    .await?;
    wait::until("its loop devices are free", GONE_WITHIN, || async {
        let bound = |name: &&String| Path::new("/sys/block").join(name).join("loop").exists();
        devices.iter().find(bound).is_none().then_some(())
    })
    .await?;
    let after = interfaces()?;
    ensure!(after == before, "{before:?} {after:?}");
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    ensure!(!mounts.contains("ipam-chaos"), "{mounts}");
    Ok(())
}

fn interfaces() -> Result<BTreeSet<String>> {
    let names = std::fs::read_dir("/sys/class/net")?.map(|entry| {
        let name = entry?.file_name();
        Ok(name.to_string_lossy().into_owned())
    });
    names.collect()
}

/// A process and all below it.
fn tree(root: u32) -> Result<BTreeSet<u32>> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else {
            continue;
        };
        // The name stands in parentheses and may contain anything.
        let Some((id, rest)) = stat.split_once(' ').zip(stat.rsplit_once(") ")) else {
            continue;
        };
        let parent = rest.1.split(' ').nth(1).context("the parent")?;
        parents.push((id.0.parse::<u32>()?, parent.parse::<u32>()?));
    }
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        for (id, parent) in &parents {
            if found.contains(parent) {
                found.insert(*id);
            }
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}

/// The names of the loop devices on which the disks of a run are, as one of its processes has them mounted.
fn loop_devices(processes: &BTreeSet<u32>) -> Result<BTreeSet<String>> {
    let mut devices = BTreeSet::new();
    for id in processes {
        let mounts = std::fs::read_to_string(format!("/proc/{id}/mounts"))?;
        for line in mounts.lines() {
            let mut words = line.split(' ');
            let device = words.next().and_then(|device| device.strip_prefix("/dev/"));
            let is_of_run = words
                .next()
                .is_some_and(|place| place.starts_with("/run/ipam-chaos/"));
            if let Some(device) = device.filter(|_| is_of_run) {
                devices.insert(device.to_owned());
            }
        }
    }
    Ok(devices)
}
