//! Which endpoint to ask next, and not before when.
//!
//! One call keeps for each endpoint the time before which it is not asked again; the next attempt
//! goes to the one that is due first, the preferred one where several are. So a call asks every
//! endpoint once without waiting, and each again only after its `Retry-After` or its backoff.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

/// The first wait before the same endpoint is asked again; it doubles with each attempt.
const BACKOFF_FIRST: Duration = Duration::from_millis(25);
/// The longest.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// The endpoints as one call sees them.
#[derive(Debug)]
pub(crate) struct Schedule {
    preferred: usize,
    due: Vec<Due>,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    attempts: u32,
}

impl Schedule {
    /// All of them due at once; `count` is at least 1.
    pub(crate) fn new(count: usize, preferred: usize, now: Instant) -> Self {
        Self {
            preferred: preferred % count,
            due: vec![
                Due {
                    at: now,
                    attempts: 0
                };
                count
            ],
        }
    }

    /// The endpoint to ask next, and when.
    pub(crate) fn next(&self) -> (usize, Instant) {
        let count = self.due.len();
        let in_order = (0..count).map(|step| (self.preferred + step) % count);
        let index = in_order
            .min_by_key(|index| self.due[*index].at)
            .expect("there is at least one endpoint");
        (index, self.due[index].at)
    }

    /// That endpoint could not serve; it is not asked before `wait` and its own backoff.
    pub(crate) fn failed(&mut self, index: usize, wait: Option<Duration>, now: Instant) {
        let due = &mut self.due[index];
        let backoff = jittered(backoff(due.attempts));
        due.attempts = due.attempts.saturating_add(1);
        due.at = now + wait.unwrap_or_default().max(backoff);
        self.preferred = (index + 1) % self.due.len();
    }
}

fn backoff(attempts: u32) -> Duration {
    BACKOFF_FIRST
        .saturating_mul(1_u32.checked_shl(attempts).unwrap_or(u32::MAX))
        .min(BACKOFF_MAX)
}

/// Between half and all of it, so that callers that failed together do not come back together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_asked_once_before_any_is_asked_again() {
        let start = Instant::now();
        let mut schedule = Schedule::new(3, 1, start);
        let mut asked = Vec::new();
        for _ in 0..3 {
            let (index, at) = schedule.next();
            assert_eq!(at, start);
            asked.push(index);
            schedule.failed(index, None, start);
        }
        assert_eq!(asked, [1, 2, 0]);
        assert!(schedule.next().1 > start);
    }

    #[test]
    fn an_endpoint_rests_as_long_as_it_asked_for() {
        let start = Instant::now();
        let mut schedule = Schedule::new(2, 0, start);
        schedule.failed(0, Some(Duration::from_secs(5)), start);
        schedule.failed(1, None, start);
        let (index, at) = schedule.next();
        assert!(index == 1 && at < start + Duration::from_secs(1));
        schedule.failed(1, Some(Duration::from_secs(9)), start);
        assert_eq!(schedule.next(), (0, start + Duration::from_secs(5)));
    }

    #[test]
    fn the_backoff_grows_to_its_bound() {
        let waits: Vec<u128> = (0..8)
            .map(|attempts| backoff(attempts).as_millis())
            .collect();
        assert_eq!(waits, [25, 50, 100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
        for _ in 0..100 {
            let wait = jittered(Duration::from_millis(100)).as_millis();
            assert!((50..=100).contains(&wait));
        }
    }
}
