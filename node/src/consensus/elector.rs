//! When to stand for election: a timer of our own in place of openraft's, which draws its time-out
//! once a process and looks at it every 150 ms, so that followers mostly stand at the same moment.
//!
//! Before a node stands it asks the other voters whether they would vote for it. One that has heard
//! a leader within its lease would not, nor would one whose log is longer. So a node that is cut
//! off, or starved for a moment, does not raise the term and depose a leader that all others hear.
//! The question binds nobody; what decides is openraft's vote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use raft_store::env::Env;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Consensus, Standing};
use crate::peers::hello::LinkKind;
use crate::peers::wire::{Reply, Request};
use crate::peers::{Directory, Target};
use crate::replica::Timers;

/// Whether this node stands for elections.
#[derive(Debug, Clone)]
pub(super) struct MayStand(Arc<AtomicBool>);

impl MayStand {
    pub(super) fn new() -> MayStand {
        MayStand(Arc::new(AtomicBool::new(true)))
    }

    pub(super) fn set(&self, may: bool) {
        self.0.store(may, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The timer.
pub(super) struct Elector {
    pub(super) env: Arc<dyn Env>,
    pub(super) node_id: u64,
    pub(super) timers: Timers,
    pub(super) peers: Arc<Directory>,
    pub(super) consensus: Consensus,
    pub(super) may_stand: MayStand,
}

impl Elector {
    /// Runs until Raft stops.
    pub(super) async fn run(self) {
        let mut leadership = self.consensus.leadership();
        let mut seen = leadership.borrow_and_update().clone();
        let mut since = Instant::now();
        let mut patience = self.patience(seen.leader.is_some());
        while seen.stopped.is_none() {
            let heard = self.consensus.leader_heard().filter(|heard| *heard > since);
            let due = heard.unwrap_or(since) + patience;
            if Instant::now() >= due {
                if self.is_wanted_for_long().await {
                    let silent_ms = u64::try_from(heard.unwrap_or(since).elapsed().as_millis())
                        .unwrap_or(u64::MAX);
                    tracing::info!(
                        node = self.node_id,
                        term = seen.term,
                        silent_ms,
                        "standing for election"
                    );
                    if self.consensus.elect().await.is_err() {
                        return;
                    }
                }
                since = Instant::now();
                patience = self.patience(false);
            }
            tokio::select! {
                biased;
                changed = leadership.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = leadership.borrow_and_update().clone();
                    if now != seen {
                        since = Instant::now();
                        patience = self.patience(now.leader.is_some());
                        seen = now;
                    }
                }
                () = sleep_until(due.max(Instant::now() + Duration::from_millis(1))) => {}
            }
        }
    }

    /// How long to wait: for a leader that is known to be heard again, or for one to be found.
    fn patience(&self, leader_known: bool) -> Duration {
        let (min, max) = self.timers.election();
        if leader_known {
            max + min + self.random_below(min)
        } else {
            min / 4 + self.random_below(min)
        }
    }

    fn random_below(&self, limit: Duration) -> Duration {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.env.random_u64() % limit)
    }

    /// Whether this node may stand, does not lead, and would be voted for.
    async fn is_wanted(&self) -> bool {
        let standing = self.consensus.standing();
        if !self.may_stand.get()
            || standing.leadership.is_me
            || !standing.members.is_voter(self.node_id)
        {
            return false;
        }
        let mut for_me = BTreeSet::from([self.node_id]);
        let mut asked: FuturesUnordered<_> = self.ask_all(&standing).collect();
        loop {
            if standing.members.is_quorum(&for_me) {
                return true;
            }
            match asked.next().await {
                Some((id, true)) => {
                    for_me.insert(id);
                }
                Some((_, false)) => {}
                None => return false,
            }
        }
    }

    /// Whether this node is wanted, and still so when Raft has worked off what it had: while its
    /// disk stalls, a wish to stand would wait in its queue and come true long after.
    async fn is_wanted_for_long(&self) -> bool {
        let heard = self.consensus.leader_heard();
        if !self.is_wanted().await {
            return false;
        }
        let deadline = Instant::now() + self.timers.election().0;
        let worked_off = timeout_at(deadline, self.consensus.worked_off()).await;
        matches!(worked_off, Ok(Ok(()))) && self.consensus.leader_heard() == heard
    }

    fn ask_all(
        &self,
        standing: &Standing,
    ) -> impl Iterator<Item = impl Future<Output = (u64, bool)> + Send + use<>> {
        let question = Request::WouldVote {
            last: standing.last_log.map(Into::into),
        };
        let deadline = Instant::now() + self.timers.election().0;
        let others = standing
            .members
            .voter_ids()
            .into_iter()
            .filter(|id| *id != self.node_id);
        let targets: Vec<Target> = others
            .filter_map(|id| {
                let member = standing.members.all.get(&id)?;
                Some(Target {
                    node: id,
                    instance: Some(member.instance),
                    address: member.peer_address.clone(),
                })
            })
            .collect();
        let peers = Arc::clone(&self.peers);
        targets.into_iter().map(move |target| {
            let link = peers.link(&target, LinkKind::Raft);
            let question = question.clone();
            async move {
                let answer = link.call(&question, deadline).await;
                (
                    target.node,
                    matches!(answer, Ok(Reply::WouldVote { yes: true })),
                )
            }
        })
    }
}
