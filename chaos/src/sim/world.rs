//! The simulated machines and what runs on them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use node::replica::{
    ClusterStatus, Health, PeerListen, Placement, Replica, ReplicaOptions, Timers,
};
use raft_store::checkpoint::MemoryBackend;
use raft_store::env::Env;
use raft_store::env::sim::{SimEnv, SimFs};
use raft_store::{DigestAnswer, StoreOptions};
use tokio::task::JoinSet;

use super::book::Book;
use super::clients::{self, Seat};
use super::net::{Air, SimNet};
use super::operator;
use super::plan::Plan;
use crate::invariants::{EntryId, Glimpse};

const PEER_PORT: u16 = 7401;
const QUEUE_COMMANDS_MAX: usize = 256;
/// How often a node says how it is.
const SAYS_EVERY: Duration = Duration::from_millis(100);
/// Small, so that entries are read from the disk, too.
const CACHE_BYTES: usize = 32 << 10;

/// Everything there is besides the network.
pub(super) struct World {
    pub(super) plan: Plan,
    machines: BTreeMap<u64, Machine>,
    pub(super) book: Book,
    pub(super) air: Air,
}

/// One machine: its disk stays, what runs on it comes and goes.
#[derive(Clone)]
pub(super) struct Machine(Arc<Mutex<Inside>>);

struct Inside {
    id: u64,
    disk: SimFs,
    applied: MemoryBackend,
    starts: u64,
    env: Option<Arc<SimEnv>>,
    replica: Option<Replica>,
    /// What the node last said of itself.
    said: Option<(ClusterStatus, Health)>,
    /// Why the node stopped by itself.
    ended: Option<String>,
    /// By how much its wall clock is wrong, in milliseconds.
    wall_ms: i64,
    disks: u64,
}

/// The name of a node's machine in the simulated network.
pub(super) fn host_name(id: u64) -> String {
    format!("node-{id}")
}

impl Machine {
    fn new(seed: u64, id: u64) -> Self {
        let (disk, applied) = disk(seed, id, 0);
        Self(Arc::new(Mutex::new(Inside {
            id,
            disk,
            applied,
            starts: 0,
            env: None,
            replica: None,
            said: None,
            ended: None,
            wall_ms: 0,
            disks: 0,
        })))
    }

    /// What runs there forgets what it may not keep, and no handle of it works any more.
    pub(super) fn power_off(&self) {
        let mut inside = self.stopped();
        inside.disk.crash();
        inside.applied.crash();
        inside.replica = None;
    }

    /// The process is gone, the machine is not.
    pub(super) fn kill(&self) {
        let mut inside = self.stopped();
        inside.disk.kill();
        inside.replica = None;
    }

    /// An empty disk stands in the place of the one that there was.
    pub(super) fn wipe(&self, seed: u64) {
        let mut inside = self.stopped();
        inside.disk.kill();
        inside.disks += 1;
        (inside.disk, inside.applied) = disk(seed, inside.id, inside.disks);
        inside.replica = None;
    }

