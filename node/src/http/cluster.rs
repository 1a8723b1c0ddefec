//! The cluster: its members, and the digest of the state.

use api::problem::{Problem, Viewer};
use api::requests::query::{self, Mutation, Reading};
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
use crate::replica::{self, ClusterStatus, MemberChange, MemberError, MemberStatus};

pub(super) async fn cluster_show(server: &Server, call: Call) -> Answered {
    let reading = Reading::parse(call.query())?;
    let granted = ready(server, &call, reading).await?;
    let status = server.replica().status();
    Ok(cluster(server, &status, granted.staleness_ms))
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
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let MemberAdd { address, http_url } = MemberAdd::parse(&body)?;
    let change = MemberChange::Add {
        id,
        peer_address: address,
        http_url,
    };
    let status = changed(server, change, dry_run).await?;
    let stamp = server.stamp();
    let document = Cluster {
        note: note_to_grow(&status.members),
        ..document(server, &status, stamp.revision)
    };
    Ok(answer::json(StatusCode::OK, &document, stamp))
}

/// The cluster after a change of its members; for a dry run as it is, with the members that there would be.
async fn changed(
    server: &Server,
    change: MemberChange,
    dry_run: bool,
) -> Result<ClusterStatus, Problem> {
    let (replica, deadline) = (server.replica(), server.limits().request_deadline);
    let done = if dry_run {
        replica.member_dry_run(change, deadline).await
    } else {
        let done = replica.member_change(change, deadline).await;
        done.map(|()| replica.status())
    };
    done.map_err(|error| refused(server, &error))
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
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let status = changed(server, MemberChange::Promote { id }, dry_run).await?;
    Ok(cluster(server, &status, None))
}

pub(super) async fn member_remove(server: &Server, call: Call) -> Answered {
    let id = path::member_id(call.path("id"))?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let status = changed(server, MemberChange::Remove { id }, dry_run).await?;
    Ok(cluster(server, &status, None))
}

/// The cluster as this node sees it now.
fn cluster(server: &Server, status: &ClusterStatus, staleness_ms: Option<u64>) -> Response {
    let stamp = Stamp {
        staleness_ms,
        ..server.stamp()
    };
    answer::json(
        StatusCode::OK,
        &document(server, status, stamp.revision),
        stamp,
    )
}

/// Moves the log's clock, where the operator lets tests do that.
pub(super) async fn clock_advance(server: &Server, mut call: Call) -> Answered {
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    if !server.limits().test_clock {
        return Err(Problem::test_clock_off().into());
    }
    let command = ClockAdvance::parse(&body)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Admin)
}

fn document(server: &Server, status: &ClusterStatus, revision: u64) -> Cluster {
    let advanced_ms = server
        .replica()
        .applied()
        .read(|state| state.clock().advanced_ms());
    Cluster {
        cluster_id: status.cluster_id.map(Hex128),
        node: status.node_id,
        leader: status.leader,
        term: status.term,
        last_log_index: status.last_log_index,
        applied_index: status.applied_index,
        revision,
        clock_advanced_ms: Some(advanced_ms).filter(|ms| *ms > 0),
        test_clock: server.limits().test_clock,
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
