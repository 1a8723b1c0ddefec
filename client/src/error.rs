//! Why a call failed.

use api::Problem;
use thiserror::Error;

/// Why a call failed.
#[derive(Debug, Error)]
pub enum Error {
    /// A node answered with a problem. For one that is retryable: it was the answer until the
    /// deadline.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// No endpoint could be reached before the deadline; nothing was done.
    #[error("no endpoint could be reached before the deadline (last tried: {endpoint})")]
    Unreachable {
        /// The endpoint of the last attempt.
        endpoint: String,
        /// What happened there.
        source: reqwest::Error,
    },
    /// The write was sent and its outcome is not known: it may have been done, or may yet be.
    #[error(
        "it is not known whether the write was done; it may yet happen (last asked: {endpoint})"
    )]
    OutcomeUnknown {
        /// The endpoint of the last attempt.
        endpoint: String,
        /// What the node said of it, where it answered at all.
        problem: Option<Box<Problem>>,
        /// What happened to the connection, where it did not.
        source: Option<reqwest::Error>,
    },
    /// Something answered that is not ipamd, or not a version of it that this client reads.
    #[error(
        "{endpoint} answered with status {status} and something that is not of this API: {reason}"
    )]
    Unexpected {
        /// The endpoint.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// What could not be read.
        reason: String,
    },
    /// The request could not be written.
    #[error("the request could not be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl Error {
    /// The problem that a node answered with.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::OutcomeUnknown { problem, .. } => problem.as_deref(),
            Self::Unreachable { .. } | Self::Unexpected { .. } | Self::Unwritable(_) => None,
        }
    }

    /// The code of that problem.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }
}

/// Why no client could be made.
#[derive(Debug, Error)]
pub enum InvalidOptions {
    /// No endpoint was given.
    #[error("no endpoint was given")]
    NoEndpoint,
    /// An endpoint is not an `http://` URL without a path.
    #[error("the endpoint {endpoint:?} is not of the form http://host:port")]
    Endpoint {
        /// As given.
        endpoint: String,
    },
    /// The token has characters that cannot stand in a header.
    #[error("the token has characters other than printable ASCII")]
    Token,
    /// The HTTP library could not be set up.
    #[error("the HTTP library could not be set up")]
    Http(#[source] reqwest::Error),
}
