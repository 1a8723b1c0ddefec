//! The state is the same on every node, at every revision, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::crowd::{Crowd, Done, Job};
use cluster_tests::tenant::Tenant;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_digest_of_a_revision_is_equal_on_all_nodes_under_load() -> Result<()> {
    let cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "digests").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.64.0.0/16"] }),
        )
        .await?;
    let crowd = Crowd {
        addresses: cluster.addresses(),
        clients: 16,
        tenant: tenant.clone(),
        pool: "p".to_owned(),
    };

    let finished = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let finished = finished.clone();
        async move {
            let worked = churn(&crowd, 4).await;
            finished.store(true, Ordering::Release);
            worked
        }
    });

    let mut compared = Vec::new();
    while !finished.load(Ordering::Acquire) {
        let latest = digest(&cluster, 1, None).await?;
        let revision = latest["revision"].as_u64().context("a revision")?;
        let mut answers = Vec::new();
        for id in cluster.ids() {
            answers.push(digest(&cluster, id, Some(revision)).await?);
        }
        ensure!(
            answers.iter().all(|answer| *answer == answers[0]),
            "revision {revision}: {answers:?}"
        );
        ensure!(
            answers[0]["digest"]
                .as_str()
                .is_some_and(|digest| !digest.is_empty()),
            "{answers:?}"
        );
        compared.push(answers[0]["digest"].clone());
    }
    load.await??;
    compared.dedup();
    ensure!(compared.len() > 1, "the digest moved while it was compared");
    Ok(())
}

async fn churn(crowd: &Crowd, rounds: usize) -> Result<()> {
    for round in 0..rounds {
        let claims: Vec<Job> = (0..1_000)
            .map(|number| Job::Claim(format!("r{round}-{number}")))
            .collect();
        let releases: Vec<Job> = crowd
            .work(&claims)
            .await?
            .into_iter()
            .filter_map(|done| match done {
                Done::Holds(name, held) => Some(Job::Release(name, held)),
                Done::Released(_) | Done::Exhausted(_) => None,
            })
            .collect();
        crowd.work(&releases).await?;
    }
    Ok(())
}

async fn digest(cluster: &TestCluster, id: u64, revision: Option<u64>) -> Result<Value> {
    let query = revision
        .map(|revision| format!("?revision={revision}"))
        .unwrap_or_default();
    cluster
        .connection(id)
        .get(&format!("/v1/cluster/digest{query}"))
        .await?
        .expect(200)
}
