//! How long nobody is served after the leader was killed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::TestCluster;
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::report::{Table, millis};

const CLIENTS: usize = 8;
/// Claims answered after the kill before its gap is taken as over.
const ANSWERS_AFTER: usize = 200;
const WITHIN: Duration = Duration::from_secs(20);

/// When claims were answered.
type Answers = Arc<Mutex<Vec<Instant>>>;

pub(crate) async fn measure(kills: u32) -> Result<Table> {
    let mut cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "bench").await?;
    tenant
        .pool_create(
            &mut connection,
            &json!({ "name": "p", "cidrs": ["10.0.0.0/8"] }),
        )
        .await?;

    let mut gaps = Vec::new();
    for kill in 0..kills {
        let (leader, _) = cluster.leader().await?;
        let others: Vec<SocketAddr> = cluster
            .ids()
            .into_iter()
            .filter(|id| *id != leader)
            .map(|id| cluster.address(id))
            .collect();
        let answers = Answers::default();
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let connection = Connection::new(others[number % others.len()]);
            let prefix = format!("kill-{kill}-{number}");
            clients.spawn(client(
                connection,
                tenant.clone(),
                prefix,
                answers.clone(),
                stop.clone(),
            ));
        }
        answered(&answers, ANSWERS_AFTER).await?;
        let killed = Instant::now();
        cluster.kill(leader)?;
        let before = lock(&answers).len();
        answered(&answers, before + ANSWERS_AFTER).await?;
        stop.store(true, Ordering::Release);
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        gaps.push(
            longest_gap(&lock(&answers), killed).context("claims were answered after the kill")?,
        );
        cluster.start(leader)?;
        cluster.ready(leader).await?;
    }
    gaps.sort_unstable();
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
    let worst = gaps.last().copied().unwrap_or_default();
    let mut table = Table::new(
        "leader-kill",
        &[
            "kills",
            "median ms without service",
            "worst ms without service",
        ],
    );
    table.row([kills.to_string(), millis(median), millis(worst)]);
    Ok(table)
}

async fn client(
    mut connection: Connection,
    tenant: Tenant,
    prefix: String,
    answers: Answers,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        let claim = json!({ "name": format!("{prefix}-{number}"), "pool": "p" });
        match tenant.claim(&mut connection, &claim).await {
            Ok(reply) if reply.status < 300 => {
                lock(&answers).push(Instant::now());
                number += 1;
            }
            // The same name again.
            _ => sleep(Duration::from_millis(1)).await,
        }
    }
    Ok(())
}

async fn answered(answers: &Answers, count: usize) -> Result<()> {
    wait::until("claims are answered", WITHIN, || async {
        (lock(answers).len() >= count).then_some(())
    })
    .await
}

/// The longest time between two answers, or from the kill to an answer, that ends after the kill.
fn longest_gap(answers: &[Instant], killed: Instant) -> Option<Duration> {
    let mut answers = answers.to_vec();
    answers.sort_unstable();
    let after = answers.partition_point(|answer| *answer <= killed);
    let times: Vec<Instant> = [killed]
        .into_iter()
        .chain(answers.get(after..)?.iter().copied())
        .collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).max()
}

fn lock(answers: &Answers) -> std::sync::MutexGuard<'_, Vec<Instant>> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}
