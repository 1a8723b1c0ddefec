//! Maps and pages of a pool with a million claims, and what they cost the claims beside them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::http::{Connection, Reply};
use cluster_tests::tenant::Tenant;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::fill;
use crate::latency::{Latencies, median};
use crate::load::{Claims, Open, open};
use crate::report::{Table, line, millis};
use crate::scrape::{self, LockTimes};
use crate::verdict::Verdicts;

const CLAIMS: u32 = 1_000_000;
/// Addresses of the /8 for each claim, so that free and held blocks alternate all over it.
const SPREAD: u32 = 16;
/// Rounds of claims without reads and with them; the figures are the medians of the rounds.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(5);
/// Before the figures count.
const WARM_UP: Duration = Duration::from_secs(3);
const CLAIMS_A_SECOND: u32 = 500;
const READS_A_SECOND: u64 = 20;
/// Reads of each kind while nothing else happens.
const READS_AT_REST: usize = 200;

/// For one read.
const READ_BUDGET: Duration = Duration::from_millis(10);
/// For what a claim waits because of reads.
const WAIT_BUDGET: Duration = Duration::from_millis(1);

/// Where the next read goes, by what the last one answered.
type NextPath = fn(&mut StdRng, Option<&Reply>) -> String;

/// One kind of read.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    path: NextPath,
}

pub(crate) async fn map() -> Result<Table> {
    let kinds = [
        Kind {
            name: "map of the /8",
            path: |_, _| "pools/p/map".to_owned(),
        },
        Kind {
            name: "map in /24s from anywhere",
            path: |random, _| map_from(random, 24),
        },
        Kind {
            name: "map in addresses from anywhere",
            path: |random, _| map_from(random, 32),
        },
    ];
    measure("map", &kinds).await
}

pub(crate) async fn list() -> Result<Table> {
    let kinds = [
        Kind {
            name: "page of 1,000 claims",
            path: |_, last| page("claims", last),
        },
        Kind {
            name: "page of 1,000 allocations",
            path: |_, last| page("allocations", last),
        },
    ];
    measure("list", &kinds).await
}

fn map_from(random: &mut StdRng, length: u8) -> String {
    let [_, second, third, fourth] = random.random::<u32>().to_be_bytes();
    format!("pools/p/map?prefixLength={length}&from=10.{second}.{third}.{fourth}")
}

/// The page behind another one; after the last, the first again.
fn page(list: &str, before: Option<&Reply>) -> String {
    let first = format!("{list}?limit=1000");
    // The token stands behind the items.
    let token = before.and_then(|reply| {
        let tail = &reply.body[reply.body.len().saturating_sub(2_000)..];
        let tail = String::from_utf8_lossy(tail);
        let (_, rest) = tail.split_once("\"nextPageToken\":\"")?;
        rest.split_once('"').map(|(token, _)| token.to_owned())
    });
    match token {
        Some(token) => format!("{first}&pageToken={token}"),
        None => first,
    }
}

/// Every claim has a block of its own choice, an owner and a label.
fn spread_claim(number: u32) -> Value {
    let place = number.wrapping_mul(2_654_435_761) >> 28;
    let [_, second, third, fourth] = (number * SPREAD + place % SPREAD).to_be_bytes();
    json!({
        "name": format!("claim-{number:018}"),
        "pool": "p",
        "cidr": format!("10.{second}.{third}.{fourth}/32"),
        "owner": format!("node-{}/pod-{number}", number % 1_000),
        "labels": { "app": format!("app-{}", number % 100) },
    })
}

