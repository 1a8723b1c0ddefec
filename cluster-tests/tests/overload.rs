//! More load than the cluster can take.

use std::time::Duration;

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::flood::Flood;
use cluster_tests::tenant::Tenant;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_is_answered_429_and_changes_no_term() -> Result<()> {
    // A small limit makes three times of it a number of connections that a test can afford.
    let cluster = TestCluster::with_switches(&["--requests-in-flight-max", "64"]).await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "flood").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.0.0.0/8"] }),
        )
        .await?;
    let before = cluster.leader().await?;

    let flood = Flood {
        addresses: cluster.addresses(),
        connections: 3 * 64 * 3,
        lasts: Duration::from_secs(5),
        tenant,
        pool: "p".to_owned(),
    };
    let seen = flood.run().await?;

    ensure!(
        cluster.leader().await? == before,
        "leader and term are those of before"
    );
    ensure!(seen.taken > 0, "work went on: {seen:?}");
    ensure!(seen.refused > 0, "the surplus was told 429: {seen:?}");
    ensure!(seen.other.is_empty(), "and nothing else happened: {seen:?}");
    Ok(())
}
