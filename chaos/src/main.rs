//! `ipam-chaos`: faults at length. What the tests of this crate do once, this does as often as is wanted.

use anyhow::{Context, Result, ensure};
use chaos::{power_loss, sim};
use clap::{Parser, Subcommand};
use cluster_tests::requirements::say;

/// Breaks nodes, disks and networks, and checks that every promise was kept
#[derive(Debug, Parser)]
#[command(name = "ipam-chaos", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Three nodes in one thread, on simulated disks and network; the seed decides everything
    Sim {
        /// The world to run; one at random where none is given
        #[arg(long)]
        seed: Option<u64>,
        /// Partitions and power losses
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// How many worlds, the following seeds
        #[arg(long, default_value_t = 1)]
        worlds: u64,
        /// Print what happened
        #[arg(long)]
        trace: bool,
    },
    /// Three real nodes on disks of their own, which lose their power at one instant; needs root
    PowerLoss {
        /// How often
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Sim {
            seed,
            rounds,
            worlds,
            trace,
        } => {
            let first = seed.unwrap_or_else(rand::random);
            (0..worlds).try_for_each(|number| simulate(first.wrapping_add(number), rounds, trace))
        }
        Command::PowerLoss { rounds } => {
            let missing = power_loss::REQUIREMENTS
                .iter()
                .find_map(|requirement| requirement.missing());
            ensure!(
                missing.is_none(),
                "power loss {}",
                missing.unwrap_or_default()
            );
            let runtime = tokio::runtime::Runtime::new().context("a runtime")?;
            runtime.block_on(power_loss::run(rounds))
        }
    }
}

fn simulate(seed: u64, rounds: u32, trace: bool) -> Result<()> {
    say(&format!(
        "seed {seed} (again with: ipam-chaos sim --seed {seed} --rounds {rounds})"
    ));
    let outcome = sim::run(seed, rounds)?;
    if trace {
        say(&outcome.trace.text());
    }
    say(&format!(
        "{} operations acknowledged, {} claims held at the end, trace of {} events {:016x}",
        outcome.acknowledged,
        outcome.held,
        outcome.trace.len(),
        outcome.trace.hash()
    ));
    Ok(())
}
