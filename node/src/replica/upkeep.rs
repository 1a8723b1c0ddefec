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
        inner.gauges();
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
        metrics::gauge!("ipam_raft_clock_apart_seconds").set(seconds);
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

    /// Has a snapshot built and the log purged when the store says that it is time; no purge while
    /// a follower is being sent a snapshot, whose log would end before the leader's begins.
    async fn bound_log(&self) {
        let Some(control) = self.store.lock().as_ref().map(|hold| hold.control.clone()) else {
            return;
        };
        if control.snapshot_due() && self.consensus.snapshot_build().await.is_err() {
            return;
        }
        if self.consensus.snapshots_on_the_way() > 0 {
            return;
        }
        if let Some(upto) = control.purge_due()
            && let Err(error) = self.consensus.purge(upto.index).await
        {
            tracing::debug!(%error, "the log was not purged");
        }
    }

    fn gauges(&self) {
        let standing = self.consensus.standing();
        let applied = self.applied.at().index.unwrap_or(0);
        let last = standing.last_log_index().unwrap_or(0);
        metrics::gauge!("ipam_raft_term").set(gauge(standing.leadership.term));
        metrics::gauge!("ipam_raft_is_leader").set(if standing.leadership.is_me {
            1.0
        } else {
            0.0
        });
        metrics::gauge!("ipam_raft_last_log_index").set(gauge(last));
        metrics::gauge!("ipam_raft_applied_index").set(gauge(applied));
        for (id, matched) in &standing.matched {
            let lag = last.saturating_sub(matched.unwrap_or(0));
            metrics::gauge!("ipam_raft_peer_lag", "peer" => id.to_string()).set(gauge(lag));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric; such numbers stay below 2^52"
)]
fn gauge(value: u64) -> f64 {
    value as f64
}
