//! The cluster, its digest and a node's health as shown.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::scalar::Hex128;

/// The cluster as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Drawn when the cluster formed; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<Hex128>,
    /// The node that answers.
    pub node: u64,
    /// The leader that it knows; absent while it knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<u64>,
    /// Its term.
    pub term: u64,
    /// The last entry in its log.
    pub last_log_index: u64,
    /// The last entry that it has applied.
    pub applied_index: u64,
    /// The revision of its state.
    pub revision: u64,
    /// By how many milliseconds tests have moved the log's clock; absent where none ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_advanced_ms: Option<u64>,
    /// The node that answers takes such moves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test_clock: bool,
    /// The members, by id.
    pub members: Vec<Member>,
    /// What the operator has to do now that this is done, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The log's clock after a test has moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockAdvanced {
    /// By how many milliseconds tests have moved it in all.
    pub clock_advanced_ms: u64,
    /// The revision.
    pub revision: u64,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Whether it votes.
    pub role: MemberRole,
    /// Where the other nodes reach it.
    pub address: String,
    /// Where clients reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_url: Option<String>,
    /// The last entry that the leader knows to be in its log; only the leader knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_index: Option<u64>,
    /// How long ago the answering node last heard from it, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact_ms: Option<u64>,
}

/// Whether a member votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// It votes and counts for the quorum.
    Voter,
    /// It receives the log and does not vote.
    Learner,
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Voter => "voter",
            Self::Learner => "learner",
        })
    }
}

/// A hash of the state after an entry, equal on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// The revision of the state.
    pub revision: u64,
    /// The entry after which it was taken.
    pub index: u64,
    /// The hash.
    pub digest: Hex128,
}

/// A node's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok` or `failing`.
    pub status: String,
    /// Why it fails; empty where it does not.
    pub reasons: Vec<String>,
}

impl Health {
    /// Healthy exactly where there is no reason against it.
    pub fn of(reasons: Vec<String>) -> Self {
        let status = if reasons.is_empty() { "ok" } else { "failing" };
        Self {
            status: status.to_owned(),
            reasons,
        }
    }

    /// There is no reason against it.
    pub fn is_ok(&self) -> bool {
        self.reasons.is_empty()
    }
}
