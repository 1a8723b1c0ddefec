//! Leaving in good order.
//!
//! openraft 0.9 has no transfer of the leadership; this is one made of its parts. The leader lets
//! no more commands go, waits until what is on its way has ended and a voter has the whole log,
//! and asks that voter to stand for election. The leader's own vote makes it a majority of three
//! at once; in larger clusters the others follow when their leases have run out. Commands wait
//! meanwhile and go to the new leader.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Inner, StoreHold};
use crate::members::Turn;
use crate::peers::Target;
use crate::peers::hello::LinkKind;
use crate::peers::wire::{Reply, Request};

/// How long what is on its way may take to end.
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// How long the next leader may take to be elected.
const ELECTION_MAX: Duration = Duration::from_secs(4);
/// How long a voter may take to say that it will stand for election.
const TAKE_OVER_MAX: Duration = Duration::from_millis(500);
/// A voter that was not heard for this long is not waited for.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// How often a state is looked at that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long the last checkpoint may take.
const CHECKPOINT_MAX: Duration = Duration::from_secs(10);
/// How long the store and the tasks may take to end.
const END_MAX: Duration = Duration::from_secs(5);

/// While it is there, commands wait and this node does not lead; however it ends, they go on.
struct HandingOver<'a>(&'a Inner);

impl<'a> HandingOver<'a> {
    fn begin(inner: &'a Inner) -> HandingOver<'a> {
        inner.batcher.hold(true);
        HandingOver(inner)
    }
}

impl Drop for HandingOver<'_> {
    fn drop(&mut self) {
        if !self.0.leaving.is_cancelled() {
            self.0.consensus.unretire();
        }
        self.0.batcher.hold(false);
    }
}

impl Inner {
    /// Hands the leadership over for good, once: this node stands for no more elections.
    pub(super) async fn retire(&self) {
        self.retired.get_or_init(|| self.retire_now()).await;
    }

    async fn retire_now(&self) {
        // Changes of the membership end with this, so that the turn comes soon; what is done
        // without it has the next leader finish.
        self.leaving.cancel();
        let turn = timeout(DRAIN_MAX, self.members.turn()).await.ok();
        self.consensus.stand_no_more();
        if self.consensus.standing().members.voter_ids().len() > 1 {
            self.hand_over(turn.as_ref()).await;
        }
    }

    /// Hands the leadership to another voter, if this node has it. Whether another leads now.
    /// Dropping the future undoes what was begun. Only a node that stops may do without a turn.
    pub(super) async fn hand_over(&self, turn: Option<&Turn<'_>>) -> bool {
        assert!(
            turn.is_some() || self.leaving.is_cancelled(),
            "a node that stays hands over in turn with changes of the membership"
        );
        let before = self.consensus.leadership().borrow().clone();
        if !before.is_me {
            return before.leader.is_some();
        }
        let _handing_over = HandingOver::begin(self);
        let until = Instant::now() + DRAIN_MAX;
        let mut passed_over = BTreeSet::new();
        let mut heir = self.caught_up_voter(&passed_over, until).await;
        self.consensus.retire();
        while let Some(target) = heir {
            if self.takes_over(&target).await {
                break;
            }
            passed_over.insert(target.node);
            heir = self.caught_up_voter(&passed_over, until).await;
        }
        self.another_leads(&passed_over).await
    }

    /// The voter that has most of the log, once it has all of it.
    async fn caught_up_voter(&self, passed_over: &BTreeSet<u64>, until: Instant) -> Option<Target> {
        let me = self.local.node_id();
        loop {
            let standing = self.consensus.standing();
            let voters = standing.matched.iter().filter(|(id, _)| {
                **id != me && standing.members.is_voter(**id) && !passed_over.contains(id)
            });
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

    /// Asks a voter to stand for election; whether it does.
    async fn takes_over(&self, heir: &Target) -> bool {
        let link = self.peers.link(heir, LinkKind::Calls);
        let asked = link.call(&Request::TakeOver, Instant::now() + TAKE_OVER_MAX);
        let why = match asked.await {
            Ok(Reply::TakingOver) => return true,
            Ok(Reply::Unable { reason }) => reason,
            Ok(_) => "the reply is to something else".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::info!(to = heir.node, reason = %why, "the leadership was not taken over by this node");
        false
    }

    /// Waits until another node leads, as long as there is one that may. Whether one does.
    async fn another_leads(&self, passed_over: &BTreeSet<u64>) -> bool {
        let me = self.local.node_id();
        let until = Instant::now() + ELECTION_MAX;
        loop {
            let standing = self.consensus.standing();
            if standing.leadership.leader.is_some_and(|id| id != me) {
                return true;
            }
            let mut others = standing.members.voter_ids();
            others.remove(&me);
            let may_lead = others.difference(passed_over).any(|id| {
                let heard = self.peers.heard(*id);
                heard.is_some_and(|heard| heard.elapsed() < SILENCE_MAX)
            });
            if !may_lead || Instant::now() >= until {
                tracing::warn!("no other node has taken the leadership over");
                return false;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn stop(&self) {
        self.retire().await;
        // Raft ends with the tasks; one of them waits for it.
        self.stop.cancel();
        self.tasks.close();
        if timeout(END_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!("Raft, or a task, did not end in time");
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
