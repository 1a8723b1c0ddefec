//! The wall time of a majority: the lower median of the voters' clocks.
//!
//! With readings of a quorum, the lower median is not above what some right clock says as long as
//! a majority of them is right, and one clock set to another year moves nothing: also when another
//! node is down, two readings being the least of three.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A reading that is older than this does not count.
const FRESH: Duration = Duration::from_secs(5);
/// A step of more than this needs a second reading.
const STEP_MAX_MS: u64 = 3_600_000;
/// How long after the first one the second reading of a step comes.
const STEP_AFTER: Duration = Duration::from_secs(5);
/// How far the second reading of a step may be from the first, beyond the time between them.
const STEP_AGREES_MS: u64 = 10_000;

/// What a node's wall clock said, and when by this node's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Milliseconds since the Unix epoch.
    pub(crate) wall_ms: u64,
    /// Monotonic time of this node.
    pub(crate) at: Duration,
}

impl Reading {
    /// What the clock would say at `now`.
    fn carried_to(self, now: Duration) -> u64 {
        let passed = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        self.wall_ms.saturating_add(passed)
    }
}

/// The majority's wall time.
#[derive(Debug, Default)]
pub(crate) struct WallClock {
    readings: BTreeMap<u64, Reading>,
    settled: Option<Reading>,
    step: Option<Step>,
}

/// A large step that was seen once.
#[derive(Debug)]
struct Step {
    seen: Reading,
    by: BTreeSet<u64>,
}

impl WallClock {
    /// Notes a reading of a node's clock.
    pub(crate) fn reading(&mut self, node: u64, reading: Reading) {
        self.readings.insert(node, reading);
    }

    /// The majority's time now; `None` where no quorum was heard lately.
    pub(crate) fn now(&self, now: Duration) -> Option<u64> {
        let settled = self.settled?;
        (now.saturating_sub(settled.at) <= FRESH).then(|| settled.carried_to(now))
    }

    /// Takes the readings of the voters together; `state_wall_ms` is what the log says so far, 0
    /// where it says nothing.
    pub(crate) fn settle(&mut self, voters: &[u64], now: Duration, state_wall_ms: u64) {
        self.readings
            .retain(|_, reading| now.saturating_sub(reading.at) <= FRESH);
        let heard: BTreeMap<u64, u64> = voters
            .iter()
            .filter_map(|id| Some((*id, self.readings.get(id)?.carried_to(now))))
            .collect();
        if heard.len() <= voters.len() / 2 {
            return;
        }
        let median = Reading {
            wall_ms: lower_median(&heard),
            at: now,
        };
        let known = match self.settled {
            Some(settled) => settled.carried_to(now),
            None => state_wall_ms,
        };
        if known == 0 || known.abs_diff(median.wall_ms) <= STEP_MAX_MS {
            self.settled = Some(median);
            self.step = None;
            return;
        }
        let by: BTreeSet<u64> = heard.into_keys().collect();
        match &self.step {
            Some(step) if step.is_confirmed_by(median, &by) => {
                self.settled = Some(median);
                self.step = None;
            }
            Some(step) if step.is_of(median, &by) => {}
            _ => self.step = Some(Step { seen: median, by }),
        }
    }
}

impl Step {
    fn is_of(&self, reading: Reading, by: &BTreeSet<u64>) -> bool {
        self.by == *by
            && self.seen.carried_to(reading.at).abs_diff(reading.wall_ms) <= STEP_AGREES_MS
    }

    fn is_confirmed_by(&self, reading: Reading, by: &BTreeSet<u64>) -> bool {
        self.is_of(reading, by) && reading.at.saturating_sub(self.seen.at) >= STEP_AFTER
    }
}

