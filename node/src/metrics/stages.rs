//! How long a command is on its way, stage by stage: where a claim's time goes.
//!
//! A record for each command that waits, otherwise one for each entry or message that carries many. What an
//! entry takes from its proposal to its being applied, and each sync of the log, is recorded where it ends.

use metrics::{Histogram, Unit, histogram};
use tokio::time::Instant;

const QUEUE: &str = "ipam_raft_queue_seconds";
const FORWARD: &str = "ipam_raft_forward_seconds";
const FORWARDED: &str = "ipam_raft_forwarded_seconds";
const CATCH_UP: &str = "ipam_raft_catch_up_seconds";
const REPLICATE: &str = "ipam_raft_replicate_seconds";
const APPEND: &str = "ipam_raft_append_seconds";

/// Waits in the queue of a leader, each until its command went into an entry.
pub(crate) fn waits_for_the_log() -> Histogram {
    histogram!(QUEUE, "for" => "entry")
}

/// Waits in the queue of another node, each until its command went to the leader.
pub(crate) fn waits_for_the_leader() -> Histogram {
    histogram!(QUEUE, "for" => "leader")
}

/// The leader has answered a message with commands, or has not; when.
pub(crate) fn leader_answered(begun: Instant) -> Instant {
    let answered = Instant::now();
    histogram!(FORWARD).record(answered - begun);
    answered
}

/// This node has applied what the leader answered, or waits no longer.
pub(crate) fn applied_after_the_leader(answered: Instant) {
    histogram!(CATCH_UP).record(answered.elapsed());
}

/// All commands of a message that another node sent have ended here.
pub(crate) fn forwarded_ended(begun: Instant) {
    histogram!(FORWARDED).record(begun.elapsed());
}

/// A follower has answered a message with entries, or has not.
pub(crate) fn replicated(peer: u64, begun: Instant) {
    histogram!(REPLICATE, "peer" => peer.to_string()).record(begun.elapsed());
}

/// Entries of a leader are in the log of this node.
pub(crate) fn appended(begun: Instant) {
    histogram!(APPEND).record(begun.elapsed());
}

pub(super) fn describe() {
    let describe = |name, help| metrics::describe_histogram!(name, Unit::Seconds, help);
    describe(
        QUEUE,
        "Time of a command in this node's queue, for an entry or for a message to the leader.",
    );
    describe(
        FORWARD,
        "Time from a message with commands to the leader until its reply.",
    );
    describe(
        FORWARDED,
        "Time that commands of another node's message took on this leader, until all had ended.",
    );
    describe(
        CATCH_UP,
        "Time from the leader's reply until this node had applied what it answers.",
    );
    describe(
        REPLICATE,
        "Time from a message with entries to a follower until its reply.",
    );
    describe(
        APPEND,
        "Time from entries of a leader until they were in this node's log.",
    );
}
