//! Three times the load that saturates three nodes, for as long as is wanted, beside the most that they did of less.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cluster_tests::TestCluster;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::fill;
use crate::latency::{Latencies, median, median_of};
use crate::load::{Claims, Closed, Ended, Flood, Seen, closed};
use crate::report::{Found, Table, decimal, less_or_more, line, millis};
use crate::rounds::Rounds;
use crate::scrape::{self, MEBIBYTE};
use crate::verdict::Verdicts;

/// Requests that one node works on at once.
const IN_FLIGHT_MAX: usize = 256;
/// Up to what three such nodes work on at once, which saturates them.
const CONNECTIONS: [usize; 3] = [64, 256, SATURATING];
const SATURATING: usize = 3 * IN_FLIGHT_MAX;
const OVERLOAD: usize = 3 * SATURATING;

/// Of the most that is done at any load, what is done at the overload may lack this.
const LOST_MAX: f64 = 0.1;
/// At the end nodes may take so many times the memory that they took half-way.
const GROWTH_MAX: f64 = 1.25;

/// What one round of a load has shown.
#[derive(Debug, Default)]
struct Sample {
    done: f64,
    refused: f64,
    /// p50 and p99 of what was done, and of what was refused.
    times_done: [Duration; 2],
    times_refused: [Duration; 2],
    generator: f64,
}

/// What the overload has done to the nodes in one round: memory of the largest in bytes.
#[derive(Debug)]
struct Strain {
    before: f64,
    half_way: f64,
    end: f64,
    leader_stayed: bool,
}

/// The rounds of each number of connections.
type Samples = BTreeMap<usize, Vec<Sample>>;

pub(crate) async fn measure(rounds: Rounds, lasts: Duration) -> Result<Found> {
    let (mut samples, mut strains) = (Samples::new(), Vec::new());
    let mut other = BTreeMap::new();
    for round in 1..=rounds.count {
        let limit = IN_FLIGHT_MAX.to_string();
        let cluster = TestCluster::with_switches(&["--requests-in-flight-max", &limit]).await?;
        let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
        let flood = Arc::new(Flood(Claims::new(&cluster, &tenant, &["p"])));
        for connections in CONNECTIONS {
            let seen = closed(&flood, rounds.closed(connections)).await?;
            let sample = sample(&seen, &mut other);
            samples.entry(connections).or_default().push(sample);
        }
        let before = resident(&cluster)?;
        let leader = cluster.leader().await?;
        let load = Closed {
            lasts,
            ..rounds.closed(OVERLOAD)
        };
        let half_way = Instant::now() + load.warm_up + load.lasts / 2;
        let (seen, half_way) = tokio::try_join!(closed(&flood, load), async {
            sleep_until(half_way).await;
            resident(&cluster)
        })?;
        strains.push(Strain {
            before,
            half_way,
            end: resident(&cluster)?,
            leader_stayed: cluster.leader().await? == leader,
        });
        let sample = sample(&seen, &mut other);
        line(&format!(
            "overload, round {round} of {}: {} done a second of {OVERLOAD} connections",
            rounds.count,
            decimal(sample.done, 0)
        ));
        samples.entry(OVERLOAD).or_default().push(sample);
    }
    Ok(Found {
        tables: vec![table(&samples), judge(&samples, &strains, &other)],
        plots: Vec::new(),
    })
}

/// Of the largest of the nodes.
fn resident(cluster: &TestCluster) -> Result<f64> {
    let sizes = cluster.ids().into_iter();
    let mut sizes = sizes.map(|id| scrape::resident(cluster, id));
    sizes.try_fold(0.0, |most, size| Ok(f64::max(most, size?)))
}

