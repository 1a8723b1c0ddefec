//! A cluster of replicas to test with. Nothing sleeps for a result: each wait is for a state, and
//! bounded.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use allocator::answer::{Outcome, Rejection};
use allocator::command::{
    ClaimSpec, Command, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec, Quota, TenantSpec,
};
use allocator::name::{Labels, Name};
use raft_store::checkpoint::MemoryBackend;
use raft_store::env::{Bell, Core, CoreHandle, Env, Fs, Priority, RealEnv};
use raft_store::{BackgroundOptions, IdentityError, OpenError, StoreOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::peers::{Net, TokioNet};
use crate::replica::{
    MemberChange, PeerListen, Placement, ProposeError, Proposed, Replica, ReplicaOptions,
    StartError, Timers,
};

/// Longest wait for a state; reached only by a test that fails.
pub(super) const LONG: Duration = Duration::from_secs(30);
/// The deadline that requests have.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// A node's place: its directory, its address, and its replica while it runs.
pub(super) struct Node {
    pub(super) id: u64,
    dir: PathBuf,
    backend: MemoryBackend,
    /// By how much its wall clock is wrong; it stays so over restarts.
    wall_apart_ms: Arc<AtomicI64>,
    pub(super) address: String,
    listener: Option<TcpListener>,
    replica: Option<Replica>,
}

/// Some nodes, and the directory that theirs are in.
pub(super) struct Cluster {
    dir: TempDir,
    pub(super) nodes: BTreeMap<u64, Node>,
    named: BTreeMap<u64, String>,
    net: Arc<dyn Net>,
    background: BackgroundOptions,
}

impl Cluster {
    /// Places for so many nodes, named to each other; none runs.
    pub(super) fn new(count: u64) -> Cluster {
        let dir = TempDir::new().expect("a temporary directory");
        let mut cluster = Cluster {
            dir,
            nodes: BTreeMap::new(),
            named: BTreeMap::new(),
            net: Arc::new(TokioNet),
            background: BackgroundOptions::default(),
        };
        for id in 1..=count {
            let address = cluster.place(id);
            cluster.named.insert(id, address);
        }
        cluster
    }

    /// So many nodes that run and have formed a cluster.
    pub(super) async fn formed(count: u64) -> Cluster {
        Self::formed_with(count, BackgroundOptions::default()).await
    }

    /// So many nodes that run and have formed a cluster on a network of the caller's.
    pub(super) async fn formed_on(count: u64, net: Arc<dyn Net>) -> Cluster {
        let mut cluster = Cluster::new(count);
        cluster.net = net;
        for id in 1..=count {
            cluster.start(id).await;
        }
        cluster.all_ready().await;
        cluster
    }

    /// So many nodes that have formed a cluster, with checkpoints and snapshots as told.
    pub(super) async fn formed_with(count: u64, background: BackgroundOptions) -> Cluster {
        let mut cluster = Cluster::new(count);
        cluster.background = background;
        for id in 1..=count {
            cluster.start(id).await;
        }
        cluster.all_ready().await;
        cluster
    }

    /// Members know each other by these names, which the network looks up.
    pub(super) fn name(&mut self, names: BTreeMap<u64, String>, net: Arc<dyn Net>) {
        (self.named, self.net) = (names, net);
    }

    /// Gives a stopped node another address.
    pub(super) fn relocate(&mut self, id: u64) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let node = self.nodes.get_mut(&id).expect("the node has a place");
        assert!(node.replica.is_none(), "only a stopped node moves");
        (node.address, node.listener) = (address.clone(), Some(listener));
        address
    }

    /// A place for one more node, which nobody names.
    pub(super) fn place(&mut self, id: u64) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let node = Node {
            id,
            dir: self.dir.path().join(format!("node-{id}")),
            backend: MemoryBackend::new(id),
            wall_apart_ms: Arc::default(),
            address: address.clone(),
            listener: Some(listener),
            replica: None,
        };
        self.nodes.insert(id, node);
        address
    }

    /// Starts a node. One that was killed may still hold its directory and its port for a moment.
    pub(super) async fn start(&mut self, id: u64) {
        let limit = Instant::now() + LONG;
        let replica = loop {
            let options = self.options(id);
            let env = WrongWall {
                real: RealEnv::new(),
                apart_ms: Arc::clone(&self.nodes[&id].wall_apart_ms),
            };
            let net = Arc::clone(&self.net);
            match Replica::start(Arc::new(env), net, options).await {
                Ok(replica) => break replica,
                Err(error) => assert!(
                    is_still_held(&error) && Instant::now() < limit,
                    "the replica starts: {error:?}"
                ),
            }
            sleep(Duration::from_millis(2)).await;
        };
        self.nodes
            .get_mut(&id)
            .expect("the node has a place")
            .replica = Some(replica);
    }

    /// A node's data directory.
    pub(super) fn data_dir(&self, id: u64) -> &Path {
        &self.nodes[&id].dir
    }

    /// Makes a node's directory one that a cluster has taken in, and that has no log yet.
    pub(super) fn take_in(&mut self, id: u64, cluster_id: u128) {
        let env: Arc<dyn Env> = Arc::new(RealEnv::new());
        let node = &self.nodes[&id];
        let mut options = StoreOptions::new(&node.dir, id);
        options.applied = Some(Arc::new(node.backend.clone()));
        options.wal.segment_size = 4 << 20;
        let store = raft_store::open(&env, options).expect("the directory can be made");
        store
            .identity
            .set_cluster(cluster_id)
            .expect("it has none yet");
    }

    fn options(&mut self, id: u64) -> ReplicaOptions {
        let node = self.nodes.get_mut(&id).expect("the node has a place");
        let mut store = StoreOptions::new(&node.dir, id);
        store.applied = Some(Arc::new(node.backend.clone()));
        store.wal.segment_size = 4 << 20;
        store.background = self.background;
        ReplicaOptions {
            node_id: id,
            store,
            peer_listen: match node.listener.take() {
                Some(listener) => PeerListen::Bound(listener),
                None => PeerListen::Address(node.address.clone()),
            },
            cluster: self.named.clone(),
            http_url: format!("http://node-{id}"),
            timers: Timers::Fast,
            queue_commands_max: 4_096,
            placement: Placement::OwnThread,
        }
    }

    /// Sets a node's wall clock wrong by that much.
    pub(super) fn wall_apart(&self, id: u64, ms: i64) {
        self.nodes[&id].wall_apart_ms.store(ms, Ordering::Relaxed);
    }

    /// Lets a node go without a word, as a killed process would.
    pub(super) fn kill(&mut self, id: u64) {
        let replica = self.nodes.get_mut(&id).and_then(|node| node.replica.take());
        assert!(replica.is_some(), "the node runs");
    }

    /// Stops a node in good order.
    pub(super) async fn stop(&mut self, id: u64) {
        let replica = self.nodes.get_mut(&id).and_then(|node| node.replica.take());
        replica.expect("the node runs").stop().await;
    }

    /// Takes a stopped node's directory away.
    pub(super) fn wipe(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).expect("the node has a place");
        assert!(node.replica.is_none(), "only a stopped node is wiped");
        std::fs::remove_dir_all(&node.dir).expect("its directory can be removed");
        node.backend = MemoryBackend::new(id);
    }

    pub(super) fn replica(&self, id: u64) -> &Replica {
        self.nodes[&id].replica.as_ref().expect("the node runs")
    }

    pub(super) fn runs(&self, id: u64) -> bool {
        self.nodes[&id].replica.is_some()
    }

    /// That a node joins under an id, at another one's address or its own.
    pub(super) fn adds(&self, id: u64, at: u64) -> MemberChange {
        MemberChange::Add {
            id,
            peer_address: self.nodes[&at].address.clone(),
            http_url: None,
        }
    }

    fn running(&self) -> impl Iterator<Item = (u64, &Replica)> {
        self.nodes
            .values()
            .filter_map(|node| Some((node.id, node.replica.as_ref()?)))
    }

    /// Those that run and belong to a cluster.
    fn in_cluster(&self) -> impl Iterator<Item = (u64, &Replica)> {
        self.running()
            .filter(|(_, replica)| replica.status().cluster_id.is_some())
    }

    /// Waits until a state is reached.
    pub(super) async fn until<T>(&self, what: &str, look: impl Fn(&Cluster) -> Option<T>) -> T {
        let limit = Instant::now() + LONG;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            if Instant::now() > limit {
                let states: Vec<_> = self
                    .running()
                    .map(|(id, replica)| (id, replica.health(), replica.status()))
                    .collect();
                panic!("not reached: {what}; {states:#?}");
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn ready(&self, id: u64) {
        self.until(&format!("node {id} is ready"), |cluster| {
            cluster.replica(id).health().is_ready().then_some(())
        })
        .await;
    }

    pub(super) async fn all_ready(&self) {
        self.until("all are ready", |cluster| {
            cluster
                .running()
                .all(|(_, replica)| replica.health().is_ready())
                .then_some(())
        })
        .await;
    }

    /// The leader on which all that run agree.
    pub(super) async fn leader(&self) -> u64 {
        self.until("all know one leader", |cluster| {
            let leaders: Vec<_> = cluster
                .in_cluster()
                .map(|(_, replica)| replica.status().leader)
                .collect();
            let first = leaders.first().copied().flatten()?;
            let runs = cluster.nodes.get(&first)?.replica.is_some();
            (runs && leaders.iter().all(|leader| *leader == Some(first))).then_some(first)
        })
        .await
    }

    /// The leader as those see it who are not `outside`.
    pub(super) async fn leader_of_the_rest(&self, outside: u64) -> u64 {
        self.until("the rest know one leader", |cluster| {
            let rest = cluster.running().filter(|(id, _)| *id != outside);
            let leaders: Vec<_> = rest.map(|(_, replica)| replica.status().leader).collect();
            let first = leaders.first().copied().flatten()?;
            leaders
                .iter()
                .all(|leader| *leader == Some(first))
                .then_some(first)
        })
        .await
    }

    /// A running node that does not lead.
    pub(super) async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        self.in_cluster()
            .map(|(id, _)| id)
            .find(|id| *id != leader)
            .expect("there is a follower")
    }

    /// Why a node is not ready, once a reason contains the text.
    pub(super) async fn waits_because(&self, id: u64, text: &str) {
        self.until(&format!("node {id} says: {text}"), |cluster| {
            let reasons = cluster.replica(id).health().not_ready;
            reasons
                .iter()
                .any(|reason| reason.contains(text))
                .then_some(())
        })
        .await;
    }

    pub(super) async fn propose(
        &self,
        id: u64,
        command: Command,
    ) -> Result<Proposed, ProposeError> {
        self.replica(id).propose(envelope(command), DEADLINE).await
    }

    /// Proposes what must not be refused, and again while it is not known what became of it: the lead
    /// may change at any time on a busy machine, and names make a repeat the same.
    pub(super) async fn accepted(&self, id: u64, command: Command) -> (Outcome, Proposed) {
        let limit = Instant::now() + LONG;
        let proposed = loop {
            match self.propose(id, command.clone()).await {
                Err(ProposeError::OutcomeUnknown) if Instant::now() < limit => {}
                answer => break answer.expect("there is an answer"),
            }
        };
        let outcome = proposed
            .answer
            .result
            .clone()
            .expect("the command is not refused");
        (outcome, proposed)
    }

    /// The tenant `t` with the pool `p` of 256 addresses.
    pub(super) async fn with_pool(&self) {
        self.accepted(1, tenant("t")).await;
        self.accepted(1, pool("t", "p", "10.0.0.0/24")).await;
    }

    /// The block that a claim has.
    pub(super) async fn claimed(&self, id: u64, claim_name: &str) -> String {
        match self.accepted(id, claim("t", "p", claim_name)).await.0 {
            Outcome::ClaimCreated(view) | Outcome::ClaimRepeated(view) => view.block.to_string(),
            other => panic!("a claim answers with a claim, not with {other:?}"),
        }
    }
}

