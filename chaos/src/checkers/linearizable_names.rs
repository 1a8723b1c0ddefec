//! Linearizability of each claim name: claims, releases, renewals and linearizable reads of one name took effect one
//! after the other, each between its question and its answer.
//!
//! The state of a name is nothing, or a block with a generation and the time before which it cannot end by itself.
//! Three things end a holding: its release; the end of its lease, at any time from then on (late is allowed, early
//! never); and a release of unknown outcome, at any time after it was asked for. The last two need no place in the
//! order: the holding may simply be over for whoever sees it gone, if the time is right. So only what was answered is
//! searched, and what was inferred from it (see `orphans`).

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

use super::Case;
use super::holding::{Holding, NEVER_US};
use super::keyed::{Tasks, report};
use super::search::Model;
use super::story::{Ask, Implied, Operation, Part, Shown};
use super::verdict::Notes;

const NAME: &str = "linearizable_names";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise =
        "claims, releases, renewals and linearizable reads of each name take effect in one order";
    let mut notes = Notes::new(NAME, promise);
    let mut names: BTreeMap<&str, Tasks<Names>> = BTreeMap::new();
    for (place, operation) in case.story.operations.iter().enumerate() {
        let mut steps: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
        for part in &operation.parts {
            if let Some((name, step)) = step(case, operation, part) {
                steps.entry(name).or_default().push(step);
            }
        }
        for (name, steps) in steps {
            let tasks = names.entry(name).or_default();
            tasks.answered(place, operation, |us| Op { steps, us });
        }
    }
    for (generation, window) in &case.orphans.windows {
        let holding = case.holdings.get(*generation);
        if let (Some(holding), Some(window)) = (holding, window) {
            let steps = vec![given(holding)];
            let tasks = names.entry(holding.name).or_default();
            tasks.inferred(*window, |us| Op { steps, us });
        }
    }
    notes.looked_at("names", names.len());
    for (name, tasks) in names {
        let what = format!("what {name} was told that it holds");
        report(&mut notes, case, &what, tasks);
    }
    notes
}

/// What an answer says of a name.
fn step<'a>(
    case: &Case<'a>,
    operation: &Operation<'a>,
    part: &Part<'a>,
) -> Option<(&'a str, Step)> {
    let (shown_at, revision) = operation.answered()?;
    if operation.local().is_some() {
        return None;
    }
    let shown = part.shown?;
    if let (Ask::Lookup { .. }, Shown::HeldBy { name, generation }) = (part.ask, shown) {
        let block = None;
        return Some((name, Step::Sees { generation, block }));
    }
    let name = part.ask.name()?;
    let step = match shown {
        Shown::Holds {
            generation,
            new: true,
            ..
        } => given(case.holdings.get(generation)?),
        Shown::Holds {
            block, generation, ..
        }
        | Shown::Found { block, generation } => Step::Sees {
            generation,
            block: Some(block),
        },
        Shown::Released { generation } => Step::Released { generation },
        Shown::Renewed { generation } => {
            let Ask::Renew { ttl_us, .. } = part.ask else {
                return None;
            };
            Step::Renewed {
                generation,
                ends_us: operation.invoked.us.saturating_add(ttl_us),
            }
        }
        Shown::Nothing => Step::SeesNothing,
        Shown::HeldBy { .. } => return None,
        Shown::Refused { .. } => {
            let unseen = case.orphans.may_hold_unseen(name, shown_at, revision);
            match (part.implied()?, part.ask) {
                // A name that holds something is answered with it, whatever else stands in the way.
                (Implied::Nothing | Implied::Taken, _) => Step::SeesNothing,
                (
                    Implied::Another,
                    Ask::Release { generation, .. } | Ask::Renew { generation, .. },
                ) if !unseen => Step::SeesAnother { generation },
                (Implied::Something, _) if !unseen => Step::SeesAnother { generation: 0 },
                _ => return None,
            }
        }
    };
    Some((name, step))
}

fn given(holding: &Holding<'_>) -> Step {
    Step::Given {
        generation: holding.generation,
        block: holding.block,
        ends_us: holding.first_lease_ends_us,
        may_end_us: holding.may_end_unknown_us(),
    }
}

/// One name.
#[derive(Debug)]
struct Names;

#[derive(Debug)]
struct Op {
    /// More than one in a batch.
    steps: Vec<Step>,
    /// When it was answered.
    us: u64,
}

