//! Where the time of a claim goes: how long it is in each stage, by what the nodes say of themselves, and what each of
//! their threads does for it, by what the kernel says of them.
//!
//! Stages are means. What is counted once for an entry or a message is its mean over those, not over the claims in it. What
//! is around some stages and in none of them is told as the rest: work that has no figure of its own, waking, waiting for a core.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::clients::Clients;
use crate::fill;
use crate::latency::median_of;
use crate::load::{Claimed, Claims, Closed, Seen, closed};
use crate::report::{Found, Table, decimal, line};
use crate::rounds::Rounds;
use crate::scrape::{self, Timed};
use crate::threads::{Threads, Usage};

/// A load of its own before the one that counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// Threads that run for less than so many nanoseconds for a claim are told together.
const HARDLY: f64 = 500.0;
const CLAIMS: &str = r#"method="POST",route="/v1/tenants/{tenant}/claims""#;

const CLIENTS: [Clients; 3] = [Clients::Leader, Clients::Follower, Clients::All(64)];

async fn put(
    clients: Clients,
    cluster: &TestCluster,
    tenant: &Tenant,
    leader: u64,
    lasts: Duration,
) -> Result<Seen<Claimed>> {
    let claims = Claims::new(cluster, tenant, &["p"]).at(clients.nodes(cluster, leader));
    let load = Closed {
        connections: clients.connections(),
        warm_up: Duration::ZERO,
        lasts,
    };
    closed(&Arc::new(claims), load).await
}

pub(crate) async fn measure(rounds: Rounds) -> Result<Found> {
    let (mut stages, mut threads) = (Rows::default(), Rows::default());
    for round in 1..=rounds.count {
        let cluster = TestCluster::three().await?;
        let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
        for load in CLIENTS {
            let (leader, term) = cluster.leader().await?;
            put(load, &cluster, &tenant, leader, WARM_UP).await?;
            let before = Look::at(&cluster).await?;
            let seen = put(load, &cluster, &tenant, leader, rounds.lasts).await?;
            let after = Look::at(&cluster).await?;
            let led = cluster.leader().await?;
            ensure!(led == (leader, term), "the leader has changed meanwhile");

            let took: Duration = seen.turns.iter().map(|turn| turn.took).sum();
            let clients = Timed {
                count: float(seen.turns.len()),
                seconds: took.as_secs_f64(),
            };
            let spent = Spent::between(&before, &after, leader)?;
            spent.stages(load, clients, &mut stages);
            spent.threads(load, clients.count, &mut threads);
            line(&format!(
                "stages, round {round} of {}: {} claims/s over {}",
                rounds.count,
                decimal(seen.rate(), 0),
                load.name()
            ));
        }
    }
    Ok(Found {
        tables: vec![stages_table(&stages), threads_table(&threads)],
        plots: Vec::new(),
    })
}

/// What there is to see of a cluster at one moment.
struct Look {
    /// Each node's metrics and threads.
    nodes: BTreeMap<u64, (String, Threads)>,
    generator: Threads,
}

impl Look {
    async fn at(cluster: &TestCluster) -> Result<Self> {
        let mut nodes = BTreeMap::new();
        for id in cluster.ids() {
            let process = cluster.process_id(id).context("the node runs")?;
            let text = scrape::text(cluster, id).await?;
            nodes.insert(id, (text, Threads::of(process)?));
        }
        Ok(Self {
            nodes,
            generator: Threads::of(std::process::id())?,
        })
    }
}

/// What was spent between two looks.
struct Spent {
    leader: Node,
    /// All followers together,
    followers: Node,
    /// and how many there are.
    follower_count: f64,
    generator: Usage,
}

#[derive(Default)]
struct Node {
    times: BTreeMap<&'static str, Timed>,
    threads: BTreeMap<String, Usage>,
}

