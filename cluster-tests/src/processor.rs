//! How busy threads keep the processor.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor's time that this thread has taken so far.
///
/// # Panics
/// Never: such a time is not negative.
pub fn taken_by_this_thread() -> Duration {
    let taken = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(taken).expect("a thread's time is not negative")
}
