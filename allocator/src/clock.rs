//! The log's clock: time that leaders measured, and wall time for people.
//!
//! Each entry carries the leadership for which it was stamped and that leader's monotonic time since
//! it took office. `now_ms` grows by the difference to the last stamp of the same leadership; a new
//! leadership starts at 0. What two leaders could both have measured is never added twice, and a
//! proposal that came to nothing loses nothing: the next stamp makes up for it.
//!
//! Invariants:
//! 1. Neither time ever goes back.
//! 2. An entry that was stamped for another leadership than the one that appended it adds nothing.
//! 3. No wall clock moves `now_ms`.
//! 4. What a test moved it by is part of the state for ever.

use serde::{Deserialize, Serialize};

use crate::command::{Position, Stamp};
use crate::planted::{Bug, planted};

/// The clock; it is part of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    now_ms: u64,
    wall_ms: u64,
    /// The leadership of the last stamp that counted, and its monotonic time then.
    term: u64,
    node: u64,
    mono_ms: u64,
    /// By how much tests have moved `now_ms`.
    advanced_ms: u64,
}

impl Clock {
    /// Milliseconds that leaders measured since the cluster was formed: what leases and grace run on.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Wall time for people: milliseconds since the Unix epoch, 0 until a first reading.
    pub fn wall_ms(&self) -> u64 {
        self.wall_ms
    }

    /// By how much tests have moved the log's clock since the cluster was formed.
    pub fn advanced_ms(&self) -> u64 {
        self.advanced_ms
    }

    /// The wall time at which the log's clock will be there, if both go on alike: not before.
    pub(crate) fn wall_at(&self, then_ms: u64) -> u64 {
        self.wall_ms
            .saturating_add(then_ms.saturating_sub(self.now_ms))
    }

    /// Moves the log's clock for a test.
    pub(crate) fn advance_by(&mut self, ms: u64) {
        self.now_ms = self.now_ms.saturating_add(ms);
        self.advanced_ms = self.advanced_ms.saturating_add(ms);
    }

    /// Moves the clock by the stamp of an entry.
    pub(crate) fn advance(&mut self, at: Position, stamp: &Stamp) {
        self.wall_ms = self.wall_ms.max(stamp.wall_ms.unwrap_or(0));
        let is_of_another = (stamp.clock_term, stamp.clock_node) != (at.term, at.node);
        if is_of_another && !planted(Bug::TimeCountedTwice) {
            return;
        }
        if (self.term, self.node) != (at.term, at.node) {
            (self.term, self.node, self.mono_ms) = (at.term, at.node, 0);
        }
        let passed_ms = stamp.mono_ms.saturating_sub(self.mono_ms);
        self.now_ms = self.now_ms.saturating_add(passed_ms);
        self.mono_ms = self.mono_ms.max(stamp.mono_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_what_one_leadership_measured_and_never_goes_back() {
        // Term and node of the entry, of the stamp, its monotonic and wall time; then both clocks.
        let table = [
            ((1, 1), (1, 1), 1_000, Some(50_000), 1_000, 50_000),
            // Two proposals in flight: the later stamp first.
            ((1, 1), (1, 1), 3_000, Some(52_000), 3_000, 52_000),
            ((1, 1), (1, 1), 2_000, Some(51_000), 3_000, 52_000),
            // No quorum of readings; a wall clock that was set back.
            ((1, 1), (1, 1), 4_000, None, 4_000, 52_000),
            ((1, 1), (1, 1), 4_000, Some(10), 4_000, 52_000),
            // Stamped in term 1, appended in term 2 by the same node, or by another.
            ((2, 1), (1, 1), 9_000, Some(60_000), 4_000, 60_000),
            ((3, 2), (1, 1), 9_500, None, 4_000, 60_000),
            // The new leadership counts from its own start.
            ((3, 2), (3, 2), 700, None, 4_700, 60_000),
            ((3, 2), (3, 2), 700, None, 4_700, 60_000),
            // The wall clock jumps by 65 years; the log's clock does not care.
            (
                (3, 2),
                (3, 2),
                800,
                Some(3_786_912_000_000),
                4_800,
                3_786_912_000_000,
            ),
            // The first node leads again: its time in term 1 is not counted again.
            ((5, 1), (5, 1), 100, Some(1), 4_900, 3_786_912_000_000),
            // Right term, wrong node.
            ((5, 1), (5, 2), 90_000, None, 4_900, 3_786_912_000_000),
        ];
        let mut clock = Clock::default();
        for (row, (entry, stamped, mono_ms, wall_ms, now_after, wall_after)) in
            table.into_iter().enumerate()
        {
            let at = Position {
                term: entry.0,
                node: entry.1,
                index: 1,
            };
            let stamp = Stamp {
                clock_term: stamped.0,
                clock_node: stamped.1,
                mono_ms,
                wall_ms,
            };
            clock.advance(at, &stamp);
            assert_eq!(
                (clock.now_ms(), clock.wall_ms()),
                (now_after, wall_after),
                "row {row}"
            );
        }
    }
}
