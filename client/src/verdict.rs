//! What one attempt means for the call: an answer, a refusal, or another attempt.

use std::time::Duration;

use api::Problem;
use api::problem::Code;
use bytes::Bytes;

use crate::request::Safety;

/// What came of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// A complete answer.
    Answered {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, where it is a number of seconds.
        retry_after: Option<Duration>,
        /// The body.
        body: Bytes,
    },
    /// No connection: the request was not sent.
    NotSent(reqwest::Error),
    /// The connection broke or timed out after the request was sent, in whole or in part.
    BrokeOff(reqwest::Error),
}

/// What it means.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A good answer.
    Good(u16, Bytes),
    /// A refusal that another attempt would only get again.
    Refused(Box<Problem>),
    /// An answer that is not of this API.
    Unexpected(u16, String),
    /// Ask again, another endpoint first.
    Again(Again),
    /// A write that must not be repeated was perhaps done.
    Unknown(Cause),
}

/// Another attempt.
#[derive(Debug)]
pub(crate) struct Again {
    /// This one was perhaps done.
    pub(crate) perhaps_done: bool,
    /// Not to this endpoint before so long.
    pub(crate) wait: Option<Duration>,
    /// Why.
    pub(crate) cause: Cause,
}

/// Why an attempt brought no final answer.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The node said so.
    Problem(Box<Problem>),
    /// Something between us and the node did.
    Foreign(u16, String),
    /// The connection did.
    Connection(reqwest::Error),
}

/// The verdict on one attempt of a request of that safety.
pub(crate) fn verdict(attempt: Attempt, safety: Safety) -> Verdict {
    match attempt {
        Attempt::NotSent(error) => Verdict::Again(Again {
            perhaps_done: false,
            wait: None,
            cause: Cause::Connection(error),
        }),
        Attempt::BrokeOff(error) => perhaps_done(safety, None, Cause::Connection(error)),
        Attempt::Answered { status, body, .. } if (200..300).contains(&status) => {
            Verdict::Good(status, body)
        }
        Attempt::Answered {
            status,
            retry_after,
            body,
        } => match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => of_problem(problem, retry_after, safety),
            Err(error) if status >= 500 => perhaps_done(
                safety,
                retry_after,
                Cause::Foreign(status, error.to_string()),
            ),
            Err(error) => Verdict::Unexpected(status, error.to_string()),
        },
    }
}

fn of_problem(problem: Problem, wait: Option<Duration>, safety: Safety) -> Verdict {
    match problem.known_code() {
        Some(
            Code::NoLeader | Code::Stale | Code::Stopping | Code::TooBusy | Code::RequestTimeout,
        ) => Verdict::Again(Again {
            perhaps_done: false,
            wait,
            cause: Cause::Problem(Box::new(problem)),
        }),
        // The node may have failed after the write was done.
        Some(Code::InternalError) if safety != Safety::Read => {
            perhaps_done(safety, wait, Cause::Problem(Box::new(problem)))
        }
        Some(Code::OutcomeUnknown) => perhaps_done(safety, wait, Cause::Problem(Box::new(problem))),
        Some(_) | None => Verdict::Refused(Box::new(problem)),
    }
}

fn perhaps_done(safety: Safety, wait: Option<Duration>, cause: Cause) -> Verdict {
    match safety {
        Safety::Read => Verdict::Again(Again {
            perhaps_done: false,
            wait,
            cause,
        }),
        Safety::Repeatable => Verdict::Again(Again {
            perhaps_done: true,
            wait,
            cause,
        }),
        Safety::Once => Verdict::Unknown(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(problem: &Problem, safety: Safety) -> &'static str {
        let status = problem.status;
        let body = serde_json::to_vec(problem).unwrap().into();
        word(&verdict(
            Attempt::Answered {
                status,
                retry_after: None,
                body,
            },
            safety,
        ))
    }

    fn word(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Good(..) => "good",
            Verdict::Refused(_) => "refused",
            Verdict::Unexpected(..) => "unexpected",
            Verdict::Again(Again {
                perhaps_done: false,
                ..
            }) => "again",
            Verdict::Again(Again {
                perhaps_done: true, ..
            }) => "again, perhaps done",
            Verdict::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn only_what_cannot_do_harm_is_sent_again() {
        let table = [
            (Problem::no_leader(), ["again", "again", "again"]),
            (Problem::stopping(), ["again", "again", "again"]),
            (Problem::too_busy(), ["again", "again", "again"]),
            (Problem::stale(None), ["again", "again", "again"]),
            (
                Problem::outcome_unknown(),
                ["again", "again, perhaps done", "unknown"],
            ),
            (
                Problem::internal_error(),
                ["refused", "again, perhaps done", "unknown"],
            ),
            (Problem::too_large(1), ["refused", "refused", "refused"]),
            (
                Problem::new(Code::PoolExhausted, "full"),
                ["refused", "refused", "refused"],
            ),
        ];
        for (problem, expected) in table {
            let told = [Safety::Read, Safety::Repeatable, Safety::Once]
                .map(|safety| told(&problem, safety));
            assert_eq!(told, expected, "{}", problem.code);
        }
    }

    #[test]
    fn an_answer_of_something_in_between_is_not_taken_for_the_nodes() {
        let of = |status, safety| {
            let body = Bytes::from_static(b"<html>bad gateway</html>");
            word(&verdict(
                Attempt::Answered {
                    status,
                    retry_after: None,
                    body,
                },
                safety,
            ))
        };
        assert_eq!(of(502, Safety::Read), "again");
        assert_eq!(of(502, Safety::Repeatable), "again, perhaps done");
        assert_eq!(of(502, Safety::Once), "unknown");
        assert_eq!(of(404, Safety::Read), "unexpected");
        assert_eq!(of(200, Safety::Read), "good");
    }
}
