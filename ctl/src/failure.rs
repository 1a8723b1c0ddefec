//! What can go wrong, how it is told, and the exit code that scripts see.
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | another error |
//! | 2 | wrong usage |
//! | 3 | forbidden |
//! | 4 | not found |
//! | 5 | conflict |
//! | 6 | invalid |
//! | 7 | exhausted |
//! | 8 | unavailable, or the outcome is unknown |
//! | 9 | aborted by the user |

use std::error::Error as _;
use std::io::{self, Write};

use api::Problem;
use api::problem::Code;
use thiserror::Error;

use crate::output::printable;

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// The user said no.
    #[error("aborted")]
    Aborted,
    /// The cluster refused or could not be asked.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// The client could not be set up.
    #[error(transparent)]
    Options(#[from] client::InvalidOptions),
    /// The outcome of a write that is fenced is not known.
    #[error("{error}")]
    Fenced {
        /// What is known of it.
        error: client::Error,
        /// How to ask for the same once more, and for nothing that came after it.
        again: String,
    },
    /// Something on this machine.
    #[error("{what}")]
    Local {
        /// What could not be done.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A file that is not of its form.
    #[error("{0}")]
    File(String),
    /// Documents that are not right; each fault was told already.
    #[error("{failed} of {total} documents are not right: nothing was changed")]
    Documents {
        /// How many are not.
        failed: usize,
        /// Of how many.
        total: usize,
    },
    /// Some of several things failed; each was told already.
    #[error("{failed} of {total} failed")]
    Several {
        /// How many failed.
        failed: usize,
        /// Of how many.
        total: usize,
        /// The exit code of the first.
        code: i32,
    },
    /// The cluster serves no longer; what was tried was told already.
    #[error("the cluster does not serve: {untried} of {total} were not tried")]
    Stopped {
        /// How many were not tried.
        untried: usize,
        /// Of how many.
        total: usize,
    },
    /// What was asked could be done in part only; how it stands was shown.
    #[error("{0}")]
    InPart(String),
    /// Nodes have different states at one revision.
    #[error("the digests differ: the nodes do not have the same state")]
    DigestsDiffer,
}

impl Failure {
    /// Why a write failed that carries a fence; `again` says how to send the same write once more.
    pub(crate) fn fenced(error: client::Error, again: impl FnOnce() -> String) -> Self {
        match error {
            client::Error::OutcomeUnknown { .. } => Self::Fenced {
                error,
                again: again(),
            },
            other => Self::Client(other),
        }
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Usage(_) | Self::Options(_) => 2,
            Self::Aborted => 9,
            Self::InPart(_) => 5,
            Self::Documents { .. } => 6,
            Self::Client(client::Error::Refused(problem)) => code_of_status(problem.status),
            Self::Client(
                client::Error::Unreachable { .. } | client::Error::OutcomeUnknown { .. },
            )
            | Self::Fenced { .. }
            | Self::Stopped { .. } => 8,
            Self::Several { code, .. } => *code,
            Self::Client(client::Error::Unexpected { .. } | client::Error::Unwritable(_))
            | Self::Local { .. }
            | Self::File(_)
            | Self::DigestsDiffer => 1,
        }
    }

    /// Tells it: what happened, the fields, the causes, and what to do.
    pub(crate) fn print(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Client(client::Error::Refused(problem)) => print_problem(problem, to)?,
            other => {
                writeln!(to, "error: {other}")?;
                let mut source = match other {
                    Self::Fenced { error, .. } => error.source(),
                    other => other.source(),
                };
                while let Some(cause) = source {
                    writeln!(to, "  because: {cause}")?;
                    source = cause.source();
                }
            }
        }
        match self.hint() {
            Some(hint) => writeln!(to, "hint: {hint}"),
            None => Ok(()),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Client(client::Error::Refused(problem)) => hint_of_problem(problem),
            Self::Client(client::Error::Unreachable { .. }) => Some(
                "is a node listening there? Endpoints come from --endpoint, IPAMCTL_ENDPOINTS or the configuration file"
                    .to_owned(),
            ),
            Self::Client(client::Error::OutcomeUnknown { .. }) => {
                Some("look whether it was done; a claim can be asked for again by the same name".to_owned())
            }
            Self::Fenced { again, .. } => Some(again.clone()),
            Self::Stopped { .. } => {
                Some("repeat the command when it serves again: what was done stays".to_owned())
            }
            Self::Client(client::Error::Unexpected { .. }) => {
                Some("is this the HTTP address of an ipamd node, and of a version that this ipamctl knows?".to_owned())
            }
            Self::Client(client::Error::Unwritable(_))
            | Self::Usage(_)
            | Self::Aborted
            | Self::Options(_)
            | Self::Local { .. }
            | Self::File(_)
            | Self::InPart(_)
            | Self::Documents { .. }
            | Self::Several { .. } => None,
            Self::DigestsDiffer => {
                Some("take the node that differs from the others out of service and replace it".to_owned())
            }
        }
    }
}

fn print_problem(problem: &Problem, to: &mut impl Write) -> io::Result<()> {
    let fields = problem.fields();
    if fields.is_empty() {
        let detail = printable(&problem.detail);
        return writeln!(to, "error: {detail} ({})", printable(&problem.code));
    }
    writeln!(to, "error: {} ({})", problem.title, problem.code)?;
    for field in fields {
        writeln!(
            to,
            "  {} {}; allowed: {}",
            printable(&field.field),
            printable(&field.problem),
            printable(&field.allowed)
        )?;
    }
    Ok(())
}

