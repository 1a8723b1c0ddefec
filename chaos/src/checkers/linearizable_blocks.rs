//! Linearizability of each block, and of those that overlap it: what was given, seen and refused took effect in one
//! order.
//!
//! The state of a group of overlapping blocks is what of it is held, and what is kept for who had it. A block that is
//! kept may go only to the same name until its grace is over, which is no earlier than the invocation of the release
//! (or the end of the lease) and the grace, by the history's clock: the clock of the log runs on what leaders measured
//! and stands still between them, so that it can only be late. No allowance is made for clocks of different rates.
//!
//! A refusal of an exact claim (`address_taken`) must have had something in its way; a lookup that shows nothing, no
//! holder. What is kept is held by nobody. Ends that nobody acknowledged need no place in the order, as in
//! `linearizable_names`.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

use super::Case;
use super::holding::{Holding, NEVER_US};
use super::keyed::{Tasks, report};
use super::search::Model;
use super::story::{Ask, Implied, Operation, Part, Shown};
use super::verdict::Notes;

const NAME: &str = "linearizable_blocks";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "what is given, seen and refused of each block takes effect in one order";
    let mut notes = Notes::new(NAME, promise);
    let mut names = Names::default();
    let mut groups: BTreeMap<Prefix, Tasks<Blocks>> = BTreeMap::new();
    let mut unjudged = 0;
    for (place, operation) in case.story.operations.iter().enumerate() {
        let mut steps: BTreeMap<Prefix, Vec<Step>> = BTreeMap::new();
        for part in &operation.parts {
            match step(case, &mut names, operation, part) {
                Said::Step(block, step) => {
                    let group = case.overlaps.group(block);
                    steps.entry(group).or_default().push(step);
                }
                Said::Unjudged => unjudged += 1,
                Said::Nothing => {}
            }
        }
        for (group, steps) in steps {
            let tasks = groups.entry(group).or_default();
            tasks.answered(place, operation, |us| Op { steps, us, group });
        }
    }
    for (generation, window) in &case.orphans.windows {
        if let (Some(holding), Some(window)) = (case.holdings.get(*generation), window) {
            let group = case.overlaps.group(holding.block);
            let steps = vec![given(&mut names, holding)];
            let tasks = groups.entry(group).or_default();
            tasks.inferred(*window, |us| Op { steps, us, group });
        }
    }
    notes.looked_at("blocks", groups.len());
    notes.looked_at("refusals that an unseen claim may explain", unjudged);
    for (group, tasks) in groups {
        let what = format!("what was said of {group}");
        report(&mut notes, case, &what, tasks);
    }
    notes
}

/// What an answer says of blocks.
enum Said {
    Step(Prefix, Step),
    /// It was refused for something that nobody need have seen.
    Unjudged,
    Nothing,
}

fn step<'a>(
    case: &Case<'a>,
    names: &mut Names<'a>,
    operation: &Operation<'a>,
    part: &Part<'a>,
) -> Said {
    let (Some(answered), Some(shown), None) = (operation.answered(), part.shown, operation.local())
    else {
        return Said::Nothing;
    };
    let seen = |generation: u64| match case.holdings.get(generation) {
        Some(holding) => Said::Step(holding.block, Step::Sees { generation }),
        None => Said::Nothing,
    };
    match (part.ask, shown) {
        (
            _,
            Shown::Holds {
                generation,
                new: true,
                ..
            },
        ) => match case.holdings.get(generation) {
            Some(holding) => Said::Step(holding.block, given(names, holding)),
            None => Said::Nothing,
        },
        // Who looks up an address is told of a holder of the block around it.
        (
            _,
            Shown::Holds { generation, .. }
            | Shown::Found { generation, .. }
            | Shown::HeldBy { generation, .. },
        ) => seen(generation),
        (Ask::Lookup { block, .. }, Shown::Nothing) => Said::Step(block, Step::Free { block }),
        (_, Shown::Released { generation }) => match case.holdings.get(generation) {
            Some(holding) => {
                let asked_us = operation.invoked.us;
                Said::Step(
                    holding.block,
                    Step::Released {
                        generation,
                        asked_us,
                    },
                )
            }
            None => Said::Nothing,
        },
        (Ask::Renew { ttl_us, .. }, Shown::Renewed { generation }) => {
            match case.holdings.get(generation) {
                Some(holding) => {
                    let ends_us = operation.invoked.us.saturating_add(ttl_us);
                    Said::Step(
                        holding.block,
                        Step::Renewed {
                            generation,
                            ends_us,
                        },
                    )
                }
                None => Said::Nothing,
            }
        }
        (
            Ask::Claim {
                name,
                cidr: Some(block),
                ..
            },
            Shown::Refused { .. },
        ) if part.implied() == Some(Implied::Taken) => {
            let orphans = &case.orphans;
            if orphans.may_be_in_the_way(case.story, block, name, answered) {
                return Said::Unjudged;
            }
            let name = names.number(name);
            Said::Step(block, Step::Taken { block, name })
        }
        (Ask::Lookup { block, .. }, Shown::Refused { .. })
            if part.implied() == Some(Implied::Nothing) =>
        {
            Said::Step(block, Step::Free { block })
        }
        _ => Said::Nothing,
    }
}

