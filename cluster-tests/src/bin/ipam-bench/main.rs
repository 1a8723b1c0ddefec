//! `ipam-bench`: what the parts and the whole can do on this machine, and its peers on the same.
//!
//! Nothing here is asserted: a machine that is busy with something else would fail it. Nodes are real processes on
//! loopback with fsync, and share the machine with the load generator. Build it with `--release`.

mod apply;
mod batches;
mod claims;
mod clients;
mod compare;
mod endurance;
mod entries;
mod expiry;
mod fill;
mod free_space;
mod full;
mod held_bytes;
mod latency;
mod leader_kill;
mod load;
mod machine;
mod network;
mod overload;
mod peers;
mod plot;
mod reading;
mod reads;
mod refused;
mod report;
mod restart;
mod rounds;
mod scale;
mod scrape;
mod stages;
mod stream;
mod surroundings;
mod threads;
mod usage;
mod users;
mod verdict;
mod watchers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use held_bytes::Kind;
use peers::Peer;
use report::{Report, line};
use rounds::Rounds;
use scale::{Scene, Shape};

/// That of the nodes, so that the state takes of time and memory here what it takes there.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures ipamd on this machine, and its peers
#[derive(Debug, Parser)]
#[command(name = "ipam-bench", version)]
struct Arguments {
    /// Systems to compare with, as far as they are installed
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Only these
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Benchmark>,
    /// Write the figures to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the drawings to this folder, as SVG
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// How long each load over HTTP lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
    /// How often each load is repeated, systems in turn; the figures are the medians
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    rounds: u32,
    /// How long the overload lasts, in each round
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    overload_seconds: u64,
    /// How many minutes of claims and releases
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..))]
    minutes: u32,
    /// How often the leader is killed
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    kills: u32,
    /// How many blocks are held at most where costs are measured by how many are held
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    held_max: u32,
    /// Only blocks held like this, where there are several ways
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    shapes: Vec<Shape>,
    /// Print the figures of one scene and nothing else
    #[arg(long = scale::SCENE, value_name = "SHAPE:HELD", hide = true)]
    scene: Option<Scene>,
    /// Only hold a million such blocks, and tell the bytes of one: `apply` starts itself so
    #[arg(long, value_enum, value_name = "KIND", hide = true)]
    held_bytes: Option<Kind>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Free space alone: take and give
    FreeSpace,
    /// The state machine alone: claim and release
    Apply,
    /// Claims over HTTP against three nodes, etcd and PostgreSQL
    Claims,
    /// Where the time of a claim goes: its stages, and what each thread of each node does for it
    Stages,
    /// Claims and reads with a slower network between nodes and slower disks below them, and etcd
    Network,
    /// Ten users that claim and release, as in Datum's load test
    Users,
    /// Batches of a thousand claims
    Batches,
    /// Local reads beside a bare handler, linearizable ones beside etcd
    Reads,
    /// Claims while a million is held, and host-local
    Full,
    /// Claims from a full pool, and pages of 100
    Refused,
    /// Minutes of claims and releases while a million is held: speed, memory, disk; then a restart
    Endurance,
    /// Time until a node that was stopped is ready again, with a million held
    Restart,
    /// Time without service after the leader is killed
    LeaderKill,
    /// More load than three nodes take, beside the most that they do of less
    Overload,
    /// Maps of a /8 with a million claims, and the claims beside them
    Map,
    /// Pages of lists of a million, and the claims beside them
    List,
    /// Claims while 100,000 leases are over at one instant
    Expiry,
    /// Claims and their events at 1,000 watchers
    Watchers,
    /// All that the state machine and its store do, by how many blocks are held
    Scale,
    /// The same of three nodes over HTTP
    ScaleNodes,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(scene) = arguments.scene {
        return scale::measure_scene(scene).await;
    }
    if let Some(kind) = arguments.held_bytes {
        return held_bytes::tell(kind);
    }
    let mut report = Report::new(machine::describe()?);
    report.print_machine();
    let mut programs = Vec::new();
    for peer in &arguments.peers {
        match peer.program() {
            Ok(program) => programs.push((*peer, program)),
            Err(reason) => line(&format!("{peer:?} is left out: {reason}")),
        }
    }
    let program = |wanted: Peer| -> Option<&Path> {
        let found = programs.iter().find(|(peer, _)| *peer == wanted);
        found.map(|(_, program)| program.as_path())
    };
    let rounds = Rounds {
        count: arguments.rounds,
        lasts: Duration::from_secs(arguments.seconds),
    };
    for benchmark in Benchmark::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(benchmark) {
            continue;
        }
        let found = match benchmark {
            Benchmark::FreeSpace => free_space::measure()?,
            Benchmark::Apply => apply::measure()?,
            Benchmark::Claims => claims::measure(rounds, &programs).await?,
            Benchmark::Stages => stages::measure(rounds).await?,
            Benchmark::Network => network::measure(rounds, program(Peer::Etcd)).await?,
            Benchmark::Users => users::measure(rounds).await?.into(),
            Benchmark::Batches => batches::measure(rounds).await?.into(),
            Benchmark::Reads => reads::measure(rounds, program(Peer::Etcd)).await?.into(),
            Benchmark::Full => full::measure(rounds, program(Peer::HostLocal)).await?,
            Benchmark::Refused => refused::measure(rounds).await?.into(),
            Benchmark::Endurance => endurance::measure(arguments.minutes).await?,
            Benchmark::Restart => restart::measure(arguments.rounds).await?.into(),
            Benchmark::LeaderKill => leader_kill::measure(arguments.kills).await?,
            Benchmark::Overload => {
                let lasts = Duration::from_secs(arguments.overload_seconds);
                overload::measure(rounds, lasts).await?
            }
            Benchmark::Map => reading::map().await?.into(),
            Benchmark::List => reading::list().await?.into(),
            Benchmark::Expiry => expiry::measure().await?.into(),
            Benchmark::Watchers => watchers::measure().await?.into(),
            Benchmark::Scale => scale::in_process(&arguments.shapes, arguments.held_max).await?,
            Benchmark::ScaleNodes => scale::over_http(arguments.held_max).await?,
        };
        for table in found.tables {
            table.print();
            report.tables.push(table);
        }
        if let Some(folder) = &arguments.plots {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            for plot in found.plots {
                let path = folder.join(plot.name).with_extension("svg");
                std::fs::write(&path, plot.svg()).with_context(|| path.display().to_string())?;
            }
        }
    }
    if let Some(path) = arguments.json {
        std::fs::write(&path, report.json()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
