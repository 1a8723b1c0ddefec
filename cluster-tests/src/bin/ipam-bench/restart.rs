//! A follower is stopped and started again while a million is held.

use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::TestCluster;
use serde_json::json;
use tokio::time::Instant;

use crate::fill;
use crate::latency::median;
use crate::report::{Table, millis};
use crate::verdict::Verdicts;

const HELD: u32 = 1_000_000;
/// Until it is ready.
pub(crate) const BUDGET: Duration = Duration::from_secs(3);

pub(crate) async fn measure(rounds: u32) -> Result<Table> {
    let mut cluster = TestCluster::three().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    fill::claims(&cluster, &tenant, 0..HELD, fill::plain_claim).await?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(restarted(&mut cluster).await?);
    }
    let worst = times.iter().max().copied().unwrap_or_default();
    let mut verdicts = Verdicts::new("restart");
    verdicts.at_most(
        &format!("restart with {HELD} held: ready after (median)"),
        median(times),
        BUDGET,
    );
    verdicts.tell("the longest", format!("{} ms", millis(worst)));
    Ok(verdicts.table())
}

/// Stops a follower in good order and starts it again: how long it takes until it is ready.
pub(crate) async fn restarted(cluster: &mut TestCluster) -> Result<Duration> {
    let (leader, _) = cluster.leader().await?;
    let ids = cluster.ids();
    let follower = ids.into_iter().find(|id| *id != leader);
    let follower = follower.context("a follower")?;
    let mut process = cluster.process_take(follower)?;
    process.stop(Duration::from_secs(30)).await?;
    let begun = Instant::now();
    cluster.start(follower)?;
    cluster.ready(follower).await?;
    Ok(begun.elapsed())
}
