//! `ipam-bench`: what the parts and the whole can do on this machine.
//!
//! Nothing here is asserted: a machine that is busy with something else would fail it. Nodes are real processes on
//! loopback with fsync, and share the machine with the load generator. Build it with `--release`.

mod apply;
mod claims;
mod expiry;
mod fill;
mod free_space;
mod latency;
mod leader_kill;
mod machine;
mod open_loop;
mod overload;
mod reading;
mod report;
mod scrape;
mod stream;
mod verdict;
mod watchers;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use report::Report;

/// Measures ipamd on this machine
#[derive(Debug, Parser)]
#[command(name = "ipam-bench", version)]
struct Arguments {
    /// Only this one
    #[arg(long, value_enum, value_name = "NAME")]
    only: Option<Benchmark>,
    /// Write the figures to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long each load over HTTP lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
    /// How long the overload lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    overload_seconds: u64,
    /// How often the leader is killed
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    kills: u32,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Free space alone: take and give
    FreeSpace,
    /// The state machine alone: claim and release
    Apply,
    /// Claims over HTTP against three nodes
    Claims,
    /// Time without service after the leader is killed
    LeaderKill,
    /// More load than three nodes take
    Overload,
    /// Maps of a /8 with a million claims, and the claims beside them
    Map,
    /// Pages of lists of a million, and the claims beside them
    List,
    /// Claims while 100,000 leases are over at one instant
    Expiry,
    /// Claims and their events at 1,000 watchers
    Watchers,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new(machine::describe()?);
    report.print_machine();
    for benchmark in Benchmark::value_variants() {
        if arguments.only.is_some_and(|only| only != *benchmark) {
            continue;
        }
        let table = match benchmark {
            Benchmark::FreeSpace => free_space::measure()?,
            Benchmark::Apply => apply::measure()?,
            Benchmark::Claims => claims::measure(arguments.seconds).await?,
            Benchmark::LeaderKill => leader_kill::measure(arguments.kills).await?,
            Benchmark::Overload => overload::measure(arguments.overload_seconds).await?,
            Benchmark::Map => reading::map().await?,
            Benchmark::List => reading::list().await?,
            Benchmark::Expiry => expiry::measure().await?,
            Benchmark::Watchers => watchers::measure().await?,
        };
        table.print();
        report.tables.push(table);
    }
    if let Some(path) = arguments.json {
        std::fs::write(&path, report.json()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
