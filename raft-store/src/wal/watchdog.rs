//! Notices a sync that does not come back: the disk is gone, but the system does not say so.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::env::{Core, Env, Inbox, Next};
use crate::failure::{Failures, StoreFailure};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// When the writer's sync began, for others to see.
#[derive(Debug, Default)]
pub(super) struct SyncClock(AtomicU64);

impl SyncClock {
    /// 0 stands for "none", so that a sync at the very first microsecond counts as one later.
    pub(super) fn begin(&self, now: Duration) {
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.store(micros, Ordering::Relaxed);
    }

    /// When the sync that has come back began, if there was one.
    pub(super) fn end(&self) -> Option<Duration> {
        moment(self.0.swap(0, Ordering::Relaxed))
    }

    fn since(&self) -> Option<Duration> {
        moment(self.0.load(Ordering::Relaxed))
    }
}

fn moment(micros: u64) -> Option<Duration> {
    (micros > 0).then(|| Duration::from_micros(micros))
}

/// Looks at the clock of the current sync once a second.
pub(super) struct Watchdog {
    env: Arc<dyn Env>,
    /// Closed when the writer is gone, and with it the watchdog's task.
    writer: Inbox<Infallible>,
    clock: Arc<SyncClock>,
    timeout: Duration,
    failures: Failures,
}

impl Watchdog {
    pub(super) fn new(
        env: Arc<dyn Env>,
        writer: Inbox<Infallible>,
        clock: Arc<SyncClock>,
        timeout: Duration,
        failures: Failures,
    ) -> Self {
        Self {
            env,
            writer,
            clock,
            timeout,
            failures,
        }
    }
}

impl Core for Watchdog {
    fn step(&mut self) -> Next {
        if self.writer.is_closed() {
            return Next::Stop;
        }
        if let Some(since) = self.clock.since() {
            let waited = self.env.monotonic().saturating_sub(since);
            if waited >= self.timeout {
                self.failures.publish(StoreFailure::SyncHangs { waited });
                return Next::Stop;
            }
        }
        Next::Wait(Some(INTERVAL))
    }
}
