//! Leaving in good order.
//!
//! openraft 0.9 has no transfer of the leadership; this is one made of its parts. The leader lets
//! no more commands go, waits until what is on its way has ended and a voter has the whole log,
//! and asks that voter to stand for election. The leader's own vote makes it a majority of three
//! at once; in larger clusters the others follow when their leases have run out. Commands wait
//! meanwhile and go to the new leader.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Inner, StoreHold};
use crate::peers::Target;
use crate::peers::hello::LinkKind;
use crate::peers::wire::Request;

/// How long what is on its way may take to end.
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// How long the next leader may take to be elected.
const ELECTION_MAX: Duration = Duration::from_secs(4);
/// How often a state is looked at that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long the last checkpoint may take.
const CHECKPOINT_MAX: Duration = Duration::from_secs(10);
/// How long the store and the tasks may take to end.
const END_MAX: Duration = Duration::from_secs(5);

impl Inner {
    /// Hands the leadership over for good: this node stands for no more elections.
    pub(super) async fn retire(&self) {
        self.stopping.store(true, Ordering::Release);
        if self.consensus.standing().members.voter_ids().len() > 1 {
            self.hand_over().await;
        }
    }

    /// Hands the leadership to another voter, if this node has it. Whether another leads now.
    pub(crate) async fn hand_over(&self) -> bool {
        let before = self.consensus.leadership().borrow().clone();
        if !before.is_me {
            return before.leader.is_some();
        }
        self.batcher.hold(true);
        let heir = self.caught_up_voter().await;
        self.consensus.retire();
        if let Some(target) = heir {
            let link = self.peers.link(&target, LinkKind::Calls);
            let asked = link
                .call(&Request::TakeOver, Instant::now() + DRAIN_MAX)
                .await;
            if let Err(error) = asked {
                tracing::warn!(%error, to = target.node, "the leadership was not taken over; the others elect by themselves");
            }
        }
        let mut leadership = self.consensus.leadership();
        let me = self.local.node_id();
        let other = leadership.wait_for(|now| now.leader.is_some_and(|leader| leader != me));
        let handed_over = matches!(timeout(ELECTION_MAX, other).await, Ok(Ok(_)));
        if !self.stopping.load(Ordering::Acquire) {
            self.consensus.unretire();
        }
        self.batcher.hold(false);
        handed_over
    }

    /// The voter that has most of the log, once it has all of it.
    async fn caught_up_voter(&self) -> Option<Target> {
        let me = self.local.node_id();
        let until = Instant::now() + DRAIN_MAX;
        loop {
            let standing = self.consensus.standing();
            let voters = standing
                .matched
                .iter()
                .filter(|(id, _)| **id != me && standing.members.is_voter(**id));
            let (id, matched) = voters.max_by_key(|(_, matched)| **matched)?;
            let caught_up = *matched == standing.last_log_index();
            let settled = self.applied.at().index == standing.last_log_index();
            if (caught_up && settled) || Instant::now() >= until {
                let member = standing.members.all.get(id)?;
                return Some(Target {
                    node: *id,
                    instance: Some(member.instance),
                    address: member.peer_address.clone(),
                });
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn stop(&self) {
        self.retire().await;
        self.stop.cancel();
        let consensus = self.consensus.clone();
        // Raft's tasks are on its own runtime; whoever stops may be on another.
        let ended = self
            .runtime
            .spawn(async move { consensus.shutdown().await });
        if timeout(END_MAX, ended).await.is_err() {
            tracing::warn!("Raft did not end in time");
        }
        self.tasks.close();
        if timeout(END_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!("tasks did not end in time");
        }
        self.store_close().await;
        let own_runtime = self.own_runtime.lock().take();
        if let Some(own_runtime) = own_runtime {
            own_runtime.stop().await;
        }
    }

    /// Leaves little to replay for the next start, and lets the store go.
    async fn store_close(&self) {
        let hold = self.store.lock().take();
        let Some(StoreHold { control, tasks }) = hold else {
            return;
        };
        if timeout(CHECKPOINT_MAX, control.checkpoint()).await.is_err() {
            tracing::warn!(
                "the last checkpoint did not end in time; the next start replays more of the log"
            );
        }
        drop(control);
        if timeout(END_MAX, tasks.stopped()).await.is_err() {
            tracing::warn!("the store did not end in time");
        }
    }
}
