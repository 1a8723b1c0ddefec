//! One node's copy of the state, kept equal to the others': commands go in, answers come out.
//!
//! Invariants:
//! 1. A command that was handed to the log is never proposed a second time, on no node: what is
//!    not known about it is said to be unknown.
//! 2. A linearizable read sees all that was answered, on any node, before it began.
//! 3. Raft, replication and the peers run where HTTP's load cannot delay them; what this type does
//!    on behalf of a request runs where the request does.
//! 4. Every wait has a deadline, which the caller sets.

mod error;
mod freshness;
mod gauges;
mod hand_over;
mod health;
mod member_change;
mod observer;
mod options;
mod propose;
mod read;
mod rounds;
pub(crate) mod route;
mod service;
mod start;
mod status;
mod upkeep;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use allocator::command::Envelope;
use parking_lot::Mutex;
use raft_store::{AppliedState, StoreControl, StoreFailure, StoreTasks};
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use crate::peers::wire::MemberChange;
pub use error::{FatalError, MemberError, ProposeError, ReadError, StartError};
pub use options::{PeerListen, Placement, ReplicaOptions, Timers};
pub use status::{
    ClusterStatus, Consistency, Health, MemberRole, MemberStatus, Proposed, ReadStamp, Stand,
};

use self::freshness::Freshness;
use self::rounds::Rounds;
use self::route::Router;
use self::upkeep::Reports;
use crate::batcher::Batcher;
use crate::clock::LogClock;
use crate::consensus::Consensus;
use crate::formation::{LocalNode, Situation};
use crate::members::MemberChanges;
use crate::own_runtime::OwnRuntime;
use crate::peers::Directory;

/// A handle on this node's replica; cheap to clone. When the last one is dropped, the replica's
/// tasks end, without good order: that is what [`Replica::stop`] is for.
#[derive(Clone, Debug)]
pub struct Replica {
    inner: Arc<Inner>,
    _ends_tasks: Arc<DropGuard>,
}

/// What the handles and the tasks share.
struct Inner {
    local: Arc<LocalNode>,
    applied: Arc<AppliedState>,
    failure: watch::Receiver<Option<StoreFailure>>,
    crashed: watch::Receiver<Option<String>>,
    consensus: Consensus,
    router: Arc<Router>,
    peers: Arc<Directory>,
    batcher: Batcher,
    rounds: Rounds,
    freshness: Freshness,
    clock: Arc<LogClock>,
    reports: Reports,
    members: Arc<MemberChanges>,
    situation: watch::Receiver<Situation>,
    started: Instant,
    /// Ends all of the replica.
    stop: CancellationToken,
    /// This node is about to stop: it hands over and leads no more. Cancelled with `stop`.
    leaving: CancellationToken,
    /// It has handed over, or had nothing to hand over.
    retired: OnceCell<()>,
    tasks: TaskTracker,
    runtime: tokio::runtime::Handle,
    /// Where requests are worked on, away from Raft.
    callers: tokio::runtime::Handle,
    /// Places for commands that peers want tried out here.
    dry_runs: Arc<Semaphore>,
    own_runtime: Mutex<Option<OwnRuntime>>,
    store: Mutex<Option<StoreHold>>,
}

/// What keeps the store running until it is let go.
struct StoreHold {
    control: StoreControl,
    tasks: StoreTasks,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("node", &self.local.node_id())
            .finish_non_exhaustive()
    }
}

