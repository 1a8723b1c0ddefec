//! Who may talk to whom: the first message of each connection, and the verdict on it.
//!
//! Whoever connects says who it is, whom it means to reach and what it knows; the other side
//! answers the same about itself, or refuses with a reason that a person can act on.
//!
//! Invariants:
//! 1. A connection that is not a [`LinkKind::Probe`] is accepted only between two instances of one
//!    cluster, each meaning the other.
//! 2. A directory without a cluster takes part in one only when a member of that cluster names
//!    this very directory by its instance: it was added, or it is there at the formation. So a
//!    wiped member never slips back in under its old id.
//! 3. An instance that is not in the membership is refused, unless it knows a newer membership
//!    than ours: then it is we who are behind, and refusing could leave us behind for ever.

use std::fmt;

use allocator::planted::{Bug, planted};
use serde::{Deserialize, Serialize};

/// Lowest and highest version of the messages that this program speaks.
pub(crate) const PROTOCOL: (u16, u16) = (1, 1);

/// What a connection is for. Each kind has its own socket, so that none delays another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum LinkKind {
    /// Only the answer to the hello is wanted.
    Probe,
    /// Votes, appends and heartbeats.
    Raft,
    /// Forwarded commands, read indexes, reports, changes of the membership.
    Calls,
    /// A snapshot as a stream.
    Snapshot,
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Lowest version of the messages that it speaks.
    pub(crate) protocol_min: u16,
    /// Highest version of the messages that it speaks.
    pub(crate) protocol_max: u16,
    /// The version at which its state writes.
    pub(crate) state_active: u32,
    /// The highest version that it knows.
    pub(crate) state_known: u32,
    /// Its cluster; `None` for a directory that belongs to none yet.
    pub(crate) cluster: Option<u128>,
    /// Its id.
    pub(crate) node: u64,
    /// The id of its directory.
    pub(crate) instance: u128,
    /// One more than the log index of the newest membership that it knows; 0 for none.
    pub(crate) membership: u64,
    /// Where clients reach it.
    pub(crate) http_url: String,
    /// The ids that its configuration names for the first formation.
    pub(crate) named: Vec<u64>,
}

/// The first message of whoever connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Who it is.
    pub(crate) card: Card,
    /// What the connection is for.
    pub(crate) link: LinkKind,
    /// The node that it means to reach.
    pub(crate) to_node: u64,
    /// The directory that it means to reach; `None` only in a probe.
    pub(crate) to_instance: Option<u128>,
}

/// The answer to a hello that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// Who answers.
    pub(crate) card: Card,
    /// The instance under which the answering node knows whoever asked, as a member.
    pub(crate) knows_you_as: Option<u128>,
}

