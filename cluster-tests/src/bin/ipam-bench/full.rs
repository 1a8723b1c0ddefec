//! Claims and their releases over HTTP while little is held and while a million is, beside host-local with few and many held.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cluster_tests::TestCluster;
use serde_json::json;

use crate::fill;
use crate::latency::Latencies;
use crate::load::{Churn, Claims, closed};
use crate::peers::host_local::HostLocal;
use crate::plot::{Axis, Line, Plot, Scale};
use crate::report::{Found, decimal, millis};
use crate::rounds::{Medians, Rounds, Series};
use crate::verdict::Verdicts;

const HELD: [u32; 3] = [1_000, 100_000, 1_000_000];
const CONNECTIONS: [usize; 2] = [1, 64];
/// So many times what it takes with the fewest held it may take with the most.
const BUDGET: f64 = 1.2;

/// What was measured of host-local before: 4 ms with so many held, 90 ms with so many.
const HELD_BY_HOST_LOCAL: [u32; 2] = [300, 8_900];
const ADDED: usize = 20;

/// Of one number of connections, with so many held.
#[derive(Debug)]
struct Point {
    connections: usize,
    held: u32,
    medians: Medians,
}

impl Point {
    fn half(&self) -> Duration {
        self.medians.times[0]
    }
}

pub(crate) async fn measure(rounds: Rounds, host_local: Option<&Path>) -> Result<Found> {
    let mut points = Vec::new();
    let cluster = TestCluster::three().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    let mut filled = 0;
    for held in HELD {
        fill::claims(&cluster, &tenant, filled..held, fill::plain_claim).await?;
        filled = held;
        let claims = Arc::new(Churn(Claims::new(&cluster, &tenant, &["p"])));
        for connections in CONNECTIONS {
            let mut series = Series::default();
            for _ in 0..rounds.count {
                series.add(&closed(&claims, rounds.closed(connections)).await?);
            }
            points.push(Point {
                connections,
                held,
                medians: series.medians(),
            });
        }
    }
    drop(cluster);
    let mut verdicts = Verdicts::new("full");
    let mut lines = Vec::new();
    for connections in CONNECTIONS {
        let of: Vec<&Point> = points
            .iter()
            .filter(|point| point.connections == connections)
            .collect();
        lines.push(Line {
            name: format!("ipamd, {connections} connections"),
            points: of
                .iter()
                .map(|point| drawn(point.held, point.half()))
                .collect(),
        });
        for point in &of {
            let what = format!("{} held, {connections} connections", point.held);
            let [half, _, nearly_all] = point.medians.times.map(millis);
            let rate = decimal(point.medians.rate, 0);
            let found = format!("{rate} pairs/s, p50 {half}, p99 {nearly_all} ms a pair");
            verdicts.tell(&what, found);
        }
        if let [first, .., last] = of[..] {
            let times = last.half().as_secs_f64() / first.half().as_secs_f64();
            verdicts.judge(
                &format!("p50 with {} held, {connections} connections", last.held),
                format!("{} times that with {}", decimal(times, 2), first.held),
                format!("{BUDGET} times"),
                times <= BUDGET,
            );
        }
    }
    if let Some(program) = host_local {
        let mut points = Vec::new();
        for held in HELD_BY_HOST_LOCAL {
            let mut plugin = HostLocal::new(program)?;
            plugin.hold(held)?;
            let times = (0..ADDED).map(|_| plugin.add());
            let times: Latencies = times.collect::<Result<_>>()?;
            let [half, most] = times.percentiles([50, 95]);
            verdicts.tell(
                &format!("host-local, {held} held: one more"),
                format!("p50 {}, p95 {} ms", millis(half), millis(most)),
            );
            points.push(drawn(held, half));
        }
        let name = "host-local".to_owned();
        lines.push(Line { name, points });
    }
    let logarithmic = |label| Axis {
        label,
        scale: Scale::Logarithmic,
    };
    Ok(Found {
        tables: vec![verdicts.table()],
        plots: vec![Plot {
            name: "full",
            title: "An address claimed and released (host-local: added), p50, by how many are held",
            x: logarithmic("addresses held"),
            y: logarithmic("milliseconds"),
            lines,
        }],
    })
}

fn drawn(held: u32, half: Duration) -> (f64, f64) {
    (f64::from(held), half.as_secs_f64() * 1_000.0)
}
