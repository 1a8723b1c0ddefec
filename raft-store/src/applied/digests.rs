//! The digests of the last entries, so that nodes can be compared at one revision.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many entries are remembered.
const ENTRIES_MAX: usize = 65_536;

/// The state's digest at the end of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestMark {
    /// The revision at the end of the entry.
    pub revision: u64,
    /// The entry.
    pub index: u64,
    /// The digest.
    pub digest: u128,
}

/// The answer to a question for a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAnswer {
    /// At the end of the first entry after which the revision is at least the one asked for.
    At(DigestMark),
    /// That revision has not been reached.
    NotYet,
    /// The entry is older than those that are remembered.
    Gone {
        /// The lowest revision that can be asked for.
        oldest: u64,
    },
}

/// The last entries' digests, oldest first; revisions never fall.
#[derive(Debug)]
pub(super) struct DigestRing {
    marks: VecDeque<DigestMark>,
    /// The revision before the first mark: at or below it nothing is known.
    floor: u64,
}

impl DigestRing {
    /// A ring that knows nothing up to `revision`, except where it was first reached if `mark`
    /// says so.
    pub(super) fn starting(revision: u64, mark: Option<DigestMark>) -> Self {
        match mark {
            Some(mark) if mark.revision == revision && revision > 0 => Self {
                marks: VecDeque::from([mark]),
                floor: revision - 1,
            },
            _ => Self {
                marks: VecDeque::new(),
                floor: revision,
            },
        }
    }

    pub(super) fn push(&mut self, mark: DigestMark) {
        self.marks.push_back(mark);
        if self.marks.len() > ENTRIES_MAX
            && let Some(oldest) = self.marks.pop_front()
        {
            self.floor = oldest.revision;
        }
    }

    pub(super) fn at(&self, revision: Option<u64>) -> DigestAnswer {
        let Some(wanted) = revision else {
            return self
                .marks
                .back()
                .map_or(DigestAnswer::NotYet, |mark| DigestAnswer::At(*mark));
        };
        if wanted <= self.floor {
            return DigestAnswer::Gone {
                oldest: self.floor.saturating_add(1),
            };
        }
        let first = self.marks.partition_point(|mark| mark.revision < wanted);
        self.marks
            .get(first)
            .map_or(DigestAnswer::NotYet, |mark| DigestAnswer::At(*mark))
    }

    /// The first entry at which the latest revision was reached, if it is still known.
    pub(super) fn reached(&self) -> Option<DigestMark> {
        let latest = self.marks.back()?.revision;
        if latest <= self.floor {
            return None;
        }
        self.marks
            .get(self.marks.partition_point(|mark| mark.revision < latest))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(index: u64, revision: u64) -> DigestMark {
        DigestMark {
            index,
            revision,
            digest: u128::from(index) << 64 | u128::from(revision),
        }
    }

    #[test]
    fn the_first_entry_that_reached_a_revision_is_given() {
        let mut ring = DigestRing::starting(0, None);
        for (index, revision) in [(1, 0), (2, 3), (3, 3), (4, 3), (5, 7)] {
            ring.push(mark(index, revision));
        }
        let cases = [
            (Some(0), DigestAnswer::Gone { oldest: 1 }),
            (Some(1), DigestAnswer::At(mark(2, 3))),
            (Some(3), DigestAnswer::At(mark(2, 3))),
            (Some(4), DigestAnswer::At(mark(5, 7))),
            (Some(8), DigestAnswer::NotYet),
            (None, DigestAnswer::At(mark(5, 7))),
        ];
        for (asked, expected) in cases {
            assert_eq!(ring.at(asked), expected, "asked for {asked:?}");
        }
    }

    #[test]
    fn what_left_the_ring_is_gone_rather_than_wrong() {
        let mut ring = DigestRing::starting(0, None);
        let entries = ENTRIES_MAX as u64;
        for index in 1..=entries + 2 {
            ring.push(mark(index, index));
        }
        assert_eq!(ring.at(Some(2)), DigestAnswer::Gone { oldest: 3 });
        assert_eq!(ring.at(Some(3)), DigestAnswer::At(mark(3, 3)));
    }

    #[test]
    fn a_restarted_ring_knows_where_its_revision_was_reached_and_nothing_before() {
        let mut before = DigestRing::starting(0, None);
        for (index, revision) in [(1, 4), (2, 5), (3, 5)] {
            before.push(mark(index, revision));
        }
        let after = DigestRing::starting(5, before.reached());
        assert_eq!(after.at(Some(5)), DigestAnswer::At(mark(2, 5)));
        assert_eq!(after.at(Some(4)), DigestAnswer::Gone { oldest: 5 });
        let unknown = DigestRing::starting(5, None);
        assert_eq!(unknown.at(Some(5)), DigestAnswer::Gone { oldest: 6 });
        assert_eq!(unknown.at(Some(6)), DigestAnswer::NotYet);
    }
}
