//! What this node says about itself and the cluster.

use std::time::Duration;

use super::{ClusterStatus, Health, Inner, MemberRole, MemberStatus};
use crate::formation::Situation;

/// A node is ready while what it has applied was confirmed by a leader within this time: then there
/// is a leader with a quorum, and this node keeps up with it.
const UNCONFIRMED_MAX: Duration = Duration::from_secs(3);

impl Inner {
    pub(super) fn status(&self) -> ClusterStatus {
        let standing = self.consensus.standing();
        let me = self.local.node_id();
        let last_log_index = standing.last_log_index().unwrap_or(0);
        let members = standing.members.all.iter().map(|(id, member)| {
            let report = self.reports.of(*id);
            let acknowledged = standing.matched.get(id).copied().flatten();
            let (matched_index, last_contact_ms) = if *id == me {
                (Some(last_log_index), Some(0))
            } else {
                let reported = report.map(|(report, _)| report.last_log_index);
                let heard = report.map(|(_, at)| at).max(self.peers.heard(*id));
                (
                    acknowledged.or(reported),
                    heard.map(|at| millis(at.elapsed())),
                )
            };
            MemberStatus {
                id: *id,
                role: if standing.members.is_voter(*id) {
                    MemberRole::Voter
                } else {
                    MemberRole::Learner
                },
                peer_address: member.peer_address.clone(),
                http_url: member.http_url.clone(),
                instance: member.instance,
                matched_index,
                last_contact_ms,
            }
        });
        ClusterStatus {
            cluster_id: self.local.cluster(),
            node_id: me,
            instance: self.local.instance(),
            leader: standing.leadership.leader,
            term: standing.leadership.term,
            last_log_index,
            applied_index: self.applied.at().index.unwrap_or(0),
            members: members.collect(),
        }
    }

    pub(super) fn health(&self) -> Health {
        let mut health = Health::default();
        if let Some(failure) = &*self.failure.borrow() {
            health.not_live.push(failure.to_string());
        }
        if let Some(reason) = &*self.crashed.borrow() {
            health.not_live.push(reason.clone());
        }
        let standing = self.consensus.standing();
        if let Some(reason) = &standing.leadership.stopped
            && !self.stop.is_cancelled()
        {
            health.not_live.push(format!("Raft has stopped: {reason}"));
        }
        if self.leaving.is_cancelled() {
            health.not_ready.push("this node is stopping".to_owned());
        }
        let trouble = self
            .store
            .lock()
            .as_ref()
            .and_then(|hold| hold.control.trouble());
        health.not_ready.extend(trouble);
        if let Situation::Waiting(reason) = &*self.situation.borrow() {
            health.not_ready.push(reason.clone());
            return health;
        }
        let me = self.local.node_id();
        let as_member = standing.members.all.get(&me);
        if as_member.is_none_or(|member| member.instance != self.local.instance()) {
            health
                .not_ready
                .push(format!("node {me} is not a member of the cluster"));
        }
        let confirmed = self.freshness.age(&self.applied);
        if confirmed.is_none_or(|age| age > UNCONFIRMED_MAX) {
            let age = confirmed.unwrap_or_else(|| self.started.elapsed());
            let leader = standing.leadership.leader.filter(|leader| *leader != me);
            health.not_ready.push(unconfirmed(leader, age));
            for id in standing.members.all.keys() {
                if let Some(refusal) = self.peers.refused(*id) {
                    health
                        .not_ready
                        .push(format!("no connection to node {id}: {refusal}"));
                }
            }
        }
        health
    }
}

fn unconfirmed(leader: Option<u64>, age: Duration) -> String {
    let seconds = age.as_secs_f64();
    match leader {
        Some(leader) => format!(
            "behind, or no leader: node {leader} has not confirmed this state for {seconds:.1} s"
        ),
        None => format!("no leader with a quorum for {seconds:.1} s"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
