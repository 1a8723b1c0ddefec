//! `ipam-chaos sim`: one world, or many, or the same one twice.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use allocator::planted::{Bug, choose};
use anyhow::{Context, Result, anyhow, ensure};
use chaos::report::print;
use chaos::sim::{self, Failure, Figures, Outcome, Plan};
use clap::Args;
use cluster_tests::requirements::say;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// What of a trace is shown where a world failed.
const LAST_LINES: usize = 40;

/// Which worlds
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The world to run; one at random where none is given
    #[arg(long)]
    seed: Option<u64>,
    /// How many worlds, of the following seeds
    #[arg(long, default_value_t = 1)]
    worlds: u64,
    /// For how long faults come and go, in seconds of the cluster's time
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// The worlds without any fault: everything that is asked must then be answered
    #[arg(long)]
    calm: bool,
    /// A bug to plant, by name (docs/chaos.md); only in builds that have them
    #[arg(long)]
    planted: Option<String>,
    /// How many worlds at a time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// End at the first world that breaks a promise
    #[arg(long)]
    stop: bool,
    /// Print all that happened
    #[arg(long)]
    trace: bool,
    /// Print what the nodes log, too, in the world's time: `info`, or for one part `openraft::replication=trace`
    #[arg(long, value_name = "FILTER")]
    log: Option<EnvFilter>,
}

/// The world's time, in seconds.
struct WorldTime;

impl FormatTime for WorldTime {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        write!(out, "{:>9.3}", elapsed.as_secs_f64())
    }
}

thread_local! {
    /// The world that runs in this thread.
    static WORLD: Cell<Option<u64>> = const { Cell::new(None) };
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    name_the_world_of_a_panic();
    plant(arguments.planted.as_deref())?;
    if let Some(filter) = &arguments.log {
        tracing_subscriber::fmt()
            .with_env_filter(filter.clone())
            .with_timer(WorldTime)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .init();
    }
    let first = arguments.seed.unwrap_or_else(rand::random);
    if arguments.worlds == 1 {
        return one(first, arguments);
    }
    print(&format!(
        "seeds {first} to {}",
        first + (arguments.worlds - 1)
    ));
    let next = AtomicU64::new(0);
    let total = Mutex::new(Total::default());
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let enough = arguments.stop && failed_already(&total);
                    if number >= arguments.worlds || enough {
                        return;
                    }
                    let seed = first + number;
                    let ended = live(seed, arguments);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.worlds += 1;
                    match ended {
                        Ok(outcome) => total.add(&outcome.figures),
                        Err(failure) => {
                            print(&format!(
                                "{}\nFAILED {:#}",
                                again(seed, arguments),
                                failure.error
                            ));
                            total.failed.push(seed);
                        }
                    }
                    if total.worlds.is_multiple_of(100) {
                        say(&format!(
                            "{} worlds, {} failed",
                            total.worlds,
                            total.failed.len()
                        ));
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    print(&format!(
        "{} worlds of {} s\n{}\nfewest claims acknowledged in a world: {}",
        total.worlds,
        arguments.seconds,
        total.figures,
        total.claims_min.unwrap_or(0)
    ));
    ensure!(total.failed.is_empty(), "failed: seeds {:?}", total.failed);
    Ok(())
}

/// Plants a bug for the rest of the process.
fn plant(name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        return Ok(());
    };
    let bug = Bug::ALL.into_iter().find(|bug| bug.name() == name);
    let names = Bug::ALL.map(Bug::name).join(", ");
    let bug = bug.with_context(|| format!("no bug is called {name}; there are: {names}"))?;
    ensure!(
        choose(Some(bug)),
        "this build has no planted bugs: they need `--features planted-bugs` and debug assertions"
    );
    Ok(())
}

fn failed_already(total: &Mutex<Total>) -> bool {
    let total = total.lock().unwrap_or_else(PoisonError::into_inner);
    !total.failed.is_empty()
}

#[derive(Default)]
struct Total {
    worlds: u64,
    failed: Vec<u64>,
    figures: Figures,
    claims_min: Option<u64>,
}

impl Total {
    fn add(&mut self, figures: &Figures) {
        self.figures.add(figures);
        let least = self.claims_min.unwrap_or(u64::MAX);
        self.claims_min = Some(least.min(figures.claims));
    }
}

fn one(seed: u64, arguments: &Arguments) -> Result<()> {
    print(&again(seed, arguments));
    match live(seed, arguments) {
        Ok(outcome) => {
            if arguments.trace {
                print(&outcome.trace.text());
            }
            print(&format!(
                "{}\ntrace of {} events {:016x}",
                outcome.figures,
                outcome.trace.len(),
                outcome.trace.hash()
            ));
            Ok(())
        }
        Err(failure) => {
            let text = failure.trace.text();
            let lines: Vec<&str> = text.lines().collect();
            let from = if arguments.trace {
                0
            } else {
                lines.len().saturating_sub(LAST_LINES)
            };
            print(&lines[from..].join("\n"));
            Err(failure.error).context("the world broke a promise")
        }
    }
}

fn live(seed: u64, arguments: &Arguments) -> Result<Outcome, Failure> {
    WORLD.set(Some(seed));
    let lived = sim::run(&plan(seed, arguments));
    WORLD.set(None);
    let outcome = lived?;
    let (unknown, not_proposed) = outcome.figures.unanswered;
    if arguments.calm && (unknown, not_proposed) != (0, 0) {
        let error = anyhow!(
            "seed {seed}: without faults everything is answered, but {unknown} outcomes are unknown and {not_proposed} commands were not proposed"
        );
        let trace = outcome.trace;
        return Err(Failure { error, trace });
    }
    Ok(outcome)
}

/// A panic of a node ends the process, since its runtime cannot be put away any more. It is said which world it was.
fn name_the_world_of_a_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(seed) = WORLD.get() {
            say(&format!("seed {seed}: a node panicked"));
        }
        usual(panic);
    }));
}

fn plan(seed: u64, arguments: &Arguments) -> Plan {
    let plan = Plan::draw(seed, Duration::from_secs(arguments.seconds));
    if arguments.calm {
        plan.without_faults()
    } else {
        plan
    }
}

fn again(seed: u64, arguments: &Arguments) -> String {
    let calm = if arguments.calm { " --calm" } else { "" };
    format!(
        "seed {seed} (again with: ipam-chaos sim --seed {seed} --seconds {}{calm})",
        arguments.seconds
    )
}
