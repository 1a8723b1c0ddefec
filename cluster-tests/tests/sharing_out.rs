//! A pool is shared out until it is full, and no client is told of a block that another has.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::crowd::{Crowd, Done, Job};
use cluster_tests::ledger::Ledger;
use cluster_tests::tenant::Tenant;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::json;

const ADDRESSES: usize = 4_096;
const CLIENTS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_shared_out_and_refilled_while_leaders_die_never_gives_a_block_twice() -> Result<()>
{
    let mut cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "sharing").await?;
    let pool = tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "twelve-bits", "cidrs": ["10.128.0.0/20"] }),
        )
        .await?;
    ensure!(
        pool["status"]["capacity"]["total"] == "4096",
        "the pool has 4,096 addresses: {pool}"
    );
    let crowd = Crowd {
        addresses: cluster.addresses(),
        clients: CLIENTS,
        tenant: tenant.clone(),
        pool: "twelve-bits".to_owned(),
    };
    let mut ledger = Ledger::default();

    // Until it is full.
    let first: Vec<Job> = (0..ADDRESSES)
        .map(|number| Job::Claim(format!("first-{number}")))
        .collect();
    note(&mut ledger, crowd.work(&first).await?);
    let blocks: BTreeSet<&str> = ledger
        .held
        .values()
        .map(|held| held.block.as_str())
        .collect();
    ensure!(
        blocks.len() == ADDRESSES,
        "{} distinct addresses",
        blocks.len()
    );
    for id in cluster.ids() {
        let reply = tenant
            .claim(
                &mut cluster.connection(id),
                &json!({ "name": "one-too-many", "pool": "twelve-bits" }),
            )
            .await?;
        ensure!(
            reply.status == 507 && reply.code() == "pool_exhausted",
            "{reply:?}"
        );
        let problem = reply.json();
        ensure!(problem["retryable"] == false, "{problem}");
        ensure!(
            problem["free"] == "0" && problem["largestFreePrefixLength"].is_null(),
            "{problem}"
        );
    }
    let (name, held) = ledger.held.pop_first().context("a held address")?;
    tenant
        .release(&mut connection, &name, held.generation)
        .await?
        .expect(200)?;
    let pair = json!({ "name": "two-at-once", "pool": "twelve-bits", "prefixLength": 31 });
    let problem = tenant
        .claim(&mut cluster.connection(3), &pair)
        .await?
        .expect(507)?;
    ensure!(
        problem["free"] == "1" && problem["largestFreePrefixLength"] == 32,
        "{problem}"
    );
    note(&mut ledger, crowd.work(&[Job::Claim(name)]).await?);
    ledger.judge(&tenant.claims(&mut connection).await?)?;

    // Half of them released at random, the pool filled again, the leader killed in the midst of both.
    let seed = rand::random();
    let mut held: Vec<_> = ledger.held.clone().into_iter().collect();
    held.shuffle(&mut StdRng::seed_from_u64(seed));
    let releases: Vec<Job> = held
        .into_iter()
        .take(ADDRESSES / 2)
        .map(|(name, held)| Job::Release(name, held))
        .collect();
    let worker = tokio::spawn({
        let crowd = crowd.clone();
        async move { crowd.work(&releases).await }
    });
    let (leader, _) = cluster.leader().await?;
    cluster.kill(leader)?;
    note(
        &mut ledger,
        worker
            .await?
            .with_context(|| format!("releases, seed {seed}"))?,
    );
    cluster.start(leader)?;
    cluster.ready(leader).await?;

    let second: Vec<Job> = (0..ADDRESSES / 2)
        .map(|number| Job::Claim(format!("second-{number}")))
        .collect();
    let worker = tokio::spawn({
        let (crowd, second) = (crowd.clone(), second.clone());
        async move { crowd.work(&second).await }
    });
    let (leader, _) = cluster.leader().await?;
    cluster.kill(leader)?;
    cluster.start(leader)?;
    note(&mut ledger, worker.await?.context("refill")?);
    cluster.ready_all().await?;
    ensure!(
        ledger.held.len() == ADDRESSES,
        "{} are held",
        ledger.held.len()
    );
    judge_on_every_node(&cluster, &tenant, &ledger).await?;

    // Every name once more, from other connections than before: the same blocks.
    let again: Vec<Job> = ledger
        .held
        .keys()
        .rev()
        .map(|name| Job::Claim(name.clone()))
        .collect();
    let mut repeated = Ledger::default();
    note(&mut repeated, crowd.work(&again).await?);
    ensure!(
        repeated.held == ledger.held,
        "a repeat by name answers what is held"
    );

    // All at once.
    cluster.kill_all()?;
    cluster.start_all()?;
    cluster.ready_all().await?;
    judge_on_every_node(&cluster, &tenant, &ledger).await?;
    let reply = tenant
        .claim(
            &mut cluster.connection(2),
            &json!({ "name": "one-too-many", "pool": "twelve-bits" }),
        )
        .await?;
    ensure!(reply.status == 507, "{reply:?}");
    Ok(())
}

fn note(ledger: &mut Ledger, done: Vec<Done>) {
    for end in done {
        match end {
            Done::Holds(name, held) => {
                ledger.held.insert(name, held);
            }
            Done::Released(name) | Done::Exhausted(name) => {
                ledger.held.remove(&name);
            }
        }
    }
}

async fn judge_on_every_node(
    cluster: &TestCluster,
    tenant: &Tenant,
    ledger: &Ledger,
) -> Result<()> {
    let mut seen: Option<BTreeMap<_, _>> = None;
    for id in cluster.ids() {
        let listed = tenant.claims(&mut cluster.connection(id)).await?;
        ledger
            .judge(&listed)
            .with_context(|| format!("as node {id} lists it"))?;
        ensure!(
            *seen.get_or_insert_with(|| listed.clone()) == listed,
            "node {id} lists what the others list"
        );
    }
    Ok(())
}
