//! What a client is made from.

use std::time::Duration;

/// From which state reads are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// That of the node that answers, never older than what this client has seen.
    #[default]
    Local,
    /// One that has every write answered before the read began.
    Linearizable,
}

/// What a client is made from.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base URLs, `http://host:port`; at least one. The first that answers is kept.
    pub endpoints: Vec<String>,
    /// A bearer token.
    pub token: Option<String>,
    /// How long a call may take, all attempts together.
    pub deadline: Duration,
    /// How long one attempt may take before the next endpoint is asked; a write that must not be
    /// repeated has its whole deadline.
    pub attempt_timeout: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// From which state reads are answered.
    pub consistency: Consistency,
}

impl Options {
    /// The usual ones, for these endpoints.
    pub fn new<T: Into<String>>(endpoints: impl IntoIterator<Item = T>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            token: None,
            deadline: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(6),
            connect_timeout: Duration::from_secs(1),
            consistency: Consistency::Local,
        }
    }
}
