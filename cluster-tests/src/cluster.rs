//! A cluster of real daemons on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::binary;
use crate::http::Connection;
use crate::ports::PortBlock;
use crate::process::Process;
use crate::requirements::say;
use crate::wait;

/// For a cluster to form, or a node to come back.
pub const READY_WITHIN: Duration = Duration::from_secs(30);

/// Set to keep the logs and data of every cluster, not only of one whose test panicked.
pub const KEEP: &str = "IPAM_TESTS_KEEP";

/// One cluster at a time in a program: two on two cores would test each other.
static TURN: LazyLock<Arc<Mutex<()>>> = LazyLock::new(|| Arc::new(Mutex::new(())));

/// Some `ipamd serve` processes that know each other.
#[derive(Debug)]
pub struct TestCluster {
    nodes: Vec<Member>,
    extra: Vec<String>,
    /// A program with its arguments that starts the daemon in its place; empty where nothing does.
    starter: Vec<String>,
    /// Where the nodes are told to find each other, by order of id.
    meeting: Vec<SocketAddr>,
    ports: PortBlock,
    folder: Option<TempDir>,
    _turn: OwnedMutexGuard<()>,
}

#[derive(Debug)]
struct Member {
    id: u64,
    data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl TestCluster {
    /// Three nodes, started and ready.
    pub async fn three() -> Result<Self> {
        Self::with_switches(&[]).await
    }

    /// Three nodes with further switches of `ipamd serve`, started and ready.
    pub async fn with_switches(extra: &[&str]) -> Result<Self> {
        let mut cluster = Self::prepared(3, extra, None).await?;
        cluster.start_all()?;
        cluster.ready_all().await?;
        Ok(cluster)
    }

    /// `size` nodes, none started, each with its data in the folder of `homes` (by order of id), else in a temporary one.
    pub async fn prepared(size: u64, extra: &[&str], homes: Option<&[PathBuf]>) -> Result<Self> {
        let turn = TURN.clone().lock_owned().await;
        let folder = TempDir::with_prefix("ipam-cluster-")?;
        let nodes = (1..=size)
            .map(|id| {
                let home = homes.and_then(|homes| homes.get(usize::try_from(id - 1).ok()?));
                let home = home.cloned().unwrap_or_else(|| folder.path().to_owned());
                Member {
                    id,
                    data: home.join(format!("node-{id}")),
                    log: folder.path().join(format!("node-{id}.log")),
                    process: None,
                }
            })
            .collect();
        let ports = PortBlock::take()?;
        Ok(Self {
            nodes,
            extra: extra.iter().map(|word| (*word).to_owned()).collect(),
            starter: Vec::new(),
            meeting: (1..=size).map(|id| ports.peer(id)).collect(),
            ports,
            folder: Some(folder),
            _turn: turn,
        })
    }

    /// The nodes find each other at these addresses, by order of id: something stands there that leads to where they listen.
    /// To be said before one starts.
    pub fn meet_at(&mut self, addresses: &[SocketAddr]) {
        assert!(
            addresses.len() == self.nodes.len(),
            "an address for each node"
        );
        self.meeting = addresses.to_vec();
    }

    /// This program, with its arguments, is to become or to start each daemon that is started from now on, whose own words follow.
    /// The process that it is started as must end with the daemon.
    pub fn start_by(&mut self, starter: &[String]) {
        self.starter = starter.to_vec();
    }

    /// The ids, ascending.
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    /// Where node `id` serves HTTP.
    pub fn address(&self, id: u64) -> SocketAddr {
        self.ports.http(id)
    }

    /// Where node `id` hears its peers.
    pub fn peer_address(&self, id: u64) -> SocketAddr {
        self.ports.peer(id)
    }

    /// The addresses of all nodes, by id.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.ids().into_iter().map(|id| self.address(id)).collect()
    }

    /// A connection of its own to node `id`.
    pub fn connection(&self, id: u64) -> Connection {
        Connection::new(self.address(id))
    }

    /// The data directory of node `id`.
    pub fn data_dir(&self, id: u64) -> &Path {
        &self.node(id).data
    }

    /// The process id of node `id`, while it runs.
    pub fn process_id(&self, id: u64) -> Option<u32> {
        self.node(id).process.as_ref().map(Process::id)
    }

    /// What node `id` has printed since the first start.
    pub fn printed(&self, id: u64) -> String {
        std::fs::read_to_string(&self.node(id).log).unwrap_or_default()
    }

    /// The command that starts node `id`.
    pub fn command(&self, id: u64) -> Result<Command> {
        let named: Vec<String> = self
            .ids()
            .iter()
            .zip(&self.meeting)
            .map(|(id, address)| format!("{id}={address}"))
            .collect();
        let mut command = started_by(&self.starter, &binary::ipamd()?);
        command
            .arg("serve")
            .args(["--node-id", &id.to_string()])
            .arg("--data-dir")
            .arg(self.data_dir(id))
            .args(["--listen", &self.address(id).to_string()])
            .args(["--peer-listen", &self.peer_address(id).to_string()])
            .args(["--cluster", &named.join(",")])
            // Should this program be killed, its nodes end too.
            .args(["--exit-with-parent", &std::process::id().to_string()])
            .args(&self.extra);
        Ok(command)
    }

    /// Starts node `id`, without waiting for it.
    pub fn start(&mut self, id: u64) -> Result<()> {
        let mut command = self.command(id)?;
        let node = self.node_mut(id);
        ensure!(node.process.is_none(), "node {id} runs already");
        node.process = Some(Process::start(&mut command, &node.log)?);
        Ok(())
    }

