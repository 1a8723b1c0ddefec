//! Three nodes on real disks, with so many blocks held: requests over one connection and many, a restart, and a follower
//! whose disk is lost.
//!
//! One cluster is filled further and further. Events are kept as they are by default, so that a state has up to a million of
//! them besides.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use cluster_tests::wait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::figure::{Figure, Figures};
use super::shape::claim_text;
use crate::fill;
use crate::latency::Latencies;
use crate::load::http::Http;
use crate::load::{Churn, Claims, Closed, closed};
use crate::usage;

/// Requests of each kind over one connection.
const REQUESTS: u32 = 300;
/// Of claims that are released at once.
const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_secs(1);
const LASTS: Duration = Duration::from_secs(3);
/// For a node to come back, or to catch up.
const WITHIN: Duration = Duration::from_mins(5);
/// The pool of [`fill`], and where in it exact claims find nothing held.
const POOL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const FREE: Ipv4Addr = Ipv4Addr::new(10, 240, 0, 0);

/// A cluster that holds more and more.
pub(super) struct Nodes {
    cluster: TestCluster,
    tenant: Tenant,
    held: u32,
    random: StdRng,
}

impl Nodes {
    pub(super) async fn start() -> Result<Self> {
        let cluster = TestCluster::three().await?;
        let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
        Ok(Self {
            cluster,
            tenant,
            held: 0,
            random: StdRng::seed_from_u64(7),
        })
    }

    /// The figures with so many held.
    pub(super) async fn measure(&mut self, held: u32) -> Result<Figures> {
        fill::claims(&self.cluster, &self.tenant, self.held..held, hashed_claim).await?;
        self.held = held;
        let mut figures = Figures::default();
        let (leader, _) = self.cluster.leader().await?;
        let mut requests = Requests {
            http: Http::open(self.cluster.address(leader)).await?,
            figures: &mut figures,
        };
        self.write(&mut requests).await?;
        self.read(&mut requests).await?;
        self.pairs(&mut figures).await?;
        let process = self.cluster.process_id(leader).context("the leader runs")?;
        let resident = usage::resident(process)?;
        figures.tell(Figure::Resident, resident / f64::from(held));
        self.restart(&mut figures).await?;
        self.lose_a_disk(&mut figures).await?;
        self.snapshot(leader, &mut figures);
        Ok(figures)
    }

    async fn write(&mut self, requests: &mut Requests<'_>) -> Result<()> {
        let claims = self.tenant.path("claims");
        let named = |kind: &str, number: u32| format!("{kind}-{:09}-{number:05}", self.held);
        let claim = |body: Value| ("POST", claims.clone(), Some(body.to_string()), 201);
        let release = |name: String| ("DELETE", format!("{claims}/{name}"), None, 200);
        let any = |number| claim(json!({ "name": named("any", number), "pool": "p" }));
        requests.measure(Figure::Claim, any).await?;
        let released = |number| release(named("any", number));
        requests.measure(Figure::Release, released).await?;
        let exact = |number| {
            let address = Ipv4Addr::from_bits(FREE.to_bits() + number);
            let cidr = format!("{address}/32");
            claim(json!({ "name": named("exact", number), "pool": "p", "cidr": cidr }))
        };
        requests.measure(Figure::ExactClaim, exact).await?;
        // So that the next ones find these addresses free.
        requests
            .half(|number| release(named("exact", number)))
            .await?;
        Ok(())
    }

    async fn read(&mut self, requests: &mut Requests<'_>) -> Result<()> {
        let of = |rest: &str| self.tenant.path(rest);
        let held = self.held;
        let mut numbers = Vec::new();
        for _ in 0..REQUESTS {
            numbers.push(self.random.random_range(..held));
        }
        let number = |turn: u32| numbers[turn as usize];
        // The lowest addresses are held, without a gap.
        let address = |turn| Ipv4Addr::from_bits(POOL.to_bits() + number(turn));
        let get = |path: String| ("GET", path, None, 200);

        let claimed = requests
            .body(&of(&format!("lookup/{}", address(0))))
            .await?;
        ensure!(
            claimed["claim"].is_object(),
            "an address is held: {claimed}"
        );
        let lookup = |turn| get(of(&format!("lookup/{}", address(turn))));
        requests.measure(Figure::Lookup, lookup).await?;

        let first = of("claims?limit=100");
        requests
            .measure(Figure::ClaimsFirst, |_| get(first.clone()))
            .await?;
        let page = requests.body(&first).await?;
        let token = page["nextPageToken"].as_str().context("another page")?;
        // A token ends with the key of the page's last row, in hex.
        let (list, _) = token.rsplit_once('.').context("a token with a key")?;
        let far = |turn| {
            get(format!(
                "{first}&pageToken={list}.{}",
                hex(&claim_text(number(turn)))
            ))
        };
        requests.measure(Figure::ClaimsFar, far).await?;
        let allocations = of("allocations?limit=100");
        requests
            .measure(Figure::AllocationsFirst, |_| get(allocations.clone()))
            .await?;

        let largest = of("pools/p/free?limit=100");
        requests
            .measure(Figure::FreeLargest, |_| get(largest.clone()))
            .await?;
        let singles = of("pools/p/free?limit=100&prefixLength=32");
        requests
            .measure(Figure::FreeSingles, |_| get(singles.clone()))
            .await?;
        let map = of("pools/p/map");
        requests.measure(Figure::Map, |_| get(map.clone())).await?;
        let digest = |_| get("/v1/cluster/digest".to_owned());
        requests.measure(Figure::Digest, digest).await
    }