/// What was done and what was refused; any other answer goes to `other`.
fn sample(seen: &Seen<Ended>, other: &mut BTreeMap<u16, u32>) -> Sample {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for turn in &seen.turns {
        match turn.told.status {
            200..300 => done.push(turn.told.took),
            429 => refused.push(turn.told.took),
            status => *other.entry(status).or_default() += 1,
        }
    }
    let a_second = |times: &[Duration]| {
        f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX)) / seen.lasted.as_secs_f64()
    };
    let percentiles = |times: Vec<Duration>| -> [Duration; 2] {
        times
            .into_iter()
            .collect::<Latencies>()
            .percentiles([50, 99])
    };
    Sample {
        done: a_second(&done),
        refused: a_second(&refused),
        times_done: percentiles(done),
        times_refused: percentiles(refused),
        generator: seen.generator,
    }
}

fn number(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    median_of(&samples.iter().map(of).collect::<Vec<f64>>())
}

fn time(samples: &[Sample], of: fn(&Sample) -> Duration) -> Duration {
    median(samples.iter().map(of).collect())
}

fn table(samples: &Samples) -> Table {
    let mut table = Table::new(
        "overload",
        &[
            "connections",
            "done/s",
            "p50 ms",
            "p99 ms",
            "429/s",
            "p50 ms of a 429",
            "p99 ms of a 429",
            "generator's share of a core",
        ],
    );
    for (connections, samples) in samples {
        let refused = number(samples, |sample| sample.refused);
        let if_any = |time: Duration| {
            if refused > 0.0 {
                millis(time)
            } else {
                String::new()
            }
        };
        table.row([
            connections.to_string(),
            decimal(number(samples, |sample| sample.done), 0),
            millis(time(samples, |sample| sample.times_done[0])),
            millis(time(samples, |sample| sample.times_done[1])),
            decimal(refused, 0),
            if_any(time(samples, |sample| sample.times_refused[0])),
            if_any(time(samples, |sample| sample.times_refused[1])),
            decimal(number(samples, |sample| sample.generator), 2),
        ]);
    }
    table
}

fn judge(samples: &Samples, strains: &[Strain], other: &BTreeMap<u16, u32>) -> Table {
    let mut verdicts = Verdicts::new("overload, by budget");
    let done = |connections: &usize| {
        samples
            .get(connections)
            .map_or(0.0, |samples| number(samples, |sample| sample.done))
    };
    let peak = CONNECTIONS.iter().map(done).fold(0.0, f64::max);
    let lost = 1.0 - done(&OVERLOAD) / peak;
    verdicts.judge(
        &format!("done at {OVERLOAD} connections against the most at fewer"),
        less_or_more(lost),
        format!("{} % less", decimal(LOST_MAX * 100.0, 0)),
        lost <= LOST_MAX,
    );
    verdicts.judge(
        "answers but done and 429",
        if other.is_empty() {
            "none".to_owned()
        } else {
            format!("{other:?}")
        },
        "none".to_owned(),
        other.is_empty(),
    );
    let changed = strains.iter().filter(|strain| !strain.leader_stayed);
    let changed = changed.count();
    verdicts.judge(
        "rounds in which leader or term changed",
        changed.to_string(),
        "none".to_owned(),
        changed == 0,
    );
    let mebibytes = |of: fn(&Strain) -> f64| {
        let sizes: Vec<f64> = strains.iter().map(of).collect();
        decimal(median_of(&sizes) / MEBIBYTE, 0)
    };
    verdicts.tell(
        "resident memory of the largest node: before, half-way, at the end",
        format!(
            "{}, {}, {} MiB",
            mebibytes(|strain| strain.before),
            mebibytes(|strain| strain.half_way),
            mebibytes(|strain| strain.end)
        ),
    );
    let growth = strains.iter().map(|strain| strain.end / strain.half_way);
    let growth = growth.fold(0.0, f64::max);
    verdicts.judge(
        "memory at the end against half-way, the worst round",
        format!("{} times", decimal(growth, 2)),
        format!("{GROWTH_MAX} times"),
        growth <= GROWTH_MAX,
    );
    verdicts.table()
}
