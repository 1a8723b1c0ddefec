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

impl Known {
    fn learned(&mut self, point: ReadPoint) {
        // Those that wait are applied first: a node that is steadily further behind than they reach learns
        // from them how far, and would never if they made room for newer ones.
        if self.ahead.len() < POINTS_MAX {
            self.ahead.push_back(point);
        }
    }

    /// All up to an index is applied here.
    fn reached(&mut self, index: Option<u64>) {
        while let Some(point) = self.ahead.front()
            && Some(point.index) <= index
        {
            self.fresh_at = self.fresh_at.max(Some(point.sent_at));
            self.ahead.pop_front();
        }
    }
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
        known.reached(index);
        known.fresh_at.map(|at| at.elapsed())
    }

    /// A question of that time has been answered, and the answer is applied here.
    pub(super) fn confirmed(&self, sent_at: Instant) {
        let mut known = self.shared.known.lock();
        known.fresh_at = known.fresh_at.max(Some(sent_at));
    }

    /// Notes an answer that is not applied here yet.
    fn learned(&self, point: ReadPoint) {
        self.shared.known.lock().learned(point);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_steadily_far_behind_knows_how_far() {
        let begun = Instant::now();
        let sent_at = |index: u64| begun + ASK_EVERY * u32::try_from(index).unwrap();
        let mut known = Known::default();
        // 100 questions behind all the time, which is more than are remembered.
        for index in 0..1_000 {
            known.learned(ReadPoint {
                index,
                sent_at: sent_at(index),
                leader: 1,
            });
            known.reached(index.checked_sub(100));
        }
        let last = 899;
        let fresh_at = known.fresh_at.unwrap();
        assert!(fresh_at <= sent_at(last), "not told as fresher than it is");
        assert!(fresh_at >= sent_at(last - 100), "and not as ever older");
    }
}
