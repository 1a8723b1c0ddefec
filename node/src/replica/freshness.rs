//! How old the state of this node may be: the time since a question to the leader whose answer has
//! been applied here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raft_store::AppliedState;
use tokio::time::{Instant, sleep};

use super::rounds::{ReadPoint, Rounds};

/// How often the leader is asked while reads come.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How often it is asked although nobody reads, so that this node knows whether it keeps up.
const ASK_IDLE_EVERY: Duration = Duration::from_secs(1);
/// How long one question is waited for.
const ASK_MAX: Duration = Duration::from_secs(1);
/// Most answers that wait to be applied here.
const POINTS_MAX: usize = 64;

/// What is known about the age of the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Freshness {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Answers whose index is not applied here yet, oldest first.
    ahead: VecDeque<ReadPoint>,
    /// The latest question whose answer is.
    fresh_at: Option<Instant>,
}

impl Freshness {
    /// How old the state may be at most; asks for more to be found out.
    pub(super) fn staleness(&self, applied: &AppliedState) -> Option<Duration> {
        self.shared.wanted.store(true, Ordering::Relaxed);
        self.age(applied)
    }

    /// How old the state may be at most.
    pub(super) fn age(&self, applied: &AppliedState) -> Option<Duration> {
        let index = applied.at().index;
        let mut known = self.shared.known.lock();
        while known
            .ahead
            .front()
            .is_some_and(|point| Some(point.index) <= index)
        {
            let point = known.ahead.pop_front();
            known.fresh_at = known.fresh_at.max(point.map(|point| point.sent_at));
        }
        known.fresh_at.map(|at| at.elapsed())
    }

    /// A question of that time has been answered, and the answer is applied here.
    pub(super) fn confirmed(&self, sent_at: Instant) {
        let mut known = self.shared.known.lock();
        known.fresh_at = known.fresh_at.max(Some(sent_at));
    }

    /// Notes an answer that is not applied here yet.
    fn learned(&self, point: ReadPoint) {
        let mut known = self.shared.known.lock();
        if known.ahead.len() == POINTS_MAX {
            // The oldest says the least once it is applied, and it has waited the longest.
            known.ahead.pop_front();
        }
        known.ahead.push_back(point);
    }

    /// Asks the leader while reads come, and once a second otherwise. Runs until it is cancelled.
    pub(super) async fn run(self, rounds: Rounds) {
        let mut asked_at: Option<Instant> = None;
        loop {
            sleep(ASK_EVERY).await;
            let idle = asked_at.is_none_or(|at| at.elapsed() >= ASK_IDLE_EVERY);
            if self.shared.wanted.swap(false, Ordering::Relaxed) || idle {
                asked_at = Some(Instant::now());
                if let Some(point) = rounds.point(Instant::now() + ASK_MAX).await {
                    self.learned(point);
                }
            }
        }
    }
}