    fn stopped(&self) -> MutexGuard<'_, Inside> {
        let mut inside = self.lock();
        inside.ended = None;
        inside.env = None;
        inside.said = None;
        inside
    }

    /// Its disk.
    pub(super) fn disk(&self) -> SimFs {
        self.lock().disk.clone()
    }

    /// Sets its wall clock, for good.
    pub(super) fn wall_jump(&self, by_ms: i64) {
        let mut inside = self.lock();
        inside.wall_ms = inside.wall_ms.saturating_add(by_ms);
        if let Some(env) = &inside.env {
            env.wall_jump_ms(by_ms);
        }
    }

    /// Counts the starts of its node.
    pub(super) fn start(&self) -> u64 {
        self.lock().starts
    }

    /// Why what ran there has ended by itself, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        self.lock().ended.clone()
    }

    pub(super) fn replica(&self) -> Option<Replica> {
        self.lock().replica.clone()
    }

    fn glimpse(&self) -> Option<Glimpse> {
        let inside = self.lock();
        let replica = inside.replica.as_ref()?;
        let stand = replica.stand();
        let applied = replica.applied();
        let DigestAnswer::At(mark) = applied.digest_at(None) else {
            return None;
        };
        let (revision, clock_ms) = applied.read(|state| (state.revision(), state.clock().now_ms()));
        let last = applied.last().filter(|last| last.index == mark.index)?;
        Some(Glimpse {
            node: inside.id,
            start: inside.starts,
            disk: inside.disks,
            vote: stand.vote,
            leader: stand.leader,
            applied: Some(EntryId {
                term: last.leader_id.term,
                node: last.leader_id.node_id,
                index: last.index,
            }),
            revision,
            digest: mark.digest,
            clock_ms,
            replaced: applied.replaced(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn disk(seed: u64, id: u64, number: u64) -> (SimFs, MemoryBackend) {
    let seed = mix(seed, id, number);
    (SimFs::new(seed), MemoryBackend::new(mix(seed, 0, u64::MAX)))
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let machines = plan
            .nodes
            .iter()
            .map(|id| (*id, Machine::new(plan.seed, *id)))
            .collect();
        let air = Air::new(mix(plan.seed, u64::MAX, 0));
        Self {
            machines,
            book: Book::new(),
            air,
            plan,
        }
    }

    /// Puts node `id` on a machine of the simulation.
    pub(super) fn host(&self, sim: &mut turmoil::Sim<'_>, id: u64) {
        let machine = self.machines[&id].clone();
        let (plan, book, air) = (self.plan.clone(), self.book.clone(), self.air.clone());
        sim.host(host_name(id), move || {
            let (machine, plan) = (machine.clone(), plan.clone());
            let (book, air) = (book.clone(), air.clone());
            async move {
                run_node(machine, plan, book, air)
                    .await
                    .map_err(|error| format!("{error:#}").into())
            }
        });
    }

    pub(super) fn machine(&self, id: u64) -> &Machine {
        &self.machines[&id]
    }

    pub(super) fn machines(&self) -> impl Iterator<Item = (u64, &Machine)> {
        self.machines.iter().map(|(id, machine)| (*id, machine))
    }

    /// What each running node shows of itself.
    pub(super) fn glimpses(&self) -> Vec<Glimpse> {
        self.machines
            .values()
            .filter_map(Machine::glimpse)
            .collect()
    }

    /// The newest leadership that anybody knows.
    pub(super) fn leader(&self) -> Option<u64> {
        let led = self
            .glimpses()
            .into_iter()
            .filter_map(|glimpse| Some((glimpse.vote, glimpse.leader?)));
        led.max().map(|(_, leader)| leader)
    }

    /// All nodes run and say that they serve.
    pub(super) fn all_serve(&self) -> bool {
        let says_so = |machine: &Machine| {
            let inside = machine.lock();
            let said = inside.said.as_ref();
            inside.ended.is_none() && said.is_some_and(|(_, health)| health.is_ready())
        };
        self.machines().all(|(_, machine)| says_so(machine))
    }

    /// All nodes follow the same leader and have applied the whole of its log.
    pub(super) fn has_converged(&self) -> bool {
        let replicas = self.replicas();
        let stands: Vec<_> = replicas
            .iter()
            .map(|(_, replica)| (replica.stand(), replica.applied().at().index))
            .collect();
        self.all_serve()
            && stands.iter().all(|(stand, applied)| {
                stand.leader.is_some()
                    && stand.leader == stands[0].0.leader
                    && stand.last_log_index == stands[0].0.last_log_index
                    && *applied == Some(stand.last_log_index)
            })
    }

    /// Every node's state, recomputed the slow way.
    pub(super) fn audit(&self) -> Result<()> {
        for (id, replica) in self.replicas() {
            replica
                .applied()
                .read(allocator::State::audit)
                .map_err(|failure| anyhow!("node {id}: {failure}"))?;
        }
        Ok(())
    }

    /// For a failure's report.
    pub(super) fn describe(&self) -> String {
        let of = |(id, machine): (u64, &Machine)| {
            let inside = machine.lock();
            match &inside.said {
                Some((status, health)) => format!("node {id}: {status:?} {health:?}"),
                None => format!("node {id} does not run: {:?}", inside.ended),
            }
        };
        self.machines().map(of).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn replicas(&self) -> Vec<(u64, Replica)> {
        self.machines()
            .filter_map(|(id, machine)| Some((id, machine.replica()?)))
            .collect()
    }
}

/// One start of a node. It returns only when a client was told something that cannot be; a node that stops by itself
/// says so, and stays as it is until the world takes it away.
async fn run_node(machine: Machine, plan: Plan, book: Book, air: Air) -> Result<()> {
    let (id, start, env) = {
        let mut inside = machine.lock();
        inside.starts += 1;
        let seed = mix(plan.seed, inside.id, inside.starts);
        let env = Arc::new(SimEnv::new(seed, inside.disk.clone()));
        let passed = turmoil::sim_elapsed().unwrap_or_default();
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        env.wall_jump_ms(passed_ms.saturating_add(inside.wall_ms));
        inside.env = Some(env.clone());
        (inside.id, inside.starts, env)
    };
    let options = options(&plan, &machine);
    let net = Arc::new(SimNet::new(id, air));
    let replica = match Replica::start(env as Arc<dyn Env>, net, options).await {
        Ok(replica) => replica,
        Err(error) => {
            machine.lock().ended = Some(format!("{:#}", anyhow!(error)));
            return std::future::pending().await;
        }
    };
    machine.lock().replica = Some(replica.clone());
    let mut tasks = JoinSet::new();
    for number in 0..plan.clients_a_node {
        let seat = Seat {
            node: id,
            number: (id * 1_000_000 + start) * 10 + number,
            seed: mix(plan.seed, id * 10 + number, start),
            think_ms: plan.think_ms,
        };
        tasks.spawn(clients::run(seat, replica.clone(), book.clone()));
    }
    tasks.spawn(operator::run(id, replica.clone(), book));
    tasks.spawn(say(machine.clone(), replica.clone()));
    tokio::select! {
        biased;
        fatal = replica.fatal() => {
            machine.lock().ended = Some(fatal.to_string());
            std::future::pending().await
        }
        ended = async {
            while let Some(client) = tasks.join_next().await {
                client??;
            }
            std::future::pending().await
        } => ended,
    }
}

/// Has the node say how it is, now and then: what it hears of others has its age by the world's time, and only here does
/// that time pass. Outside of the node's runtime it would be measured against the machine's.
async fn say(machine: Machine, replica: Replica) -> Result<()> {
    loop {
        machine.lock().said = Some((replica.status(), replica.health()));
        tokio::time::sleep(SAYS_EVERY).await;
    }
}

pub(super) fn peer_address(id: u64) -> String {
    format!("{}:{PEER_PORT}", host_name(id))
}

fn options(plan: &Plan, machine: &Machine) -> ReplicaOptions {
    let inside = machine.lock();
    let id = inside.id;
    let mut store = StoreOptions::new(PathBuf::from(format!("/{}", host_name(id))), id);
    store.applied = Some(Arc::new(inside.applied.clone()));
    store.wal.segment_size = plan.segment_bytes;
    store.wal.cache_size = CACHE_BYTES;
    store.background.log_kept = plan.log_kept;
    store.background.checkpoint_bytes = plan.log_kept;
    store.background.checkpoint_interval = plan.checkpoint_every;
    ReplicaOptions {
        node_id: id,
        store,
        peer_listen: PeerListen::Address(peer_address(id)),
        cluster: plan
            .nodes
            .iter()
            .map(|id| (*id, peer_address(*id)))
            .collect(),
        http_url: format!("http://{}:7400", host_name(id)),
        timers: Timers::Fast,
        queue_commands_max: QUEUE_COMMANDS_MAX,
        placement: Placement::Caller,
    }
}

/// Time since the world began, in milliseconds; for who runs in it.
pub(super) fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

/// A seed of its own for each thing that draws.
pub(super) fn mix(seed: u64, one: u64, other: u64) -> u64 {
    let mut mixed = seed;
    for part in [one, other] {
        // The finalizer of splitmix64: every bit of the input reaches every bit of the output.
        mixed = mixed.wrapping_add(part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    mixed
}
