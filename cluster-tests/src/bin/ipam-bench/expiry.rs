//! A hundred thousand leases that are over at one instant, and the claims beside that.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cluster_tests::TestCluster;
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::fill;
use crate::latency::median;
use crate::load::{Claims, Open, open};
use crate::report::{Table, millis};
use crate::verdict::Verdicts;

const LEASES: u32 = 100_000;
/// Of each lease; the clock is moved on by so much at once.
const LEASE_SECONDS: u32 = 3_600;
/// Rounds of claims without an expiry and with one; the figures are the medians of the rounds.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(6);
/// The clock is moved so long after the claims have begun.
const EXPIRES_AFTER: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_secs(2);
const CLAIMS_A_SECOND: u32 = 1_000;
/// For all leases to have ended.
const EXPIRED_WITHIN: Duration = Duration::from_secs(30);

/// By how much p99.9 may be above that of the run without.
const BUDGET: Duration = Duration::from_millis(50);

pub(crate) async fn measure() -> Result<Table> {
    let cluster = TestCluster::with_switches(&["--insecure", "--test-clock"]).await?;
    let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
    let claims = Arc::new(Claims::new(&cluster, &tenant, &["p"]));
    let load = |lasts| Open::at(CLAIMS_A_SECOND, lasts);
    open(&claims, load(WARM_UP)).await?;
    let mut connection = cluster.connection(1);
    let (mut without, mut with, mut lasted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fill::claims(&cluster, &tenant, 0..LEASES, leased_claim).await?;
        let alone = open(&claims, load(ROUND)).await?;
        without.push(alone.latencies().per_mille([500, 990, 999, 1_000]));

        let beside = Arc::clone(&claims);
        let beside = tokio::spawn(async move { open(&beside, load(ROUND)).await });
        sleep(EXPIRES_AFTER).await;
        let moved = Instant::now();
        let advance = json!({ "ms": u64::from(LEASE_SECONDS) * 1_000 });
        connection
            .post("/v1/cluster/clock/advance", &advance)
            .await?
            .expect(200)?;
        all_ended(&cluster, &tenant).await?;
        lasted.push(moved.elapsed());
        with.push(beside.await??.latencies().per_mille([500, 990, 999, 1_000]));
    }
    let mut verdicts = Verdicts::new("expiry");
    verdicts.tell(
        &format!("{LEASES} leases over at one instant: all ended after"),
        format!("{} ms", millis(median(lasted))),
    );
    let of = |rounds: &[[Duration; 4]], place: usize| {
        median(rounds.iter().map(|times| times[place]).collect())
    };
    for (place, name) in ["p50", "p99", "p99.9", "worst"].into_iter().enumerate() {
        let (without, with) = (of(&without, place), of(&with, place));
        let what = format!("claims at {CLAIMS_A_SECOND}/s without, with: {name}");
        let measured = format!("{}, {} ms", millis(without), millis(with));
        if name == "p99.9" {
            let budget = format!("{} ms", millis(without + BUDGET));
            verdicts.judge(&what, measured, budget, with <= without + BUDGET);
        } else {
            verdicts.tell(&what, measured);
        }
    }
    Ok(verdicts.table())
}

/// Waits until none of the leases is held: they end in the order of their generations, so the last is asked for.
async fn all_ended(cluster: &TestCluster, tenant: &Tenant) -> Result<()> {
    let last = leased_claim(LEASES - 1);
    let path = tenant.path(&format!(
        "claims/{}",
        last["name"].as_str().unwrap_or_default()
    ));
    let address = cluster.address(1);
    wait::until("all leases have ended", EXPIRED_WITHIN, || async {
        let last = Connection::new(address).get(&path).await.ok()?;
        (last.status == 404).then_some(())
    })
    .await
}

fn leased_claim(number: u32) -> Value {
    json!({
        "name": format!("lease-{number:012}"),
        "pool": "p",
        "ttlSeconds": LEASE_SECONDS,
    })
}
