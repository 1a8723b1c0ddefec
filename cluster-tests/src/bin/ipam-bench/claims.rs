//! Claims over HTTP: one address each from one pool, spread over three durable nodes.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use cluster_tests::TestCluster;
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use hyper::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::latency::Latencies;
use crate::report::{Table, millis, per_second};
use crate::scrape::{self, sample};

const CONNECTIONS: [usize; 3] = [1, 64, 256];
/// For a run, so that the pool is never full.
const CLAIMS_MAX: usize = 3_000_000;
/// Before the figures count.
const WARM_UP: Duration = Duration::from_secs(1);

pub(crate) async fn measure(seconds: u64) -> Result<Table> {
    let mut table = Table::new(
        "claims",
        &[
            "connections",
            "claims/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "commands an entry",
        ],
    );
    for connections in CONNECTIONS {
        let cluster = TestCluster::three().await?;
        let mut connection = cluster.connection(1);
        let tenant = Tenant::create(&mut connection, "bench").await?;
        tenant
            .pool_create(
                &mut connection,
                &json!({ "name": "p", "cidrs": ["10.0.0.0/8"] }),
            )
            .await?;
        load(&cluster, &tenant, "warm", connections, WARM_UP).await?;
        let before = batches(&cluster).await?;
        let started = Instant::now();
        let latencies = load(
            &cluster,
            &tenant,
            "claim",
            connections,
            Duration::from_secs(seconds),
        )
        .await?;
        let took = started.elapsed();
        let after = batches(&cluster).await?;
        let commands_an_entry = (after.0 - before.0) / (after.1 - before.1).max(1.0);
        let rate = per_second(latencies.count(), took);
        let [half, most, nearly_all] = latencies.percentiles([50, 95, 99]);
        table.row([
            connections.to_string(),
            rate,
            millis(half),
            millis(most),
            millis(nearly_all),
            format!("{commands_an_entry:.1}"),
        ]);
    }
    Ok(table)
}

async fn load(
    cluster: &TestCluster,
    tenant: &Tenant,
    prefix: &'static str,
    connections: usize,
    lasts: Duration,
) -> Result<Latencies> {
    let until = Instant::now() + lasts;
    let mut clients = JoinSet::new();
    for (number, address) in cluster
        .addresses()
        .into_iter()
        .cycle()
        .take(connections)
        .enumerate()
    {
        let path = tenant.path("claims");
        clients.spawn(async move {
            let mut connection = Connection::new(address);
            let mut latencies = Latencies::default();
            for claim in 0..CLAIMS_MAX / connections {
                let body = format!(r#"{{"name":"{prefix}-{number:04}-{claim:012}","pool":"p"}}"#);
                let started = Instant::now();
                if started >= until {
                    break;
                }
                let reply = connection
                    .send(Method::POST, &path, Some(Bytes::from(body)))
                    .await?;
                latencies.push(started.elapsed());
                ensure!(
                    reply.status == 201,
                    "{}: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.body)
                );
            }
            anyhow::Ok(latencies)
        });
    }
    let mut all = Latencies::default();
    while let Some(client) = clients.join_next().await {
        all.merge(client??);
    }
    Ok(all)
}

/// Commands and entries that the nodes have proposed, by their metrics.
async fn batches(cluster: &TestCluster) -> Result<(f64, f64)> {
    let mut sums = (0.0, 0.0);
    for id in cluster.ids() {
        let text = scrape::text(cluster, id).await?;
        sums.0 += sample(&text, "ipam_raft_batch_commands_sum")?;
        sums.1 += sample(&text, "ipam_raft_batch_commands_count")?;
    }
    Ok(sums)
}
