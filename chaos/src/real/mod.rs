//! Real daemons, each in a network namespace of its own, under load, while everything that can break does.
//!
//! The command starts itself again in namespaces of its own (`outside`) and makes a network (`world`) and the nodes'
//! file systems (`home`) there. Clients and watchers (`load`) write down what they ask and are told, and `faults`
//! follow each other as the seed draws them. In the `ending` all is healed and each node says what it has.
//!
//! Invariants:
//! 1. Nothing outlives a run, however it ends: no process, interface, namespace, mount or loop device. The machine's own
//!    network, clock and disks are never touched.
//! 2. Between two faults all nodes are ready and somebody is served; what does not come back in time is found.
//! 3. A node that ends by itself without a fault that must end it, or with another exit code, is found.
//! 4. An operation is written down before it is sent. It is said to have failed only where it surely was not done.

mod cluster;
mod diary;
mod ending;
mod faults;
mod figures;
mod firewall;
mod home;
mod leaders;
mod load;
mod node;
mod options;
mod outside;
mod preload;
mod proxy;
mod world;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cluster_tests::binary;
use cluster_tests::cluster::KEEP;
use cluster_tests::http::Connection;
use cluster_tests::requirements::{Requirement, say};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::checkers;
use crate::history::{Line, What};
use crate::report;
use cluster::Cluster;
use diary::Diary;
pub use faults::Kind;
use faults::{Plan, Scene};
use figures::Figures;
use leaders::Leaders;
use load::{Load, Watchers};
pub use options::Options;
use proxy::Proxy;

/// What a machine must have.
pub const REQUIREMENTS: &[Requirement] = &[
    Requirement::Root,
    Requirement::LoopDevices,
    Requirement::Program("ip"),
    Requirement::Program("nft"),
    Requirement::Program("unshare"),
    Requirement::Program("setpriv"),
    Requirement::Program("nsenter"),
    Requirement::Program("cc"),
    Requirement::Program("mkfs.ext4"),
    Requirement::Program("losetup"),
    Requirement::Program("python3"),
    Requirement::Namespaces,
];

/// Undisturbed work before the first fault.
const CALM: Duration = Duration::from_millis(1_500);
/// Threads of the harness: some of what it does to the nodes holds one up for a while.
const THREADS: usize = 3;

/// Runs nodes, clients and faults as they are told, and judges what came of it.
///
/// # Errors
/// Something was found that must not be, or the run could not be done.
pub fn run(options: &Options) -> Result<()> {
    if std::env::var_os(outside::INSIDE).is_some() {
        return inside(options);
    }
    let options = Options {
        seed: Some(options.seed.unwrap_or_else(rand::random)),
        ..options.clone()
    };
    let words: Vec<String> = options
        .words()
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let seed = options.seed.unwrap_or_default();
    report::print(&format!(
        "seed {seed} (again with: ipam-chaos {})",
        words.join(" ")
    ));
    let missing = REQUIREMENTS
        .iter()
        .find_map(|requirement| requirement.missing());
    if let Some(missing) = missing {
        bail!("a run of real processes {missing}");
    }
    // Where it is older than its sources it is built, which is not for the namespaces.
    binary::ipamd()?;
    outside::run(&options)
}

fn inside(options: &Options) -> Result<()> {
    // Before anything is mounted that might lie over its place.
    let history = options.history.as_deref().map(create).transpose()?;
    let page = options.html.as_deref().map(create).transpose()?;
    world::make(options.nodes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let diary = Diary::begin();
        let mut cluster = None;
        let course = course(options, &diary, &mut cluster).await;
        if let Err(error) = &course {
            diary.found(&format!("the run could not go on: {error:#}"));
        }
        let lines = diary.lines();
        if let Some(history) = history {
            write(&lines, history)?;
        }
        judge(&lines, &diary, page)?;
        let findings = diary.findings();
        if !findings.is_empty() || std::env::var_os(KEEP).is_some() {
            keep(&lines, cluster.as_ref())?;
        }
        if findings.is_empty() {
            report::print("nothing was found that must not be");
            return Ok(());
        }
        bail!("found {} things that must not be", findings.len())
    })
}

