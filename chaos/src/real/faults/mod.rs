//! The faults: what kinds there are, and how each is done to the nodes.
//!
//! Each kind breaks something, keeps it broken for a while, and makes it whole again; the history has a line for each
//! beginning and end. None waits for the nodes to be well again: that is waited for, and judged, after each alike.

mod absence;
mod clocks;
mod disks;
mod kills;
mod network;
mod partitions;
mod pauses;
mod plan;
mod restarts;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::diary::{Diary, seconds};
use super::leaders::Leaders;
use super::proxy::Proxy;
use crate::history::{Stage, What};
pub(super) use plan::Plan;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// `kill -9` of a node
    KillOne,
    /// `kill -9` of the leader
    KillLeader,
    /// `kill -9` of so many that the others are no majority
    KillQuorum,
    /// `kill -9` of all nodes
    KillAll,
    /// A node is stopped in its tracks, and goes on later
    PauseOne,
    /// The leader is stopped in its tracks, and goes on later
    PauseLeader,
    /// A node is cut off from the others, or from everybody
    IsolateOne,
    /// The leader is cut off from the others, or from everybody
    IsolateLeader,
    /// The nodes fall into a majority and a minority
    Split,
    /// A node hears nothing, and is heard
    OneWayIn,
    /// A node is not heard, and hears
    OneWayOut,
    /// Everybody sees a majority, and not everybody the same one
    Bridge,
    /// What peers send each other takes its time
    SlowNetwork,
    /// What goes one way between peers stops for seconds
    StalledNetwork,
    /// Connections between peers are closed again and again
    ClosedConnections,
    /// A file system has no room left
    FullDisk,
    /// Each sync of a node fails
    FailingFsync,
    /// Each sync of a node takes up to 3 s
    SlowFsync,
    /// A disk loses its power
    PowerLossOne,
    /// All disks lose their power at one instant
    PowerLossAll,
    /// A wall clock is set years ahead, for seconds
    ClockForward,
    /// A wall clock is set years back, for seconds
    ClockBack,
    /// Wall clocks step by years every second
    ClockSteps,
    /// Each node is stopped in good order and started again, one after the other
    RollingRestart,
    /// A node is away until the others have purged what it lacks
    LongAbsence,
}

impl Kind {
    /// As on the command line and in the history.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// For service to come back after a fault.
const SERVED_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where faults happen.
pub(super) struct Scene {
    pub(super) cluster: Cluster,
    pub(super) leaders: Leaders,
    pub(super) proxy: Proxy,
    pub(super) diary: Diary,
    pub(super) random: StdRng,
    /// What is broken now.
    broken: Option<Broken>,
    /// How long nobody's write was acknowledged after each fault began.
    outages: Vec<Outage>,
}

struct Broken {
    kind: Kind,
    nodes: Vec<u64>,
}

/// How long nobody's write was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) kind: Kind,
    pub(super) us: u64,
}

impl Scene {
    /// Nothing is broken.
    pub(super) fn new(
        cluster: Cluster,
        leaders: Leaders,
        proxy: Proxy,
        diary: Diary,
        random: StdRng,
    ) -> Self {
        Self {
            cluster,
            leaders,
            proxy,
            diary,
            random,
            broken: None,
            outages: Vec::new(),
        }
    }

    /// One fault, from its beginning until all nodes are ready and somebody is served again.
    ///
    /// # Errors
    /// The fault could not be done, or a node did not come back.
    pub(super) async fn strike(&mut self, kind: Kind) -> Result<()> {
        // Whoever is killed next must not have ended before.
        self.cluster.raise("while nothing was broken").await?;
        let begun = self.diary.now_us();
        match kind {
            Kind::KillOne | Kind::KillLeader | Kind::KillQuorum | Kind::KillAll => {
                kills::kill(self, kind).await?;
            }
            Kind::PauseOne | Kind::PauseLeader => pauses::pause(self, kind).await?,
            Kind::IsolateOne
            | Kind::IsolateLeader
            | Kind::Split
            | Kind::OneWayIn
            | Kind::OneWayOut
            | Kind::Bridge => partitions::part(self, kind).await?,
            Kind::SlowNetwork | Kind::StalledNetwork | Kind::ClosedConnections => {
                network::disturb(self, kind).await?;
            }
            Kind::FullDisk => disks::full(self).await?,
            Kind::FailingFsync => disks::failing_fsync(self).await?,
            Kind::SlowFsync => disks::slow_fsync(self).await?,
            Kind::PowerLossOne | Kind::PowerLossAll => disks::power_loss(self, kind).await?,
            Kind::ClockForward | Kind::ClockBack | Kind::ClockSteps => {
                clocks::set(self, kind).await?;
            }
            Kind::RollingRestart => restarts::rolling(self).await?,
            Kind::LongAbsence => absence::long(self).await?,
        }
        let whole = self.diary.now_us();
        self.cluster.settle(&kind.name()).await?;
        self.served_since(whole, kind).await;
        let back = self.diary.now_us();
        self.diary.say(&format!(
            "  {} was over after {} s, all well after {} s",
            kind.name(),
            seconds(whole - begun),
            seconds(back - begun)
        ));
        // So that what comes next meets nodes that are not still at it.
        self.hold(700..1_500).await;
        Ok(())
    }