async fn measure(name: &'static str, kinds: &[Kind]) -> Result<Table> {
    let cluster = TestCluster::three().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    let started = Instant::now();
    fill::claims(&cluster, &tenant, 0..CLAIMS, spread_claim).await?;
    line(&format!(
        "\n{CLAIMS} claims made in {:.0} s",
        started.elapsed().as_secs_f64()
    ));
    let (leader, _) = cluster.leader().await?;
    let mut verdicts = Verdicts::new(name);

    for kind in kinds {
        let mut reader = Reader::new(&cluster, leader, &tenant, *kind);
        let mut times = Latencies::default();
        for _ in 0..READS_AT_REST {
            times.push(reader.read().await?);
        }
        let [half, most] = times.percentiles([50, 99]);
        let what = format!("{}, at rest: p50, p99", kind.name);
        judge_reads(&mut verdicts, &what, half, most);
    }

    let claims = Arc::new(Claims::new(&cluster, &tenant, &["p"]));
    let load = |lasts| Open::at(CLAIMS_A_SECOND, lasts);
    open(&claims, load(WARM_UP)).await?;
    let mut alone = Vec::new();
    let mut beside = Vec::new();
    let mut reads: Vec<(Kind, [Vec<Duration>; 2])> = kinds
        .iter()
        .map(|kind| (*kind, [Vec::new(), Vec::new()]))
        .collect();
    let mut lock: Option<[LockTimes; 3]> = None;
    for _ in 0..ROUNDS {
        let without = open(&claims, load(ROUND)).await?;
        alone.push(without.latencies().per_mille([500, 990]));
        for (kind, times) in &mut reads {
            let before = lock_times(&cluster, leader).await?;
            let reader = Reader::new(&cluster, leader, &tenant, *kind);
            let reading = reader.keep_reading(Instant::now() + ROUND);
            let with = open(&claims, load(ROUND)).await?;
            beside.push(with.latencies().per_mille([500, 990]));
            let [half, most] = reading.await??.percentiles([50, 99]);
            times[0].push(half);
            times[1].push(most);
            let added = lock_times(&cluster, leader).await?;
            let added: [LockTimes; 3] = zip(added, &before, LockTimes::since);
            lock = Some(match lock {
                None => added,
                Some(sum) => zip(sum, &added, LockTimes::and),
            });
        }
    }
    for (kind, [half, most]) in reads {
        let what = format!("{}, beside claims: p50, p99", kind.name);
        judge_reads(&mut verdicts, &what, median(half), median(most));
    }
    judge_claims(&mut verdicts, &alone, &beside);
    let [held, applied, waited] = lock.context("at least one round")?;
    for (what, times) in [
        ("the lock held by a reader of the leader", &held),
        ("a claim's wait for the lock on the leader", &waited),
    ] {
        let most = times.per_mille(999.0);
        verdicts.judge(
            &format!("{what}: p99.9"),
            most.map_or("more".to_owned(), |most| {
                format!("at most {} ms", millis(most))
            }),
            format!("{} ms", millis(WAIT_BUDGET)),
            most.is_some_and(|most| most <= WAIT_BUDGET),
        );
        let (above, all) = (times.above(WAIT_BUDGET), times.count());
        verdicts.tell(&format!("{what}: over 1 ms"), format!("{above} of {all}"));
    }
    let (above, all) = (applied.above(WAIT_BUDGET), applied.count());
    verdicts.tell(
        "the lock held to apply: over 1 ms",
        format!("{above} of {all}"),
    );
    Ok(verdicts.table())
}

fn judge_reads(verdicts: &mut Verdicts, what: &str, half: Duration, most: Duration) {
    verdicts.judge(
        what,
        format!("{}, {} ms", millis(half), millis(most)),
        format!("{} ms", millis(READ_BUDGET)),
        most < READ_BUDGET,
    );
}

fn judge_claims(verdicts: &mut Verdicts, alone: &[[Duration; 2]], beside: &[[Duration; 2]]) {
    let of = |rounds: &[[Duration; 2]], place: usize| {
        median(rounds.iter().map(|times| times[place]).collect())
    };
    for (place, name) in ["p50", "p99"].into_iter().enumerate() {
        let (without, with) = (of(alone, place), of(beside, place));
        verdicts.tell(
            &format!(
                "claims at {CLAIMS_A_SECOND}/s without reads, with {READS_A_SECOND}/s: {name}"
            ),
            format!("{}, {} ms", millis(without), millis(with)),
        );
    }
}

fn zip(
    left: [LockTimes; 3],
    right: &[LockTimes; 3],
    both: fn(LockTimes, &LockTimes) -> LockTimes,
) -> [LockTimes; 3] {
    let [one, two, three] = left;
    [
        both(one, &right[0]),
        both(two, &right[1]),
        both(three, &right[2]),
    ]
}

/// Held by readers, held to apply, waited for to apply.
async fn lock_times(cluster: &TestCluster, node: u64) -> Result<[LockTimes; 3]> {
    let text = scrape::text(cluster, node).await?;
    Ok([
        LockTimes::read(&text, "read_held")?,
        LockTimes::read(&text, "apply_held")?,
        LockTimes::read(&text, "apply_waited")?,
    ])
}

struct Reader {
    connection: Connection,
    tenant: Tenant,
    kind: Kind,
    random: StdRng,
    last: Option<Reply>,
}

impl Reader {
    fn new(cluster: &TestCluster, node: u64, tenant: &Tenant, kind: Kind) -> Self {
        Self {
            connection: cluster.connection(node),
            tenant: tenant.clone(),
            kind,
            random: StdRng::seed_from_u64(11),
            last: None,
        }
    }

    async fn read(&mut self) -> Result<Duration> {
        let path = (self.kind.path)(&mut self.random, self.last.as_ref());
        let path = self.tenant.path(&path);
        let started = Instant::now();
        let reply = self.connection.get(&path).await?;
        let took = started.elapsed();
        ensure!(
            reply.status == 200,
            "{}: {}",
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        self.last = Some(reply);
        Ok(took)
    }

    /// Reads at the rate until then.
    fn keep_reading(mut self, until: Instant) -> JoinHandle<Result<Latencies>> {
        tokio::spawn(async move {
            let mut turns = interval(Duration::from_millis(1_000 / READS_A_SECOND));
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut times = Latencies::default();
            while Instant::now() < until {
                turns.tick().await;
                times.push(self.read().await?);
            }
            Ok(times)
        })
    }
}