/// The one place where a finished history is judged: whatever judges one finds fault with it here.
fn judge(lines: &[Line], diary: &Diary, page: Option<File>) -> Result<()> {
    for shortcoming in Figures::of(lines).shortcomings() {
        diary.found(&shortcoming);
    }
    let verdict = checkers::check(lines);
    report::print(&report::text(lines, &verdict));
    if let Some(mut page) = page {
        let html = report::html("A run of real processes", lines, &verdict);
        page.write_all(html.as_bytes())?;
    }
    for finding in &verdict.findings {
        diary.found(&finding.to_string());
    }
    if verdict.findings.is_empty() && !verdict.is_ok() {
        diary.found("the checkers could not decide about everything");
    }
    Ok(())
}

/// Everything from the start of the nodes to their rest. The nodes stay in `kept` for whoever wants their logs.
async fn course(options: &Options, diary: &Diary, kept: &mut Option<Cluster>) -> Result<()> {
    let told = told_to_end()?;
    let seed = options.seed.context("a seed")?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::new(Path::new(world::FOLDER), options.nodes, diary.clone())?;
    let ids = cluster.ids();
    diary.note(What::Run {
        format: 1,
        seed,
        nodes: ids.clone(),
        pools: load::pools(),
    });
    cluster.start(&ids)?;
    cluster.settle("the first start").await?;
    let (tenant, revision) = load::prepare(&mut Connection::new(world::http(1))).await?;
    diary.say(&format!("{} nodes are ready", ids.len()));

    let mut tasks = JoinSet::new();
    let leaders = Leaders::ask(&ids, diary, &mut tasks);
    let proxy = Proxy::start(&ids, &mut random).await?;
    let watchers = Watchers::start(&ids, &tenant, revision, diary, &mut random).await?;
    let load = Load::start(&ids, &tenant, diary, &mut random);
    let faults_random = StdRng::from_rng(&mut random);
    let mut scene = Scene::new(cluster, leaders, proxy, diary.clone(), faults_random);
    let plan = Plan::new(&options.kinds(), seed);
    let struck = strike_all(&mut scene, plan, options.duration, &told).await;
    let ended = match struck {
        Ok(()) => ending::end(&mut scene, load, watchers, &tenant).await,
        failed => failed,
    };
    let figures = Figures::of(&diary.lines());
    report::print(&figures.text(&options.kinds(), scene.outages()));
    scene.cluster.find_panics();
    *kept = Some(scene.cluster);
    ended
}

/// One fault after the other until the time is over, or somebody has told the run to end.
async fn strike_all(
    scene: &mut Scene,
    mut plan: Plan,
    duration: Duration,
    told: &CancellationToken,
) -> Result<()> {
    let end = Instant::now() + duration;
    let strikes = async {
        sleep(CALM).await;
        while let Some(kind) = plan.next(end.saturating_duration_since(Instant::now())) {
            scene.strike(kind).await?;
        }
        sleep_until(end).await;
        Ok(())
    };
    told.run_until_cancelled(strikes).await.unwrap_or(Ok(()))
}

/// Cancelled when whoever started this closes the pipe to it.
fn told_to_end() -> Result<CancellationToken> {
    let line = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut line = pipe::Receiver::from_owned_fd(line).context("a pipe to whoever started this")?;
    let told = CancellationToken::new();
    let tell = told.clone();
    tokio::spawn(async move {
        let mut nothing = Vec::new();
        // However it ends, nobody is there any more.
        drop(line.read_to_end(&mut nothing).await);
        tell.cancel();
    });
    Ok(told)
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| path.display().to_string())
}

fn write(lines: &[Line], into: File) -> Result<()> {
    let mut into = BufWriter::new(into);
    for line in lines {
        serde_json::to_writer(&mut into, line)?;
        into.write_all(b"\n")?;
    }
    into.flush().map_err(Into::into)
}

/// Keeps the evidence: the history and the nodes' logs.
fn keep(lines: &[Line], cluster: Option<&Cluster>) -> Result<()> {
    let folder = TempDir::with_prefix("ipam-chaos-")?.keep();
    write(lines, create(&folder.join("history.jsonl"))?)?;
    if let Some(cluster) = cluster {
        cluster.keep_logs(&folder)?;
    }
    say(&format!(
        "the history and the logs of the nodes are kept in {}",
        folder.display()
    ));
    Ok(())
}
