//! Answers that give nothing: claims from a full pool, which the log decides like any other, and pages of a list. In an open loop
//! over 64 connections, from the time at which each was to begin; and as fast as 64 connections ask, which two cores that
//! make the load, too, can only answer late.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::fill;
use crate::load::{Fixed, Open, closed, open};
use crate::report::{Table, decimal, millis};
use crate::rounds::{Rounds, Series};
use crate::verdict::Verdicts;

const REFUSALS_A_SECOND: u32 = 1_000;
const PAGES_A_SECOND: u32 = 500;
const CLAIMS: u32 = 10_000;
/// Theirs were 18 and 30 ms.
const BUDGET: Duration = Duration::from_millis(5);

pub(crate) async fn measure(rounds: Rounds) -> Result<Table> {
    let cluster = TestCluster::three().await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    fill::claims(&cluster, &tenant, 0..CLAIMS, fill::plain_claim).await?;
    full_pool(&cluster, &tenant).await?;
    let refusals = Fixed {
        addresses: cluster.addresses(),
        method: "POST",
        path: tenant.path("claims"),
        body: Some(r#"{"name":"late-{}","pool":"full"}"#.to_owned()),
        status: 507,
    };
    let pages = Fixed {
        addresses: cluster.addresses(),
        method: "GET",
        path: tenant.path("claims?limit=100"),
        body: None,
        status: 200,
    };
    let mut verdicts = Verdicts::new("refused");
    for (what, asked, rate) in [
        ("claims from a full pool", refusals, REFUSALS_A_SECOND),
        ("pages of 100 claims", pages, PAGES_A_SECOND),
    ] {
        let asked = Arc::new(asked);
        let mut series = Series::default();
        for _ in 0..rounds.count {
            series.add(&open(&asked, Open::at(rate, rounds.lasts)).await?);
        }
        let [half, most, nearly_all] = series.medians().times;
        verdicts.at_most(
            &format!("{what}, {rate}/s over 64 connections: p95"),
            most,
            BUDGET,
        );
        verdicts.tell(
            "the same: p50, p99",
            format!("{}, {} ms", millis(half), millis(nearly_all)),
        );
        let mut series = Series::default();
        for _ in 0..rounds.count {
            series.add(&closed(&asked, rounds.closed(64)).await?);
        }
        let medians = series.medians();
        let [half, most, _] = medians.times;
        let rate = decimal(medians.rate, 0);
        verdicts.tell(
            "the same, 64 connections at once: answers/s, p50, p95",
            format!("{rate}/s, {}, {} ms", millis(half), millis(most)),
        );
    }
    Ok(verdicts.table())
}

/// A pool of sixteen addresses, all held.
async fn full_pool(cluster: &TestCluster, tenant: &Tenant) -> Result<()> {
    let mut connection = cluster.connection(1);
    let pool = json!({ "name": "full", "cidrs": ["192.168.0.0/28"] });
    tenant.pool_create(&mut connection, &pool).await?;
    for number in 0..16 {
        let claim = json!({ "name": format!("early-{number}"), "pool": "full" });
        tenant.claim(&mut connection, &claim).await?.expect(201)?;
    }
    Ok(())
}
