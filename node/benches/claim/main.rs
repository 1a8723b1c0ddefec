//! What a claim costs a node, stage by stage and as a whole: time, instructions, allocations and their bytes.
//!
//! Stages run in this process one after the other, each often, on what was made before; what they leave is freed within
//! them. What is applied stays, so that up to 20,000 claims are held, and twenty times as many where entries have 20. Instructions are counted by `valgrind`, where it is installed, in a process of their own for each stage: the
//! difference between more and fewer runs, so that what was made before does not count, and which does not depend on
//! what else the machine does. Memory comes from the system's allocator here, since it is what can be counted;
//! `ipamd` has another one, so that times of stages that allocate differ there.
//!
//! Whole nodes and clusters of them serve HTTP in this process; what they allocate is told for each answered request.
//! Times of those are what `ipam-bench --only stages` is for.

mod meter;
mod stages;
mod whole;

#[path = "../claims/mod.rs"]
mod claims;

use std::io::Write;
use std::process::ExitCode;

use meter::{Counted, Meter};
use stages::STAGES;

/// Runs of a stage that are timed, and so many in a mere trial.
const TIMES: usize = 20_000;
const TRIAL: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |switch: &str| {
        let place = arguments.iter().position(|argument| argument == switch)?;
        arguments.get(place + 1)?.parse::<usize>().ok()
    };
    if let Some((stage, times)) = after(meter::STAGE).zip(after(meter::TIMES)) {
        (STAGES[stage].run)(&mut Meter::counting(times));
        return ExitCode::SUCCESS;
    }
    let in_full = arguments.iter().any(|argument| argument == "--bench");
    let times = if in_full { TIMES } else { TRIAL };
    line("| stage, for a claim | ns | instructions | allocations | bytes |\n|---|---|---|---|---|");
    for (number, stage) in STAGES.iter().enumerate() {
        let mut meter = Meter::timing(times);
        (stage.run)(&mut meter);
        let found = meter.found();
        let instructions = in_full.then(|| meter::instructions(number)).flatten();
        let instructions = instructions.map(|count| decimal(count / stage.claims));
        line(&format!(
            "| {} | {} | {} | {} | {} |",
            stage.name,
            decimal(found.nanoseconds / stage.claims),
            instructions.unwrap_or_default(),
            decimal(found.counted.allocations / stage.claims),
            decimal(found.counted.bytes / stage.claims),
        ));
    }
    line("\n| answered by whole nodes, for a request | allocations | bytes |\n|---|---|---|");
    for (name, Counted { allocations, bytes }) in whole::measure(times) {
        line(&format!(
            "| {name} | {} | {} |",
            decimal(allocations),
            decimal(bytes)
        ));
    }
    ExitCode::SUCCESS
}

/// Few digits behind the point where the number is small.
fn decimal(number: f64) -> String {
    let digits = usize::from(number < 100.0);
    format!("{number:.digits$}")
}

fn line(text: &str) {
    // Nobody reads it: then nobody misses it.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}
