//! Operations on cluster.

use super::super::Method::{Delete, Get, Post};
use super::super::Operation;
use super::super::parameters::{READING, REVISIONS, query};
use super::ok;
use crate::problem::Code;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "cluster_show",
        method: Get,
        path: "/v1/cluster",
        tag: "Cluster",
        summary: "The members, the leader and how far each has come, as this node sees it.",
        parameters: &[READING],
        request: None,
        responses: &[ok("Cluster", "The cluster.")],
        problems: &[],
    },
    Operation {
        id: "digest_show",
        method: Get,
        path: "/v1/cluster/digest",
        tag: "Cluster",
        summary: "A hash of this node's state at a revision, equal on every node.",
        parameters: &[
            &[query(
                "revision",
                REVISIONS,
                "After the first entry that reached this revision; the answer waits for it. Without it: the latest.",
            )],
            READING,
        ],
        request: None,
        responses: &[ok("Digest", "The digest.")],
        problems: &[Code::Compacted],
    },
    Operation {
        id: "member_add",
        method: Post,
        path: "/v1/cluster/members/{id}",
        tag: "Cluster",
        summary: "Adds a node as a learner: it receives the log and does not vote.",
        parameters: &[],
        request: Some("MemberAdd"),
        responses: &[ok("Cluster", "The cluster with the new member.")],
        problems: &[Code::MemberExists, Code::MembershipRefused],
    },
    Operation {
        id: "member_promote",
        method: Post,
        path: "/v1/cluster/members/{id}/promote",
        tag: "Cluster",
        summary: "Makes a voter of a learner that has caught up.",
        parameters: &[],
        request: None,
        responses: &[ok("Cluster", "The cluster with the new voter.")],
        problems: &[Code::MemberNotFound, Code::MembershipRefused],
    },
    Operation {
        id: "member_remove",
        method: Delete,
        path: "/v1/cluster/members/{id}",
        tag: "Cluster",
        summary: "Removes a member, also one that is gone for good.",
        parameters: &[],
        request: None,
        responses: &[ok("Cluster", "The cluster without it.")],
        problems: &[Code::MemberNotFound, Code::MembershipRefused],
    },
    Operation {
        id: "clock_advance",
        method: Post,
        path: "/v1/cluster/clock/advance",
        tag: "Cluster",
        summary: "Moves the log's clock forward, on a node that was started with `--test-clock`.",
        parameters: &[],
        request: Some("ClockAdvance"),
        responses: &[ok("ClockAdvanced", "It was moved.")],
        problems: &[Code::TestClockOff],
    },
];
