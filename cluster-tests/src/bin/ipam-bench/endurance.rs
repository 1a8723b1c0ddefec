//! Minutes of claims and releases while a million is held: what is done in each minute, and what the nodes take of memory and disk
//! at its end; then a restart of one of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::fill;
use crate::latency::Latencies;
use crate::load::{Churn, Claims, Closed, Turn, closed};
use crate::plot::{Axis, Line, Plot, Scale};
use crate::report::{Found, Table, decimal, less_or_more, millis};
use crate::restart;
use crate::scrape::{self, MEBIBYTE};
use crate::usage::{largest, size};
use crate::verdict::Verdicts;

const HELD: u32 = 1_000_000;
const CONNECTIONS: usize = 64;
const MINUTE: Duration = Duration::from_mins(1);

/// The last minute may do so much less than the second.
const SLOWER_MAX: f64 = 0.05;
/// The last minute may end with so many times what the second did of memory, or of disk.
const GROWTH_MAX: f64 = 1.25;
const RESIDENT_MAX: f64 = 700.0 * MEBIBYTE;

/// What the largest of the nodes takes, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    resident: f64,
    log: f64,
    applied: f64,
    snapshots: f64,
    /// The newest snapshot alone: what there is to be kept, encoded once.
    live: f64,
}

impl Sizes {
    fn disk(self) -> f64 {
        self.log + self.applied + self.snapshots
    }
}

/// One minute.
#[derive(Debug)]
struct Minute {
    pairs: u32,
    times: [Duration; 2],
    sizes: Sizes,
}

pub(crate) async fn measure(minutes: u32) -> Result<Found> {
    ensure!(
        minutes >= 3,
        "the second minute is compared with a later one"
    );
    let mut cluster = TestCluster::three().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    fill::claims(&cluster, &tenant, 0..HELD, fill::plain_claim).await?;
    let churn = Arc::new(Churn(Claims::new(&cluster, &tenant, &["p"])));
    let load = Closed {
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        lasts: MINUTE * minutes,
    };
    let begun = Instant::now();
    let (seen, sizes) = tokio::try_join!(closed(&churn, load), sampled(&cluster, begun, minutes))?;
    let minutes = by_minute(&seen.turns, begun, sizes);
    let took = restart::restarted(&mut cluster).await?;
    let mut verdicts = Verdicts::new("endurance, by budget");
    judge(&mut verdicts, &minutes)?;
    verdicts.at_most(
        &format!("restart with {HELD} held: ready after"),
        took,
        restart::BUDGET,
    );
    Ok(Found {
        tables: vec![table(&minutes), verdicts.table()],
        plots: vec![plot(&minutes)],
    })
}

/// What the nodes take at the end of each minute.
async fn sampled(cluster: &TestCluster, begun: Instant, minutes: u32) -> Result<Vec<Sizes>> {
    let mut sizes = Vec::new();
    for minute in 1..=minutes {
        sleep_until(begun + MINUTE * minute).await;
        sizes.push(sizes_of(cluster)?);
    }
    Ok(sizes)
}

fn sizes_of(cluster: &TestCluster) -> Result<Sizes> {
    let mut most = Sizes::default();
    for id in cluster.ids() {
        let data = cluster.data_dir(id);
        let snapshots = data.join("snapshots");
        most.resident = most.resident.max(scrape::resident(cluster, id)?);
        most.log = most.log.max(size(&data.join("wal")));
        most.applied = most.applied.max(size(&data.join("applied")));
        most.snapshots = most.snapshots.max(size(&snapshots));
        most.live = most.live.max(largest(&snapshots));
    }
    Ok(most)
}

