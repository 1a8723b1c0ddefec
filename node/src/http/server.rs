//! What all handlers share, and the server's life.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use raft_store::env::Env;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Stamp;
use super::watch::Feed;
use super::{Limits, listener, router};
use crate::logging::DroppedLines;
use crate::metrics::allocations::AllocationMetrics;
use crate::metrics::exhaustion::{self, ExhaustionWatch};
use crate::metrics::{self, MetricsError};
use crate::replica::Replica;

/// One replica's HTTP server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Server(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    env: Arc<dyn Env>,
    replica: Replica,
    limits: Limits,
    in_flight: Semaphore,
    /// Bytes of their bodies.
    bodies: Semaphore,
    feed: Arc<Feed>,
    recorded: &'static PrometheusHandle,
    allocations: AllocationMetrics,
    dropped_lines: Option<DroppedLines>,
    /// Request ids are this and a number, unique over the cluster's processes.
    request_id_prefix: u64,
    request_id_next: AtomicU64,
}

impl Server {
    /// A server that reads and proposes through `replica`. `dropped_lines` is what the process's log
    /// has dropped, where it has one.
    ///
    /// # Errors
    /// [`MetricsError`] when the process has a recorder of metrics that is not ours.
    pub fn new(
        env: Arc<dyn Env>,
        replica: Replica,
        limits: Limits,
        dropped_lines: Option<DroppedLines>,
    ) -> Result<Self, MetricsError> {
        let recorded = metrics::recorder()?;
        let in_flight = Semaphore::new(limits.requests_in_flight_max.min(Semaphore::MAX_PERMITS));
        // A body of the largest size always has room when nothing else is there.
        let bodies = limits.bodies_bytes_max.max(limits.body_bytes_max);
        let bodies = Semaphore::new(bodies.min(Semaphore::MAX_PERMITS));
        let feed = Feed::new(limits.watches_max);
        let request_id_prefix = env.random_u64();
        Ok(Self(Arc::new(Shared {
            env,
            replica,
            limits,
            in_flight,
            bodies,
            feed,
            recorded,
            allocations: AllocationMetrics::new(),
            dropped_lines,
            request_id_prefix,
            request_id_next: AtomicU64::new(0),
        })))
    }

    pub(super) fn replica(&self) -> &Replica {
        &self.0.replica
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(super) fn allocations(&self) -> &AllocationMetrics {
        &self.0.allocations
    }

    /// What watches are told from.
    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    /// Monotonic time of this process.
    pub(super) fn now(&self) -> Duration {
        self.0.env.monotonic()
    }

    /// 128 bits for a name that the client left to the server.
    pub(super) fn random(&self) -> u128 {
        self.0.env.random_u128()
    }

    /// What is known without asking anybody.
    pub(super) fn stamp(&self) -> Stamp {
        let revision = self.0.replica.applied().at().revision;
        Stamp {
            revision,
            leader: self.0.replica.status().leader,
            staleness_ms: None,
        }
    }

    /// Something has been applied here, so that there is a revision to tell of.
    pub(super) fn has_state(&self) -> bool {
        self.0.replica.applied().at().index.is_some()
    }

    /// A place among the requests that are worked on; `None` when there is none left.
    pub(super) fn slot(&self) -> Option<SemaphorePermit<'_>> {
        self.0.in_flight.try_acquire().ok()
    }

    /// Room for a body of so many bytes; `None` when there is none left.
    pub(super) fn body_room(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let bytes = bytes.min(self.0.limits.body_bytes_max);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.0.bodies.try_acquire_many(bytes).ok()
    }

    /// An id for a request that brought none.
    pub(super) fn request_id(&self) -> String {
        let number = self.0.request_id_next.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{number}", self.0.request_id_prefix)
    }

    /// The text of `/metrics`.
    pub(super) fn metrics(&self) -> String {
        let applied = self.0.replica.applied();
        let watches = self.0.feed.lag(applied.at().revision);
        metrics::scrape(
            self.0.recorded,
            applied,
            watches,
            self.0.dropped_lines.as_ref(),
        )
    }

    /// Folds metrics and looks for pools that fill up, for as long as it is polled.
    async fn housekeeping(&self) {
        let looking = async {
            let mut watch = ExhaustionWatch::default();
            let mut ticks = tokio::time::interval(exhaustion::INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let status = self.0.replica.status();
                watch.look(
                    self.0.replica.applied(),
                    status.leader == Some(status.node_id),
                );
            }
        };
        tokio::join!(
            looking,
            metrics::upkeep(self.0.recorded),
            self.0.feed.run(self.0.replica.applied())
        );
    }
}

/// Serves on a listener until `shutdown` ends, then ends the watches and lets open requests finish.
///
/// The caller owns the socket and the signal, so a test binds port 0 and stops the server in the
/// way production does.
pub async fn run(listener: TcpListener, server: Server, shutdown: impl Future<Output = ()>) {
    let router = router::router(&server);
    let shutdown = async {
        shutdown.await;
        server.feed().end();
    };
    tokio::select! {
        () = listener::run(listener, router, server.limits(), shutdown) => {}
        () = server.housekeeping() => {}
    }
}
