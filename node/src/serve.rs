//! `ipamd serve`: one node, from its settings to its end.
//!
//! Order of the start: the HTTP port is bound first, since a port in use is the most likely fault
//! and the cheapest to find; then the replica opens its directory and joins its peers. Order of the
//! stop: HTTP takes no more and finishes what is open, then the replica hands over and ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raft_store::env::RealEnv;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Profile, Settings};
use crate::http;
use crate::logging::Log;
use crate::metrics::MetricsError;
use crate::peers::TokioNet;
use crate::replica::{
    FatalError, PeerListen, Placement, Replica, ReplicaOptions, StartError, Timers,
};

/// How long the replica may take to stop in good order.
const REPLICA_STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Most commands that wait for the log; one more is refused as too busy.
const QUEUE_COMMANDS_MAX: usize = 16_384;

/// Why a node did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The HTTP port cannot be bound.
    #[error(
        "cannot listen for HTTP on {address}; end what uses that port, or choose another with --listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The replica did not start.
    #[error("the node cannot start")]
    Start(#[source] StartError),
    /// The node cannot count.
    #[error("the node cannot start")]
    Metrics(#[source] MetricsError),
    /// Something failed that cannot be repaired while running.
    #[error("the node has stopped itself")]
    Fatal(#[source] FatalError),
    /// The process that this one belongs to has ended.
    #[error("the node was started for another process, which has ended")]
    Parent(#[source] io::Error),
    /// Signals cannot be received.
    #[error("the node cannot receive signals")]
    Signals(#[source] io::Error),
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for either.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// [`ServeError`]: it did not start, or something failed beyond repair.
pub async fn serve(settings: Settings, log: &Log) -> Result<(), ServeError> {
    let mut signals = Signals::listen().map_err(ServeError::Signals)?;
    if let Some(parent) = settings.exit_with_parent {
        crate::dev::exit_with_parent(parent).map_err(ServeError::Parent)?;
    }
    let listener =
        TcpListener::bind(settings.listen)
            .await
            .map_err(|source| ServeError::Listen {
                address: settings.listen,
                source,
            })?;
    let env = Arc::new(RealEnv::new());
    let replica = Replica::start(
        Arc::clone(&env) as _,
        Arc::new(TokioNet),
        options(&settings),
    )
    .await
    .map_err(ServeError::Start)?;
    let server = http::Server::new(
        env,
        replica.clone(),
        settings.limits.clone(),
        Some(log.dropped_lines()),
    )
    .map_err(ServeError::Metrics)?;
    tracing::info!(
        node = settings.node_id,
        listen = %settings.listen,
        peer_listen = %settings.peer_listen,
        data_dir = %settings.data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let stopping = async {
        signals.next().await;
        tracing::info!("stopping");
        // Another node leads before requests are drained, so that none of them fails.
        replica.retire().await;
    };
    tokio::select! {
        () = http::run(listener, server, stopping) => {}
        fatal = replica.fatal() => return Err(ServeError::Fatal(fatal)),
    }
    if tokio::time::timeout(REPLICA_STOP_TIMEOUT, replica.stop())
        .await
        .is_err()
    {
        tracing::warn!(
            "the replica did not stop in time; what is on disk decides at the next start"
        );
    }
    tracing::info!("stopped");
    Ok(())
}

fn options(settings: &Settings) -> ReplicaOptions {
    ReplicaOptions {
        node_id: settings.node_id,
        store: raft_store::StoreOptions::new(settings.data_dir.clone(), settings.node_id),
        peer_listen: PeerListen::Address(settings.peer_listen.to_string()),
        cluster: settings
            .cluster
            .iter()
            .map(|(id, address)| (id, address.to_owned()))
            .collect(),
        http_url: settings.advertise.clone(),
        timers: match settings.profile {
            Profile::Default => Timers::Fast,
            Profile::SlowDisk => Timers::SlowDisk,
        },
        queue_commands_max: QUEUE_COMMANDS_MAX,
        placement: Placement::OwnThread,
    }
}
