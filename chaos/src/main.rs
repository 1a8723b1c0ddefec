//! `ipam-chaos`: faults at length. What the tests of this crate do once, this does as often as is wanted.

mod simulate;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chaos::{checkers, history, power_loss, real, report};
use clap::{Parser, Subcommand};

/// Breaks nodes, disks and networks, and checks that every promise was kept
#[derive(Debug, Parser)]
#[command(name = "ipam-chaos", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Clusters in one thread, on simulated disks and networks; a seed decides everything
    Sim(Box<simulate::Arguments>),
    /// Three real nodes on disks of their own, which lose their power at one instant; needs root
    PowerLoss {
        /// How often
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// Judges a history that a run has left (docs/history.md); exits with 1 where something is wrong or undecided
    Check {
        /// JSON lines
        history: PathBuf,
        /// Write a page with a timeline, too
        #[arg(long)]
        html: Option<PathBuf>,
    },
    /// Real nodes in network namespaces, under clients and faults of all kinds; needs root
    Run(real::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Sim(arguments) => simulate::run(&arguments),
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
        Command::Check { history, html } => check(&history, html.as_deref()),
        Command::Run(options) => real::run(&options),
    }
}

fn check(path: &Path, html: Option<&Path>) -> Result<()> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("{name}"))?;
    let lines = history::read(BufReader::new(file)).with_context(|| format!("{name}"))?;
    let verdict = checkers::check(&lines);
    report::print(&report::text(&lines, &verdict));
    if let Some(html) = html {
        let page = report::html(&name.to_string(), &lines, &verdict);
        std::fs::write(html, page).with_context(|| format!("{}", html.display()))?;
    }
    ensure!(verdict.is_ok(), "{name} is not in order");
    Ok(())
}
