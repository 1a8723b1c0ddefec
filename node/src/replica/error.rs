//! How each operation of the replica can fail. A refusal by policy is not here: it is an answer.

use thiserror::Error;

/// Why a command has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// The queue of commands is full. The command was not proposed.
    #[error("too many commands are waiting")]
    TooBusy,
    /// No leader was found before the deadline. The command was not proposed.
    #[error("no leader within the deadline")]
    NoLeader,
    /// The command was handed to the log and its fate is not known: it may yet happen. The caller
    /// sends the same name again and gets the answer.
    #[error("the outcome is unknown: the command may yet happen")]
    OutcomeUnknown,
    /// The command is larger than an entry may be. It was not proposed.
    #[error("the command is {size} bytes encoded, at most {limit} are allowed")]
    TooLarge {
        /// Its size in bytes, encoded.
        size: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// This node is stopping and takes no more commands. The command was not proposed.
    #[error("this node is stopping")]
    Stopping,
}

/// Why a read was not granted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// A linearizable read found no leader with a quorum behind it before the deadline.
    #[error("no leader within the deadline")]
    NoLeader,
    /// The state here is older than the caller allows.
    #[error("the state of this node is older than was allowed")]
    Stale {
        /// How old it is at most; `None` when nothing is known.
        staleness_ms: Option<u64>,
    },
    /// The state here did not reach the revision that the caller has seen before the deadline.
    #[error("this node has not reached the revision asked for")]
    MinRevisionNotReached {
        /// The revision asked for.
        wanted: u64,
        /// The revision that is here.
        reached: u64,
    },
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopping,
}

/// Why the membership was not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MemberError {
    /// No leader was found before the deadline. Nothing was changed.
    #[error("no leader within the deadline")]
    NoLeader,
    /// The change was handed to the log and its fate is not known.
    #[error("the outcome is unknown: the change may yet happen")]
    OutcomeUnknown,
    /// No member has that id.
    #[error("no member has the id {id}")]
    Unknown {
        /// The id.
        id: u64,
    },
    /// The id is a member's already, with another directory or address.
    #[error("{id} is a member already, with another data directory or address; remove it first")]
    AlreadyMember {
        /// The id.
        id: u64,
    },
    /// The new member did not answer at its address, or answered something else.
    #[error("the node at {address} cannot be added: {reason}")]
    NotReachable {
        /// Its peer address.
        address: String,
        /// What went wrong, as a clause.
        reason: String,
    },
    /// The learner has not got most of the log yet.
    #[error("the member {id} is {lag} entries behind; wait until it has caught up")]
    NotCaughtUp {
        /// The id.
        id: u64,
        /// How many entries it lacks.
        lag: u64,
    },
    /// The change would leave no quorum that can answer.
    #[error("refused: {reason}")]
    WouldLoseQuorum {
        /// Which members could not answer, as a clause.
        reason: String,
    },
    /// Another change of the membership is under way.
    #[error("another change of the membership is under way")]
    InProgress,
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopping,
}

/// Why a replica did not start. Each is for a person: it says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("cannot open the data directory")]
    Store(#[source] raft_store::OpenError),
    /// The address for peers cannot be bound.
    #[error("cannot listen for peers on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The options contradict each other.
    #[error("{0}")]
    Options(String),
    /// The thread for Raft could not be started.
    #[error("cannot start the thread that runs Raft")]
    Thread(#[source] std::io::Error),
    /// Raft refused what it found in the log.
    #[error("Raft cannot start from this log: {0}")]
    Raft(String),
}

/// What stopped a node that was not asked to stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FatalError {
    /// The storage failed; the process has to end, and what is on disk decides at the next start.
    #[error("the storage failed: {0}")]
    Storage(String),
    /// Raft stopped by itself.
    #[error("Raft stopped: {0}")]
    Raft(String),
    /// A task of the node stopped on a bug.
    #[error("{0}")]
    Bug(String),
}
