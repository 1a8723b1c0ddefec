//! The seam around openraft: nothing outside this folder names its `Raft`.
//!
//! Invariants:
//! 1. What is handed to [`Consensus::propose`] is never handed over a second time: an entry that
//!    was appended and then truncated fails with the same error as one that was never appended.
//! 2. A leadership does not outlive its process: a node that was the leader when it stopped starts
//!    as a follower, and leads again only by an election with a higher term.
//! 3. Elections, snapshots and purges happen only when the node asks for them.

mod elector;
mod log;
mod members;
mod network;
mod standing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, RaftError};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use openraft::{Config, Raft, SnapshotPolicy};
use parking_lot::Mutex;
use raft_store::codec::{LogIdRecord, VoteRecord};
use raft_store::env::Env;
use raft_store::types::{Applied, LogId, Member, Payload, Snapshot, SnapshotMeta, TypeConfig};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;

use self::elector::{Elector, MayStand};
use self::log::Restarted;
use self::network::{PeerNetworks, SnapshotsOnTheWay};
use crate::metrics::stages;
use crate::peers::Directory;
use crate::peers::wire::{Append, AppendReply, Vote, VoteReply};
use crate::replica::Timers;

pub(crate) use self::members::ChangeError;
pub(crate) use self::standing::{Leadership, Members, Standing};

/// Longest time that openraft gives the installation of a snapshot; the peers bound each chunk.
const SNAPSHOT_MAX: Duration = Duration::from_mins(10);

/// Raft on this node has stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Raft has stopped: {reason}")]
pub(crate) struct Stopped {
    /// Why, as a clause.
    pub(crate) reason: String,
}

impl Stopped {
    fn new(reason: &impl fmt::Display) -> Stopped {
        Stopped {
            reason: reason.to_string(),
        }
    }
}

/// Why a leader could not say up to where to read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ReadIndexError {
    /// This node does not lead, or no quorum has confirmed that it does.
    #[error("not the leader of a quorum")]
    NotLeader,
    /// Raft has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What came of a proposal: what was applied, or nothing that is known.
pub(crate) type Outcome = Option<Applied>;

/// Raft on this node.
#[derive(Clone)]
pub(crate) struct Consensus {
    raft: Raft<TypeConfig>,
    leadership: watch::Receiver<Leadership>,
    standing: watch::Receiver<Arc<Standing>>,
    timers: Timers,
    leader_heard: Arc<Mutex<Option<Instant>>>,
    may_stand: MayStand,
    snapshots_on_the_way: Arc<SnapshotsOnTheWay>,
}

impl fmt::Debug for Consensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus")
            .field("leadership", &*self.leadership.borrow())
            .finish_non_exhaustive()
    }
}

impl Consensus {
    /// Starts Raft on the current runtime. The second value has to be run as a task: it publishes
    /// how this node stands and stands for elections, until Raft stops.
    ///
    /// # Errors
    /// Raft refused what it found in the log.
    pub(crate) async fn start(
        env: Arc<dyn Env>,
        node_id: u64,
        timers: Timers,
        peers: Arc<Directory>,
        log: raft_store::LogStore,
        machine: raft_store::Machine,
        store: raft_store::StoreControl,
    ) -> Result<(Consensus, impl Future<Output = ()> + Send + 'static), Stopped> {
        let config = config(timers)?;
        let snapshots_on_the_way = Arc::default();
        let networks = PeerNetworks::new(
            Arc::clone(&peers),
            timers,
            store,
            Arc::clone(&snapshots_on_the_way),
        );
        let log = Restarted::new(log, node_id);
        let raft = Raft::new(node_id, Arc::new(config), networks, log, machine)
            .await
            .map_err(|error| Stopped::new(&error))?;
        let (publisher, leadership, standing) =
            standing::publisher(node_id, raft.metrics(), raft.data_metrics());
        let consensus = Consensus {
            raft,
            leadership,
            standing,
            timers,
            leader_heard: Arc::default(),
            may_stand: MayStand::new(),
            snapshots_on_the_way,
        };
        let elector = Elector {
            env,
            node_id,
            timers,
            peers,
            consensus: consensus.clone(),
            may_stand: consensus.may_stand.clone(),
        };
        let tasks = async move {
            futures::future::join(publisher, elector.run()).await;
        };
        Ok((consensus, tasks))
    }