#[derive(Debug)]
enum Step {
    Given {
        generation: u64,
        block: Prefix,
        /// Its lease cannot be over before this.
        ends_us: u64,
        /// Something of unknown outcome may have ended it from then on, whatever its lease is.
        may_end_us: u64,
    },
    Sees {
        generation: u64,
        /// Absent where only the generation was told.
        block: Option<Prefix>,
    },
    SeesNothing,
    /// Something is held, but not this.
    SeesAnother {
        generation: u64,
    },
    Released {
        generation: u64,
    },
    Renewed {
        generation: u64,
        ends_us: u64,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    /// The greatest generation that the name was given.
    given: u64,
    held: Option<Held>,
    /// Nothing that was answered before can come from here on.
    not_before_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Held {
    generation: u64,
    block: Prefix,
    ends_us: u64,
    may_end_us: u64,
}

impl Held {
    fn over_us(&self) -> u64 {
        self.ends_us.min(self.may_end_us)
    }
}

impl State {
    /// The state in which nothing is held, if that can be so by then.
    fn without(&self, us: u64) -> Option<Self> {
        let Some(held) = &self.held else {
            return Some(self.clone());
        };
        (held.over_us() <= us).then(|| Self {
            held: None,
            not_before_us: self.not_before_us.max(held.over_us()),
            ..self.clone()
        })
    }

    fn step(&self, step: &Step, us: u64) -> Option<Self> {
        match step {
            Step::Given {
                generation,
                block,
                ends_us,
                may_end_us,
            } => {
                let free = self.without(us)?;
                (*generation > self.given).then_some(Self {
                    given: *generation,
                    held: Some(Held {
                        generation: *generation,
                        block: *block,
                        ends_us: *ends_us,
                        may_end_us: *may_end_us,
                    }),
                    ..free
                })
            }
            Step::Sees { generation, block } => {
                let held = self.held.as_ref()?;
                let same =
                    held.generation == *generation && block.is_none_or(|block| block == held.block);
                same.then(|| self.clone())
            }
            Step::SeesNothing => self.without(us),
            Step::SeesAnother { generation } => {
                let held = self.held.as_ref()?;
                (held.generation != *generation).then(|| self.clone())
            }
            Step::Released { generation } => match &self.held {
                Some(held) if held.generation == *generation => Some(Self {
                    held: None,
                    ..self.clone()
                }),
                _ => (*generation <= self.given).then(|| self.clone()),
            },
            Step::Renewed {
                generation,
                ends_us,
            } => {
                let held = self.held.as_ref()?;
                (held.generation == *generation).then(|| Self {
                    held: Some(Held {
                        ends_us: *ends_us,
                        ..held.clone()
                    }),
                    ..self.clone()
                })
            }
        }
    }
}

impl Model for Names {
    type State = State;
    type Op = Op;

    fn step(state: &State, op: &Op) -> Option<State> {
        if op.us < state.not_before_us {
            return None;
        }
        let mut steps = op.steps.iter();
        steps.try_fold(state.clone(), |state, step| state.step(step, op.us))
    }

    fn settled(op: &Op, given: u64) -> Option<State> {
        let nothing = State {
            given,
            ..State::default()
        };
        match &op.steps[..] {
            [Step::SeesNothing] => Some(nothing),
            [step @ Step::Given { generation, .. }] => {
                let before = State {
                    given: generation.saturating_sub(1),
                    ..nothing
                };
                before.step(step, NEVER_US)
            }
            _ => None,
        }
    }

    fn gives(op: &Op) -> u64 {
        let gives = op.steps.iter().map(|step| match step {
            Step::Given { generation, .. } => *generation,
            _ => 0,
        });
        gives.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{said, tells_apart};

    #[test]
    fn a_name_keeps_what_it_was_given_until_it_gives_it_back() {
        let held = "1-2 claim a p => holds 10.0.0.1/32 7 new @3\n";
        for (bad, expected, good) in [
            // Lost.
            (
                "3-4 get a => nothing @3",
                "operation 1 (get a -> nothing at revision 3) fits into no order",
                "1-4 get a => nothing @3",
            ),
            // Stale.
            (
                "3-4 release a 7 => released 7 @4\n5-6 get a => found 10.0.0.1/32 7 @3",
                "operation 2 (get a",
                "3-7 release a 7 => released 7 @4\n5-6 get a => found 10.0.0.1/32 7 @3",
            ),
            // Another block.
            (
                "3-4 claim a p => holds 10.0.0.2/32 7 @3",
                "operation 1 (claim a",
                "3-4 claim a p => holds 10.0.0.1/32 7 @3",
            ),
            // Given twice.
            (
                "3-4 claim a p => holds 10.0.0.2/32 8 new @4",
                "operation 1 (claim a",
                "3- release a 7\n3-4 claim a p => holds 10.0.0.2/32 8 new @5",
            ),
            // Refused although it is held.
            (
                "3-4 claim a p => refused pool_exhausted @3",
                "operation 1 (claim a",
                "3-4 claim a p => refused claim_mismatch @3",
            ),
            (
                "3-4 renew a 7 ttl=9 => refused generation_stale @3",
                "operation 1 (renew a",
                "3-4 renew a 6 ttl=9 => refused generation_stale @3",
            ),
            // A release that had no effect.
            (
                "3-4 batch release a 7 ; claim b p => released 7 ; holds 10.0.0.1/32 8 new @4\n\
                 5-6 get a => found 10.0.0.1/32 7 @4",
                "operation 2 (get a",
                "3-4 batch release a 7 ; claim b p => refused pool_exhausted @4\n\
                 5-6 get a => found 10.0.0.1/32 7 @4",
            ),
            // Seen by its block.
            (
                "3-4 release a 7 => released 7 @4\n5-6 lookup 10.0.0.1/32 => held_by a 7 @3",
                "operation 2 (lookup",
                "3-4 release a 7 => released 7 @4\n5-6 lookup 10.0.0.1/32 local=3 => held_by a 7 @3",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{held}{bad}"), expected),
                &format!("{held}{good}"),
            );
        }
    }

    #[test]
    fn a_lease_ends_late_or_never_but_not_early() {
        let leased = "10-12 claim a p ttl=50 => holds 10.0.0.1/32 7 new @3\n";
        for (bad, good) in [
            ("55-59 get a => nothing @4", "55-60 get a => nothing @4"),
            (
                "99-99 get a => found 10.0.0.1/32 8 @3",
                "99-99 get a => found 10.0.0.1/32 7 @3",
            ),
            (
                "20-22 renew a 7 ttl=50 => renewed 7 @4\n60-69 get a => nothing @5",
                "20-22 renew a 7 ttl=50 => renewed 7 @4\n60-70 get a => nothing @5",
            ),
            // Once it is over for one, it is over for all that come behind.
            (
                "55-61 get a => nothing @4\n62-63 get a => found 10.0.0.1/32 7 @3",
                "55-64 get a => nothing @4\n62-63 get a => found 10.0.0.1/32 7 @3",
            ),
            // The new holding began behind the end of the old one, so it is not seen before that.
            (
                "55-65 claim a p => holds 10.0.0.1/32 9 new @5\n56-57 get a => found 10.0.0.1/32 9 @5",
                "55-65 claim a p => holds 10.0.0.1/32 9 new @5\n56-60 get a => found 10.0.0.1/32 9 @5",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{leased}{bad}"), "fits into no order"),
                &format!("{leased}{good}"),
            );
        }
    }

    #[test]
    fn what_is_unknown_may_have_happened_at_any_time_or_never() {
        let held = "1-2 claim a p => holds 10.0.0.1/32 7 new @3\n";
        let unknown = format!("{held}3-4 release a 7 => unknown\n");
        for good in [
            "5-6 get a => found 10.0.0.1/32 7 @3",
            "5-6 get a => found 10.0.0.1/32 7 @3\n7-8 get a => nothing @4",
            "5-6 get a => nothing @4\n7- claim a p\n8-9 get a => nothing @4\n10-11 get a => found 10.0.0.1/32 9 @5",
            "5-6 release a 7 => released 7 @4\n7-8 get a => nothing @4",
        ] {
            assert_eq!(
                said(&format!("{unknown}{good}"), check),
                [] as [&str; 0],
                "{good}"
            );
        }
        for bad in [
            "5-6 get a => nothing @4\n7-8 get a => found 10.0.0.1/32 7 @3",
            "5-6 get a => nothing @4\n7-8 get a => found 10.0.0.1/32 9 @5\n9- claim a p",
            "7- claim a p\n8-9 get a => found 10.0.0.1/32 9 @5\n10-11 get a => nothing @5",
        ] {
            let said = said(&format!("{unknown}{bad}"), check);
            assert_eq!(said.len(), 1, "{bad}: {said:?}");
        }
    }

    #[test]
    fn what_nobody_saw_excuses_only_the_refusals_that_it_can_cause() {
        let stale = "9-10 renew a 3 ttl=9 => refused generation_stale @3";
        assert_eq!(said(stale, check).len(), 1);
        assert_eq!(said(&format!("5- claim a p\n{stale}"), check).len(), 0);
        assert_eq!(said(&format!("{stale}\n11- claim a p"), check).len(), 1);
        let listed = format!("5- claim a p\n{stale}\n20 claims 1 @3");
        assert_eq!(
            said(&listed, check).len(),
            1,
            "the list would have shown it"
        );
    }
}