fn hint_of_problem(problem: &Problem) -> Option<String> {
    let fact = |name: &str| {
        problem
            .facts
            .get(name)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    // A pool may be another tenant's, shared with the one that asked.
    let pool = match (fact("pool"), fact("tenant")) {
        (pool, tenant) if tenant.is_empty() => pool,
        (pool, tenant) => format!("{pool} --tenant {tenant}"),
    };
    match problem.known_code()? {
        Code::TenantNotFound => Some("'ipamctl tenant list' shows those that there are".to_owned()),
        Code::PoolNotFound => {
            let list = match fact("tenant") {
                tenant if tenant.is_empty() => "pool list".to_owned(),
                tenant => format!("pool list --tenant {tenant}"),
            };
            Some(format!("'ipamctl {list}' shows those that there are"))
        }
        Code::ClaimNotFound => Some("'ipamctl claim list' shows those that there are".to_owned()),
        Code::PoolExhausted => Some(format!("'ipamctl pool free {pool}' shows what is left")),
        Code::PoolDraining => Some(format!("'ipamctl pool show {pool}' shows since when")),
        Code::PoolInUse => Some(format!(
            "'ipamctl allocation list --pool {pool}' shows what it holds"
        )),
        Code::ClaimMismatch => Some(format!(
            "'ipamctl claim show {}' shows it; ask under another name",
            fact("claim")
        )),
        Code::AddressTaken => Some(format!(
            "'ipamctl lookup {}' shows who has it",
            fact("cidr")
        )),
        Code::NoLeader | Code::Stale => {
            Some("'ipamctl cluster status' shows who is missing".to_owned())
        }
        Code::OutcomeUnknown => Some("repeat the command with the same name".to_owned()),
        _ => None,
    }
}

/// The cluster, or what answers in its place, will not do the next thing either: it was waited for as
/// long as a call may take.
pub(crate) fn is_outage(error: &client::Error) -> bool {
    match error {
        client::Error::Unreachable { .. } | client::Error::Unexpected { .. } => true,
        client::Error::Refused(problem) => code_of_status(problem.status) == 8,
        client::Error::OutcomeUnknown { .. } | client::Error::Unwritable(_) => false,
    }
}

/// The exit code of a problem's HTTP status.
pub(crate) fn code_of_status(status: u16) -> i32 {
    match status {
        401 | 403 => 3,
        404 | 410 => 4,
        405 | 409 | 412 | 424 => 5,
        400 | 413 | 415 | 422 | 431 => 6,
        507 => 7,
        408 | 429 | 503 | 504 => 8,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use api::problem::CATALOGUE;
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_code_of_the_catalogue_has_its_exit_code() {
        let lines: Vec<String> = CATALOGUE
            .iter()
            .map(|entry| format!("{} {}", code_of_status(entry.status), entry.name))
            .collect();
        expect![[r#"
            6 invalid_json
            6 invalid_parameter
            3 not_the_holder
            3 quota_exceeded
            3 test_clock_off
            4 tenant_not_found
            4 pool_not_found
            4 no_pool_matches
            4 claim_not_found
            4 allocation_not_found
            4 member_not_found
            4 not_found
            5 method_not_allowed
            5 delete_the_claim
            8 request_timeout
            5 already_exists
            5 claim_mismatch
            5 cidr_overlap
            5 pool_in_use
            5 tenant_in_use
            5 address_taken
            5 pool_draining
            5 too_many
            5 too_many_suspects
            5 member_exists
            5 membership_refused
            5 version_refused
            5 already_formed
            4 compacted
            5 revision_mismatch
            5 generation_stale
            5 epoch_stale
            6 too_large
            6 unsupported_media_type
            6 invalid_field
            6 prefix_length_out_of_bounds
            6 family_mismatch
            6 gateway_not_in_subnet
            6 not_private
            5 not_applied
            8 too_busy
            6 headers_too_large
            1 internal_error
            8 no_leader
            8 stale
            8 stopping
            8 outcome_unknown
            7 pool_exhausted"#]]
        .assert_eq(&lines.join("\n"));
    }

    fn told(problem: Problem) -> String {
        let mut text = Vec::new();
        Failure::Client(client::Error::Refused(Box::new(problem)))
            .print(&mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_hint_about_a_pool_names_the_tenant_that_has_it() {
        let table = [
            (
                Code::PoolExhausted,
                "'ipamctl pool free p --tenant net' shows",
            ),
            (
                Code::PoolDraining,
                "'ipamctl pool show p --tenant net' shows",
            ),
            (Code::PoolNotFound, "'ipamctl pool list --tenant net' shows"),
        ];
        for (code, expected) in table {
            let shared = Problem::new(code, "no")
                .with("pool", "p")
                .with("tenant", "net");
            let text = told(shared);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_problem_is_told_once_with_its_fields_and_a_hint() {
        let full =
            Problem::new(Code::PoolExhausted, "The pool p has no free /24.").with("pool", "p");
        let fields = ["name", "cidrs[0]"].map(|field| allocator::answer::FieldProblem {
            field: field.to_owned(),
            problem: "is \"?\"".to_owned(),
            allowed: "something else".to_owned(),
        });
        let text =
            told(full) + &told(Problem::invalid_fields(&fields)) + &told(Problem::too_busy());
        expect![[r#"
            error: The pool p has no free /24. (pool_exhausted)
            hint: 'ipamctl pool free p' shows what is left
            error: A field is not valid (invalid_field)
              name is "?"; allowed: something else
              cidrs[0] is "?"; allowed: something else
            error: The node has as many requests in flight as it takes. (too_busy)
        "#]]
        .assert_eq(&text);
    }
}