    /// Who leads; changes seldom, and can be waited for.
    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// How this node stands; changes all the time.
    pub(crate) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing.borrow())
    }

    /// How this node stands, to wait for a change.
    pub(crate) fn standing_watch(&self) -> watch::Receiver<Arc<Standing>> {
        self.standing.clone()
    }

    /// When a leader of a term that is not over was last heard here. On the leader itself:
    /// when a quorum was.
    pub(crate) fn leader_heard(&self) -> Option<Instant> {
        let standing = self.standing.borrow();
        if standing.leadership.is_me {
            return standing.quorum_heard;
        }
        *self.leader_heard.lock()
    }

    /// The last index of the oldest snapshot that this node is sending to another: that one needs the
    /// log from there on.
    pub(crate) fn oldest_snapshot_on_the_way(&self) -> Option<u64> {
        self.snapshots_on_the_way.oldest()
    }

    /// Whether there is anything in the log, or a vote.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn is_initialized(&self) -> Result<bool, Stopped> {
        self.raft
            .is_initialized()
            .await
            .map_err(|error| Stopped::new(&error))
    }

    /// Writes the first membership of a new cluster into an empty log and stands for election.
    ///
    /// # Errors
    /// The log is not empty, or Raft has stopped.
    pub(crate) async fn form(&self, members: BTreeMap<u64, Member>) -> Result<(), Stopped> {
        self.raft
            .initialize(members)
            .await
            .map_err(|error| Stopped::new(&error))
    }

    /// Hands an entry over. The future that comes back ends when it was applied, or when nothing
    /// will be known about it; it may never end.
    ///
    /// # Errors
    /// Raft has stopped, and the entry was not handed over.
    pub(crate) async fn propose(
        &self,
        payload: Payload,
    ) -> Result<impl Future<Output = Outcome> + Send + 'static, Stopped> {
        let written = self
            .raft
            .client_write_ff(payload)
            .await
            .map_err(|error| Stopped::new(&error))?;
        Ok(async move {
            match written.await {
                Ok(Ok(response)) => Some(response.data),
                // Refused at once, or truncated later: openraft says the same of both.
                Ok(Err(_)) | Err(_) => None,
            }
        })
    }

    /// The index up to which all is answered that was answered before the call, confirmed by a
    /// quorum that this node still leads.
    ///
    /// # Errors
    /// It does not lead a quorum, or Raft has stopped.
    pub(crate) async fn read_index(&self) -> Result<u64, ReadIndexError> {
        match self.raft.get_read_log_id().await {
            Ok((read, _)) => Ok(read.map_or(0, |id| id.index)),
            Err(RaftError::APIError(
                CheckIsLeaderError::ForwardToLeader(_) | CheckIsLeaderError::QuorumNotEnough(_),
            )) => Err(ReadIndexError::NotLeader),
            Err(RaftError::Fatal(fatal)) => Err(Stopped::new(&fatal).into()),
        }
    }

    /// Takes a leader's entries.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn append(&self, append: Append) -> Result<AppendReply, Stopped> {
        // Noted when it arrives: a disk that is slow here says nothing about the leader.
        if append.vote.committed && append.vote.term >= self.leadership.borrow().term {
            *self.leader_heard.lock() = Some(Instant::now());
        }
        let begun = (!append.entries.is_empty()).then(Instant::now);
        let request = AppendEntriesRequest {
            vote: append.vote.into(),
            prev_log_id: append.previous.map(Into::into),
            entries: append.entries.into_iter().map(Into::into).collect(),
            leader_commit: append.committed.map(Into::into),
        };
        let response = self
            .raft
            .append_entries(request)
            .await
            .map_err(|error| Stopped::new(&error))?;
        begun.inspect(|begun| stages::appended(*begun));
        Ok(match response {
            AppendEntriesResponse::Success => AppendReply::Success,
            AppendEntriesResponse::PartialSuccess(last) => {
                AppendReply::Partial(last.map(Into::into))
            }
            AppendEntriesResponse::Conflict => AppendReply::Conflict,
            AppendEntriesResponse::HigherVote(vote) => AppendReply::HigherVote(vote.into()),
        })
    }

    /// Whether this node would vote for one whose log ends with `last`: it hears no leader, and its
    /// own log is not longer.
    pub(crate) fn would_vote(&self, last: Option<LogIdRecord>) -> bool {
        let lease = self.timers.election().1;
        let standing = self.standing();
        let hears_one = self
            .leader_heard()
            .is_some_and(|heard| heard.elapsed() < lease);
        !hears_one && last.map(LogId::from) >= standing.last_log
    }

    /// Hears a candidate.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn vote(&self, vote: Vote) -> Result<VoteReply, Stopped> {
        let request = VoteRequest {
            vote: vote.vote.into(),
            last_log_id: vote.last.map(Into::into),
        };
        let response = self
            .raft
            .vote(request)
            .await
            .map_err(|error| Stopped::new(&error))?;
        Ok(VoteReply {
            vote: response.vote.into(),
            granted: response.vote_granted,
            last: response.last_log_id.map(LogIdRecord::from),
        })
    }

    /// Whether a vote is below the one that this node has given: then its snapshots are refused.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn newer_vote_than(
        &self,
        vote: VoteRecord,
    ) -> Result<Option<VoteRecord>, Stopped> {
        let ours = self
            .raft
            .with_raft_state(|state| *state.vote_ref())
            .await
            .map_err(|error| Stopped::new(&error))?;
        Ok((ours > vote.into()).then(|| ours.into()))
    }

    /// Installs a snapshot that the store has taken in; this node's vote after it.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn snapshot_install(
        &self,
        vote: VoteRecord,
        meta: SnapshotMeta,
        file: Box<raft_store::SnapshotFile>,
    ) -> Result<VoteRecord, Stopped> {
        let snapshot = Snapshot {
            meta,
            snapshot: file,
        };
        let response = self
            .raft
            .install_full_snapshot(vote.into(), snapshot)
            .await
            .map_err(|error| Stopped::new(&error))?;
        Ok(response.vote.into())
    }

    /// Has a snapshot built, unless one is being built.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn snapshot_build(&self) -> Result<(), Stopped> {
        self.raft
            .trigger()
            .snapshot()
            .await
            .map_err(|error| Stopped::new(&error))
    }

    /// Has the log purged up to an index, inclusive, that a snapshot covers.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn purge(&self, index: u64) -> Result<(), Stopped> {
        self.raft
            .trigger()
            .purge_log(index)
            .await
            .map_err(|error| Stopped::new(&error))
    }

    /// Waits until Raft has worked off what it was handed before.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn worked_off(&self) -> Result<(), Stopped> {
        self.raft
            .with_raft_state(|_| ())
            .await
            .map_err(|error| Stopped::new(&error))
    }

    /// Stands for election now.
    ///
    /// # Errors
    /// Raft has stopped.
    pub(crate) async fn elect(&self) -> Result<(), Stopped> {
        self.raft
            .trigger()
            .elect()
            .await
            .map_err(|error| Stopped::new(&error))
    }

    /// Stands for no more elections; while it leads, it goes on leading.
    pub(crate) fn stand_no_more(&self) {
        self.may_stand.set(false);
    }

    /// Sends no more heartbeats and stands for no more elections: others shall lead.
    pub(crate) fn retire(&self) {
        self.raft.runtime_config().heartbeat(false);
        self.may_stand.set(false);
    }

    /// Takes [`Consensus::retire`] back.
    pub(crate) fn unretire(&self) {
        self.raft.runtime_config().heartbeat(true);
        self.may_stand.set(true);
    }

    /// Ends Raft on this node.
    pub(crate) async fn shutdown(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(%error, "Raft ended badly");
        }
    }
}

fn config(timers: Timers) -> Result<Config, Stopped> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (election_min, election_max) = timers.election();
    Config {
        cluster_name: "ipam".to_owned(),
        heartbeat_interval: millis(timers.heartbeat()),
        election_timeout_min: millis(election_min),
        election_timeout_max: millis(election_max),
        install_snapshot_timeout: millis(SNAPSHOT_MAX),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        enable_elect: false,
        ..Config::default()
    }
    .validate()
    .map_err(|error| Stopped::new(&error))
}
