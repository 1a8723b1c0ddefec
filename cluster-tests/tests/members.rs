//! Members that lost their disks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::crowd::{Crowd, Done, Job};
use cluster_tests::http::Connection;
use cluster_tests::ledger::Ledger;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_member_is_refused_and_replaced_while_claims_go_on() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "members").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.96.0.0/16"] }),
        )
        .await?;
    let (leader, _) = cluster.leader().await?;
    let lost = cluster
        .ids()
        .into_iter()
        .find(|id| *id != leader)
        .context("a follower")?;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != lost).collect();

    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let stop = stop.clone();
        let crowd = Crowd {
            addresses: others.iter().map(|id| cluster.address(*id)).collect(),
            clients: 4,
            tenant: tenant.clone(),
            pool: "p".to_owned(),
        };
        async move {
            let mut ledger = Ledger::default();
            let mut round = 0;
            while !stop.load(Ordering::Acquire) {
                let jobs: Vec<Job> = (0..20)
                    .map(|number| Job::Claim(format!("r{round}-{number}")))
                    .collect();
                for done in crowd.work(&jobs).await? {
                    if let Done::Holds(name, held) = done {
                        ledger.held.insert(name, held);
                    }
                }
                round += 1;
            }
            anyhow::Ok(ledger)
        }
    });

    cluster.kill(lost)?;
    cluster.wipe(lost)?;
    cluster.start(lost)?;
    let reason = refused(&cluster, lost).await?;
    for command in ["cluster remove", "cluster add", "cluster promote"] {
        ensure!(
            reason.contains(command),
            "the way out names {command:?}: {reason}"
        );
    }

    // The documented commands: remove it, add it as a learner, promote it.
    let mut leader_connection = cluster.connection(leader);
    leader_connection
        .delete(&format!("/v1/cluster/members/{lost}"))
        .await?
        .expect(200)?;
    cluster.add(leader, lost).await?;
    cluster.promote(leader, lost).await?;
    cluster.ready(lost).await?;

    stop.store(true, Ordering::Release);
    let ledger = load.await??;
    ensure!(!ledger.held.is_empty(), "claims went on");
    for id in cluster.ids() {
        ledger.judge(&tenant.claims(&mut cluster.connection(id)).await?)?;
    }

    // The new member counts: the cluster bears the loss of another.
    cluster.kill(others[0])?;
    cluster.leader().await?;
    let claim = json!({ "name": "after-all", "pool": "p" });
    tenant
        .claim(&mut cluster.connection(lost), &claim)
        .await?
        .expect(201)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_wiped_members_do_not_form_a_new_empty_cluster() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "survivor").await?;
    let before = cluster.status(1).await?["clusterId"].clone();
    let kept = cluster.leader().await?.0;
    let wiped: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != kept).collect();

    // That the last entry is committed is written with what follows it, or when nothing does for 100 ms;
    // without a quorum the one that is kept cannot learn it from others.
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.kill_all()?;
    for id in &wiped {
        cluster.wipe(*id)?;
    }
    cluster.start_all()?;
    for id in &wiped {
        refused(&cluster, *id).await?;
    }
    let status = cluster.status(kept).await?;
    ensure!(status["clusterId"] == before, "the old cluster: {status}");
    let local = cluster.connection(kept).get(&tenant.path("claims")).await?;
    ensure!(
        local.status == 200,
        "its data can still be read where it is: {local:?}"
    );
    for id in cluster.ids() {
        let written = cluster
            .connection(id)
            .with_deadline(Duration::from_secs(15))
            .post("/v1/tenants", &json!({ "name": "new" }))
            .await?;
        ensure!(
            written.status == 503 || written.status == 504,
            "nothing is written without a quorum: {written:?}"
        );
    }
    for id in &wiped {
        let status = cluster.status(*id).await?;
        ensure!(
            status["clusterId"].is_null() || status["clusterId"] == before,
            "no other cluster: {status}"
        );
        ensure!(status["leader"].is_null(), "and no leader: {status}");
    }
    Ok(())
}

/// Waits until a node says that it is refused, and why.
async fn refused(cluster: &TestCluster, id: u64) -> Result<String> {
    let address = cluster.address(id);
    wait::until("the node says that it is refused", WITHIN, || async move {
        let reply = Connection::new(address).get("/readyz").await.ok()?;
        let reason = String::from_utf8_lossy(&reply.body).into_owned();
        (reply.status == 503 && reason.contains("another data directory")).then_some(reason)
    })
    .await
}
