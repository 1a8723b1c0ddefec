//! Many times, and which of them half, 95 and 99 in a hundred stay below.

use std::time::Duration;

/// Times of requests.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The times that `percents` of the requests stay at or below.
    pub(crate) fn percentiles<const N: usize>(mut self, percents: [usize; N]) -> [Duration; N] {
        self.0.sort_unstable();
        percents.map(|percent| {
            let rank = (self.0.len() * percent).div_ceil(100).max(1) - 1;
            self.0.get(rank).copied().unwrap_or_default()
        })
    }
}