/// Why a hello was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// No version of the messages that both speak.
    Protocol {
        /// What the refusing node speaks.
        min: u16,
        /// What the refusing node speaks.
        max: u16,
    },
    /// One of the two does not know the version at which the other's state writes.
    StateVersion {
        /// The version that is active where it is higher.
        active: u32,
        /// The highest version that the other one knows.
        known: u32,
    },
    /// Another node answers at this address.
    OtherNode {
        /// The node that answers.
        node: u64,
    },
    /// The node has another directory than the membership says: it was wiped or replaced.
    OtherInstance {
        /// The node.
        node: u64,
        /// The directory that it has.
        instance: u128,
    },
    /// The two belong to different clusters.
    OtherCluster {
        /// The cluster of the refusing node.
        cluster: u128,
    },
    /// The refusing node belongs to no cluster yet, and this is not the way into one.
    NotFormed,
    /// An empty directory asked to take part in a cluster that is formed.
    EmptyDirectory {
        /// The cluster.
        cluster: u128,
        /// Who asked.
        node: u64,
        /// Whether the id is a member's, whose directory was another.
        member: bool,
    },
    /// Whoever asked is not in the membership.
    NotAMember {
        /// Who asked.
        node: u64,
        /// The directory that the membership has under this id, if any.
        member_instance: Option<u128>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Protocol { min, max } => write!(
                f,
                "the peer speaks versions {min} to {max} of the peer messages, this node {} to {}; run programs of neighbouring releases",
                PROTOCOL.0, PROTOCOL.1
            ),
            Refusal::StateVersion { active, known } => write!(
                f,
                "the cluster writes version {active} of its state, the older program knows up to {known}; upgrade that node's program"
            ),
            Refusal::OtherNode { node } => {
                write!(
                    f,
                    "node {node} answers at this address; correct the address"
                )
            }
            Refusal::OtherInstance { node, .. } => write!(
                f,
                "node {node} has another data directory than the one that is a member; {}",
                way_back(*node)
            ),
            Refusal::OtherCluster { cluster } => {
                write!(
                    f,
                    "the peer belongs to the cluster {cluster:032x}, this node to another"
                )
            }
            Refusal::NotFormed => f.write_str("the peer belongs to no cluster yet"),
            Refusal::EmptyDirectory {
                cluster,
                node,
                member: true,
            } => write!(
                f,
                "the cluster {cluster:032x} has node {node} as a member with another data directory, and this one is empty; {}",
                way_back(*node)
            ),
            Refusal::EmptyDirectory {
                cluster,
                node,
                member: false,
            } => write!(
                f,
                "the cluster {cluster:032x} is formed without node {node}; {}",
                way_in(*node)
            ),
            Refusal::NotAMember {
                node,
                member_instance: Some(_),
            } => write!(
                f,
                "node {node} is a member with another data directory; {}",
                way_back(*node)
            ),
            Refusal::NotAMember {
                node,
                member_instance: None,
            } => write!(f, "node {node} is not a member; {}", way_in(*node)),
        }
    }
}

/// How a member whose directory is gone comes back.
pub(crate) fn way_back(node: u64) -> String {
    format!(
        "run `ipamctl cluster remove {node}`, then {}",
        commands_in(node)
    )
}

/// How a node becomes a member.
pub(crate) fn way_in(node: u64) -> String {
    format!("run {}", commands_in(node))
}

fn commands_in(node: u64) -> String {
    format!(
        "`ipamctl cluster add {node} --address HOST:PORT`, then `ipamctl cluster promote {node}`"
    )
}

/// What the judging node knows.
#[derive(Debug, Clone)]
pub(crate) struct Ours<'a> {
    /// Itself.
    pub(crate) card: &'a Card,
    /// The instance that the membership has under the peer's id.
    pub(crate) peer_as_member: Option<u128>,
}

/// What to do with a connection that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Talk.
    Accept,
    /// Talk, after having made this cluster ours.
    Adopt(u128),
}

/// Judges the hello of a peer that has connected here.
pub(crate) fn judge_hello(ours: &Ours<'_>, hello: &Hello) -> Result<Verdict, Refusal> {
    let (us, peer) = (ours.card, &hello.card);
    versions(us, peer)?;
    if hello.to_node != us.node {
        return Err(Refusal::OtherNode { node: us.node });
    }
    if hello.link == LinkKind::Probe {
        return Ok(Verdict::Accept);
    }
    if hello.to_instance != Some(us.instance) && !planted(Bug::WipedMemberVotes) {
        return Err(Refusal::OtherInstance {
            node: us.node,
            instance: us.instance,
        });
    }
    let verdict = match (us.cluster, peer.cluster) {
        (None, None) => return Err(Refusal::NotFormed),
        (Some(cluster), None) => {
            return Err(Refusal::EmptyDirectory {
                cluster,
                node: peer.node,
                member: ours.peer_as_member.is_some(),
            });
        }
        (None, Some(theirs)) => Verdict::Adopt(theirs),
        (Some(cluster), Some(theirs)) if cluster != theirs => {
            return Err(Refusal::OtherCluster { cluster });
        }
        (Some(_), Some(_)) => Verdict::Accept,
    };
    state_versions(us, peer)?;
    if ours.peer_as_member == Some(peer.instance) || peer.membership > us.membership {
        return Ok(verdict);
    }
    Err(Refusal::NotAMember {
        node: peer.node,
        member_instance: ours.peer_as_member,
    })
}

