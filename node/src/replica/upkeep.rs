//! What is done again and again, whether requests come or not: reports between the nodes, the
//! wall clock, links to those who left, half-done changes of the membership, snapshots and purges,
//! gauges.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::Inner;
use super::gauges::Gauges;
use crate::members;
use crate::peers::Target;
use crate::peers::hello::LinkKind;
use crate::peers::wire::{Reply, Report, Request};

/// Interval of the rounds.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// The same as long as no majority's wall time is known: what is written until then has no time
/// that people could read.
const FIRST_ROUNDS_EVERY: Duration = Duration::from_millis(20);
/// How long a peer may take to report.
const REPORT_MAX: Duration = Duration::from_millis(900);
/// A wall clock further than this from the majority's is warned about.
const APART_MAX_SECONDS: f64 = 10.0;
/// A member that was heard within this time goes on reading the log.
const THERE: Duration = Duration::from_secs(3);

/// What peers have last reported, and when.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<BTreeMap<u64, (Report, Instant)>>);

impl Reports {
    /// Notes a report that has just come.
    pub(super) fn note(&self, peer: u64, report: Report) {
        self.0.lock().insert(peer, (report, Instant::now()));
    }

    /// The last report of a peer.
    pub(super) fn of(&self, peer: u64) -> Option<(Report, Instant)> {
        self.0.lock().get(&peer).copied()
    }

    fn retain(&self, is_member: impl Fn(u64) -> bool) {
        self.0.lock().retain(|peer, _| is_member(*peer));
    }
}

/// Runs the rounds until the replica is gone.
pub(super) async fn run(replica: Weak<Inner>) {
    let mut apart = false;
    let mut gauges = Gauges::default();
    let mut pause = Duration::ZERO;
    loop {
        sleep(pause).await;
        let Some(inner) = replica.upgrade() else {
            return;
        };
        inner.exchange_reports().await;
        inner.settle_clock(&mut apart);
        inner.forget_strangers();
        members::finish_half_done(inner.member_parts()).await;
        inner.bound_log().await;
        let applied_index = inner.applied.at().index.unwrap_or(0);
        let apart_seconds = inner.clock.apart_seconds();
        gauges.set(&inner.consensus.standing(), applied_index, apart_seconds);
        pause = if inner.clock.apart_seconds().is_some() {
            ROUND_EVERY
        } else {
            FIRST_ROUNDS_EVERY
        };
    }
}

impl Inner {
    /// Tells every other member how this node stands, and hears how it does.
    async fn exchange_reports(&self) {
        let standing = self.consensus.standing();
        let me = self.local.node_id();
        let others = standing.members.all.iter().filter(|(id, _)| **id != me);
        let exchanges = others.map(|(id, member)| {
            let target = Target {
                node: *id,
                instance: Some(member.instance),
                address: member.peer_address.clone(),
            };
            let link = self.peers.link(&target, LinkKind::Calls);
            let request = Request::Report(self.own_report());
            async move {
                let sent = Instant::now();
                if let Ok(Reply::Report(report)) = link.call(&request, sent + REPORT_MAX).await {
                    // Read half-way between the question and the answer, as far as anyone can tell.
                    self.note_report(*id, report, sent.elapsed() / 2);
                }
            }
        });
        join_all(exchanges).await;
    }

    fn settle_clock(&self, apart: &mut bool) {
        let voters: Vec<u64> = self
            .consensus
            .standing()
            .members
            .voter_ids()
            .into_iter()
            .collect();
        let state_wall_ms = self.applied.read(|state| state.clock().wall_ms());
        self.clock.settle(&voters, state_wall_ms);
        let Some(seconds) = self.clock.apart_seconds() else {
            return;
        };
        let now_apart = seconds.abs() > APART_MAX_SECONDS;
        if now_apart && !*apart {
            tracing::warn!(
                seconds,
                "this node's wall clock is apart from the majority's"
            );
        }
        *apart = now_apart;
    }

    /// Links to nodes that are not members any more end.
    fn forget_strangers(&self) {
        let members = &self.consensus.standing().members;
        if members.version() > 0 {
            self.peers.retain(|id| members.all.contains_key(&id));
            self.reports.retain(|id| members.all.contains_key(&id));
        }
    }

    /// The end of the shortest log among the members that are there. One that is not holds nothing back.
    fn least_matched(&self) -> Option<u64> {
        let is_there = |id: u64| {
            let heard = self.peers.heard(id);
            heard.is_some_and(|heard| heard.elapsed() < THERE)
        };
        let standing = self.consensus.standing();
        let matched = standing.matched.iter().filter(|(id, _)| is_there(**id));
        matched.filter_map(|(_, matched)| *matched).min()
    }

    /// Has a snapshot built and the log purged when the store says that it is time.
    async fn bound_log(&self) {
        let Some(control) = self.store.lock().as_ref().map(|hold| hold.control.clone()) else {
            return;
        };
        if control.snapshot_due() && self.consensus.snapshot_build().await.is_err() {
            return;
        }
        let Some(due) = control.purge_due() else {
            return;
        };
        let oldest = self.consensus.oldest_snapshot_on_the_way();
        let needed = [oldest, self.least_matched()].into_iter().flatten();
        let upto = purge_upto(due.index, needed.min(), control.log_too_long());
        if let Err(error) = self.consensus.purge(upto).await {
            tracing::debug!(%error, "the log was not purged");
        }
    }
}

/// Up to where to purge: not beyond what a follower has, or will have with the snapshot that it is being
/// sent, or its log would end before the leader's begins. One for whom the log grows too long has to
/// begin anew.
fn purge_upto(due: u64, needed_after: Option<u64>, too_long: bool) -> u64 {
    needed_after
        .filter(|_| !too_long)
        .map_or(due, |needed| needed.min(due))
}

#[cfg(test)]
mod tests {
    use super::purge_upto;

    #[test]
    fn a_snapshot_on_the_way_holds_the_log_back_from_its_end_and_not_for_ever() {
        let cases = [
            (100, None, false, 100),
            (100, Some(80), false, 80),
            (100, Some(120), false, 100),
            (100, Some(80), true, 100),
        ];
        for (due, oldest, too_long, expected) in cases {
            assert_eq!(
                purge_upto(due, oldest, too_long),
                expected,
                "{due}, {oldest:?}, {too_long}"
            );
        }
    }
}
