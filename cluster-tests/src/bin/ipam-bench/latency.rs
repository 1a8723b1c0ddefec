//! Many times, and which of them half, 95 and 99 in a hundred stay below.

use std::time::Duration;

/// Times of requests.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
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

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// The one in the middle, the later of two.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The same of numbers.
pub(crate) fn median_of(numbers: &[f64]) -> f64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
