//! The simulated machines and what runs on them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use allocator::filter::ClaimFilter;
use anyhow::{Result, anyhow, ensure};
use cluster_tests::tenant::Held;
use node::replica::{PeerListen, Placement, Replica, ReplicaOptions, Timers};
use raft_store::checkpoint::MemoryBackend;
use raft_store::env::Env;
use raft_store::env::sim::{Latency, SimEnv, SimFs};
use raft_store::{DigestAnswer, StoreOptions};
use tokio::task::JoinSet;

use super::clients::{Clients, tenant};
use super::net::SimNet;
use super::trace::Trace;
use crate::invariants::Glimpse;

/// The nodes.
pub(super) const NODES: [u64; 3] = [1, 2, 3];
const PEER_PORT: u16 = 7401;
const CLIENTS_A_NODE: u64 = 2;
const QUEUE_COMMANDS_MAX: usize = 256;
const LIST_MAX: usize = 1_000;

/// Everything there is besides the network.
pub(super) struct World {
    seed: u64,
    machines: BTreeMap<u64, Machine>,
    pub(super) clients: Clients,
    pub(super) trace: Trace,
}

/// One machine: its disk stays, what runs on it comes and goes.
#[derive(Clone)]
struct Machine {
    disk: SimFs,
    applied: MemoryBackend,
    running: Arc<Mutex<Running>>,
}

#[derive(Default)]
struct Running {
    starts: u64,
    replica: Option<Replica>,
}

impl Machine {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a node's machine in the simulated network.
pub(super) fn host_name(id: u64) -> String {
    format!("node-{id}")
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let machine = |id: u64| Machine {
            disk: SimFs::new(mix(seed, id, 0)),
            applied: MemoryBackend::new(mix(seed, id, u64::MAX)),
            running: Arc::default(),
        };
        Self {
            seed,
            machines: NODES.into_iter().map(|id| (id, machine(id))).collect(),
            clients: Clients::default(),
            trace: Trace::default(),
        }
    }

    /// Puts node `id` on a machine of the simulation.
    pub(super) fn host(&self, sim: &mut turmoil::Sim<'_>, id: u64) {
        let machine = self.machines[&id].clone();
        let (seed, clients, trace) = (self.seed, self.clients.clone(), self.trace.clone());
        sim.host(host_name(id), move || {
            let (machine, clients, trace) = (machine.clone(), clients.clone(), trace.clone());
            async move {
                run_node(id, seed, machine, clients, trace)
                    .await
                    .map_err(Into::into)
            }
        });
    }

    /// Node `id`'s disk forgets what it may, and no handle on it works any more.
    pub(super) fn power_off(&self, id: u64) {
        let machine = &self.machines[&id];
        machine.lock().replica = None;
        machine.disk.crash();
        machine.applied.crash();
    }

    /// How long node `id`'s disk takes from now on.
    pub(super) fn set_latency(&self, id: u64, latency: Latency) {
        self.machines[&id].disk.set_latency(latency);
    }

    /// The highest term that anybody knows.
    pub(super) fn term(&self) -> u64 {
        let terms = self.glimpses().into_iter().map(|glimpse| glimpse.term);
        terms.max().unwrap_or(0)
    }

    /// What each running node shows of itself.
    pub(super) fn glimpses(&self) -> Vec<Glimpse> {
        let glimpse = |(node, machine): (&u64, &Machine)| {
            let running = machine.lock();
            let replica = running.replica.as_ref()?;
            let status = replica.status();
            let applied = match replica.applied().digest_at(None) {
                DigestAnswer::At(mark) => Some(mark),
                DigestAnswer::NotYet | DigestAnswer::Gone { .. } => None,
            };
            Some(Glimpse {
                node: *node,
                start: running.starts,
                term: status.term,
                leader: status.leader,
                applied_index: applied.map(|mark| mark.index),
                revision: applied.map_or(0, |mark| mark.revision),
                digest: applied.map_or(0, |mark| mark.digest),
            })
        };
        self.machines.iter().filter_map(glimpse).collect()
    }

