//! What the watches told, put together: every change that any of them told of, and how far each has come.

use std::collections::BTreeMap;

use super::story::{At, Story, Tells, Told};
use crate::history::Change;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watched<'a> {
    /// By revision and ordinal: the change, where it was told first.
    pub(super) changes: BTreeMap<(u64, u64), (&'a Change, At)>,
    /// Places at which another change was told later than at first, with both lines.
    pub(super) conflicts: Vec<((u64, u64), At, At)>,
    /// In the order of the watches, then of the lines.
    pub(super) stretches: Vec<Stretch>,
    told_up_to: u64,
}

/// A watch from where it begins or goes on to where it breaks off.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) watch: u64,
    pub(super) began: At,
    /// It is owed every change behind this revision.
    pub(super) after: u64,
    /// Where it goes on in the middle of that revision: what it told last.
    pub(super) after_place: Option<(u64, u64)>,
    /// Every change up to this revision has been told.
    pub(super) covered: u64,
    /// What it told, in its order.
    pub(super) told: Vec<Step>,
}

/// A line of a watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Revision and ordinal; a bookmark stands behind all of its revision.
    pub(super) place: (u64, u64),
    pub(super) at: At,
    pub(super) is_change: bool,
}

impl<'a> Watched<'a> {
    pub(super) fn of(story: &Story<'a>) -> Self {
        let mut watched = Self::default();
        for (watch, told) in &story.watches {
            watched.read(*watch, told);
        }
        watched.told_up_to = watched.complete_up_to(story);
        watched
    }

    /// No change up to this revision, among those since the first question, went untold.
    pub(super) fn told_up_to(&self) -> u64 {
        self.told_up_to
    }

    fn read(&mut self, watch: u64, told: &[Told<'a>]) {
        let mut last_place: Option<(u64, u64)> = None;
        let mut current: Option<Stretch> = None;
        for one in told {
            match (one.tells, &mut current) {
                (Tells::From(after), _) => {
                    let goes_on = last_place.filter(|(revision, _)| *revision == after);
                    self.stretches.extend(current.take());
                    current = Some(Stretch {
                        watch,
                        began: one.at,
                        after,
                        after_place: goes_on,
                        covered: after,
                        told: Vec::new(),
                    });
                }
                (
                    Tells::Event {
                        revision,
                        ordinal,
                        change,
                        ..
                    },
                    Some(stretch),
                ) => {
                    let place = (revision, ordinal);
                    stretch.told.push(Step {
                        place,
                        at: one.at,
                        is_change: true,
                    });
                    stretch.covered = stretch.covered.max(revision.saturating_sub(1));
                    last_place = Some(place);
                    let (first, at) = *self.changes.entry(place).or_insert((change, one.at));
                    if first != change {
                        self.conflicts.push((place, at, one.at));
                    }
                }
                (Tells::Bookmark(revision), Some(stretch)) => {
                    let place = (revision, u64::MAX);
                    stretch.told.push(Step {
                        place,
                        at: one.at,
                        is_change: false,
                    });
                    stretch.covered = stretch.covered.max(revision);
                    last_place = Some(place);
                }
                (Tells::Event { .. } | Tells::Bookmark(_), None) => {}
            }
        }
        self.stretches.extend(current);
    }

    /// A watch that began before the first question goes on to its end, from there another one may.
    fn complete_up_to(&self, story: &Story<'_>) -> u64 {
        let Some(first) = story.operations.first() else {
            return 0;
        };
        let from_the_start = self
            .stretches
            .iter()
            .filter(|stretch| stretch.began < first.invoked);
        let mut reached = from_the_start.map(|one| one.covered).max().unwrap_or(0);
        let mut others: Vec<&Stretch> = self.stretches.iter().collect();
        others.sort_by_key(|stretch| stretch.after);
        for stretch in others {
            if reached > 0 && stretch.after <= reached {
                reached = reached.max(stretch.covered);
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::with_story;

    #[test]
    fn watches_cover_what_they_have_told_together() {
        for (text, expected) in [
            ("5-6 get a => nothing @1", 0),
            ("1 watching 1 3\n5- get a\n6 watched 1 9 bookmark", 9),
            (
                "1 watching 1 3\n5- get a\n6 watched 1 9.0 allocated a 10.0.0.1/32 1",
                8,
            ),
            ("1- get a\n5 watching 1 3\n6 watched 1 9 bookmark", 0),
            (
                "1 watching 1 3\n5- get a\n6 watched 1 9 bookmark\n\
                 7 watching 2 9\n8 watched 2 12 bookmark\n9 watching 2 13\n9 watched 2 15 bookmark",
                12,
            ),
        ] {
            let reached = with_story(text, |story| Watched::of(story).told_up_to());
            assert_eq!(reached, expected, "{text}");
        }
    }
}