    /// Claims and releases over all nodes at once.
    async fn pairs(&mut self, figures: &mut Figures) -> Result<()> {
        let churn = Churn(Claims::new(&self.cluster, &self.tenant, &["p"]));
        let load = Closed {
            connections: CONNECTIONS,
            warm_up: WARM_UP,
            lasts: LASTS,
        };
        let seen = closed(&Arc::new(churn), load).await?;
        let [half, most] = seen.latencies().percentiles([50, 95]);
        figures.took(Figure::Pair, half.as_secs_f64());
        figures.took(Figure::PairMost, most.as_secs_f64());
        Ok(())
    }

    /// A follower stops in good order and comes back.
    async fn restart(&mut self, figures: &mut Figures) -> Result<()> {
        let (follower, _) = self.follower().await?;
        let mut process = self.cluster.process_take(follower)?;
        process.stop(WITHIN).await?;
        let begun = Instant::now();
        self.cluster.start(follower)?;
        self.cluster.ready_within(follower, WITHIN).await?;
        figures.took(Figure::Restart, begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// A follower loses its disk, is removed and added again, and has all that the leader has.
    async fn lose_a_disk(&mut self, figures: &mut Figures) -> Result<()> {
        let (follower, leader) = self.follower().await?;
        self.cluster.kill(follower)?;
        self.cluster.wipe(follower)?;
        let mut connection = self.cluster.connection(leader);
        let removed = format!("/v1/cluster/members/{follower}");
        connection.delete(&removed).await?.expect(200)?;
        self.cluster.start(follower)?;
        let begun = Instant::now();
        self.cluster.add(leader, follower).await?;
        let goal = self.cluster.status(leader).await?["appliedIndex"].clone();
        let goal = goal.as_u64().context("an index")?;
        let cluster = &self.cluster;
        wait::until("the follower has caught up", WITHIN, || async move {
            let status = cluster.status(follower).await.ok()?;
            (status["appliedIndex"].as_u64()? >= goal).then_some(())
        })
        .await?;
        figures.took(Figure::CatchUp, begun.elapsed().as_secs_f64());
        let latest = digest(cluster, leader, "").await?;
        let at = format!("?revision={}", latest["revision"]);
        let copy = digest(cluster, follower, &at).await?;
        ensure!(latest["digest"] == copy["digest"], "{latest} and {copy}");
        cluster.promote(leader, follower).await?;
        cluster.ready_within(follower, WITHIN).await
    }

    /// The last snapshot that a node has told of in its log.
    fn snapshot(&self, node: u64, figures: &mut Figures) {
        let printed = self.cluster.printed(node);
        let mut lines = printed.lines();
        let Some(line) = lines.rfind(|line| line.contains("a snapshot is durable")) else {
            return;
        };
        if let (Some(bytes), Some(ms)) =
            (number_after(line, "bytes"), number_after(line, "took_ms"))
        {
            figures.tell(Figure::SnapshotBytes, bytes / f64::from(self.held));
            figures.tell(Figure::SnapshotWritten, ms);
        }
    }

    /// A node that is not the leader, and the leader.
    async fn follower(&self) -> Result<(u64, u64)> {
        let (leader, _) = self.cluster.leader().await?;
        let mut ids = self.cluster.ids().into_iter();
        let follower = ids.find(|id| *id != leader).context("a follower")?;
        Ok((follower, leader))
    }
}

/// A method, a path, a body, and the status of the answer.
type Request = (&'static str, String, Option<String>, u16);

/// One connection, and what its requests took.
struct Requests<'f> {
    http: Http,
    figures: &'f mut Figures,
}

impl Requests<'_> {
    async fn measure(&mut self, figure: Figure, request: impl Fn(u32) -> Request) -> Result<()> {
        let half = self.half(request).await?;
        self.figures.took(figure, half.as_secs_f64());
        Ok(())
    }

    /// Half of the requests take no longer.
    async fn half(&mut self, request: impl Fn(u32) -> Request) -> Result<Duration> {
        let mut times = Latencies::default();
        for turn in 0..REQUESTS {
            let (method, path, body, status) = request(turn);
            let body = body.as_ref().map(String::as_bytes);
            let started = Instant::now();
            self.http.send(method, &path, body).await?.expect(status)?;
            times.push(started.elapsed());
        }
        let [half] = times.percentiles([50]);
        Ok(half)
    }

    async fn body(&mut self, path: &str) -> Result<Value> {
        let answer = self.http.send("GET", path, None).await?;
        answer.expect(200)?;
        Ok(serde_json::from_slice(answer.body)?)
    }
}

async fn digest(cluster: &TestCluster, node: u64, at: &str) -> Result<Value> {
    let path = format!("/v1/cluster/digest{at}");
    cluster.connection(node).get(&path).await?.expect(200)
}

/// A claim whose name says nothing of when it was made.
fn hashed_claim(number: u32) -> Value {
    json!({ "name": claim_text(number), "pool": "p" })
}

fn hex(text: &str) -> String {
    let mut digits = String::new();
    for byte in text.bytes() {
        write!(digits, "{byte:02x}").expect("writing to a string does not fail");
    }
    digits
}

/// The number that stands behind a field's name in a line of the log.
fn number_after(line: &str, field: &str) -> Option<f64> {
    let (_, rest) = line.split_once(field)?;
    let rest = rest.trim_start_matches(|sign: char| !sign.is_ascii_digit());
    let end = rest.find(|sign: char| !sign.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}
