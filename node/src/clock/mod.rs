//! What the leader stamps on its entries: the time since it took office, and the wall time of a
//! majority.
//!
//! Invariants:
//! 1. The monotonic part counts from a moment at which this node already led in that term, so that
//!    no time is counted twice and none before the leadership.
//! 2. The wall part is never one node's alone, except in a cluster of one voter.

mod wall;

use std::sync::Arc;
use std::time::Duration;

use allocator::command::Stamp;
use allocator::planted::{Bug, planted};
use parking_lot::Mutex;
use raft_store::env::Env;

pub(crate) use self::wall::{Reading, WallClock};

/// A term in office.
#[derive(Debug, Clone, Copy)]
struct Office {
    term: u64,
    since: Duration,
}

/// Stamps entries.
#[derive(Debug)]
pub(crate) struct LogClock {
    env: Arc<dyn Env>,
    node_id: u64,
    office: Mutex<Option<Office>>,
    wall: Mutex<WallClock>,
    /// The office before this one, from when this one began until its first stamp. Only a planted bug looks at it.
    #[cfg(feature = "planted-bugs")]
    before: Mutex<Option<Office>>,
}

impl LogClock {
    /// A clock of a node that does not lead.
    pub(crate) fn new(env: Arc<dyn Env>, node_id: u64) -> LogClock {
        LogClock {
            env,
            node_id,
            office: Mutex::default(),
            wall: Mutex::default(),
            #[cfg(feature = "planted-bugs")]
            before: Mutex::default(),
        }
    }

    /// This node leads in `term`, from now on if it did not before. Returns since when, by the
    /// monotonic clock.
    pub(crate) fn take_office(&self, term: u64) -> Duration {
        let now = self.measured(self.env.monotonic());
        let mut office = self.office.lock();
        match *office {
            Some(current) if current.term == term => current.since,
            _ => {
                #[cfg(feature = "planted-bugs")]
                if planted(Bug::TimeCountedTwice) {
                    *self.before.lock() = *office;
                }
                *office = Some(Office { term, since: now });
                now
            }
        }
    }

    /// The stamp of an entry that is proposed now by this node as the leader of `term`.
    pub(crate) fn stamp(&self, term: u64) -> Stamp {
        let since = self.take_office(term);
        let now = self.env.monotonic();
        let measured = self.measured(now);
        #[cfg(feature = "planted-bugs")]
        let Office { term, since } = self.counted_twice().unwrap_or(Office { term, since });
        Stamp {
            clock_term: term,
            clock_node: self.node_id,
            mono_ms: millis(measured.saturating_sub(since)),
            wall_ms: self.wall.lock().now(now),
        }
    }

    /// The office whose time the planted bug of that name counts again, once.
    #[cfg(feature = "planted-bugs")]
    fn counted_twice(&self) -> Option<Office> {
        planted(Bug::TimeCountedTwice)
            .then(|| self.before.lock().take())
            .flatten()
    }

    /// The time by which offices are measured: `now`, but for a planted bug.
    fn measured(&self, now: Duration) -> Duration {
        if planted(Bug::WallClockForExpiry) {
            return Duration::from_millis(self.env.wall_ms());
        }
        now
    }

    /// Notes what a node's wall clock said.
    pub(crate) fn reading(&self, node: u64, reading: Reading) {
        self.wall.lock().reading(node, reading);
    }

    /// Takes the readings of the voters together. Called about once a second.
    pub(crate) fn settle(&self, voters: &[u64], state_wall_ms: u64) {
        let now = self.env.monotonic();
        let own = Reading {
            wall_ms: self.env.wall_ms(),
            at: now,
        };
        let mut wall = self.wall.lock();
        wall.reading(self.node_id, own);
        wall.settle(voters, now, state_wall_ms);
    }

    /// How far this node's wall clock is from the majority's, in seconds, ahead being positive.
    pub(crate) fn apart_seconds(&self) -> Option<f64> {
        let median = self.wall.lock().now(self.env.monotonic())?;
        let apart = i128::from(self.env.wall_ms()) - i128::from(median);
        Some(apart_to_seconds(apart))
    }

    /// Time since some fixed moment.
    pub(crate) fn monotonic(&self) -> Duration {
        self.env.monotonic()
    }

    /// This node's own wall clock.
    pub(crate) fn own_wall_ms(&self) -> u64 {
        self.env.wall_ms()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric for people")]
fn apart_to_seconds(apart_ms: i128) -> f64 {
    apart_ms as f64 / 1_000.0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use raft_store::env::sim::{SimEnv, SimFs};
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_in_office_begins_anew_with_each_term() {
        let clock = LogClock::new(Arc::new(SimEnv::new(1, SimFs::new(1))), 7);
        advance(Duration::from_mins(1)).await;
        clock.take_office(3);
        advance(Duration::from_secs(5)).await;
        let stamp = clock.stamp(3);
        assert_eq!(
            (stamp.clock_term, stamp.clock_node, stamp.mono_ms),
            (3, 7, 5_000)
        );
        advance(Duration::from_secs(1)).await;
        assert_eq!(clock.stamp(3).mono_ms, 6_000);
        assert_eq!(
            clock.stamp(5).mono_ms,
            0,
            "a term of which it was not told begins with its first stamp"
        );
        advance(Duration::from_secs(2)).await;
        assert_eq!(clock.stamp(5).mono_ms, 2_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_voter_stamps_its_own_wall_time_and_one_of_three_does_not() {
        let env = Arc::new(SimEnv::new(1, SimFs::new(1)));
        let clock = LogClock::new(Arc::clone(&env) as Arc<dyn Env>, 1);
        assert_eq!(clock.stamp(1).wall_ms, None, "nothing was read yet");
        clock.settle(&[1, 2, 3], 0);
        assert_eq!(clock.stamp(1).wall_ms, None, "one of three is no majority");
        clock.settle(&[1], 0);
        assert_eq!(clock.stamp(1).wall_ms, Some(env.wall_ms()));
        env.wall_jump_ms(20_000);
        let apart = clock.apart_seconds().expect("there is a majority");
        assert!((apart - 20.0).abs() < 0.1, "{apart}");
    }
}
