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
    pub(crate) fn percentiles<const N: usize>(self, percents: [usize; N]) -> [Duration; N] {
        self.per_mille(percents.map(|percent| percent * 10))
    }

    /// The times that so many in a thousand of the requests stay at or below.
    pub(crate) fn per_mille<const N: usize>(mut self, shares: [usize; N]) -> [Duration; N] {
        self.0.sort_unstable();
        shares.map(|share| {
            let rank = (self.0.len() * share).div_ceil(1_000).max(1) - 1;
            self.0.get(rank).copied().unwrap_or_default()
        })
    }
}

/// The one in the middle, the later of two.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
