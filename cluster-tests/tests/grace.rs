//! Clusters join, leave and return: the subnet of one that left is kept for it, and is nobody else's
//! before its grace is over. Time is the log's, moved by the test.

use std::time::Duration;

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::http::{Connection, Reply};
use cluster_tests::tenant::{Held, Tenant};
use cluster_tests::wait;
use serde_json::{Value, json};
use tokio::time::Instant;

const DAY_MS: u64 = 86_400_000;

/// The log's clock goes on by that much.
async fn advance(connection: &mut Connection, ms: u64) -> Result<()> {
    let body = json!({ "ms": ms });
    let reply = connection.post("/v1/cluster/clock/advance", &body).await?;
    reply.expect(200).map(drop)
}

/// A cluster asks for its subnet, by the name of its own.
async fn join(tenant: &Tenant, connection: &mut Connection, who: &str) -> Result<Reply> {
    let claim = json!({ "name": who, "pool": "slice", "owner": who });
    tenant.claim(connection, &claim).await
}

async fn leave(tenant: &Tenant, connection: &mut Connection, who: &str) -> Result<Value> {
    let path = tenant.path(&format!("claims/{who}?consistency=linearizable"));
    let held = Held::from_claim(&connection.get(&path).await?.expect(200)?)?;
    tenant
        .release(connection, who, held.generation)
        .await?
        .expect(200)
}

/// A time as shown, without its seconds: what remains of a grace is shown as wall time, and the wall clock
/// and the log's do not move in the same steps.
fn to_the_minute(time: &Value) -> Option<&str> {
    time.as_str()?.get(..16)
}

