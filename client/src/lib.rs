//! A typed client of ipamd's HTTP API.
//!
//! It knows several endpoints and asks the next one when one does not answer or cannot serve. What
//! it promises:
//!
//! 1. **Nothing is done twice.** A request is sent again only where a repeat cannot do harm: reads;
//!    writes that carry their own name or generation; anything of which the server said that it was
//!    not done. For everything else the answer is [`Error::OutcomeUnknown`], never a guess.
//! 2. **A claim always has a name and a release always has a generation** by the time they are sent.
//! 3. **Own writes are seen.** The revision of every answer is remembered and sent with every local
//!    read, so that no later read shows an older state, whichever node it asks.
//! 4. **Every call ends** by its deadline; waits between attempts are jittered and honour
//!    `Retry-After`.

mod call;
mod endpoints;
mod error;
mod operations;
mod options;
mod request;
mod verdict;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use call::Shared;

pub use error::{Error, InvalidOptions};
pub use operations::{Filter, FreeBlocks};
pub use options::{Consistency, Options};
pub use watch::Watch;

/// A client. Cloning it is cheap; clones share connections and the remembered revision.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Duration,
    consistency: Consistency,
    dry_run: bool,
}

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The HTTP status: 201 where something was made, else 200.
    pub status: u16,
    /// The revision of the state that it shows, where the server said so.
    pub revision: Option<u64>,
    /// What it shows.
    pub body: T,
}

impl<T> Answer<T> {
    /// Something was made, and was not there before.
    pub fn is_new(&self) -> bool {
        self.status == 201
    }
}

impl Client {
    /// A client of the endpoints in `options`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`InvalidOptions`]: no endpoint, one that is not an `http://` URL, a token that cannot stand
    /// in a header, or the HTTP library could not be set up.
    pub fn new(options: &Options) -> Result<Self, InvalidOptions> {
        let (deadline, consistency) = (options.deadline, options.consistency);
        let shared = Arc::new(Shared::new(options)?);
        Ok(Self {
            shared,
            deadline,
            consistency,
            dry_run: false,
        })
    }

    /// The same client with another deadline for each call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// The same client with another consistency of its reads.
    #[must_use]
    pub fn with_consistency(&self, consistency: Consistency) -> Self {
        Self {
            consistency,
            ..self.clone()
        }
    }

    /// The same client, whose mutations only tell the answer that they would get.
    #[must_use]
    pub fn with_dry_run(&self) -> Self {
        Self {
            dry_run: true,
            ..self.clone()
        }
    }

    /// The highest revision that any answer so far has shown; 0 before the first.
    pub fn revision_seen(&self) -> u64 {
        self.shared.revision_seen()
    }
}