    /// The leader of the highest term that anybody knows.
    pub(super) fn leader(&self) -> Option<u64> {
        let led = self
            .glimpses()
            .into_iter()
            .filter_map(|glimpse| Some((glimpse.term, glimpse.leader?)));
        led.max().map(|(_, leader)| leader)
    }

    /// All nodes run and have applied the whole of the leader's log.
    pub(super) fn has_converged(&self) -> bool {
        let replicas = self.replicas();
        let statuses: Vec<_> = replicas
            .iter()
            .map(|(_, replica)| replica.status())
            .collect();
        replicas.len() == NODES.len()
            && statuses.iter().all(|status| {
                status.leader.is_some()
                    && status.leader == statuses[0].leader
                    && status.last_log_index == statuses[0].last_log_index
                    && status.applied_index == status.last_log_index
            })
    }

    /// All claims, as each node has them.
    pub(super) fn claims(&self) -> Result<Vec<(u64, BTreeMap<String, Held>)>> {
        let mut all = Vec::new();
        for (id, replica) in self.replicas() {
            let page = replica
                .applied()
                .read(|state| state.claims(&tenant(), &ClaimFilter::default(), None, LIST_MAX))
                .map_err(|rejection| anyhow!("{rejection:?}"))?;
            ensure!(page.next.is_none(), "one page holds all claims");
            let rows = page.items.into_iter().map(|claim| {
                (
                    claim.spec.name.to_string(),
                    Held {
                        block: claim.block.to_string(),
                        generation: claim.generation,
                    },
                )
            });
            all.push((id, rows.collect()));
        }
        Ok(all)
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
        let status = |(id, replica): (u64, Replica)| {
            format!("node {id}: {:?} {:?}", replica.status(), replica.health())
        };
        self.replicas()
            .into_iter()
            .map(status)
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn replicas(&self) -> Vec<(u64, Replica)> {
        self.machines
            .iter()
            .filter_map(|(id, machine)| Some((*id, machine.lock().replica.clone()?)))
            .collect()
    }
}

/// One start of a node, until it fails or its machine loses its power.
async fn run_node(
    id: u64,
    seed: u64,
    machine: Machine,
    clients: Clients,
    trace: Trace,
) -> Result<()> {
    let start = {
        let mut running = machine.lock();
        running.starts += 1;
        running.starts
    };
    let env: Arc<dyn Env> = Arc::new(SimEnv::new(mix(seed, id, start), machine.disk.clone()));
    let replica = Replica::start(env, Arc::new(SimNet), options(id, &machine)).await?;
    machine.lock().replica = Some(replica.clone());
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS_A_NODE {
        let seed = mix(seed, id * CLIENTS_A_NODE + number, start);
        tasks.spawn(
            clients
                .clone()
                .client(id, seed, replica.clone(), trace.clone()),
        );
    }
    tokio::select! {
        fatal = replica.fatal() => Err(anyhow!("node {id}: {fatal}")),
        ended = async {
            while let Some(client) = tasks.join_next().await {
                client??;
            }
            std::future::pending().await
        } => ended,
    }
}

fn options(id: u64, machine: &Machine) -> ReplicaOptions {
    let address = |id: u64| format!("{}:{PEER_PORT}", host_name(id));
    let mut store = StoreOptions::new(PathBuf::from(format!("/{}", host_name(id))), id);
    store.applied = Some(Arc::new(machine.applied.clone()));
    ReplicaOptions {
        node_id: id,
        store,
        peer_listen: PeerListen::Address(address(id)),
        cluster: NODES.into_iter().map(|id| (id, address(id))).collect(),
        http_url: format!("http://{}:7400", host_name(id)),
        timers: Timers::Fast,
        queue_commands_max: QUEUE_COMMANDS_MAX,
        placement: Placement::Caller,
    }
}

/// A seed of its own for each thing that draws.
fn mix(seed: u64, one: u64, other: u64) -> u64 {
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