/// What is read of a node's metrics: what it is called here, the histogram, its labels.
const TIMES: [(&str, &str, &str); 10] = [
    (REQUEST, "ipam_http_request_seconds", CLAIMS),
    (TO_ENTRY, "ipam_raft_queue_seconds", r#"for="entry""#),
    (TO_LEADER, "ipam_raft_queue_seconds", r#"for="leader""#),
    (FORWARD, "ipam_raft_forward_seconds", ""),
    (FORWARDED, "ipam_raft_forwarded_seconds", ""),
    (CATCH_UP, "ipam_raft_catch_up_seconds", ""),
    (ENTRY, "ipam_raft_commit_latency_seconds", ""),
    (REPLICATE, "ipam_raft_replicate_seconds", ""),
    (APPEND, "ipam_raft_append_seconds", ""),
    (SYNC, "ipam_raft_fsync_seconds", ""),
];
const REQUEST: &str = "request: its head to its answer";
const TO_ENTRY: &str = "queue: until an entry takes it";
const TO_LEADER: &str = "queue: until a message takes it";
const FORWARD: &str = "message to the leader, to its reply";
const FORWARDED: &str = "of it at the leader, to the last answer";
const CATCH_UP: &str = "applied here, after the reply";
const ENTRY: &str = "entry: proposed to applied";
const REPLICATE: &str = "replicate: message to a follower, to its reply";
const APPEND: &str = "append: until entries are in its log";
const SYNC: &str = "fsync of the log";
const APPLY: &str = "apply: a slice of an entry";
const REST: &str = "rest of the request: parse, answer, waking";
const REST_OF_ENTRY: &str = "rest of the entry: handing over, waking";
const WAY: &str = "way to the leader and back";

impl Node {
    fn between(before: &(String, Threads), after: &(String, Threads)) -> Result<Self> {
        let ((text, threads), (text_after, threads_after)) = (before, after);
        let mut times = BTreeMap::new();
        let apply = (APPLY, "ipam_state_lock_seconds", r#"use="apply_held""#);
        for (what, name, labels) in TIMES.into_iter().chain([apply]) {
            let earlier = Timed::read(text, name, labels)?;
            let later = Timed::read(text_after, name, labels)?;
            times.insert(what, later.since(earlier));
        }
        Ok(Self {
            times,
            threads: threads_after.since(threads),
        })
    }

    fn add(&mut self, other: Self) {
        for (what, timed) in other.times {
            let sum = self.times.entry(what).or_default();
            *sum = sum.and(timed);
        }
        for (name, usage) in other.threads {
            let sum = self.threads.entry(name).or_default();
            *sum = *sum + usage;
        }
    }

    fn mean(&self, what: &str) -> f64 {
        let timed = self.times.get(what).copied().unwrap_or_default();
        timed.seconds / timed.count.max(1.0)
    }
}

impl Spent {
    fn between(before: &Look, after: &Look, leader: u64) -> Result<Self> {
        let mut spent = Self {
            leader: Node::default(),
            followers: Node::default(),
            follower_count: 0.0,
            generator: after.generator.since(&before.generator).into_values().sum(),
        };
        for ((id, before), after) in before.nodes.iter().zip(after.nodes.values()) {
            let node = Node::between(before, after)?;
            if *id == leader {
                spent.leader = node;
            } else {
                spent.followers.add(node);
                spent.follower_count += 1.0;
            }
        }
        Ok(spent)
    }

    /// Adds how long each stage takes on average, and how often it is gone through for a claim.
    fn stages(&self, load: Clients, clients: Timed, rows: &mut Rows<2>) {
        let claims = clients.count;
        let mut add = |role, what, timed: Timed| {
            if timed.count > 0.0 {
                let mean = timed.seconds / timed.count;
                rows.add(load, role, what, [mean * 1e6, timed.count / claims]);
            }
        };
        add("client", "claim: sent to answered", clients);
        let (leader, followers) = (&self.leader, &self.followers);
        let rest = |node: &Node, around: &'static str, inside: &[&str]| {
            let timed = node.times[around];
            let inside: f64 = inside.iter().map(|what| node.mean(what)).sum();
            Timed {
                count: timed.count,
                seconds: timed.seconds - inside * timed.count,
            }
        };
        for what in [REQUEST, TO_ENTRY, ENTRY] {
            add("leader", what, leader.times[what]);
        }
        for what in [SYNC, REPLICATE, APPLY] {
            add("leader", what, leader.times[what]);
        }
        add(
            "leader",
            REST_OF_ENTRY,
            rest(leader, ENTRY, &[REPLICATE, APPLY]),
        );
        add("leader", REST, rest(leader, REQUEST, &[TO_ENTRY, ENTRY]));
        for what in [REQUEST, TO_LEADER, FORWARD] {
            add("follower", what, followers.times[what]);
        }
        add("leader", FORWARDED, leader.times[FORWARDED]);
        let mut way = followers.times[FORWARD];
        way.seconds -= leader.mean(FORWARDED) * way.count;
        add("follower", WAY, way);
        add("follower", CATCH_UP, followers.times[CATCH_UP]);
        add(
            "follower",
            REST,
            rest(followers, REQUEST, &[TO_LEADER, FORWARD, CATCH_UP]),
        );
        for what in [APPEND, SYNC, APPLY] {
            add("follower", what, followers.times[what]);
        }
    }

    /// Adds what each thread does for a claim; of the followers it is what one does on average.
    fn threads(&self, load: Clients, claims: f64, rows: &mut Rows<4>) {
        let mut all = self.generator;
        for (role, node, nodes) in [
            ("leader", &self.leader, 1.0),
            ("follower", &self.followers, self.follower_count),
        ] {
            let mut others = Usage::default();
            for (name, usage) in &node.threads {
                all = all + *usage;
                if usage.running / nodes / claims < HARDLY {
                    others = others + *usage;
                } else {
                    rows.add(load, role, name, usage.figures(nodes * claims));
                }
            }
            rows.add(load, role, "others", others.figures(nodes * claims));
        }
        rows.add(load, "client", "all", self.generator.figures(claims));
        rows.add(load, "all nodes and client", "all", all.figures(claims));
    }
}

impl Usage {
    fn figures(self, by: f64) -> [f64; 4] {
        let micros = by * 1_000.0;
        [
            self.running / micros,
            self.waiting / micros,
            self.voluntary / by,
            self.involuntary / by,
        ]
    }
}

/// What the rounds have shown of each row, in the order in which the rows came first.
struct Rows<const N: usize>(Vec<(Key, Vec<[f64; N]>)>);

#[derive(PartialEq, Eq)]
struct Key {
    load: Clients,
    role: &'static str,
    what: String,
}

impl<const N: usize> Default for Rows<N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<const N: usize> Rows<N> {
    fn add(&mut self, load: Clients, role: &'static str, what: &str, figures: [f64; N]) {
        let what = what.to_owned();
        let key = Key { load, role, what };
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.0.push((key, vec![figures])),
        }
    }

    /// The medians of each row's figures, load by load.
    fn medians(&self) -> impl Iterator<Item = (&Key, [f64; N])> {
        let by_load = CLIENTS.into_iter().flat_map(|load| {
            let rows = self.0.iter();
            rows.filter(move |(key, _)| key.load == load)
        });
        by_load.map(|(key, rounds)| {
            let median = |place: usize| {
                let figures: Vec<f64> = rounds.iter().map(|figures| figures[place]).collect();
                median_of(&figures)
            };
            (key, std::array::from_fn(median))
        })
    }
}

fn stages_table(rows: &Rows<2>) -> Table {
    let mut table = Table::new(
        "stages",
        &["connections", "where", "stage", "µs", "times a claim"],
    );
    for (key, [micros, times]) in rows.medians() {
        table.row([
            key.load.name(),
            key.role.to_owned(),
            key.what.clone(),
            decimal(micros, 0),
            decimal(times, 3),
        ]);
    }
    table
}

fn threads_table(rows: &Rows<4>) -> Table {
    let mut table = Table::new(
        "threads, for a claim",
        &[
            "connections",
            "where",
            "thread",
            "on a core, µs",
            "waiting for one, µs",
            "switches",
            "of them made to give way",
        ],
    );
    for (key, [running, waiting, voluntary, involuntary]) in rows.medians() {
        table.row([
            key.load.name(),
            key.role.to_owned(),
            key.what.clone(),
            decimal(running, 1),
            decimal(waiting, 1),
            decimal(voluntary + involuntary, 2),
            decimal(involuntary, 2),
        ]);
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "counts of claims")]
fn float(count: usize) -> f64 {
    count as f64
}