fn given<'a>(names: &mut Names<'a>, holding: &Holding<'a>) -> Step {
    Step::Given(Held {
        block: holding.block,
        name: names.number(holding.name),
        generation: holding.generation,
        ends_us: holding.first_lease_ends_us,
        may_end_us: holding.may_end_unknown_us(),
        grace_us: holding.grace_us,
    })
}

/// Numbers for names, so that states are small.
#[derive(Default)]
struct Names<'a>(BTreeMap<&'a str, usize>);

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a str) -> usize {
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }
}

/// A group of overlapping blocks.
#[derive(Debug)]
struct Blocks;

#[derive(Debug)]
struct Op {
    /// More than one in a batch.
    steps: Vec<Step>,
    /// When it was answered.
    us: u64,
    /// The widest block of the group.
    group: Prefix,
}

#[derive(Debug)]
enum Step {
    Given(Held),
    Sees {
        generation: u64,
    },
    /// Nobody holds a block around this one.
    Free {
        block: Prefix,
    },
    /// Something stands in this name's way.
    Taken {
        block: Prefix,
        name: usize,
    },
    Released {
        generation: u64,
        asked_us: u64,
    },
    Renewed {
        generation: u64,
        ends_us: u64,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    /// The greatest generation that was given in the group.
    given: u64,
    /// No two of all these overlap.
    held: Vec<Held>,
    kept: Vec<Kept>,
    /// Nothing that was answered before can come from here on.
    not_before_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Held {
    block: Prefix,
    name: usize,
    generation: u64,
    /// Its lease cannot be over before this.
    ends_us: u64,
    /// Something of unknown outcome may have ended it from then on.
    may_end_us: u64,
    grace_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kept {
    block: Prefix,
    name: usize,
    until_us: u64,
}

impl Held {
    fn over_us(&self) -> u64 {
        self.ends_us.min(self.may_end_us)
    }

    fn kept_from(&self, us: u64) -> Option<Kept> {
        (self.grace_us > 0).then(|| Kept {
            block: self.block,
            name: self.name,
            until_us: us.saturating_add(self.grace_us),
        })
    }
}

impl State {
    /// What is held of `block` has ended by itself, if that can be so by then.
    fn ended(mut self, us: u64, touches: impl Fn(Prefix) -> bool) -> Option<Self> {
        let (over, still) = self.held.drain(..).partition(|held| touches(held.block));
        self.held = still;
        let over: Vec<Held> = over;
        for held in over {
            let over_us = held.over_us();
            if over_us > us {
                return None;
            }
            self.not_before_us = self.not_before_us.max(over_us);
            self.kept.extend(held.kept_from(over_us));
        }
        self.kept.sort_by_key(|kept| kept.block);
        Some(self)
    }

    /// Makes room for a holding.
    fn room(self, new: &Held, us: u64) -> Option<Self> {
        let mut state = self.ended(us, |block| block.overlaps(new.block))?;
        for kept in &state.kept {
            let goes_back = kept.name == new.name && kept.block == new.block;
            if kept.block.overlaps(new.block) && !goes_back {
                if kept.until_us > us {
                    return None;
                }
                state.not_before_us = state.not_before_us.max(kept.until_us);
            }
        }
        state.kept.retain(|kept| !kept.block.overlaps(new.block));
        Some(state)
    }

    fn step(mut self, step: &Step, us: u64) -> Option<Self> {
        match step {
            Step::Given(new) => {
                if new.generation <= self.given {
                    return None;
                }
                let mut state = self.room(new, us)?;
                state.given = new.generation;
                state.held.push(new.clone());
                state.held.sort_by_key(|held| held.block);
                Some(state)
            }
            Step::Sees { generation } => self.held(*generation).is_some().then_some(self),
            Step::Free { block } => self.ended(us, |held| held.contains(*block)),
            Step::Taken { block, name } => {
                let held = self.held.iter().any(|held| held.block.overlaps(*block));
                let kept = self.kept.iter().any(|kept| {
                    let own = kept.name == *name && kept.block == *block;
                    kept.block.overlaps(*block) && !own
                });
                (held || kept).then_some(self)
            }
            Step::Released {
                generation,
                asked_us,
            } => {
                let Some(place) = self.held(*generation) else {
                    return (*generation <= self.given).then_some(self);
                };
                let held = self.held.remove(place);
                // Where its lease may have been over before, that may be what ended it.
                self.kept
                    .extend(held.kept_from(held.over_us().min(*asked_us)));
                self.kept.sort_by_key(|kept| kept.block);
                Some(self)
            }
            Step::Renewed {
                generation,
                ends_us,
            } => {
                let place = self.held(*generation)?;
                self.held[place].ends_us = *ends_us;
                Some(self)
            }
        }
    }

    fn held(&self, generation: u64) -> Option<usize> {
        let mut held = self.held.iter();
        held.position(|held| held.generation == generation)
    }
}

impl Model for Blocks {
    type State = State;
    type Op = Op;

    fn step(state: &State, op: &Op) -> Option<State> {
        if op.us < state.not_before_us {
            return None;
        }
        let mut steps = op.steps.iter();
        steps.try_fold(state.clone(), |state, step| state.step(step, op.us))
    }

    fn settled(op: &Op, _: u64) -> Option<State> {
        match &op.steps[..] {
            // It fills the group, so that nothing else is in it.
            [step @ Step::Given(new)] if new.block == op.group => {
                State::default().step(step, NEVER_US)
            }
            _ => None,
        }
    }

    fn gives(op: &Op) -> u64 {
        let gives = op.steps.iter().map(|step| match step {
            Step::Given(held) => held.generation,
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
    fn a_block_is_given_to_one_name_at_a_time() {
        let held = "1-2 claim a p cidr=10.0.0.4/30 => holds 10.0.0.4/30 7 new @3\n";
        for (bad, good) in [
            (
                "3-4 claim b p => holds 10.0.0.5/32 8 new @4",
                "3-4 claim b p => holds 10.0.0.8/32 8 new @4",
            ),
            (
                "3-4 claim b p cidr=10.0.0.4/30 => holds 10.0.0.4/30 8 new @4",
                "3- release a 7\n3-4 claim b p cidr=10.0.0.4/30 => holds 10.0.0.4/30 8 new @5",
            ),
            (
                "3-4 release a 7 => released 7 @4\n\
                 5-6 claim b p cidr=10.0.0.5/32 => refused address_taken @4",
                "3-5 release a 7 => released 7 @4\n\
                 4-6 claim b p cidr=10.0.0.5/32 => refused address_taken @3",
            ),
            (
                "3-4 lookup 10.0.0.5/32 => nothing @3",
                "3-4 lookup 10.0.0.0/24 => nothing @3",
            ),
            (
                "3-4 batch release a 7 ; claim b p => released 7 ; holds 10.0.0.5/32 8 new @4\n\
                 5-6 get a => found 10.0.0.4/30 7 @4",
                "3-4 batch release a 7 ; claim b p => released 7 ; holds 10.0.0.5/32 8 new @4\n\
                 5-6 get b => found 10.0.0.5/32 8 @4",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{held}{bad}"), "fits into no order"),
                &format!("{held}{good}"),
            );
        }
    }

    #[test]
    fn a_kept_block_goes_to_the_same_name_or_to_another_when_the_grace_is_over() {
        let released = "1-2 claim a kept => holds 10.1.0.1/32 7 new @3\n\
                        10-12 release a 7 => released 7 @4\n";
        for (bad, good) in [
            (
                "20-109 claim b kept => holds 10.1.0.1/32 8 new @5",
                "20-110 claim b kept => holds 10.1.0.1/32 8 new @5",
            ),
            (
                "20-21 lookup 10.1.0.1/32 => held_by a 7 @4",
                "20-21 lookup 10.1.0.1/32 => nothing @4",
            ),
            (
                "20-21 claim a kept cidr=10.1.0.1/32 => refused address_taken @4",
                "20-21 claim b kept cidr=10.1.0.1/32 => refused address_taken @4",
            ),
            // What was seen to be given away is not given back.
            (
                "20-120 claim b kept => holds 10.1.0.1/32 8 new @5\n30-31 get b => found 10.1.0.1/32 8 @5",
                "20-21 claim a kept => holds 10.1.0.1/32 8 new @5",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{released}{bad}"), "fits into no order"),
                &format!("{released}{good}"),
            );
        }
    }

    #[test]
    fn the_grace_begins_when_a_lease_or_an_unknown_release_may_have_ended_the_holding() {
        let leased = "1-2 claim a kept ttl=50 => holds 10.1.0.1/32 7 new @3\n";
        tells_apart(
            check,
            (
                &format!("{leased}9-150 claim b kept => holds 10.1.0.1/32 8 new @5"),
                "fits into no order",
            ),
            &format!("{leased}9-151 claim b kept => holds 10.1.0.1/32 8 new @5"),
        );
        tells_apart(
            check,
            (
                &format!(
                    "{leased}20- release a 7\n30-119 claim b kept => holds 10.1.0.1/32 8 new @5"
                ),
                "fits into no order",
            ),
            &format!("{leased}20- release a 7\n30-120 claim b kept => holds 10.1.0.1/32 8 new @5"),
        );
    }

    #[test]
    fn what_was_refused_for_something_unseen_is_not_judged() {
        let refused = "5-6 claim b p cidr=10.0.0.4/30 => refused address_taken @3";
        assert_eq!(said(refused, check).len(), 1);
        assert_eq!(said(&format!("1- claim a p\n{refused}"), check).len(), 0);
        let released =
            "1-2 claim a p => holds 10.0.0.5/32 7 new @2\n3-4 release a 7 => released 7 @3\n";
        assert_eq!(said(&format!("{released}{refused}"), check).len(), 1);
    }
}
