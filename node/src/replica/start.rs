//! How a replica comes up: store, listener, Raft, tasks.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use parking_lot::Mutex;
use raft_store::StoreOptions;
use raft_store::env::Env;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::freshness::Freshness;
use super::observer::MetricsObserver;
use super::rounds::Rounds;
use super::route::Router;
use super::service::PeerService;
use super::upkeep::{self, Reports};
use super::{Inner, PeerListen, Placement, Replica, ReplicaOptions, StartError, StoreHold};
use crate::batcher::{Batcher, DriverParts};
use crate::clock::LogClock;
use crate::consensus::Consensus;
use crate::formation::{Formation, LocalNode, Situation};
use crate::members::MemberChanges;
use crate::own_runtime::OwnRuntime;
use crate::peers::{Directory, Listener, Local, Net, Server, TokioListener};

/// Nice value of Raft's thread, where the system allows to raise its priority: half as much again of the processor as
/// any other thread of the node. One that is much higher pushes those of HTTP off it for every message, and makes an
/// entry of every few commands.
const NICE: i32 = -2;
/// Most commands of peers that are tried out here at a time; one more is refused as too busy.
const DRY_RUNS_MAX: usize = 64;

impl Replica {
    /// Opens the store, listens for peers, and begins to form or join the cluster. It returns as
    /// soon as all runs, not when there is a leader: [`Replica::health`] says how far it is.
    ///
    /// # Errors
    /// The data directory or the address cannot be used; the error says why and what to do.
    pub async fn start(
        env: Arc<dyn Env>,
        net: Arc<dyn Net>,
        options: ReplicaOptions,
    ) -> Result<Replica, StartError> {
        check(&options)?;
        let own_runtime = match options.placement {
            Placement::OwnThread => {
                Some(OwnRuntime::start("raft", NICE).map_err(StartError::Thread)?)
            }
            Placement::Caller => None,
        };
        let runtime = own_runtime
            .as_ref()
            .map_or_else(Handle::current, |own| own.handle().clone());
        let runtimes = Runtimes {
            raft: runtime.clone(),
            callers: Handle::current(),
        };
        let starting = start(env, net, options, runtimes, own_runtime);
        // Everything from here on belongs to Raft's runtime: sockets and timers are made there.
        match runtime.spawn(starting).await {
            Ok(started) => started,
            Err(error) => Err(StartError::Raft(error.to_string())),
        }
    }
}

fn check(options: &ReplicaOptions) -> Result<(), StartError> {
    if options.node_id == 0 {
        return Err(StartError::Options(
            "the node id must be above 0".to_owned(),
        ));
    }
    Ok(())
}

/// Where what runs.
struct Runtimes {
    /// Raft and the peers.
    raft: Handle,
    /// Whoever uses the replica.
    callers: Handle,
}