/// The slice of the guide: 256 subnets, each kept for a day.
async fn slice(connection: &mut Connection) -> Result<Tenant> {
    let tenant = Tenant::create(connection, "slices").await?;
    let pool = json!({
        "name": "slice", "cidrs": ["10.1.0.0/16"], "defaultPrefixLength": 24, "graceSeconds": 86_400,
    });
    tenant.pool_create(connection, &pool).await?;
    Ok(tenant)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subnet_is_kept_for_the_cluster_that_left_and_is_another_s_when_its_grace_is_over()
-> Result<()> {
    let mut cluster = TestCluster::with_switches(&["--insecure", "--test-clock"]).await?;
    let (mut one, mut two) = (cluster.connection(1), cluster.connection(2));
    let mut three = cluster.connection(3);
    let tenant = slice(&mut one).await?;

    // Two join, one leaves, a third does not get its subnet.
    let first = join(&tenant, &mut one, "cluster-1").await?.expect(201)?;
    let second = join(&tenant, &mut two, "cluster-2").await?.expect(201)?;
    let left = leave(&tenant, &mut two, "cluster-1").await?;
    ensure!(
        left["status"]["phase"] == "Released" && left["status"]["reclaimAt"].is_string(),
        "{left}"
    );
    let third = join(&tenant, &mut three, "cluster-3").await?.expect(201)?;
    let blocks: Vec<&Value> = [&first, &second, &third]
        .map(|claim| &claim["status"]["allocatedCIDR"])
        .to_vec();
    ensure!(
        blocks == ["10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24"],
        "{blocks:?}"
    );

    // What is known of it meanwhile: no claim, but an allocation with its names.
    let path = tenant.path("claims/cluster-1?consistency=linearizable");
    let gone = three.get(&path).await?.expect(404)?;
    ensure!(
        to_the_minute(&gone["ended"]["status"]["reclaimAt"])
            == to_the_minute(&left["status"]["reclaimAt"]),
        "{gone}"
    );
    let path = tenant.path("allocations?phase=Released&consistency=linearizable");
    let kept = &three.get(&path).await?.expect(200)?["items"][0];
    ensure!(
        kept["cidr"] == "10.1.0.0/24"
            && kept["claim"] == "cluster-1"
            && kept["owner"] == "cluster-1"
            && kept["phase"] == "Released",
        "{kept}"
    );

    // It returns late in its grace, through another node, and has its subnet back.
    advance(&mut one, DAY_MS / 2).await?;
    let back = join(&tenant, &mut three, "cluster-1").await?.expect(201)?;
    ensure!(
        back["status"]["allocatedCIDR"] == "10.1.0.0/24"
            && back["status"]["returned"] == true
            && back["status"]["previouslyReleasedAt"] == left["status"]["releasedAt"]
            && back["status"]["generation"].as_u64() > first["status"]["generation"].as_u64(),
        "{back}"
    );

    // The rest of the pool is taken; one subnet is kept.
    let operations: Vec<Value> = (4..=256)
        .map(|number| json!({ "createClaim": { "name": format!("cluster-{number}"), "pool": "slice" } }))
        .collect();
    let batch = json!({ "atomic": true, "operations": operations });
    one.post(&tenant.path("batch"), &batch).await?.expect(200)?;
    let before = Instant::now();
    leave(&tenant, &mut one, "cluster-1").await?;

    // A second before the end nobody else has it, whichever node is asked and whoever leads.
    advance(&mut two, DAY_MS - 1_000).await?;
    let early = join(&tenant, &mut three, "cluster-300").await?;
    ensure!(
        early.status == 507 && early.code() == "pool_exhausted"
            || before.elapsed() >= Duration::from_secs(1),
        "a second early: {early:?}"
    );
    let pool = tenant.pool(&mut two, "slice").await?;
    ensure!(
        early.status != 507 || pool["status"]["claims"]["allocated"] == 255,
        "{pool}"
    );

    // Then it is handed out.
    advance(&mut one, 1_000).await?;
    let late = join(&tenant, &mut two, "cluster-300").await?;
    let late = if early.status == 507 {
        late.expect(201)?
    } else {
        late.expect(200)?
    };
    ensure!(
        late["status"]["allocatedCIDR"] == "10.1.0.0/24" && late["status"]["returned"] == false,
        "{late}"
    );
    let full = join(&tenant, &mut three, "cluster-1").await?;
    ensure!(full.status == 507, "{full:?}");

    // That time was moved is shown by every node, also by one that was away.
    cluster.kill(2)?;
    cluster.start(2)?;
    cluster.ready(2).await?;
    for id in cluster.ids() {
        let shown = cluster.status(id).await?;
        ensure!(
            shown["clockAdvancedMs"] == DAY_MS / 2 + DAY_MS && shown["testClock"] == true,
            "{shown}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_ends_what_is_due_though_nobody_asks() -> Result<()> {
    let mut cluster = TestCluster::with_switches(&["--insecure", "--test-clock"]).await?;
    let mut one = cluster.connection(1);
    let tenant = slice(&mut one).await?;
    let leased =
        json!({ "name": "leased", "pool": "slice", "ttlSeconds": 600, "owner": "cluster-1" });
    let held = tenant.claim(&mut one, &leased).await?.expect(201)?;
    ensure!(held["status"]["expiresAt"].is_string(), "{held}");

    // Confirmed and renewed by its holder only.
    let generation = &held["status"]["generation"];
    for what in ["confirm", "renew"] {
        let path = tenant.path(&format!("claims/leased/{what}"));
        let other = one.post(&path, &json!({ "owner": "cluster-2" })).await?;
        ensure!(
            other.status == 403 && other.code() == "not_the_holder",
            "{other:?}"
        );
        let stale = json!({ "owner": "cluster-1", "generation": 999 });
        let stale = one.post(&path, &stale).await?;
        ensure!(
            stale.status == 412 && stale.code() == "generation_stale",
            "{stale:?}"
        );
        let own = json!({ "owner": "cluster-1", "generation": generation });
        let shown = one.post(&path, &own).await?.expect(200)?;
        ensure!(shown["status"]["phase"] == "InUse", "{shown}");
    }

    // Its lease is over, with another leader than the one that gave it; then its grace.
    let (leader, _) = cluster.leader().await?;
    cluster.kill(leader)?;
    cluster.leader().await?;
    let other = cluster.ids().into_iter().find(|id| *id != leader);
    let id = other.expect("three nodes have two others");
    let mut other = cluster.connection(id);
    advance(&mut other, 590_000).await?;
    let path = tenant.path("claims/leased?consistency=linearizable");
    other.get(&path).await?.expect(200)?;
    advance(&mut other, 10_000).await?;
    wait_for(&cluster, id, &path, 404).await?;
    let path = tenant.path("allocations/10.1.0.0/24?consistency=linearizable");
    let kept = other.get(&path).await?.expect(200)?;
    ensure!(kept["phase"] == "Released", "{kept}");
    advance(&mut other, DAY_MS).await?;
    wait_for(&cluster, id, &path, 404).await?;

    // An operator does not wait.
    let claim = json!({ "name": "c", "pool": "slice" });
    let held = Held::from_claim(&tenant.claim(&mut other, &claim).await?.expect(201)?)?;
    let reclaim = json!({ "cidr": held.block, "generation": held.generation });
    let reclaim_path = tenant.path("allocations/reclaim");
    let refused = other.post(&reclaim_path, &reclaim).await?;
    ensure!(
        refused.status == 409 && refused.code() == "address_taken",
        "{refused:?}"
    );
    leave(&tenant, &mut other, "c").await?;
    let reclaimed = other.post(&reclaim_path, &reclaim).await?.expect(200)?;
    ensure!(reclaimed["claim"] == "c", "{reclaimed}");
    other.get(&path).await?.expect(404)?;
    Ok(())
}

/// Waits until a path answers so: what the leader does by itself takes a second or two.
async fn wait_for(cluster: &TestCluster, id: u64, path: &str, status: u16) -> Result<()> {
    let what = format!("{path} answers {status}");
    wait::until(&what, Duration::from_secs(20), || async move {
        let reply = cluster.connection(id).get(path).await.ok()?;
        (reply.status == status).then_some(())
    })
    .await
}
