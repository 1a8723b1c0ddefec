//! A thousand who watch, and the claims that they watch.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fill;
use crate::latency::{Latencies, median};
use crate::load::{Claimed, Claims, Open, Seen, open};
use crate::report::{Table, millis};
use crate::stream::{Came, Stream};
use crate::verdict::Verdicts;

const WATCHERS: usize = 1_000;
const CLAIMS_A_SECOND: u32 = 1_000;
/// Rounds of claims without watchers and with them; the figures are the medians of the rounds.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(6);
const WARM_UP: Duration = Duration::from_secs(2);

/// Nice value of the readers' thread: that of the nodes' threads for those who watch.
const READERS_NICE: i32 = 5;

/// How often p50 without watchers p50 with them may be.
const FACTOR_BUDGET: u32 = 2;
/// From the time at which a claim was to begin till its event is at a watcher.
const EVENT_BUDGET: Duration = Duration::from_millis(50);

pub(crate) async fn measure() -> Result<Table> {
    // Readers have a thread of their own, as they would have machines of their own: what they read must not
    // delay the clocks of those who claim, nor take the processor from who writes to them at each write.
    let readers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        // Where that is not possible, only the figures suffer.
        .on_thread_start(|| rustix::process::setpriority_process(None, READERS_NICE).unwrap_or(()))
        .enable_all()
        .build()?;
    let rounds = rounds(readers.handle()).await;
    readers.shutdown_background();
    Ok(rounds?.judge())
}

/// What the rounds have found, by round.
#[derive(Debug, Default)]
struct Rounds {
    /// Claims without watchers: p50, p99.
    without: Vec<[Duration; 2]>,
    with: Vec<[Duration; 2]>,
    /// Events at watchers: p50, p99, p99.9, worst.
    events: Vec<[Duration; 4]>,
}

async fn rounds(readers: &Handle) -> Result<Rounds> {
    let cluster = TestCluster::three().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    let path = tenant.path("watch");
    let claims = Arc::new(Claims::new(&cluster, &tenant, &["p"]));
    let load = |lasts| Open::at(CLAIMS_A_SECOND, lasts);
    open(&claims, load(WARM_UP)).await?;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let alone = open(&claims, load(ROUND)).await?;
        rounds.without.push(alone.latencies().per_mille([500, 990]));
        let watched = Watched::begin(readers, &cluster.addresses(), &path).await?;
        let beside = open(&claims, load(ROUND)).await?;
        let came = watched.end(&beside).await?;
        rounds.with.push(beside.latencies().per_mille([500, 990]));
        rounds
            .events
            .push(delays(&beside, &came)?.per_mille([500, 990, 999, 1_000]));
    }
    Ok(rounds)
}

impl Rounds {
    fn judge(&self) -> Table {
        let mut verdicts = Verdicts::new("watchers");
        let of = |rounds: &[[Duration; 2]], place: usize| {
            median(rounds.iter().map(|times| times[place]).collect())
        };
        let (alone, beside) = (of(&self.without, 0), of(&self.with, 0));
        verdicts.judge(
            &format!("claims at {CLAIMS_A_SECOND}/s without watchers, with {WATCHERS}: p50"),
            format!(
                "{}, {} ms: {:.2} times",
                millis(alone),
                millis(beside),
                beside.as_secs_f64() / alone.as_secs_f64()
            ),
            format!("below {FACTOR_BUDGET} times"),
            beside < alone * FACTOR_BUDGET,
        );
        let (alone, beside) = (of(&self.without, 1), of(&self.with, 1));
        verdicts.tell(
            "the same: p99",
            format!("{}, {} ms", millis(alone), millis(beside)),
        );
        for (place, name) in ["p50", "p99", "p99.9", "worst"].into_iter().enumerate() {
            let times = self.events.iter().map(|times| times[place]).collect();
            let what = format!("from a claim's start to its event at each watcher: {name}");
            verdicts.at_most(&what, median(times), EVENT_BUDGET);
        }
        verdicts.table()
    }
}

/// Watchers at work.
struct Watched {
    tasks: JoinSet<Result<Vec<Came>>>,
    /// The revision at which they end; 0 while that is not known.
    end: watch::Sender<u64>,
}

impl Watched {
    /// Opens all of them.
    async fn begin(readers: &Handle, addresses: &[SocketAddr], path: &str) -> Result<Self> {
        let (end, ended) = watch::channel(0);
        let mut opening = JoinSet::new();
        for address in addresses.iter().copied().cycle().take(WATCHERS) {
            let path = path.to_owned();
            let open = async move { Stream::open(address, &path).await };
            opening.spawn_on(open, readers);
        }
        let mut tasks = JoinSet::new();
        while let Some(stream) = opening.join_next().await {
            tasks.spawn_on(stream??.read_until(ended.clone()), readers);
        }
        Ok(Self { tasks, end })
    }

    /// Ends them when each has been told all claims; what came to each.
    async fn end(mut self, claims: &Seen<Claimed>) -> Result<Vec<Vec<Came>>> {
        let last = claims.told().map(|claim| claim.revision).max();
        self.end.send_replace(last.context("claims")?);
        let mut all = Vec::with_capacity(WATCHERS);
        while let Some(came) = self.tasks.join_next().await {
            all.push(came??);
        }
        Ok(all)
    }
}

/// For each watcher and claim, how long after the claim's time its event came; that each came once and in order
/// is checked on the way.
fn delays(claims: &Seen<Claimed>, watchers: &[Vec<Came>]) -> Result<Latencies> {
    let begun: BTreeMap<u64, Instant> = claims
        .turns
        .iter()
        .map(|claim| (claim.told.revision, claim.intended))
        .collect();
    let first = begun.keys().next().copied().context("claims")?;
    let end = begun.keys().next_back().copied().context("claims")?;
    ensure!(
        begun.len() as u64 == end - first + 1,
        "each claim is a revision"
    );
    let mut delays = Latencies::default();
    for came in watchers {
        let mut next = first;
        // A follower may have been a little behind when it was asked, and tells what came before as well.
        for came in came.iter().filter(|came| came.last >= first) {
            let came_first = came.first.max(first);
            ensure!(came_first == next, "{came_first} came in place of {next}");
            for begun in begun.range(came_first..=came.last).map(|(_, begun)| *begun) {
                delays.push(came.at.saturating_duration_since(begun));
            }
            next = came.last + 1;
        }
        ensure!(next == end + 1, "the last that came is {}", next - 1);
    }
    Ok(delays)
}
