//! What a replica is told at its start.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a replica is told at its start.
#[derive(Debug)]
pub struct ReplicaOptions {
    /// This node's id, above 0.
    pub node_id: u64,
    /// The data directory and how it is kept.
    pub store: raft_store::StoreOptions,
    /// Where peers connect to.
    pub peer_listen: PeerListen,
    /// Where the other members are: id to `HOST:PORT`, this node included. Read at formation, and
    /// by a node that waits to be added. A node that names only itself forms a cluster of one.
    pub cluster: BTreeMap<u64, String>,
    /// The URL under which clients reach this node, as other nodes show it.
    pub http_url: String,
    /// Heartbeats and elections.
    pub timers: Timers,
    /// Most commands that wait for the log on this node; one more is refused as too busy.
    pub queue_commands_max: usize,
    /// Where Raft and the peers run.
    pub placement: Placement,
}

/// Where peers connect to.
#[derive(Debug)]
pub enum PeerListen {
    /// Bind this `HOST:PORT`.
    Address(String),
    /// Use this listener, which the caller has bound: tests bind port 0.
    Bound(std::net::TcpListener),
}

/// Where Raft, replication and the peers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On a runtime and a thread of their own, so that HTTP load cannot delay heartbeats.
    OwnThread,
    /// On the caller's runtime: the simulation has one for everything.
    Caller,
}

/// Heartbeats and elections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timers {
    /// Heartbeat 100 ms, election 200 to 300 ms: a dead leader is replaced within 0.75 s.
    #[default]
    Fast,
    /// Heartbeat 500 ms, election 1.5 to 3 s, for disks whose fsync takes more than 100 ms.
    SlowDisk,
}

impl Timers {
    /// The interval of heartbeats, after which an append is sent again.
    pub fn heartbeat(self) -> Duration {
        match self {
            Timers::Fast => Duration::from_millis(100),
            Timers::SlowDisk => Duration::from_millis(500),
        }
    }

    /// The bounds of the election time-out, lower inclusive, upper exclusive.
    pub fn election(self) -> (Duration, Duration) {
        match self {
            Timers::Fast => (Duration::from_millis(200), Duration::from_millis(300)),
            Timers::SlowDisk => (Duration::from_millis(1_500), Duration::from_secs(3)),
        }
    }

    /// How long an acknowledgement by a quorum lets a leader go on proposing. Heartbeats go out
    /// on a tick of one and a half intervals, so the time must hold two of those.
    pub fn lease(self) -> Duration {
        self.election().1.max(self.heartbeat() * 4)
    }
}
