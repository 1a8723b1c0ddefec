//! How this node stands in the cluster, published whenever Raft reports something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::metrics::RaftDataMetrics;
use openraft::{RaftMetrics, ServerState};
use raft_store::types::{LogId, Member, StoredMembership};
use tokio::sync::watch;
use tokio::time::Instant;

/// Who leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Leadership {
    /// The current term.
    pub(crate) term: u64,
    /// The leader, where one is known.
    pub(crate) leader: Option<u64>,
    /// Whether it is this node.
    pub(crate) is_me: bool,
    /// Why Raft on this node has stopped, if it has.
    pub(crate) stopped: Option<String>,
}

/// How this node stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// Who leads.
    pub(crate) leadership: Leadership,
    /// The vote that this node has given: the term, and to whom.
    pub(crate) vote: (u64, u64),
    /// On a leader: when a quorum, itself included, was last known to follow it.
    pub(crate) quorum_heard: Option<Instant>,
    /// Last entry of the log.
    pub(crate) last_log: Option<LogId>,
    /// The newest membership in the log, committed or not.
    pub(crate) members: Arc<Members>,
    /// On a leader: how far each other member's log agrees with this one.
    pub(crate) matched: BTreeMap<u64, Option<u64>>,
}

impl Standing {
    /// Index of the last entry of the log.
    pub(crate) fn last_log_index(&self) -> Option<u64> {
        self.last_log.map(|id| id.index)
    }

    /// Whether this node leads and a quorum has confirmed it within the lease.
    pub(crate) fn leads_quorum(&self, lease: Duration) -> bool {
        self.leadership.is_me
            && self
                .quorum_heard
                .is_some_and(|heard| heard.elapsed() < lease)
    }
}

/// A membership.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// The entry that set it.
    pub(crate) id: Option<LogId>,
    /// Grows whenever another membership takes effect here, also when it is an older one again.
    pub(crate) serial: u64,
    /// Sets of voters, each of which has to agree; more than one while voters change.
    pub(crate) voters: Vec<BTreeSet<u64>>,
    /// All members, learners included.
    pub(crate) all: BTreeMap<u64, Member>,
}

impl Members {
    fn new(stored: &StoredMembership, serial: u64) -> Members {
        let membership = stored.membership();
        Members {
            id: *stored.log_id(),
            serial,
            voters: membership.get_joint_config().clone(),
            all: membership
                .nodes()
                .map(|(id, member)| (*id, member.clone()))
                .collect(),
        }
    }

    /// One more than the index of its entry; 0 before the first.
    pub(crate) fn version(&self) -> u64 {
        self.id.map_or(0, |id| id.index + 1)
    }

    /// Whether a member votes.
    pub(crate) fn is_voter(&self, id: u64) -> bool {
        self.voters.iter().any(|set| set.contains(&id))
    }

    /// Whether these are enough to agree.
    pub(crate) fn is_quorum(&self, ids: &BTreeSet<u64>) -> bool {
        !self.voters.is_empty()
            && self
                .voters
                .iter()
                .all(|set| set.intersection(ids).count() > set.len() / 2)
    }

    /// Every voter once.
    pub(crate) fn voter_ids(&self) -> BTreeSet<u64> {
        self.voters.iter().flatten().copied().collect()
    }
}

/// The task that publishes, and where.
pub(super) fn publisher(
    node_id: u64,
    mut metrics: watch::Receiver<RaftMetrics<u64, Member>>,
    data: watch::Receiver<RaftDataMetrics<u64>>,
) -> (
    impl Future<Output = ()> + Send + 'static,
    watch::Receiver<Leadership>,
    watch::Receiver<Arc<Standing>>,
) {
    let first = Arc::new(standing(
        node_id,
        &metrics.borrow_and_update(),
        data.borrow().last_log,
        &Standing::default(),
    ));
    let (leaderships, leadership) = watch::channel(first.leadership.clone());
    let (standings, standing_watch) = watch::channel(first);
    let task = async move {
        loop {
            let ended = metrics.changed().await.is_err();
            let before = Arc::clone(&standings.borrow());
            let last_log = data.borrow().last_log;
            let mut now = standing(node_id, &metrics.borrow_and_update(), last_log, &before);
            if ended && now.leadership.stopped.is_none() {
                now.leadership.stopped = Some("its task has ended".to_owned());
            }
            leaderships.send_if_modified(|last| {
                let changed = *last != now.leadership;
                if changed {
                    last.clone_from(&now.leadership);
                }
                changed
            });
            let stopped = now.leadership.stopped.is_some();
            standings.send_replace(Arc::new(now));
            if stopped {
                return;
            }
        }
    };
    (task, leadership, standing_watch)
}

fn standing(
    node_id: u64,
    metrics: &RaftMetrics<u64, Member>,
    last_log: Option<LogId>,
    before: &Standing,
) -> Standing {
    let is_me = metrics.state == ServerState::Leader && metrics.current_leader == Some(node_id);
    let members = if before.members.id == *metrics.membership_config.log_id() {
        Arc::clone(&before.members)
    } else {
        Arc::new(Members::new(
            &metrics.membership_config,
            before.members.serial + 1,
        ))
    };
    let quorum_heard = metrics
        .millis_since_quorum_ack
        .filter(|_| is_me)
        .and_then(|millis| Instant::now().checked_sub(Duration::from_millis(millis)));
    Standing {
        leadership: Leadership {
            term: metrics.current_term,
            leader: metrics.current_leader,
            is_me,
            stopped: metrics
                .running_state
                .as_ref()
                .err()
                .map(ToString::to_string),
        },
        vote: (metrics.vote.leader_id.term, metrics.vote.leader_id.node_id),
        quorum_heard,
        last_log,
        members,
        matched: metrics
            .replication
            .iter()
            .flatten()
            .map(|(id, matched)| (*id, matched.map(|id| id.index)))
            .collect(),
    }
}
