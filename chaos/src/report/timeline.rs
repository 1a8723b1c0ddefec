//! A run added up in intervals, so many that they can be drawn and no more.

use super::figures::{Figures, Outcome};
use super::units::percentile;

/// Intervals that a timeline has at most.
const BUCKETS_MAX: u64 = 150;

/// Lengths of an interval in milliseconds.
const WIDTHS_MS: [u64; 13] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/// See the module.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) width_us: u64,
    pub(super) buckets: Vec<Bucket>,
    /// All of it, in microseconds: as many intervals as it takes.
    pub(super) length_us: u64,
}

/// One interval.
#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    /// How many operations ended in it, by outcome.
    pub(super) outcomes: [u64; 4],
    /// Ninety-nine of a hundred answers in it came within this time.
    pub(super) latency_us: Option<u64>,
}

impl Timeline {
    pub(super) fn of(figures: &Figures) -> Self {
        let fits = |width_ms: &u64| figures.end_us / (width_ms * 1_000) < BUCKETS_MAX;
        let found = WIDTHS_MS.into_iter().find(fits);
        // Of a run of half a day or more.
        let width_us = match found {
            Some(width_ms) => width_ms * 1_000,
            None => figures.end_us.div_ceil(BUCKETS_MAX) + 1,
        };
        let place = |us: u64| usize::try_from(us / width_us).unwrap_or(0);
        let count = place(figures.end_us) + 1;
        let mut buckets = vec![Bucket::default(); count];
        let mut latencies: Vec<Vec<u64>> = vec![Vec::new(); count];
        for done in &figures.done {
            let place = place(done.at_us);
            buckets[place].outcomes[done.outcome.place()] += 1;
            latencies[place].extend(done.latency_us);
        }
        for (bucket, mut latencies) in buckets.iter_mut().zip(latencies) {
            latencies.sort_unstable();
            bucket.latency_us = percentile(&latencies, 99);
        }
        Self {
            width_us,
            length_us: width_us * u64::try_from(count).unwrap_or(u64::MAX),
            buckets,
        }
    }

    /// The most operations of one interval; 1 where there are none.
    pub(super) fn count_max(&self) -> u64 {
        let counts = self.buckets.iter().map(Bucket::count);
        counts.max().unwrap_or(0).max(1)
    }
}

impl Bucket {
    pub(super) fn count(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    pub(super) fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::Done;

    fn timeline(end_us: u64, times_us: &[u64]) -> Timeline {
        let done = times_us.iter().map(|at_us| Done {
            at_us: *at_us,
            outcome: Outcome::Refused,
            latency_us: Some(7),
            is_write: true,
        });
        Timeline::of(&Figures {
            end_us,
            done: done.collect(),
            ..Figures::default()
        })
    }

    #[test]
    fn there_are_never_more_intervals_than_can_be_drawn() {
        for end_us in [
            0,
            1,
            1_499_999,
            1_500_000,
            120_000_000,
            600_000_000,
            90_000_000_000,
        ] {
            let timeline = timeline(end_us, &[end_us]);
            assert!(timeline.buckets.len() <= 150, "{end_us}");
            assert!(timeline.length_us > end_us, "{end_us}");
        }
        assert_eq!(timeline(600_000_000, &[]).width_us, 5_000_000);
    }

    #[test]
    fn operations_are_added_up_where_they_ended() {
        let timeline = timeline(600_000_000, &[0, 4_999_999, 5_000_000, 600_000_000]);
        let counts: Vec<u64> = timeline.buckets.iter().map(Bucket::count).collect();
        assert_eq!((counts[0], counts[1], counts.last()), (2, 1, Some(&1)));
        assert_eq!(timeline.buckets[0].of(Outcome::Refused), 2);
        assert_eq!(timeline.count_max(), 2);
        assert_eq!(timeline.buckets[0].latency_us, Some(7));
        assert_eq!(timeline.buckets[2].latency_us, None);
    }
}
