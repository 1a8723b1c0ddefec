//! For how long the state's lock is held and waited for, counted in buckets: a hold delays every claim
//! behind it, so what it may take (a millisecond) must be seen where it is exceeded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::env::Env;

/// Upper bounds of the buckets, inclusive; one more bucket has what is above the last.
pub const LOCK_BOUNDS: [Duration; 9] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
];
const BUCKETS: usize = LOCK_BOUNDS.len() + 1;

/// What takes time at the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockUse {
    /// A reader holds it.
    ReadHeld,
    /// It is held to apply a slice of an entry.
    ApplyHeld,
    /// Applying waits for it.
    ApplyWaited,
}

impl LockUse {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::ReadHeld, Self::ApplyHeld, Self::ApplyWaited];
}

/// How often something took so long, since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LockCounts {
    /// For each of [`LOCK_BOUNDS`], what took longer than the bound before and at most this one; last
    /// what took longer than them all.
    pub buckets: [u64; BUCKETS],
    /// All of it together.
    pub total: Duration,
}

/// The counters. Each is one addition without order among them: they are read for statistics.
#[derive(Debug)]
pub(super) struct LockClock {
    env: Arc<dyn Env>,
    counters: [Counters; LockUse::ALL.len()],
}

#[derive(Debug, Default)]
struct Counters {
    buckets: [AtomicU64; BUCKETS],
    total_ns: AtomicU64,
}

impl LockClock {
    pub(super) fn new(env: Arc<dyn Env>) -> Self {
        Self {
            env,
            counters: Default::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.env.monotonic()
    }

    /// Counts the time since `since`, and gives the time that it is.
    pub(super) fn count(&self, what: LockUse, since: Duration) -> Duration {
        let now = self.now();
        let took = now.saturating_sub(since);
        let bucket = LOCK_BOUNDS.partition_point(|bound| *bound < took);
        let counters = &self.counters[what as usize];
        counters.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counters.total_ns.fetch_add(took_ns, Ordering::Relaxed);
        now
    }

    pub(super) fn counts(&self, what: LockUse) -> LockCounts {
        let counters = &self.counters[what as usize];
        LockCounts {
            buckets: counters
                .buckets
                .each_ref()
                .map(|bucket| bucket.load(Ordering::Relaxed)),
            total: Duration::from_nanos(counters.total_ns.load(Ordering::Relaxed)),
        }
    }
}