impl Replica {
    /// Waits until the node fails by itself: its storage, or Raft. The process then ends with
    /// code 1. Never ends on a node that was stopped.
    pub async fn fatal(&self) -> FatalError {
        let mut failure = self.inner.failure.clone();
        let mut crashed = self.inner.crashed.clone();
        let mut leadership = self.inner.consensus.leadership();
        loop {
            if self.inner.leaving.is_cancelled() {
                return std::future::pending().await;
            }
            if let Some(failure) = &*failure.borrow_and_update() {
                return FatalError::Storage(failure.to_string());
            }
            if let Some(reason) = leadership.borrow_and_update().stopped.clone() {
                return FatalError::Raft(reason);
            }
            if let Some(reason) = crashed.borrow_and_update().clone() {
                return FatalError::Bug(reason);
            }
            tokio::select! {
                biased;
                Ok(()) = failure.changed() => {}
                Ok(()) = crashed.changed() => {}
                Ok(()) = leadership.changed() => {}
                else => return std::future::pending().await,
            }
        }
    }

    /// Proposes a command, on whichever node this is, and waits for its answer. It returns when
    /// this node has applied the command, too, or 50 ms later.
    ///
    /// # Errors
    /// Only after [`ProposeError::OutcomeUnknown`] may the command still happen.
    pub async fn propose(
        &self,
        envelope: Envelope,
        deadline: Duration,
    ) -> Result<Proposed, ProposeError> {
        self.inner
            .propose(envelope, Instant::now() + deadline)
            .await
    }

    /// The exact answer that a command would get now; nothing changes.
    ///
    /// # Errors
    /// No leader within the deadline, or a command that is too large.
    pub async fn dry_run(
        &self,
        envelope: Envelope,
        deadline: Duration,
    ) -> Result<Proposed, ProposeError> {
        self.inner
            .dry_run(envelope, Instant::now() + deadline)
            .await
    }

    /// Waits until what is applied here is fresh enough; then look with [`Replica::applied`].
    ///
    /// # Errors
    /// It was not within the deadline.
    pub async fn read_ready(
        &self,
        consistency: Consistency,
        deadline: Duration,
    ) -> Result<ReadStamp, ReadError> {
        self.inner
            .read_ready(consistency, Instant::now() + deadline)
            .await
    }

    /// The applied state.
    pub fn applied(&self) -> &AppliedState {
        &self.inner.applied
    }

    /// The cluster as this node sees it.
    pub fn status(&self) -> ClusterStatus {
        self.inner.status()
    }

    /// How this node stands: the part of [`Replica::status`] that costs nothing.
    pub fn stand(&self) -> Stand {
        let standing = self.inner.consensus.standing();
        Stand {
            vote: standing.vote,
            leader: standing.leadership.leader,
            last_log_index: standing.last_log_index().unwrap_or(0),
        }
    }

    /// Whether this node works.
    pub fn health(&self) -> Health {
        self.inner.health()
    }

    /// Makes a change of the membership: a node joins as a learner (it is asked for its directory's id at
    /// its address), a learner becomes a voter once it has caught up with the log, for which it is given
    /// until the deadline, or a member leaves, also one whose directory is gone. What is so already is
    /// changed no further.
    ///
    /// # Errors
    /// Nothing was changed, except perhaps after [`MemberError::OutcomeUnknown`].
    pub async fn member_change(
        &self,
        change: MemberChange,
        deadline: Duration,
    ) -> Result<(), MemberError> {
        self.inner
            .member_change(change, Instant::now() + deadline)
            .await
    }

    /// The cluster with the members that there would be after a change; nothing changes.
    ///
    /// # Errors
    /// Those that the change itself would have.
    pub async fn member_dry_run(
        &self,
        change: MemberChange,
        deadline: Duration,
    ) -> Result<ClusterStatus, MemberError> {
        self.inner
            .member_dry_run(change, Instant::now() + deadline)
            .await
    }

    /// Hands the leadership over, if this node has it: commands wait meanwhile and go on to the
    /// next leader, so that none fails. This node leads no more and goes on serving as a follower.
    /// To be called before the HTTP server is drained.
    pub async fn retire(&self) {
        self.inner.retire().await;
    }

    /// Ends the replica: hands over, if that was not done, then ends Raft, the peers and the store.
    pub async fn stop(&self) {
        self.inner.stop().await;
    }
}
