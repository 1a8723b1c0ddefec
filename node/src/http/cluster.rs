//! The cluster: its members, and the digest of the state.

use std::time::Duration;

use api::problem::{Code, Problem};
use api::requests::query::{self, none};
use api::requests::{MemberAdd, path};
use api::scalar::Hex128;
use api::views::{Cluster, Digest, Member, MemberRole};
use axum::response::Response;
use hyper::StatusCode;
use raft_store::DigestAnswer;

use super::answer::{self, Answered};
use super::call::Call;
use super::server::Server;
use crate::replica::{self, ClusterStatus, MemberAddress, MemberError, MemberStatus};

pub(super) fn cluster_show(server: &Server, call: &Call) -> Answered {
    none(call.query())?;
    Ok(cluster(server))
}

pub(super) async fn digest_show(server: &Server, call: Call) -> Answered {
    let query::Digest { revision } = query::Digest::parse(call.query())?;
    let deadline = server.limits().request_deadline;
    let Ok(found) = tokio::time::timeout(deadline, digest(server, revision)).await else {
        let reached = server.replica().applied().at().revision;
        return Err(Problem::min_revision_not_reached(revision.unwrap_or(0), reached).into());
    };
    Ok(answer::json(StatusCode::OK, &found?, server.stamp()))
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
            DigestAnswer::Gone => return Err(gone(revision)),
            DigestAnswer::NotYet => {}
        }
        if changes.changed().await.is_err() {
            return Err(Problem::stopping());
        }
    }
}

/// The ring of digests begins later.
fn gone(revision: Option<u64>) -> Problem {
    let asked = revision.unwrap_or(0);
    Problem::new(
        Code::Compacted,
        format!("The digest at revision {asked} is no longer kept."),
    )
    .with("asked", asked)
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
    Ok(cluster(server))
}

pub(super) async fn member_promote(server: &Server, call: Call) -> Answered {
    let id = path::member_id(call.path("id"))?;
    none(call.query())?;
    let done = server.replica().member_promote(id, deadline(server)).await;
    done.map_err(|error| refused(server, &error))?;
    Ok(cluster(server))
}

pub(super) async fn member_remove(server: &Server, call: Call) -> Answered {
    let id = path::member_id(call.path("id"))?;
    none(call.query())?;
    let done = server.replica().member_remove(id, deadline(server)).await;
    done.map_err(|error| refused(server, &error))?;
    Ok(cluster(server))
}

fn deadline(server: &Server) -> Duration {
    server.limits().request_deadline
}

/// The cluster as this node sees it now.
fn cluster(server: &Server) -> Response {
    let status = server.replica().status();
    let stamp = server.stamp();
    answer::json(StatusCode::OK, &document(&status, stamp.revision), stamp)
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
        members: status.members.iter().map(member).collect(),
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