fn by_minute(turns: &[Turn<()>], begun: Instant, sizes: Vec<Sizes>) -> Vec<Minute> {
    let minutes = sizes.into_iter().zip(1..).map(|(sizes, number)| {
        let span = begun + MINUTE * (number - 1)..begun + MINUTE * number;
        let ended = turns
            .iter()
            .filter(|turn| span.contains(&(turn.intended + turn.took)));
        let pairs = u32::try_from(ended.clone().count()).unwrap_or(u32::MAX);
        let times: Latencies = ended.map(|turn| turn.took).collect();
        Minute {
            pairs,
            times: times.percentiles([50, 99]),
            sizes,
        }
    });
    minutes.collect()
}

fn table(minutes: &[Minute]) -> Table {
    let mut table = Table::new(
        "endurance",
        &[
            "minute",
            "pairs/s",
            "p50 ms",
            "p99 ms",
            "resident MiB",
            "log MiB",
            "sled MiB",
            "snapshots MiB",
        ],
    );
    for (minute, number) in minutes.iter().zip(1..) {
        let mebibytes = |bytes: f64| decimal(bytes / MEBIBYTE, 0);
        table.row([
            format!("{number}"),
            decimal(rate(minute), 0),
            millis(minute.times[0]),
            millis(minute.times[1]),
            mebibytes(minute.sizes.resident),
            mebibytes(minute.sizes.log),
            mebibytes(minute.sizes.applied),
            mebibytes(minute.sizes.snapshots),
        ]);
    }
    table
}

fn rate(minute: &Minute) -> f64 {
    f64::from(minute.pairs) / MINUTE.as_secs_f64()
}

fn judge(verdicts: &mut Verdicts, minutes: &[Minute]) -> Result<()> {
    let [_, second, .., last] = minutes else {
        anyhow::bail!("there are at least three minutes");
    };
    let slower = 1.0 - rate(last) / rate(second);
    verdicts.judge(
        "pairs/s of the last minute against the second",
        less_or_more(slower),
        format!("{} % less", decimal(SLOWER_MAX * 100.0, 0)),
        slower <= SLOWER_MAX,
    );
    let mut grown = |what: &str, before: f64, after: f64| {
        verdicts.judge(
            &format!("{what} after the last minute against the second"),
            format!("{} times", decimal(after / before, 2)),
            format!("{} times", decimal(GROWTH_MAX, 2)),
            after <= before * GROWTH_MAX,
        );
    };
    grown("memory", second.sizes.resident, last.sizes.resident);
    grown("disk", second.sizes.disk(), last.sizes.disk());
    let most = |of: fn(&Sizes) -> f64| {
        minutes
            .iter()
            .map(|minute| of(&minute.sizes))
            .fold(0.0, f64::max)
    };
    let resident = most(|sizes| sizes.resident);
    verdicts.judge(
        &format!("resident memory of a node, {HELD} held, at most"),
        format!("{} MiB", decimal(resident / MEBIBYTE, 0)),
        format!("{} MiB", decimal(RESIDENT_MAX / MEBIBYTE, 0)),
        resident <= RESIDENT_MAX,
    );
    verdicts.tell(
        "sled at most, against what it keeps",
        format!(
            "{} times",
            decimal(most(|sizes| sizes.applied) / most(|sizes| sizes.live), 1)
        ),
    );
    Ok(())
}

fn plot(minutes: &[Minute]) -> Plot {
    let line = |name: &str, of: &dyn Fn(&Minute) -> f64| Line {
        name: name.to_owned(),
        points: minutes
            .iter()
            .zip(1_u32..)
            .map(|(minute, number)| (f64::from(number), of(minute)))
            .collect(),
    };
    let linear = |label| Axis {
        label,
        scale: Scale::Linear,
    };
    Plot {
        name: "endurance",
        title: "Claims and releases with a million held: pairs a second, and mebibytes of the largest node",
        x: linear("minute"),
        y: linear("pairs/s, MiB"),
        lines: vec![
            line("pairs/s", &rate),
            line("resident MiB", &|minute| minute.sizes.resident / MEBIBYTE),
            line("disk MiB", &|minute| minute.sizes.disk() / MEBIBYTE),
        ],
    }
}
