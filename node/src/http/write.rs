//! Mutations: a command goes to the replica, its answer comes back.

use allocator::answer::Answer;
use allocator::command::{Command, Envelope};
use api::problem::{Problem, Viewer};
use api::reply::Reply;
use axum::response::Response;
use hyper::StatusCode;

use super::answer::{self, Answered, Failure, Stamp};
use super::call::Call;
use super::server::Server;
use crate::metrics::life;
use crate::replica::{ProposeError, Proposed};

/// What the state machine answered, and who led it there.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) answer: Answer,
    leader: u64,
}

impl Written {
    /// The state after the command.
    fn stamp(&self) -> Stamp {
        Stamp {
            revision: self.answer.revision,
            leader: Some(self.leader),
            staleness_ms: None,
        }
    }

    /// The answer as a document for `viewer`, or the refusal as a problem.
    pub(super) fn reply(&self, viewer: Viewer<'_>) -> Answered {
        self.document(viewer).map(|reply| self.encode(&reply))
    }

    /// As [`Self::reply`], before it is encoded.
    pub(super) fn document(&self, viewer: Viewer<'_>) -> Result<Reply, Failure> {
        Reply::of(&self.answer, viewer).map_err(|problem| Failure::at(problem, self.stamp()))
    }

    /// The last step of [`Self::reply`].
    pub(super) fn encode(&self, reply: &Reply) -> Response {
        answer::json(
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK),
            &reply.body,
            self.stamp(),
        )
    }
}

/// Proposes a command, or asks what it would be answered.
///
/// # Errors
/// The command was not decided, or its outcome is not known.
pub(super) async fn write(
    server: &Server,
    call: &Call,
    command: Command,
    dry_run: bool,
) -> Result<Written, Problem> {
    let envelope = Envelope {
        actor: Box::default(),
        source: call.source().into(),
        command,
    };
    let deadline = server.limits().request_deadline;
    let proposed = if dry_run {
        server.replica().dry_run(envelope, deadline).await
    } else {
        server.replica().propose(envelope, deadline).await
    };
    let Proposed { answer, leader, .. } = proposed.map_err(|error| undecided(&error))?;
    if !dry_run {
        life::swept(&answer.swept);
    }
    Ok(Written { answer, leader })
}

fn undecided(error: &ProposeError) -> Problem {
    match error {
        ProposeError::TooBusy => Problem::too_busy(),
        ProposeError::NoLeader => Problem::no_leader(),
        ProposeError::OutcomeUnknown => Problem::outcome_unknown(),
        ProposeError::TooLarge { limit, .. } => Problem::too_large(*limit),
        ProposeError::Stopping => Problem::stopping(),
    }
}
