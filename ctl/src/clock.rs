//! The wall clock of the operator's machine: for ages, and for epochs that nobody stated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a command line has no environment to take its time from; AGE and EXPIRES depend on it, and the epoch of a reconcile that states none, which need only grow"
)]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
