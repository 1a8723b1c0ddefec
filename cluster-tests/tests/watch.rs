//! A watch on three nodes: every event once, in order, wherever it was cut off and on whichever node it goes on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cluster_tests::TestCluster;
use cluster_tests::events::Events;
use cluster_tests::http::Connection;
use cluster_tests::tenant::Tenant;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const WATCH: &str = "/v1/tenants/watched/watch";

/// Revisions of the long run, in each of which a watcher is cut off.
const REVISIONS: usize = 10_000;
/// Clients that write them.
const WRITERS: usize = 8;
/// Revisions of one round of a writer: claim, confirmation and release of each of some names, then of three
/// at once: their claims and their releases are one revision each.
const ROUND_REVISIONS: usize = 3 * SINGLES + 1 + TOGETHER + 1;
const ROUNDS: usize = REVISIONS.div_ceil(WRITERS * ROUND_REVISIONS);
const SINGLES: usize = 8;
const TOGETHER: usize = 3;
/// Stretches of the run that are gone through at the same time.
const STRETCHES: usize = 8;
/// For one write, with its repeats.
const WRITTEN_WITHIN: Duration = Duration::from_secs(20);
/// Before a write is repeated.
const PAUSE: Duration = Duration::from_millis(20);

fn line(id: &str, data: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{id} {} {}",
        word(&data["type"]),
        word(&data["object"]["name"])
    )
}

async fn tenant_with_pool(cluster: &TestCluster) -> Result<Tenant> {
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "watched").await?;
    let pool = json!({ "name": "p", "cidrs": ["10.0.0.0/16"] });
    tenant.pool_create(&mut connection, &pool).await?;
    Ok(tenant)
}

/// Who writes the run.
struct Writer {
    connection: Connection,
    tenant: Tenant,
}

impl Writer {
    /// Posts until it is done: what is not known to have happened is asked for again, by the same names.
    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let path = self.tenant.path(path);
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            let reply = self.connection.post(&path, body).await;
            match reply {
                Ok(reply) if reply.status < 300 => return Ok(reply.json()),
                Ok(reply) if ![429, 503, 504].contains(&reply.status) => {
                    bail!("{}: {}", reply.status, String::from_utf8_lossy(&reply.body))
                }
                _ => ensure!(Instant::now() < deadline, "{path}: {body} is not done"),
            }
            sleep(PAUSE).await;
        }
    }

    async fn round(&mut self, name: &str) -> Result<()> {
        for single in 0..SINGLES {
            let name = format!("{name}-{single}");
            let claim = json!({ "name": name, "pool": "p" });
            let claim = self.post("claims", &claim).await?;
            self.post(&format!("claims/{name}/confirm"), &json!({}))
                .await?;
            let generation = &claim["status"]["generation"];
            self.batch(vec![
                json!({ "releaseClaim": { "name": name, "generation": generation } }),
            ])
            .await?;
        }
        let names: Vec<String> = (0..TOGETHER).map(|at| format!("{name}-t{at}")).collect();
        let claims = names
            .iter()
            .map(|name| json!({ "createClaim": { "name": name, "pool": "p" } }));
        let made = self.batch(claims.collect()).await?;
        for name in &names {
            self.post(&format!("claims/{name}/confirm"), &json!({}))
                .await?;
        }
        let releases = names.iter().enumerate().map(|(at, name)| {
            let generation = &made["results"][at]["body"]["status"]["generation"];
            json!({ "releaseClaim": { "name": name, "generation": generation } })
        });
        self.batch(releases.collect()).await?;
        Ok(())
    }

    async fn batch(&mut self, operations: Vec<Value>) -> Result<Value> {
        let batch = json!({ "atomic": true, "operations": operations });
        self.post("batch", &batch).await
    }
}

