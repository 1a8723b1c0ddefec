//! The cluster: its members, and the digest of the state.

use std::time::Duration;

use api::problem::{Problem, Viewer};
use api::requests::query::{self, Reading, none};
use api::requests::{ClockAdvance, MemberAdd, path};
use api::scalar::Hex128;
use api::views::{Cluster, Digest, Member, MemberRole};
use axum::response::Response;
use hyper::StatusCode;
use raft_store::DigestAnswer;

use super::answer::{self, Answered, Stamp};
use super::call::Call;
use super::read::ready;
use super::server::Server;
use super::write::write;
use crate::replica::{self, ClusterStatus, MemberAddress, MemberError, MemberStatus};

pub(super) async fn cluster_show(server: &Server, call: Call) -> Answered {
    let reading = Reading::parse(call.query())?;
    let granted = ready(server, &call, reading).await?;
    Ok(cluster(server, granted.staleness_ms))
}

pub(super) async fn digest_show(server: &Server, call: Call) -> Answered {
    let query::Digest { reading, revision } = query::Digest::parse(call.query())?;
    let granted = ready(server, &call, reading).await?;
    let deadline = server.limits().request_deadline;
    let Ok(found) = tokio::time::timeout(deadline, digest(server, revision)).await else {
        let reached = server.replica().applied().at().revision;
        return Err(Problem::min_revision_not_reached(revision.unwrap_or(0), reached).into());
    };
    let stamp = Stamp {
        staleness_ms: granted.staleness_ms,
        ..server.stamp()
    };
    Ok(answer::json(StatusCode::OK, &found?, stamp))
}

/// Waits until the revision is reached, which may be never: the caller bounds the time.
async fn digest(server: &Server, revision: Option<u64>) -> Result<Digest, Problem> {
    let applied = server.replica().applied();
    let mut changes = applied.watch();
    loop {
        match applied.digest_at(revision) {
            DigestAnswer::At(mark) => {
                return Ok(Digest {
                    revision: mark.revision,
                    index: mark.index,
                    digest: Hex128(mark.digest),
                });
            }
            DigestAnswer::Gone { oldest } => {
                return Err(Problem::compacted(revision.unwrap_or(0), oldest));
            }
            DigestAnswer::NotYet => {}
        }
        if changes.changed().await.is_err() {
            return Err(Problem::stopping());
        }
    }
}

pub(super) async fn member_add(server: &Server, mut call: Call) -> Answered {
    let id = path::member_id(call.path("id"))?;
    none(call.query())?;
    let body = call.body(server.limits()).await?;
    let asked = MemberAdd::parse(&body)?;
    let address = MemberAddress {
        peer_address: asked.address,
        http_url: asked.http_url,
    };
    let done = server
        .replica()
        .member_add(id, address, deadline(server))
        .await;
    done.map_err(|error| refused(server, &error))?;
    let status = server.replica().status();
    let stamp = server.stamp();
    let document = Cluster {
        note: note_to_grow(&status.members),
        ..document(&status, stamp.revision)
    };
    Ok(answer::json(StatusCode::OK, &document, stamp))
}

/// What is to be done when a node that was alone has got company: one that is named alone forms a
/// new cluster should its directory be lost.
fn note_to_grow(members: &[MemberStatus]) -> Option<String> {
    let [first, second] = members else {
        return None;
    };
    Some(format!(
        "Name all members at the next start of each node, such as --cluster {}={},{}={} (or --replicas 2 with --cluster-dns): a node that is named alone and loses its directory forms a new cluster, alone.",
        first.id, first.peer_address, second.id, second.peer_address
    ))
}

pub(super) async fn member_promote(server: &Server, call: Call) -> Answered {
    let id = path::member_id(call.path("id"))?;
    none(call.query())?;
    let done = server.replica().member_promote(id, deadline(server)).await;
    done.map_err(|error| refused(server, &error))?;
    Ok(cluster(server, None))
}

pub(super) async fn member_remove(server: &Server, call: Call) -> Answered {
    let id = path::member_id(call.path("id"))?;
    none(call.query())?;
    let done = server.replica().member_remove(id, deadline(server)).await;
    done.map_err(|error| refused(server, &error))?;
    Ok(cluster(server, None))
}

fn deadline(server: &Server) -> Duration {
    server.limits().request_deadline
}

/// The cluster as this node sees it now.
fn cluster(server: &Server, staleness_ms: Option<u64>) -> Response {
    let status = server.replica().status();
    let stamp = Stamp {
        staleness_ms,
        ..server.stamp()
    };
    let advanced_ms = server
        .replica()
        .applied()
        .read(|state| state.clock().advanced_ms());
    let document = Cluster {
        clock_advanced_ms: Some(advanced_ms).filter(|ms| *ms > 0),
        test_clock: server.limits().test_clock,
        ..document(&status, stamp.revision)
    };
    answer::json(StatusCode::OK, &document, stamp)
}

/// Moves the log's clock, where the operator lets tests do that.
pub(super) async fn clock_advance(server: &Server, mut call: Call) -> Answered {
    none(call.query())?;
    let body = call.body(server.limits()).await?;
    if !server.limits().test_clock {
        return Err(Problem::test_clock_off().into());
    }
    let command = ClockAdvance::parse(&body)?;
    write(server, &call, command, false)
        .await?
        .reply(Viewer::Admin)
}

fn document(status: &ClusterStatus, revision: u64) -> Cluster {
    Cluster {
        cluster_id: status.cluster_id.map(Hex128),
        node: status.node_id,
        leader: status.leader,
        term: status.term,
        last_log_index: status.last_log_index,
        applied_index: status.applied_index,
        revision,
        clock_advanced_ms: None,
        test_clock: false,
        members: status.members.iter().map(member).collect(),
        note: None,
    }
}

fn member(status: &MemberStatus) -> Member {
    Member {
        id: status.id,
        role: match status.role {
            replica::MemberRole::Voter => MemberRole::Voter,
            replica::MemberRole::Learner => MemberRole::Learner,
        },
        address: status.peer_address.clone(),
        http_url: Some(status.http_url.clone()).filter(|url| !url.is_empty()),
        matched_index: status.matched_index,
        last_contact_ms: status.last_contact_ms,
    }
}

fn refused(server: &Server, error: &MemberError) -> Problem {
    match error {
        MemberError::NoLeader => Problem::no_leader(),
        MemberError::OutcomeUnknown => Problem::outcome_unknown(),
        MemberError::Stopping => Problem::stopping(),
        MemberError::Unknown { id } => Problem::member_not_found(*id),
        MemberError::AlreadyMember { id } => {
            let members = server.replica().status().members;
            let address = members
                .iter()
                .find(|member| member.id == *id)
                .map(|member| member.peer_address.as_str());
            Problem::member_exists(*id, address.unwrap_or("another address"))
        }
        MemberError::NotReachable { .. }
        | MemberError::NotCaughtUp { .. }
        | MemberError::WouldLoseQuorum { .. }
        | MemberError::InProgress => Problem::membership_refused(sentence(error)),
    }
}

/// The error's text with a capital and a full stop.
fn sentence(error: &MemberError) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}