async fn start(
    env: Arc<dyn Env>,
    net: Arc<dyn Net>,
    options: ReplicaOptions,
    runtimes: Runtimes,
    own_runtime: Option<OwnRuntime>,
) -> Result<Replica, StartError> {
    let Runtimes {
        raft: runtime,
        callers,
    } = runtimes;
    let store_options = StoreOptions {
        observer: Arc::new(MetricsObserver),
        ..options.store
    };
    let store = raft_store::open(&env, store_options).map_err(StartError::Store)?;
    let listener = listen(net.as_ref(), options.peer_listen).await?;
    let applied = Arc::clone(&store.applied);
    let named: Vec<u64> = options.cluster.keys().copied().collect();
    let local = Arc::new(LocalNode::new(
        store.identity,
        options.http_url,
        named,
        Arc::clone(&applied),
    ));

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let peers = Arc::new(Directory::new(
        Arc::clone(&net),
        Arc::clone(&local) as Arc<dyn Local>,
        runtime.clone(),
        tasks.clone(),
        stop.clone(),
    ));
    let started = Consensus::start(
        Arc::clone(&env),
        options.node_id,
        options.timers,
        Arc::clone(&peers),
        store.log,
        store.machine,
        store.control.clone(),
    );
    let (consensus, raft_tasks) = started
        .await
        .map_err(|error| StartError::Raft(error.reason))?;
    local.attach(consensus.standing_watch());

    let clock = Arc::new(LogClock::new(Arc::clone(&env), options.node_id));
    let silence_max = options.timers.lease() + options.timers.heartbeat();
    let router = Arc::new(Router::new(
        options.node_id,
        consensus.clone(),
        Arc::clone(&peers),
        silence_max,
    ));
    let cluster_of = Arc::clone(&local);
    let parts = DriverParts {
        node_id: options.node_id,
        consensus: consensus.clone(),
        router: Arc::clone(&router),
        clock: Arc::clone(&clock),
        applied: Arc::clone(&applied),
        cluster: Box::new(move || cluster_of.cluster()),
        lease: options.timers.lease(),
    };
    let (batcher, driver) = Batcher::new(options.queue_commands_max, parts);
    let (rounds, rounds_task) = Rounds::new(consensus.clone(), Arc::clone(&router));
    let freshness = Freshness::default();
    let (situation, situation_watch) = watch::channel(Situation::Waiting(
        "looking for the other members".to_owned(),
    ));
    let formation = Formation {
        env,
        net,
        local: Arc::clone(&local),
        consensus: consensus.clone(),
        named: options.cluster,
        situation,
    };

    let (crashed, crashed_watch) = watch::channel(None);

    let inner = Arc::new(Inner {
        crashed: crashed_watch,
        local: Arc::clone(&local),
        applied,
        failure: store.control.failure_watch(),
        consensus,
        router,
        peers,
        batcher,
        rounds: rounds.clone(),
        freshness: freshness.clone(),
        clock,
        reports: Reports::default(),
        members: Arc::new(MemberChanges::default()),
        situation: situation_watch,
        started: Instant::now(),
        leaving: stop.child_token(),
        retired: OnceCell::new(),
        stop: stop.clone(),
        tasks: tasks.clone(),
        runtime: runtime.clone(),
        callers,
        dry_runs: Arc::new(Semaphore::new(DRY_RUNS_MAX)),
        own_runtime: Mutex::new(own_runtime),
        store: Mutex::new(Some(StoreHold {
            control: store.control,
            tasks: store.tasks,
        })),
    });
    let server = Arc::new(Server {
        local,
        service: Arc::new(PeerService(Arc::downgrade(&inner))),
        tasks: tasks.clone(),
        stop: stop.clone(),
    });
    let run = Runner {
        tasks,
        runtime,
        stop: stop.clone(),
        crashed,
    };
    // These end when Raft does, or when nobody can hand in commands any more.
    run.essential("standing", raft_tasks);
    run.essential("batcher", driver.run());
    run.until_stop("read rounds", rounds_task.run());
    run.until_stop("freshness", freshness.run(rounds));
    run.until_stop("formation", formation.run());
    run.until_stop("upkeep", upkeep::run(Arc::downgrade(&inner)));
    run.until_stop("peers", server.run(listener));
    // openraft keeps itself alive; a replica that is dropped takes it along.
    let consensus = inner.consensus.clone();
    let stopped = stop.clone();
    run.essential("end of Raft", async move {
        stopped.cancelled().await;
        consensus.shutdown().await;
    });
    Ok(Replica {
        inner,
        _ends_tasks: Arc::new(stop.drop_guard()),
    })
}

/// Starts the replica's tasks.
struct Runner {
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
    crashed: watch::Sender<Option<String>>,
}

impl Runner {
    /// Runs a task without which the node is of no use: should it panic, the process has to end.
    fn essential(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let crashed = self.crashed.clone();
        let guarded = async move {
            // After a panic nothing of the task is used again.
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                crashed.send_replace(Some(format!("the task `{name}` stopped on a bug")));
            }
        };
        self.tasks.spawn_on(guarded, &self.runtime);
    }

    /// Runs an essential task until the replica stops.
    fn until_stop(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.essential(name, async move {
            stop.run_until_cancelled_owned(task).await;
        });
    }
}

async fn listen(net: &dyn Net, on: PeerListen) -> Result<Box<dyn Listener>, StartError> {
    match on {
        PeerListen::Address(address) => net
            .listen(&address)
            .await
            .map_err(|source| StartError::Listen { address, source }),
        PeerListen::Bound(listener) => {
            let bound = TokioListener::from_std(listener);
            let listener = bound.map_err(|source| StartError::Listen {
                address: "the given listener".to_owned(),
                source,
            })?;
            Ok(Box::new(listener))
        }
    }
}
