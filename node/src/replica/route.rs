//! Where the leader is: here, at a peer that was heard lately, or nowhere that is known.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::consensus::Consensus;
use crate::peers::hello::LinkKind;
use crate::peers::{Directory, Link, Target};

/// Where a request for the leader goes.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// This node leads; its id.
    Me(u64),
    /// Another one does; its id, and the link for calls to it.
    Peer(u64, Link),
    /// None is known, or it was not heard for too long to be sent anything.
    Nobody,
}

/// Finds the leader.
#[derive(Debug)]
pub(crate) struct Router {
    node_id: u64,
    consensus: Consensus,
    peers: Arc<Directory>,
    silence_max: Duration,
}

impl Router {
    /// A router for which a leader that was silent for longer than `silence_max` is none.
    pub(crate) fn new(
        node_id: u64,
        consensus: Consensus,
        peers: Arc<Directory>,
        silence_max: Duration,
    ) -> Router {
        Router {
            node_id,
            consensus,
            peers,
            silence_max,
        }
    }

    /// Where a request for the leader goes now. A leader that lost its quorum is still sought: it
    /// is for the batcher to hold what must not be proposed.
    pub(crate) fn route(&self) -> Route {
        let standing = self.consensus.standing();
        let leadership = &standing.leadership;
        if leadership.is_me {
            return Route::Me(self.node_id);
        }
        let heard = self.consensus.leader_heard();
        if heard.is_none_or(|heard| heard.elapsed() > self.silence_max) {
            return Route::Nobody;
        }
        let leader = leadership.leader.filter(|id| *id != self.node_id);
        match leader.and_then(|id| Some((id, standing.members.all.get(&id)?))) {
            None => Route::Nobody,
            Some((id, member)) => {
                let target = Target {
                    node: id,
                    instance: Some(member.instance),
                    address: member.peer_address.clone(),
                };
                Route::Peer(id, self.peers.link(&target, LinkKind::Calls))
            }
        }
    }

    /// Waits until the route may have changed: until who leads changes, or a moment has passed.
    pub(crate) async fn changed(&self, pause: Duration, deadline: Instant) {
        let mut leadership = self.consensus.leadership();
        leadership.mark_unchanged();
        changed_until(&mut leadership, deadline.min(Instant::now() + pause)).await;
    }
}

/// Waits until a value changes, at most until `until`: as long, too, where nobody will ever change it any more, since
/// the caller looks again and would do nothing else.
async fn changed_until<T>(value: &mut watch::Receiver<T>, until: Instant) {
    let changed = async {
        if value.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    // Either way the caller looks again.
    drop(timeout_at(until, changed).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_leader_where_raft_has_ended_pauses_all_the_same() {
        let pause = Duration::from_millis(20);
        let (leadership, mut seen) = watch::channel(0);
        let begun = Instant::now();
        changed_until(&mut seen, begun + pause).await;
        assert_eq!(begun.elapsed(), pause, "nothing changed");
        leadership.send_replace(1);
        let begun = Instant::now();
        changed_until(&mut seen, begun + pause).await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "a change ends the wait");
        drop(leadership);
        changed_until(&mut seen, begun + pause).await;
        assert_eq!(begun.elapsed(), pause, "nobody is left to change it");
    }
}
