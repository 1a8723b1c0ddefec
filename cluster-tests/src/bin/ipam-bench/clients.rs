//! Who asks: one client of the leader's, one of a follower's, which hands on what is written, or many of all nodes'.

use std::net::SocketAddr;

use cluster_tests::TestCluster;

/// So many connections, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clients {
    Leader,
    Follower,
    All(usize),
}

impl Clients {
    pub(crate) fn connections(self) -> usize {
        match self {
            Self::Leader | Self::Follower => 1,
            Self::All(connections) => connections,
        }
    }

    pub(crate) fn name(self) -> String {
        let to = match self {
            Self::Leader => "the leader",
            Self::Follower => "a follower",
            Self::All(_) => "all nodes",
        };
        format!("{} to {to}", self.connections())
    }

    /// Whom of these nodes they ask; the leader's place is counted from 0.
    pub(crate) fn addresses(self, nodes: &[SocketAddr], leader: usize) -> Vec<SocketAddr> {
        match self {
            Self::Leader => vec![nodes[leader]],
            Self::Follower => vec![nodes[(leader + 1) % nodes.len()]],
            Self::All(_) => nodes.to_vec(),
        }
    }

    /// Whom of a cluster's nodes they ask, by the id of the leader.
    pub(crate) fn nodes(self, cluster: &TestCluster, leader: u64) -> Vec<SocketAddr> {
        let place = cluster.ids().iter().position(|id| *id == leader);
        let place = place.expect("the leader is a node of the cluster");
        self.addresses(&cluster.addresses(), place)
    }
}
