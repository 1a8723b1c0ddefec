//! Clusters that hold much before anything is measured.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Operations in a batch, the most there may be.
const BATCH: u32 = 1_000;
/// Batches on their way at a time.
const WRITERS: u32 = 4;

/// A tenant with the pool `p`, a /8 of single addresses; `more` is said of the pool, too.
pub(crate) async fn tenant_with_pool(cluster: &TestCluster, more: &Value) -> Result<Tenant> {
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "bench").await?;
    let mut pool = json!({ "name": "p", "cidrs": ["10.0.0.0/8"] });
    for (field, value) in more.as_object().context("fields of a pool")? {
        pool[field] = value.clone();
    }
    tenant.pool_create(&mut connection, &pool).await?;
    Ok(tenant)
}

/// A claim of one address, with a name of 24 bytes.
pub(crate) fn plain_claim(number: u32) -> Value {
    json!({ "name": format!("claim-{number:018}"), "pool": "p" })
}

/// Makes the claims that `make` gives for these numbers, a thousand in one write.
pub(crate) async fn claims(
    cluster: &TestCluster,
    tenant: &Tenant,
    numbers: Range<u32>,
    make: fn(u32) -> Value,
) -> Result<()> {
    let (leader, _) = cluster.leader().await?;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let mut connection = Connection::new(cluster.address(leader));
        let (path, numbers) = (tenant.path("batch"), numbers.clone());
        writers.spawn(async move {
            let starts = numbers.clone().step_by(BATCH as usize);
            for start in starts.skip(writer as usize).step_by(WRITERS as usize) {
                let operations: Vec<Value> = (start..numbers.end.min(start + BATCH))
                    .map(|number| json!({ "createClaim": make(number) }))
                    .collect();
                let batch = json!({ "atomic": true, "operations": operations });
                let reply = connection.post(&path, &batch).await?;
                ensure!(
                    reply.status == 200,
                    "{}: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.body)
                );
            }
            anyhow::Ok(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    Ok(())
}