    /// Ends whatever is broken, for the end of the run.
    pub(super) async fn heal(&mut self) -> Result<()> {
        self.proxy.clear();
        self.cluster.heal().await?;
        self.ends();
        Ok(())
    }

    /// What was measured.
    pub(super) fn outages(&self) -> &[Outage] {
        &self.outages
    }

    /// A fault has begun; `how` says more of it to people.
    fn begins(&mut self, kind: Kind, nodes: &[u64], how: &str) {
        self.diary.note(What::Fault {
            kind: kind.name(),
            nodes: nodes.to_vec(),
            stage: Stage::Begins,
        });
        self.diary
            .say(&format!("{} of {nodes:?} {how}", kind.name()));
        self.broken = Some(Broken {
            kind,
            nodes: nodes.to_vec(),
        });
    }

    /// The fault is over, if there is one.
    fn ends(&mut self) {
        if let Some(Broken { kind, nodes }) = self.broken.take() {
            self.diary.note(What::Fault {
                kind: kind.name(),
                nodes,
                stage: Stage::Ends,
            });
        }
    }

    /// Notes how long it takes from now until a write is acknowledged that is asked for from now on.
    async fn outage(&mut self, kind: Kind) {
        let since = self.diary.now_us();
        if let Some(served) = self.served(since).await {
            let us = served - since;
            self.outages.push(Outage { kind, us });
            self.diary
                .say(&format!("  served again after {} s", seconds(us)));
        }
    }

    async fn served_since(&self, since: u64, kind: Kind) {
        if self.served(since).await.is_none() {
            let what = format!(
                "no write was acknowledged for {SERVED_WITHIN:?} though {} was over and all nodes are ready",
                kind.name()
            );
            self.diary.found(&what);
        }
    }

    async fn served(&self, since: u64) -> Option<u64> {
        let until = Instant::now() + SERVED_WITHIN;
        while Instant::now() < until {
            if let Some(at) = self.diary.served_again(since) {
                return Some(at);
            }
            sleep(LOOK_EVERY).await;
        }
        None
    }

    /// Keeps things as they are for a while, drawn between two bounds in milliseconds.
    async fn hold(&mut self, ms: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.random.random_range(ms))).await;
    }

    /// So many nodes, drawn.
    fn some(&mut self, count: usize) -> Vec<u64> {
        let mut ids = self.cluster.ids();
        ids.shuffle(&mut self.random);
        ids.truncate(count);
        ids
    }

    fn one(&mut self) -> u64 {
        self.some(1)[0]
    }

    async fn leader(&self) -> Result<u64> {
        let (leader, _) = self.leaders.leader().await?;
        Ok(leader)
    }

    /// The leader every other time, else any node: what it does to the leader differs.
    async fn one_or_the_leader(&mut self) -> Result<u64> {
        if self.random.random_bool(0.5) {
            self.leader().await
        } else {
            Ok(self.one())
        }
    }

    fn others(&self, id: u64) -> Vec<u64> {
        let mut ids = self.cluster.ids();
        ids.retain(|other| *other != id);
        ids
    }

    /// Waits for a node that must end by itself, with the exit code for a failure; whether it did.
    async fn ends_itself(&mut self, id: u64, within: Duration) -> Result<bool> {
        ensure!(self.cluster.node(id).is_started(), "node {id} is started");
        let node = self.cluster.node_mut(id);
        let Some(status) = node.ended(within).await else {
            return Ok(false);
        };
        if status.code() != Some(1) {
            let words = node.last_words();
            self.diary
                .found(&format!("node {id} ended with {status}, not 1\n{words}"));
        }
        Ok(true)
    }
}
