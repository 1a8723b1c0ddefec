//! The one thing that all parts of the store agree on: after a failure of storage, nothing goes on.
//!
//! A failure is published once, to whoever runs the process, who stops it. It is never retried:
//! after a failed `fdatasync` the kernel may have dropped the very pages that were to be written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

use crate::env::{Core, Next};

/// Why this node's storage can no longer be trusted.
#[derive(Debug, Clone, Error)]
pub enum StoreFailure {
    /// The log could not be written or synced.
    #[error("the log could not be written: {reason}")]
    Log {
        /// What the system said.
        reason: String,
    },
    /// A sync of the log has not come back.
    #[error("a sync of the log has been hanging for {}", seconds(*waited))]
    SyncHangs {
        /// For how long.
        waited: Duration,
    },
    /// An entry of the log could not be applied.
    #[error("entry {index} could not be applied: {reason}")]
    Apply {
        /// Its index.
        index: u64,
        /// Why.
        reason: String,
    },
    /// The applied store could not be written.
    #[error("the applied store could not be written: {reason}")]
    Checkpoint {
        /// What the system said.
        reason: String,
    },
    /// A snapshot could not be written or installed.
    #[error("a snapshot could not be written or installed: {reason}")]
    Snapshot {
        /// What the system said.
        reason: String,
    },
    /// A part of the store met a state that should not exist, and stopped in the middle of its work.
    #[error("the {core} thread stopped on a bug: {reason}")]
    Bug {
        /// The part.
        core: &'static str,
        /// The message of the assertion.
        reason: String,
    },
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Where the first failure is published.
#[derive(Debug, Clone)]
pub(crate) struct Failures(Arc<watch::Sender<Option<StoreFailure>>>);

impl Failures {
    /// Nothing has failed yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Publishes a failure; the first one stays.
    pub(crate) fn publish(&self, failure: StoreFailure) {
        tracing::error!(%failure, "storage failed; this node must stop");
        self.0.send_if_modified(|first| {
            let changed = first.is_none();
            if changed {
                *first = Some(failure);
            }
            changed
        });
    }

    /// The first failure, if any.
    pub(crate) fn first(&self) -> Option<StoreFailure> {
        self.0.borrow().clone()
    }

    /// Sees the first failure when it comes.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<StoreFailure>> {
        self.0.subscribe()
    }
}

/// A core whose panic is published as a failure instead of leaving the others waiting.
pub(crate) struct Guarded<C> {
    name: &'static str,
    failures: Failures,
    core: C,
}

impl<C: Core> Guarded<C> {
    pub(crate) fn new(name: &'static str, failures: Failures, core: C) -> Self {
        Self {
            name,
            failures,
            core,
        }
    }

    /// The core itself.
    pub(crate) fn core(&self) -> &C {
        &self.core
    }
}

impl<C: Core> Core for Guarded<C> {
    fn step(&mut self) -> Next {
        // After a panic the core is never stepped again, so that its state does not matter.
        match catch_unwind(AssertUnwindSafe(|| self.core.step())) {
            Ok(next) => next,
            Err(panic) => {
                let reason = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_else(|| "no message".to_owned());
                self.failures.publish(StoreFailure::Bug {
                    core: self.name,
                    reason,
                });
                Next::Stop
            }
        }
    }
}
