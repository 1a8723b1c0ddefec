//! What a replica says about itself and its cluster.

use allocator::answer::Answer;

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// What the state machine answered.
    pub answer: Answer,
    /// The index of the entry that carried it; for a dry run, the index that the state stood at.
    pub index: u64,
    /// The leader that proposed it.
    pub leader: u64,
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// The state of this node.
    Local {
        /// Wait until the state has this revision.
        min_revision: Option<u64>,
        /// Refuse if the state may be older than this.
        max_staleness_ms: Option<u64>,
    },
    /// All that was answered before the read began, on any node.
    Linearizable,
}

/// How a node stands, in a few numbers: for who looks often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The vote that it has given: the term, and to whom.
    pub vote: (u64, u64),
    /// The leader that it follows, or is.
    pub leader: Option<u64>,
    /// Index of the last entry of its log.
    pub last_log_index: u64,
}

/// Leave to read what is applied here, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadStamp {
    /// The leader, where one is known.
    pub leader: Option<u64>,
    /// How old the state may be at most; `None` for a linearizable read, and for a local one when
    /// no leader has confirmed anything yet.
    pub staleness_ms: Option<u64>,
}

/// The cluster as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The cluster's id; `None` before it is formed or joined.
    pub cluster_id: Option<u128>,
    /// This node.
    pub node_id: u64,
    /// The id of this node's data directory.
    pub instance: u128,
    /// The leader, where one is known.
    pub leader: Option<u64>,
    /// The current term.
    pub term: u64,
    /// Index of the last entry in this node's log.
    pub last_log_index: u64,
    /// Index of the last entry applied here.
    pub applied_index: u64,
    /// The members, by id.
    pub members: Vec<MemberStatus>,
}

/// One member of the cluster as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its id.
    pub id: u64,
    /// What it may do.
    pub role: MemberRole,
    /// Where its peers reach it.
    pub peer_address: String,
    /// Where clients reach it.
    pub http_url: String,
    /// The id of its data directory.
    pub instance: u128,
    /// The last index of its log that is known here: on the leader what it has acknowledged, on
    /// others what it last reported.
    pub matched_index: Option<u64>,
    /// Milliseconds since it was last heard of; 0 for this node itself.
    pub last_contact_ms: Option<u64>,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberRole {
    /// Votes and counts for the quorum.
    Voter,
    /// Receives the log, does not vote.
    Learner,
}

/// Whether a node works, with reasons where not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why the process should be ended; empty when it is alive.
    pub not_live: Vec<String>,
    /// Why no requests should be sent here; empty when it is ready.
    pub not_ready: Vec<String>,
}

impl Health {
    /// Whether the process should be left running.
    pub fn is_live(&self) -> bool {
        self.not_live.is_empty()
    }

    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        self.not_live.is_empty() && self.not_ready.is_empty()
    }
}