/// Has all written, and tells it as a watcher saw it that was never cut off.
async fn run(cluster: &TestCluster, tenant: &Tenant) -> Result<Vec<(String, String)>> {
    let mut live = Events::open(cluster.address(1), WATCH, None).await?;
    let mut writers = JoinSet::new();
    let addresses = cluster.addresses().into_iter().cycle();
    for (number, address) in addresses.take(WRITERS).enumerate() {
        let mut writer = Writer {
            connection: Connection::new(address),
            tenant: tenant.clone(),
        };
        writers.spawn(async move {
            for round in 0..ROUNDS {
                writer.round(&format!("w{number}-{round}")).await?;
            }
            anyhow::Ok(())
        });
    }
    let total = WRITERS * ROUNDS * 3 * (SINGLES + TOGETHER);
    let mut seen = Vec::with_capacity(total);
    while seen.len() < total {
        let (id, data) = live.next().await?;
        let told = line(&id, &data);
        seen.push((id, told));
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    Ok(seen)
}

/// Of each name its three events, in order; all ids ascend.
fn check_run(seen: &[(String, String)]) -> Result<()> {
    let mut lives: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut last = (0, 0);
    let mut revisions = 0;
    for (id, line) in seen {
        let (revision, ordinal) = id.split_once('.').context("an event's id")?;
        let place: (u64, u32) = (revision.parse()?, ordinal.parse()?);
        ensure!(place > last, "{line} behind {last:?}");
        revisions += usize::from(place.0 > last.0);
        last = place;
        let mut words = line.split(' ').skip(1);
        let (kind, name) = words.next().zip(words.next()).context("a line")?;
        lives.entry(name).or_default().push(kind);
    }
    for (name, life) in &lives {
        let whole = ["allocated", "confirmed", "released"];
        ensure!(*life == whole, "{name}: {life:?}");
    }
    ensure!(revisions >= REVISIONS, "only {revisions} revisions");
    Ok(())
}

/// Goes through a stretch with a watcher that is cut off behind each event: the next node tells the next one.
async fn cut_off_at_each(
    nodes: Vec<SocketAddr>,
    seen: Arc<Vec<(String, String)>>,
    stretch: std::ops::Range<usize>,
) -> Result<()> {
    let mut last = seen[stretch.start].0.clone();
    for place in stretch.skip(1) {
        let node = nodes[place % nodes.len()];
        let mut events = Events::open(node, WATCH, Some(&last)).await?;
        let (id, data) = events.next().await?;
        let (told, expected) = (line(&id, &data), &seen[place].1);
        ensure!(
            told == *expected,
            "{node} behind {last}: {told} in place of {expected}"
        );
        last = id;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_cut_off_at_each_of_ten_thousand_revisions_is_told_every_event_once_by_the_nodes_in_turn()
-> Result<()> {
    let cluster = TestCluster::three().await?;
    let tenant = tenant_with_pool(&cluster).await?;
    let seen = Arc::new(run(&cluster, &tenant).await?);
    check_run(&seen)?;
    let mut stretches = JoinSet::new();
    for number in 0..STRETCHES {
        // The last event of a stretch is the first of the next: behind it the watcher is cut off as well.
        let start = seen.len() * number / STRETCHES;
        let end = (seen.len() * (number + 1) / STRETCHES + 1).min(seen.len());
        let (nodes, seen) = (cluster.addresses(), Arc::clone(&seen));
        stretches.spawn(cut_off_at_each(nodes, seen, start..end));
    }
    while let Some(stretch) = stretches.join_next().await {
        stretch??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_after_the_leader_has_died_and_on_a_node_that_was_away() -> Result<()> {
    let mut cluster = TestCluster::three().await?;
    let tenant = tenant_with_pool(&cluster).await?;
    let (leader, _) = cluster.leader().await?;
    let (lost, alive): (Vec<u64>, Vec<u64>) =
        cluster.ids().into_iter().partition(|id| *id == leader);
    let mut connection = cluster.connection(leader);
    let mut on_leader = Events::open(cluster.address(lost[0]), WATCH, None).await?;
    let mut followed = Events::open(cluster.address(alive[0]), WATCH, None).await?;
    let claim = json!({ "name": "before", "pool": "p" });
    tenant.claim(&mut connection, &claim).await?.expect(201)?;
    let (newest, before) = on_leader.next().await?;
    ensure!(before["object"]["name"] == "before", "{before}");
    ensure!(
        followed.next().await? == (newest.clone(), before),
        "both nodes tell the same"
    );
    // The watch of a node that lives goes on, and so does one that was on the leader.
    cluster.kill(leader)?;
    cluster.leader().await?;
    let mut writer = Writer {
        connection: cluster.connection(alive[1]),
        tenant,
    };
    let claim = json!({ "name": "after", "pool": "p" });
    writer.post("claims", &claim).await?;
    let (id, data) = followed.next().await?;
    let mut moved = Events::open(cluster.address(alive[1]), WATCH, Some(&newest)).await?;
    let (same, again) = moved.next().await?;
    ensure!((&id, &data) == (&same, &again), "{data} and {again}");
    ensure!(data["object"]["name"] == "after", "{data}");
    // A node that was away tells the same.
    cluster.start(leader)?;
    cluster.ready(leader).await?;
    let mut back = Events::open(cluster.address(leader), WATCH, Some(&newest)).await?;
    ensure!(back.next().await? == (id, data), "the node that was away");
    Ok(())
}
