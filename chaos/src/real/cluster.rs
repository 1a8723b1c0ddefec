//! The nodes together: started, broken, waited for and healed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::http::Connection;
use cluster_tests::wait;
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::Value;

use super::diary::Diary;
use super::home::Home;
use super::node::Node;
use super::{firewall, preload, world};
use crate::power_loss::disk;

/// For a node to come back when nothing is broken any more.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// For one answer while a state is waited for.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// The nodes of a run.
#[derive(Debug)]
pub(super) struct Cluster {
    nodes: Vec<Node>,
    diary: Diary,
}

impl Cluster {
    /// The nodes, none started.
    pub(super) fn new(folder: &Path, count: u64, diary: Diary) -> Result<Self> {
        let library = preload::compile(folder)?;
        let nodes = (1..=count).map(|id| Node::new(folder, &library, id, count));
        Ok(Self {
            nodes: nodes.collect::<Result<_>>()?,
            diary,
        })
    }

    /// The ids, ascending.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    /// A node.
    pub(super) fn node(&self, id: u64) -> &Node {
        let found = self.nodes.iter().find(|node| node.id == id);
        found.expect("a node of this cluster")
    }

    /// A node, to be changed.
    pub(super) fn node_mut(&mut self, id: u64) -> &mut Node {
        let found = self.nodes.iter_mut().find(|node| node.id == id);
        found.expect("a node of this cluster")
    }

    /// The nodes whose disk has power to lose.
    pub(super) fn with_power(&self) -> Vec<u64> {
        let with = self.nodes.iter().filter(|node| node.home.has_power());
        with.map(|node| node.id).collect()
    }

    /// The node whose file system is small.
    pub(super) fn with_small_disk(&self) -> u64 {
        let small = self.nodes.iter().find(|node| !node.home.has_power());
        small.expect("one node has its data in memory").id
    }

    /// Starts some nodes, without waiting for them.
    pub(super) fn start(&mut self, ids: &[u64]) -> Result<()> {
        ids.iter().try_for_each(|id| self.node_mut(*id).start())
    }

    /// `kill -9` of some nodes, none of which sees another die first.
    pub(super) fn kill(&mut self, ids: &[u64]) -> Result<()> {
        self.signal(ids, Signal::KILL)?;
        ids.iter().try_for_each(|id| self.node_mut(*id).kill())
    }

    /// Sends a signal to some nodes.
    pub(super) fn signal(&self, ids: &[u64], signal: Signal) -> Result<()> {
        ids.iter().try_for_each(|id| self.node(*id).signal(signal))
    }

    /// Takes the power from the disks of some nodes at one instant; what they have acknowledged by then is fixed by
    /// stopping them first. The nodes are dead then, and the disks are mounted anew.
    pub(super) async fn lose_power(&mut self, ids: &[u64]) -> Result<()> {
        self.signal(ids, Signal::STOP)?;
        let disks = ids.iter().map(|id| &self.node(*id).home);
        disk::power_off(disks.filter(|home| home.has_power()).map(Home::mount_point))?;
        self.kill(ids)?;
        for id in ids {
            self.node_mut(*id).home.boot().await?;
        }
        Ok(())
    }

    /// Starts those who have ended by themselves though nothing that must end them is broken, which is something found.
    pub(super) async fn raise(&mut self, when: &str) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(status) = node.ended(Duration::ZERO).await {
                self.diary.found(&format!(
                    "node {} ended by itself ({status}) {when}\n{}",
                    node.id,
                    node.last_words()
                ));
            }
            if !node.is_started() {
                node.start()?;
            }
        }
        Ok(())
    }

    /// Waits until all nodes are ready, none of which is broken by anybody. One that is not there, or does not become
    /// ready, is something found; the former is started again.
    ///
    /// # Errors
    /// A node that does not come back: nothing can be shown any more.
    pub(super) async fn settle(&mut self, after: &str) -> Result<()> {
        self.raise(&format!("during or after {after}")).await?;
        for node in &mut self.nodes {
            if let Err(error) = ready(node.id, READY_WITHIN).await {
                let ended = node.ended(Duration::ZERO).await;
                let how = ended.map_or_else(|| "it runs".to_owned(), |status| status.to_string());
                let what = format!("{error:#} after {after} ({how})\n{}", node.last_words());
                self.diary.found(&what);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends all that may be broken, whatever it was, and starts whoever does not run.
    pub(super) async fn heal(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            firewall::clear(node.id)?;
            node.control.heal()?;
            node.home.free()?;
            // It may have ended by what has just been healed; then there is nobody to go on.
            if node.ended(Duration::ZERO).await.is_none() && node.is_started() {
                node.signal(Signal::CONT)?;
            }
            if !node.is_started() {
                node.home.boot().await?;
                node.start()?;
            }
        }
        Ok(())
    }

    /// What each node says of the cluster; an error where one does not answer.
    pub(super) async fn statuses(&self) -> Result<Vec<Value>> {
        let asked = self.nodes.iter().map(|node| async move {
            let mut connection = connection(node.id);
            connection.get("/v1/cluster").await?.expect(200)
        });
        join_all(asked).await.into_iter().collect()
    }

    /// A bug that a node has met is something found, also where it went on.
    pub(super) fn find_panics(&self) {
        for node in &self.nodes {
            for line in node.panics() {
                self.diary.found(&format!("node {}: {line}", node.id));
            }
        }
    }

    /// Keeps the nodes' logs.
    pub(super) fn keep_logs(&self, folder: &Path) -> Result<()> {
        for node in &self.nodes {
            std::fs::write(folder.join(format!("node-{}.log", node.id)), node.printed())
                .with_context(|| folder.display().to_string())?;
        }
        Ok(())
    }
}

/// Waits until a node says that it is ready.
pub(super) async fn ready(id: u64, within: Duration) -> Result<()> {
    let what = format!("node {id} is ready");
    wait::until(&what, within, || async move {
        let reply = connection(id).get("/readyz").await.ok()?;
        (reply.status == 200).then_some(())
    })
    .await
}

/// A connection to a node, for one look.
pub(super) fn connection(id: u64) -> Connection {
    Connection::new(world::http(id)).with_deadline(LOOK_WITHIN)
}