/// The real machine with a wall clock that somebody sets.
#[derive(Debug)]
struct WrongWall {
    real: RealEnv,
    apart_ms: Arc<AtomicI64>,
}

impl Env for WrongWall {
    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }

    fn wall_ms(&self) -> u64 {
        let apart_ms = self.apart_ms.load(Ordering::Relaxed);
        self.real.wall_ms().saturating_add_signed(apart_ms)
    }

    fn random_u64(&self) -> u64 {
        self.real.random_u64()
    }

    fn fs(&self) -> Arc<dyn Fs> {
        self.real.fs()
    }

    fn spawn_core(
        &self,
        name: &'static str,
        priority: Priority,
        bell: Bell,
        core: Box<dyn Core>,
    ) -> std::io::Result<CoreHandle> {
        self.real.spawn_core(name, priority, bell, core)
    }
}

fn is_still_held(error: &StartError) -> bool {
    match error {
        StartError::Store(OpenError::Identity(IdentityError::InUse { .. })) => true,
        StartError::Listen { source, .. } => source.kind() == ErrorKind::AddrInUse,
        _ => false,
    }
}

pub(super) fn envelope(command: Command) -> Envelope {
    Envelope {
        actor: "".into(),
        source: "".into(),
        command,
    }
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(super) fn tenant(tenant: &str) -> Command {
    Command::TenantCreate(Box::new(TenantSpec {
        name: name(tenant),
        labels: Labels::default(),
        annotations: Labels::default(),
        description: "".into(),
        quota: Quota::default(),
    }))
}

pub(super) fn pool(tenant: &str, pool: &str, cidr: &str) -> Command {
    let cidr = PoolCidr {
        cidr: cidr.parse().expect("a prefix"),
        subnet: None,
        gateway: None,
    };
    Command::PoolCreate(Box::new(PoolSpec {
        default_prefix_length: Some(32),
        ..PoolSpec::new(
            name(tenant),
            name(pool),
            PoolSource::Root {
                space: None,
                cidrs: vec![cidr],
            },
        )
    }))
}

pub(super) fn claim(tenant: &str, pool: &str, claim: &str) -> Command {
    Command::ClaimCreate(Box::new(ClaimSpec::new(
        name(tenant),
        name(claim),
        PoolRef {
            tenant: None,
            name: name(pool),
        },
    )))
}

/// Whether a refusal is for a tenant that is there with other content or is not there at all.
pub(super) fn is_tenant_not_found(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::TenantNotFound { .. })
}
