//! Which fault comes next. The seed decides.

use std::collections::VecDeque;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Kind;

/// These come before any other, so that a short run has most of them.
const FIRST: &[Kind] = &[
    Kind::KillLeader,
    Kind::KillAll,
    Kind::IsolateLeader,
    Kind::OneWayIn,
    Kind::FullDisk,
    Kind::FailingFsync,
    Kind::PowerLossAll,
    Kind::ClockSteps,
    Kind::RollingRestart,
];

/// The faults of a run: all kinds in an order that is drawn, then all again in another one.
#[derive(Debug)]
pub(in crate::real) struct Plan {
    kinds: Vec<Kind>,
    to_come: VecDeque<Kind>,
    random: StdRng,
}

impl Plan {
    /// The plan of a seed.
    pub(in crate::real) fn new(kinds: &[Kind], seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut first, mut then): (Vec<Kind>, Vec<Kind>) =
            kinds.iter().partition(|kind| FIRST.contains(kind));
        first.shuffle(&mut random);
        then.shuffle(&mut random);
        Self {
            kinds: kinds.to_vec(),
            to_come: first.into_iter().chain(then).collect(),
            random,
        }
    }

    /// The next kind, of those for which there is time.
    pub(in crate::real) fn next(&mut self, left: Duration) -> Option<Kind> {
        // What there is no time for stays behind what there is time for.
        if !self.to_come.iter().any(|kind| takes(*kind) <= left) {
            let mut again = self.kinds.clone();
            again.shuffle(&mut self.random);
            self.to_come = again.into();
        }
        let place = self.to_come.iter().position(|kind| takes(*kind) <= left)?;
        self.to_come.remove(place)
    }
}

/// How long it takes until all is well again, about.
fn takes(kind: Kind) -> Duration {
    Duration::from_secs(match kind {
        Kind::FullDisk | Kind::RollingRestart => 12,
        Kind::LongAbsence => 20,
        _ => 6,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum;

    use super::*;

    /// The kinds of a run in which each takes a half more than it should.
    fn drawn(seed: u64, seconds: u64) -> Vec<Kind> {
        let mut plan = Plan::new(Kind::value_variants(), seed);
        let mut left = Duration::from_secs(seconds);
        let mut drawn = Vec::new();
        while let Some(kind) = plan.next(left) {
            drawn.push(kind);
            left = left.saturating_sub(takes(kind) * 3 / 2);
        }
        drawn
    }

    #[test]
    fn ten_minutes_have_every_kind_and_one_has_half_of_the_first() {
        for seed in 0..100 {
            let ten_minutes: BTreeSet<Kind> = drawn(seed, 600).into_iter().collect();
            assert_eq!(ten_minutes.len(), Kind::value_variants().len(), "{seed}");
            let minute = drawn(seed, 60);
            let first = minute.iter().filter(|kind| FIRST.contains(kind)).count();
            assert!(first * 2 >= FIRST.len(), "{seed}: {minute:?}");
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        assert_eq!(drawn(7, 600), drawn(7, 600));
        assert_ne!(drawn(7, 600), drawn(8, 600));
    }

    #[test]
    fn only_what_was_asked_for_comes_again_and_again() {
        let mut plan = Plan::new(&[Kind::KillLeader], 1);
        for _ in 0..5 {
            assert_eq!(plan.next(Duration::from_secs(6)), Some(Kind::KillLeader));
        }
        assert_eq!(plan.next(Duration::from_secs(5)), None);
    }
}
