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

use crate::plot::{Axis, Line, Plot, Scale};
use crate::report::{Found, Table, millis};
use crate::verdict::Verdicts;

const CLIENTS: usize = 8;
/// Claims answered after the kill before its gap is taken as over.
const ANSWERS_AFTER: usize = 200;
const WITHIN: Duration = Duration::from_secs(20);
const HALF_A_MINUTE: Duration = Duration::from_secs(30);
/// What is counted together.
const STEP: Duration = Duration::from_millis(100);

/// Without service, at worst.
const BUDGET: Duration = Duration::from_secs(1);

/// When claims were answered.
type Answers = Arc<Mutex<Vec<Instant>>>;

pub(crate) async fn measure(kills: u32) -> Result<Found> {
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
        gaps.push(gap(&mut cluster, &tenant, &format!("kill-{kill}")).await?);
    }
    let minute = minute(&mut cluster, &tenant).await?;
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
    let mut verdicts = Verdicts::new("leader-kill, by budget");
    verdicts.at_most("the worst time without service", worst, BUDGET);
    Ok(Found {
        tables: vec![table, verdicts.table()],
        plots: vec![minute],
    })
}

/// Kills the leader while clients claim with names that begin so, and starts it again: how long nobody was served.
pub(crate) async fn gap(
    cluster: &mut TestCluster,
    tenant: &Tenant,
    prefix: &str,
) -> Result<Duration> {
    let (leader, _) = cluster.leader().await?;
    let clients = Clients::begin(cluster, leader, tenant, prefix);
    clients.answered(ANSWERS_AFTER).await?;
    let killed = Instant::now();
    cluster.kill(leader)?;
    let before = lock(&clients.answers).len();
    clients.answered(before + ANSWERS_AFTER).await?;
    let answers = clients.end().await?;
    cluster.start(leader)?;
    cluster.ready(leader).await?;
    longest_gap(&answers, killed).context("claims were answered after the kill")
}

/// Claims a second for half a minute before the leader is killed and half a minute after it.
async fn minute(cluster: &mut TestCluster, tenant: &Tenant) -> Result<Plot> {
    let (leader, _) = cluster.leader().await?;
    let clients = Clients::begin(cluster, leader, tenant, "minute");
    sleep(HALF_A_MINUTE).await;
    let killed = Instant::now();
    cluster.kill(leader)?;
    sleep(HALF_A_MINUTE).await;
    let answers = clients.end().await?;
    let steps = 2 * (HALF_A_MINUTE.as_millis() / STEP.as_millis());
    let mut counts = vec![0_u32; usize::try_from(steps)?];
    for answer in answers {
        let since = (answer + HALF_A_MINUTE).saturating_duration_since(killed);
        let step = usize::try_from(since.as_millis() / STEP.as_millis())?;
        if let Some(count) = counts.get_mut(step) {
            *count += 1;
        }
    }
    let points = counts.into_iter().zip(0_u32..).map(|(count, step)| {
        let rate = f64::from(count) / STEP.as_secs_f64();
        ((STEP * step).as_secs_f64(), rate)
    });
    Ok(Plot {
        name: "leader-kill",
        title: "The leader is killed after 30 seconds; eight connections to the others",
        x: Axis {
            label: "seconds",
            scale: Scale::Linear,
        },
        y: Axis {
            label: "claims a second",
            scale: Scale::Linear,
        },
        lines: vec![Line {
            name: "ipamd".to_owned(),
            points: points.collect(),
        }],
    })
}

/// Clients of the nodes that stay.
struct Clients {
    answers: Answers,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<()>>,
}

impl Clients {
    fn begin(cluster: &TestCluster, leader: u64, tenant: &Tenant, prefix: &str) -> Self {
        let stay = cluster.ids().into_iter().filter(|id| *id != leader);
        let addresses: Vec<SocketAddr> = stay.map(|id| cluster.address(id)).collect();
        let (answers, stop) = (Answers::default(), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            tasks.spawn(client(
                Connection::new(addresses[number % addresses.len()]),
                tenant.clone(),
                format!("{prefix}-{number}"),
                Arc::clone(&answers),
                Arc::clone(&stop),
            ));
        }
        Self {
            answers,
            stop,
            tasks,
        }
    }

    /// Waits for so many answers in all.
    async fn answered(&self, count: usize) -> Result<()> {
        wait::until("claims are answered", WITHIN, || async {
            (lock(&self.answers).len() >= count).then_some(())
        })
        .await
    }

    /// When claims were answered.
    async fn end(mut self) -> Result<Vec<Instant>> {
        self.stop.store(true, Ordering::Release);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(std::mem::take(&mut lock(&self.answers)))
    }
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
