//! Three times the load that saturates the nodes, for as long as is wanted.

use std::time::Duration;

use anyhow::Result;
use cluster_tests::TestCluster;
use cluster_tests::flood::Flood;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::report::{Table, per_second};

/// Requests that one node works on at once.
const IN_FLIGHT_MAX: usize = 256;
/// Three times what three such nodes work on at once.
const CONNECTIONS: usize = 3 * 3 * IN_FLIGHT_MAX;

pub(crate) async fn measure(seconds: u64) -> Result<Table> {
    let limit = IN_FLIGHT_MAX.to_string();
    let cluster = TestCluster::with_switches(&["--requests-in-flight-max", &limit]).await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "bench").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.0.0.0/8"] }),
        )
        .await?;
    let (leader, term) = cluster.leader().await?;
    let lasts = Duration::from_secs(seconds);
    let flood = Flood {
        addresses: cluster.addresses(),
        connections: CONNECTIONS,
        lasts,
        tenant,
        pool: "p".to_owned(),
    };
    let seen = flood.run().await?;
    let (leader_after, term_after) = cluster.leader().await?;
    let mut table = Table::new(
        "overload",
        &[
            "connections",
            "seconds",
            "done/s",
            "429/s",
            "other answers",
            "leader and term before",
            "after",
        ],
    );
    table.row([
        CONNECTIONS.to_string(),
        seconds.to_string(),
        per_second(seen.taken, lasts),
        per_second(seen.refused, lasts),
        if seen.other.is_empty() {
            "none".to_owned()
        } else {
            format!("{:?}", seen.other)
        },
        format!("{leader}, {term}"),
        format!("{leader_after}, {term_after}"),
    ]);
    Ok(table)
}