/// Judges the answer to our own hello: whoever answers must be whom we meant.
pub(crate) fn judge_welcome(us: &Hello, peer: &Card) -> Result<(), Refusal> {
    versions(&us.card, peer)?;
    if peer.node != us.to_node {
        return Err(Refusal::OtherNode { node: peer.node });
    }
    if us.link == LinkKind::Probe {
        return Ok(());
    }
    if planted(Bug::WipedMemberVotes) {
        return Ok(());
    }
    if us.to_instance != Some(peer.instance) {
        return Err(Refusal::OtherInstance {
            node: peer.node,
            instance: peer.instance,
        });
    }
    match (us.card.cluster, peer.cluster) {
        (Some(ours), Some(theirs)) if ours == theirs => state_versions(&us.card, peer),
        (_, Some(cluster)) => Err(Refusal::OtherCluster { cluster }),
        (_, None) => Err(Refusal::NotFormed),
    }
}

fn versions(us: &Card, peer: &Card) -> Result<(), Refusal> {
    if peer.protocol_max < us.protocol_min || us.protocol_max < peer.protocol_min {
        return Err(Refusal::Protocol {
            min: us.protocol_min,
            max: us.protocol_max,
        });
    }
    Ok(())
}

fn state_versions(us: &Card, peer: &Card) -> Result<(), Refusal> {
    if peer.state_known < us.state_active {
        return Err(Refusal::StateVersion {
            active: us.state_active,
            known: peer.state_known,
        });
    }
    if us.state_known < peer.state_active {
        return Err(Refusal::StateVersion {
            active: peer.state_active,
            known: us.state_known,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: u128 = 0xC1;

    fn card(node: u64, instance: u128, cluster: Option<u128>) -> Card {
        Card {
            protocol_min: 1,
            protocol_max: 1,
            state_active: 1,
            state_known: 1,
            cluster,
            node,
            instance,
            membership: u64::from(cluster.is_some()),
            http_url: String::new(),
            named: vec![1, 2, 3],
        }
    }

    /// Node 2 of a formed cluster says hello to node 1 of it, on the link for Raft.
    struct Case {
        us: Card,
        peer_as_member: Option<u128>,
        hello: Hello,
    }

    fn case() -> Case {
        Case {
            us: card(1, 11, Some(CLUSTER)),
            peer_as_member: Some(22),
            hello: Hello {
                card: card(2, 22, Some(CLUSTER)),
                link: LinkKind::Raft,
                to_node: 1,
                to_instance: Some(11),
            },
        }
    }

    fn judged(change: impl FnOnce(&mut Case)) -> Result<Verdict, Refusal> {
        let mut case = case();
        change(&mut case);
        let ours = Ours {
            card: &case.us,
            peer_as_member: case.peer_as_member,
        };
        judge_hello(&ours, &case.hello)
    }

    #[test]
    fn members_of_one_cluster_talk() {
        assert_eq!(judged(|_| {}), Ok(Verdict::Accept));
    }

    #[test]
    fn each_mismatch_is_refused_with_its_reason() {
        type Change = fn(&mut Case);
        let cases: [(&str, Change, Refusal); 9] = [
            (
                "newer messages",
                |c| {
                    c.hello.card.protocol_min = 2;
                    c.hello.card.protocol_max = 2;
                },
                Refusal::Protocol { min: 1, max: 1 },
            ),
            (
                "wrong address",
                |c| c.hello.to_node = 3,
                Refusal::OtherNode { node: 1 },
            ),
            (
                "we were wiped",
                |c| c.hello.to_instance = Some(99),
                Refusal::OtherInstance {
                    node: 1,
                    instance: 11,
                },
            ),
            (
                "other cluster",
                |c| c.hello.card.cluster = Some(0xC2),
                Refusal::OtherCluster { cluster: CLUSTER },
            ),
            (
                "wiped member",
                |c| {
                    c.hello.card = card(2, 77, None);
                },
                Refusal::EmptyDirectory {
                    cluster: CLUSTER,
                    node: 2,
                    member: true,
                },
            ),
            (
                "stranger, empty",
                |c| {
                    c.hello.card = card(9, 77, None);
                    c.peer_as_member = None;
                },
                Refusal::EmptyDirectory {
                    cluster: CLUSTER,
                    node: 9,
                    member: false,
                },
            ),
            (
                "old directory put back",
                |c| c.hello.card.instance = 77,
                Refusal::NotAMember {
                    node: 2,
                    member_instance: Some(22),
                },
            ),
            (
                "removed member",
                |c| c.peer_as_member = None,
                Refusal::NotAMember {
                    node: 2,
                    member_instance: None,
                },
            ),
            (
                "older program",
                |c| {
                    c.us.state_active = 2;
                    c.us.state_known = 2;
                },
                Refusal::StateVersion {
                    active: 2,
                    known: 1,
                },
            ),
        ];
        for (name, change, refusal) in cases {
            assert_eq!(judged(change), Err(refusal.clone()), "{name}");
            assert!(!refusal.to_string().is_empty());
        }
    }

    #[test]
    fn an_unknown_member_that_knows_a_newer_membership_is_believed() {
        let newer = judged(|c| {
            c.peer_as_member = None;
            c.hello.card.membership = 2;
        });
        assert_eq!(newer, Ok(Verdict::Accept));
        let replaced = judged(|c| {
            c.hello.card.instance = 77;
            c.hello.card.membership = 2;
        });
        assert_eq!(replaced, Ok(Verdict::Accept));
    }

    #[test]
    fn an_empty_directory_adopts_only_the_cluster_that_names_it() {
        let named = judged(|c| {
            c.us = card(1, 11, None);
            c.peer_as_member = None;
        });
        assert_eq!(named, Ok(Verdict::Adopt(CLUSTER)));
        let under_its_old_instance = judged(|c| {
            c.us = card(1, 99, None);
            c.peer_as_member = None;
        });
        assert_eq!(
            under_its_old_instance,
            Err(Refusal::OtherInstance {
                node: 1,
                instance: 99
            })
        );
        let by_another_empty_one = judged(|c| {
            c.us = card(1, 11, None);
            c.hello.card = card(2, 22, None);
        });
        assert_eq!(by_another_empty_one, Err(Refusal::NotFormed));
    }

    #[test]
    fn a_probe_is_answered_by_whoever_is_meant() {
        let probe = |to: u64| {
            judged(move |c| {
                c.hello.link = LinkKind::Probe;
                c.hello.card = card(2, 77, None);
                c.hello.to_node = to;
                c.hello.to_instance = None;
            })
        };
        assert_eq!(probe(1), Ok(Verdict::Accept));
        assert_eq!(probe(5), Err(Refusal::OtherNode { node: 1 }));
    }

    #[test]
    fn whoever_answers_must_be_whom_we_meant() {
        let hello = case().hello;
        assert_eq!(judge_welcome(&hello, &card(1, 11, Some(CLUSTER))), Ok(()));
        assert_eq!(
            judge_welcome(&hello, &card(3, 11, Some(CLUSTER))),
            Err(Refusal::OtherNode { node: 3 })
        );
        assert_eq!(
            judge_welcome(&hello, &card(1, 99, Some(CLUSTER))),
            Err(Refusal::OtherInstance {
                node: 1,
                instance: 99
            })
        );
        assert_eq!(
            judge_welcome(&hello, &card(1, 11, Some(0xC2))),
            Err(Refusal::OtherCluster { cluster: 0xC2 })
        );
        assert_eq!(
            judge_welcome(&hello, &card(1, 11, None)),
            Err(Refusal::NotFormed)
        );
    }
}