    /// Starts all nodes, without waiting for them.
    pub fn start_all(&mut self) -> Result<()> {
        self.ids().into_iter().try_for_each(|id| self.start(id))
    }

    /// `kill -9` of node `id`.
    pub fn kill(&mut self, id: u64) -> Result<()> {
        let mut process = self.node_mut(id).process.take().context("a running node")?;
        process.kill()
    }

    /// `kill -9` of all that run, none of which sees another die first.
    pub fn kill_all(&mut self) -> Result<()> {
        let mut running: Vec<Process> = self
            .nodes
            .iter_mut()
            .filter_map(|node| node.process.take())
            .collect();
        for process in &running {
            process.signal(rustix::process::Signal::KILL)?;
        }
        running.iter_mut().try_for_each(Process::kill)
    }

    /// Sends a signal to node `id`.
    pub fn signal(&self, id: u64, signal: rustix::process::Signal) -> Result<()> {
        self.node(id)
            .process
            .as_ref()
            .context("a running node")?
            .signal(signal)
    }

    /// Takes node `id` out of the cluster's care.
    pub fn process_take(&mut self, id: u64) -> Result<Process> {
        self.node_mut(id).process.take().context("a running node")
    }

    /// Removes all that node `id` has on disk; it must not run.
    pub fn wipe(&mut self, id: u64) -> Result<()> {
        let node = self.node(id);
        ensure!(node.process.is_none(), "node {id} still runs");
        std::fs::remove_dir_all(&node.data)?;
        Ok(())
    }

    /// Waits until node `id` says that it is ready.
    pub async fn ready(&self, id: u64) -> Result<()> {
        self.ready_within(id, READY_WITHIN).await
    }

    /// The same of a node that has much to load.
    pub async fn ready_within(&self, id: u64, within: Duration) -> Result<()> {
        let address = self.address(id);
        wait::until(&format!("node {id} is ready"), within, || async move {
            let mut connection = Connection::new(address).with_deadline(Duration::from_secs(1));
            connection
                .get("/readyz")
                .await
                .ok()
                .filter(|reply| reply.status == 200)
        })
        .await
        .map(drop)
        .with_context(|| self.tail(id))
    }

    /// Waits until every node that runs is ready.
    pub async fn ready_all(&self) -> Result<()> {
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            self.ready(node.id).await?;
        }
        Ok(())
    }

    /// Has the leader take in node `id`, whose directory is empty, as a learner.
    pub async fn add(&self, leader: u64, id: u64) -> Result<()> {
        let body = json!({
            "address": self.peer_address(id).to_string(),
            "httpUrl": format!("http://{}", self.address(id)),
        });
        self.change_member(leader, id, "", &body).await
    }

    /// Has the leader make a voter of the learner `id`.
    pub async fn promote(&self, leader: u64, id: u64) -> Result<()> {
        self.change_member(leader, id, "/promote", &Value::Null)
            .await
    }

    /// Asks until it is done: a node that has just started is not heard of at once, and a learner has to catch up.
    async fn change_member(&self, leader: u64, id: u64, what: &str, body: &Value) -> Result<()> {
        let path = format!("/v1/cluster/members/{id}{what}");
        let body = (!body.is_null()).then(|| Bytes::from(body.to_string()));
        let (path, body) = (&path, &body);
        wait::until(
            &format!("POST {path} is done"),
            READY_WITHIN,
            || async move {
                let mut connection = self.connection(leader);
                let sent = connection.send(Method::POST, path, body.clone()).await;
                (sent.ok()?.status == 200).then_some(())
            },
        )
        .await
    }

    /// What node `id` says of the cluster (`GET /v1/cluster`).
    pub async fn status(&self, id: u64) -> Result<Value> {
        self.connection(id).get("/v1/cluster").await?.expect(200)
    }

    /// Waits until all running nodes name the same leader, which runs; its id and term.
    pub async fn leader(&self) -> Result<(u64, u64)> {
        let running: Vec<u64> = self
            .nodes
            .iter()
            .filter(|node| node.process.is_some())
            .map(|node| node.id)
            .collect();
        let running = &running;
        wait::until("the nodes agree on a leader", READY_WITHIN, || async move {
            let mut agreed = None;
            for id in running {
                let status = self.status(*id).await.ok()?;
                let seen = (status["leader"].as_u64()?, status["term"].as_u64()?);
                if *agreed.get_or_insert(seen) != seen {
                    return None;
                }
            }
            agreed.filter(|(leader, _)| running.contains(leader))
        })
        .await
    }

    fn node(&self, id: u64) -> &Member {
        self.nodes
            .iter()
            .find(|node| node.id == id)
            .expect("a node of this cluster")
    }

    fn node_mut(&mut self, id: u64) -> &mut Member {
        self.nodes
            .iter_mut()
            .find(|node| node.id == id)
            .expect("a node of this cluster")
    }

    fn tail(&self, id: u64) -> String {
        let printed = self.printed(id);
        let lines: Vec<&str> = printed.lines().collect();
        let last = &lines[lines.len().saturating_sub(20)..];
        format!("node {id} said last:\n{}", last.join("\n"))
    }
}

/// A command for `program`, by the program and the arguments of `starter` unless that is empty.
pub fn started_by(starter: &[String], program: &Path) -> Command {
    match starter {
        [] => Command::new(program),
        [first, arguments @ ..] => {
            let mut command = Command::new(first);
            command.args(arguments).arg(program);
            command
        }
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.process = None;
        }
        if (std::thread::panicking() || std::env::var_os(KEEP).is_some())
            && let Some(folder) = self.folder.take()
        {
            say(&format!(
                "the logs of the nodes are kept in {}",
                folder.keep().display()
            ));
        }
    }
}