fn lower_median(heard: &BTreeMap<u64, u64>) -> u64 {
    let mut values: Vec<u64> = heard.values().copied().collect();
    values.sort_unstable();
    values[(values.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: u64 = 1_790_000_000_000;
    const YEAR_2090: u64 = 3_790_000_000_000;

    /// Name, voters, clocks by node, the time that comes of them.
    type Case<'a> = (&'a str, &'a [u64], &'a [(u64, u64)], Option<u64>);

    fn settled(voters: &[u64], clocks: &[(u64, u64)], state: u64) -> Option<u64> {
        let mut wall = WallClock::default();
        for (node, wall_ms) in clocks {
            wall.reading(
                *node,
                Reading {
                    wall_ms: *wall_ms,
                    at: Duration::ZERO,
                },
            );
        }
        wall.settle(voters, Duration::ZERO, state);
        wall.now(Duration::ZERO)
    }

    #[test]
    fn the_lower_median_of_a_quorum_counts() {
        let three = [1, 2, 3];
        let cases: [Case<'_>; 9] = [
            (
                "all",
                &three,
                &[(1, TODAY), (2, TODAY + 2), (3, TODAY + 1)],
                Some(TODAY + 1),
            ),
            (
                "one in 2090",
                &three,
                &[(1, YEAR_2090), (2, TODAY), (3, TODAY + 1)],
                Some(TODAY + 1),
            ),
            (
                "one in 2090, another down",
                &three,
                &[(1, YEAR_2090), (2, TODAY)],
                Some(TODAY),
            ),
            (
                "one in 1970",
                &three,
                &[(1, 0), (2, TODAY), (3, TODAY + 1)],
                Some(TODAY),
            ),
            ("no quorum", &three, &[(1, TODAY)], None),
            (
                "a learner does not count",
                &three,
                &[(1, TODAY), (9, TODAY)],
                None,
            ),
            ("alone", &[1], &[(1, TODAY)], Some(TODAY)),
            (
                "alone, and heard by a learner",
                &[2],
                &[(1, 0), (2, TODAY)],
                Some(TODAY),
            ),
            (
                "two of four are none",
                &[1, 2, 3, 4],
                &[(1, TODAY), (2, TODAY)],
                None,
            ),
        ];
        for (name, voters, clocks, expected) in cases {
            assert_eq!(settled(voters, clocks, TODAY), expected, "{name}");
        }
    }

    #[test]
    fn a_large_step_needs_a_second_reading_of_the_same_majority() {
        let hours = |hours: u64| hours * 3_600_000;
        let seconds = Duration::from_secs;
        let mut wall = WallClock::default();
        let at = |wall: &mut WallClock, second: u64, nodes: &[u64], base: u64| {
            for node in nodes {
                let reading = Reading {
                    wall_ms: base + second * 1_000,
                    at: seconds(second),
                };
                wall.reading(*node, reading);
            }
            wall.settle(&[1, 2, 3], seconds(second), TODAY);
            wall.now(seconds(second))
        };
        assert_eq!(at(&mut wall, 0, &[1, 2], TODAY), Some(TODAY));
        let stepped = TODAY + hours(3);
        assert_eq!(
            at(&mut wall, 1, &[1, 2], stepped),
            Some(TODAY + 1_000),
            "the old time goes on"
        );
        assert_eq!(
            at(&mut wall, 5, &[1, 2], stepped),
            Some(TODAY + 5_000),
            "too soon"
        );
        assert_eq!(at(&mut wall, 6, &[1, 2], stepped), Some(stepped + 6_000));
    }

    #[test]
    fn a_step_that_another_majority_confirms_is_not_confirmed() {
        let mut wall = WallClock::default();
        let stepped = TODAY + 10 * STEP_MAX_MS;
        for (second, nodes) in [(0, [1, 2]), (20, [1, 3]), (24, [1, 3])] {
            let at = Duration::from_secs(second);
            for node in nodes {
                wall.reading(
                    node,
                    Reading {
                        wall_ms: stepped + second * 1_000,
                        at,
                    },
                );
            }
            wall.settle(&[1, 2, 3], at, TODAY);
            assert_eq!(wall.now(at), None, "after {second} s");
        }
    }

    #[test]
    fn a_new_cluster_takes_the_first_majority() {
        assert_eq!(
            settled(&[1, 2, 3], &[(1, TODAY), (2, TODAY)], 0),
            Some(TODAY)
        );
    }

    #[test]
    fn old_readings_do_not_count() {
        let mut wall = WallClock::default();
        wall.reading(
            2,
            Reading {
                wall_ms: TODAY,
                at: Duration::ZERO,
            },
        );
        let later = FRESH + Duration::from_secs(1);
        wall.reading(
            1,
            Reading {
                wall_ms: TODAY,
                at: later,
            },
        );
        wall.settle(&[1, 2, 3], later, TODAY);
        assert_eq!(wall.now(later), None);
    }
}
