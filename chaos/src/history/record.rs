//! One line of a history.

use serde::{Deserialize, Serialize};

/// One line: when, by the clock of whoever recorded it, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Microseconds since the run began, of a clock that never goes back.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The first line.
    Run {
        /// Version of this format: 1.
        format: u32,
        /// What the clients and the faults were drawn from.
        seed: u64,
        /// The nodes.
        nodes: Vec<u64>,
        /// The pools, all of one tenant and made before the first operation.
        pools: Vec<PoolFact>,
    },
    /// A client asks. Each id is invoked once, and is answered at most once.
    Invoke {
        /// Joins a question to its answer.
        id: u64,
        /// The client; it asks one thing at a time.
        client: u64,
        /// The node that it asks.
        node: u64,
        /// What it asks for.
        op: Op,
    },
    /// It was answered by the state machine: done, seen or refused.
    Ok {
        /// The question.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// It was not done, and never will be.
    Fail {
        /// The question.
        id: u64,
        /// The code of the problem, or what the connection said.
        code: String,
    },
    /// It may have been done, or may be yet, or never. A question without any answer means the same.
    Unknown {
        /// The question.
        id: u64,
        /// The code of the problem, or what the connection said.
        code: String,
    },
    /// Something is broken, or whole again.
    Fault {
        /// What kind of fault.
        kind: String,
        /// The nodes that it is done to.
        nodes: Vec<u64>,
        /// Whether it begins, ends, or does both at once.
        stage: Stage,
    },
    /// A node leads, as it was seen from outside.
    Leader {
        /// The node.
        node: u64,
        /// The term in which it leads.
        term: u64,
    },
    /// A watch begins or goes on: it is owed every event after this revision.
    Watching {
        /// The watch; it may move to another node, under the same number.
        watch: u64,
        /// The node that tells.
        node: u64,
        /// The last revision that the watcher has seen.
        from_revision: u64,
    },
    /// A watch was told of one change.
    Watched {
        /// The watch.
        watch: u64,
        /// The revision of the change.
        revision: u64,
        /// Its place among the changes of that revision, from 0.
        ordinal: u64,
        /// The change; absent for a bookmark, which says only that nothing is owed up to this revision.
        change: Option<Change>,
    },
    /// At the end: the digest of a node's state at a revision.
    Digest {
        /// The node.
        node: u64,
        /// The revision that was asked for.
        revision: u64,
        /// The first log index at which the state had it.
        index: u64,
        /// 32 hexadecimal digits.
        digest: String,
    },
    /// At the end: all claims, as a node lists them.
    Claims {
        /// The node.
        node: u64,
        /// The revision that is listed.
        revision: u64,
        /// The claims, by name.
        claims: Vec<Held>,
    },
}

/// A pool, as far as a checker must know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFact {
    /// Its name.
    pub name: String,
    /// Its space.
    pub cidrs: Vec<String>,
    /// The length of the blocks that are claimed from it where a claim names no CIDR.
    pub prefix_length: u8,
    /// For how long a released block goes to nobody but the name (or owner) that had it.
    pub grace_ms: u64,
}

/// A held block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The claim.
    pub name: String,
    /// The block, a CIDR.
    pub block: String,
    /// The number that fences the holding.
    pub generation: u64,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Op {
    /// A block for a name, or the one that it has. All claims of one name ask for the same.
    Claim {
        /// The name.
        name: String,
        /// The pool.
        pool: String,
        /// Exactly this block.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cidr: Option<String>,
        /// The lease; none where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// The end of a holding.
    Release {
        /// The name.
        name: String,
        /// Which holding.
        generation: u64,
    },
    /// The lease begins anew.
    Renew {
        /// The name.
        name: String,
        /// Which holding.
        generation: u64,
        /// The lease from now on.
        ttl_ms: u64,
    },
    /// Claims and releases, all or none.
    Batch {
        /// In order.
        operations: Vec<Op>,
    },
    /// What a name holds.
    Get {
        /// The name.
        name: String,
        /// How fresh the answer must be.
        consistency: Consistency,
    },
    /// Who holds a block.
    Lookup {
        /// The block, a CIDR.
        block: String,
        /// How fresh the answer must be.
        consistency: Consistency,
    },
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "read", rename_all = "snake_case")]
pub enum Consistency {
    /// It sees all that was answered before it was asked.
    Linearizable,
    /// It shows a state of at least this revision.
    Local {
        /// The revision; any state will do where it is 0.
        min_revision: u64,
    },
}

/// What the state machine answered. Each but those inside a batch has the revision of the state that it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Reply {
    /// A claim holds this block, since just now or from before.
    Holds {
        /// The block.
        block: String,
        /// The holding.
        generation: u64,
        /// It was given just now.
        new: bool,
        /// The state's revision.
        revision: u64,
    },
    /// That holding is over, by this request or before it.
    Released {
        /// The holding.
        generation: u64,
        /// The state's revision.
        revision: u64,
    },
    /// The lease began anew.
    Renewed {
        /// The holding.
        generation: u64,
        /// The state's revision.
        revision: u64,
    },
    /// All operations of a batch were done.
    Batch {
        /// One for each, in order.
        replies: Vec<Reply>,
        /// The state's revision.
        revision: u64,
    },
    /// A name holds this.
    Found {
        /// The block.
        block: String,
        /// The holding.
        generation: u64,
        /// The state's revision.
        revision: u64,
    },
    /// A block is held by this name.
    HeldBy {
        /// The name.
        name: String,
        /// The holding.
        generation: u64,
        /// The state's revision.
        revision: u64,
    },
    /// The name holds nothing, or nobody holds the block.
    Nothing {
        /// The state's revision.
        revision: u64,
    },
    /// Refused, and nothing changed. In a batch: the batch was.
    Refused {
        /// The code of the problem (SPEC's table of errors).
        code: String,
        /// The state's revision.
        revision: u64,
    },
}

impl Reply {
    /// The revision of the state that was shown.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Holds { revision, .. }
            | Self::Released { revision, .. }
            | Self::Renewed { revision, .. }
            | Self::Batch { revision, .. }
            | Self::Found { revision, .. }
            | Self::HeldBy { revision, .. }
            | Self::Nothing { revision }
            | Self::Refused { revision, .. } => *revision,
        }
    }
}

/// Whether a fault begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// From now on.
    Begins,
    /// Until now.
    Ends,
    /// At this instant: a kill, a step of a clock.
    Happens,
}

/// A change of who holds what, as a watch tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `allocated`, `returned`, `released`, `renewed`, `expiring`, `reclaimed`, … (SPEC §4).
    pub kind: String,
    /// The block.
    pub block: String,
    /// The claim's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The holding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}
