//! Every holding that anybody was told of, by its generation: who held what, when that was seen, and the earliest
//! moment at which it may have ended.
//!
//! A holding *surely* lasts from the first line that shows it to [`Holding::may_end_us`]: nobody had asked for its end
//! before then, and no lease can have been over. An end may come later than that, or never.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

use super::holding::{Ending, Given, Holding, NEVER_US, Sighting, Term, shows_a_holding};
use super::story::{Ask, At, Fate, Shown, Story, Tells};
use super::verdict::Proof;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holdings<'a> {
    pub(super) by_generation: BTreeMap<u64, Holding<'a>>,
    /// Generations of each name, in their order.
    names: BTreeMap<&'a str, Vec<u64>>,
    /// Sightings that call the same generation something else.
    pub(super) clashes: Vec<Clash<'a>>,
}

/// A sighting of a generation under another name or block than before.
#[derive(Debug)]
pub(super) struct Clash<'a> {
    pub(super) generation: u64,
    pub(super) name: &'a str,
    pub(super) block: Prefix,
    pub(super) proof: Proof,
}

impl<'a> Holdings<'a> {
    pub(super) fn of(story: &Story<'a>) -> Self {
        let mut holdings = Self::default();
        holdings.see_operations(story);
        holdings.see_watches(story);
        holdings.see_lists(story);
        holdings.see_lookups(story);
        holdings.see_ends(story);
        let pools = pools_of_names(story);
        let unknown = leases_of_unknown_claims(story);
        for holding in holdings.by_generation.values_mut() {
            holding.sightings.sort_by_key(|sighting| sighting.shown);
            holding.grace_us = story.grace_us(pools.get(holding.name).copied());
            if holding.given.is_empty()
                && let Some(first) = holding.sightings.first()
            {
                let claims = unknown.get(holding.name).map_or(&[][..], Vec::as_slice);
                let sources = claims.iter().filter(|term| term.invoked < first.shown);
                // Which of them it was cannot be told: the one whose lease ends first allows most.
                let term = sources.min_by_key(|term| term.ends_us);
                holding.given_with(term.map(|term| Term {
                    answered: Some(first.shown),
                    ..*term
                }));
            }
            holding.may_end_us = holding.may_end();
            let of_name = holdings.names.entry(holding.name).or_default();
            of_name.push(holding.generation);
        }
        holdings
    }

    pub(super) fn get(&self, generation: u64) -> Option<&Holding<'a>> {
        self.by_generation.get(&generation)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Holding<'a>> {
        self.by_generation.values()
    }

    /// Each name with its holdings, by generation.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (&'a str, Vec<&Holding<'a>>)> {
        let names = self.names.keys();
        names.map(|name| (*name, self.of_name(name).collect()))
    }

    /// The holdings of a name, by generation.
    pub(super) fn of_name(&self, name: &str) -> impl Iterator<Item = &Holding<'a>> {
        let generations = self.names.get(name).into_iter().flatten();
        generations.filter_map(|generation| self.get(*generation))
    }

    fn see_operations(&mut self, story: &Story<'a>) {
        for (operation, part) in story.parts() {
            let Fate::Answered { at, revision } = operation.fate else {
                continue;
            };
            let sighting = Sighting {
                invoked: operation.invoked,
                shown: at,
                revision,
                is_linearizable: operation.local().is_none(),
                id: Some(operation.id),
            };
            match (part.ask, part.shown) {
                (Ask::Get { name, .. }, Some(Shown::Found { block, generation })) => {
                    self.see(generation, name, block, sighting);
                }
                (
                    Ask::Claim { name, ttl_us, .. },
                    Some(Shown::Holds {
                        block,
                        generation,
                        new,
                    }),
                ) => {
                    // A batch that releases it after all was told of the state before.
                    let is_over = operation.releases(generation);
                    let sighting = Sighting {
                        revision: revision.saturating_sub(u64::from(is_over)),
                        ..sighting
                    };
                    let seen = self.see(generation, name, block, sighting);
                    if let Some(holding) = seen.filter(|_| new) {
                        holding.given.push(Given {
                            id: operation.id,
                            invoked: operation.invoked,
                            answered: at,
                            revision,
                        });
                        holding.given_with(Some(Term {
                            invoked: operation.invoked,
                            answered: Some(at),
                            ends_us: end_of(operation.invoked, ttl_us),
                        }));
                    }
                }
                _ => {}
            }
        }
    }

    fn see_watches(&mut self, story: &Story<'a>) {
        for told in story.watches.values().flatten() {
            let Tells::Event {
                revision,
                change,
                block: Some(block),
                ..
            } = told.tells
            else {
                continue;
            };
            let (Some(name), Some(generation)) = (&change.name, change.generation) else {
                continue;
            };
            if shows_a_holding(&change.kind) {
                self.see(generation, name, block, shown_at(told.at, revision));
            }
        }
    }

    fn see_lists(&mut self, story: &Story<'a>) {
        for list in &story.lists {
            for (name, (block, generation)) in &list.held {
                self.see(*generation, name, *block, shown_at(list.at, list.revision));
            }
        }
    }

    /// A lookup does not tell which block is held, only one inside of it, and a renewal tells none.
    fn see_lookups(&mut self, story: &Story<'a>) {
        for (operation, part) in story.parts() {
            let Fate::Answered { at, revision } = operation.fate else {
                continue;
            };
            let sighting = Sighting {
                invoked: operation.invoked,
                shown: at,
                revision,
                is_linearizable: operation.local().is_none(),
                id: Some(operation.id),
            };
            match (part.ask, part.shown) {
                (Ask::Lookup { block, .. }, Some(Shown::HeldBy { name, generation })) => {
                    let known = self.by_generation.get(&generation);
                    let held = known.map(|holding| holding.block);
                    let held = held.filter(|held| held.contains(block)).unwrap_or(block);
                    self.see(generation, name, held, sighting);
                }
                (Ask::Renew { name, .. }, Some(Shown::Renewed { generation })) => {
                    if let Some(block) = self.by_generation.get(&generation).map(|one| one.block) {
                        self.see(generation, name, block, sighting);
                    }
                }
                _ => {}
            }
        }
    }

    fn see_ends(&mut self, story: &Story<'a>) {
        for (operation, part) in story.parts() {
            let done = match (operation.fate, part.shown) {
                (Fate::Failed | Fate::BatchRefused { .. }, _)
                | (_, Some(Shown::Refused { .. })) => {
                    continue;
                }
                (Fate::Open, _) => None,
                (Fate::Answered { at, revision }, _) => Some((at, revision)),
            };
            match part.ask {
                Ask::Release { name, generation } => {
                    let holding = self.by_generation.get_mut(&generation);
                    if let Some(holding) = holding.filter(|holding| holding.name == name) {
                        holding.endings.push(Ending {
                            id: operation.id,
                            invoked: operation.invoked,
                            done,
                        });
                    }
                }
                Ask::Renew {
                    name,
                    generation,
                    ttl_us,
                } => {
                    let holding = self.by_generation.get_mut(&generation);
                    if let Some(holding) = holding.filter(|holding| holding.name == name) {
                        holding.terms.push(Term {
                            invoked: operation.invoked,
                            answered: done.map(|(at, _)| at),
                            ends_us: end_of(operation.invoked, Some(ttl_us)),
                        });
                    }
                }
                Ask::Claim { .. } | Ask::Get { .. } | Ask::Lookup { .. } => {}
            }
        }
    }

    /// Notes a sighting; the holding, unless it is known under another name or block.
    fn see(
        &mut self,
        generation: u64,
        name: &'a str,
        block: Prefix,
        sighting: Sighting,
    ) -> Option<&mut Holding<'a>> {
        let holding = self
            .by_generation
            .entry(generation)
            .or_insert_with(|| Holding::new(generation, name, block));
        if (holding.name, holding.block) != (name, block) {
            self.clashes.push(Clash {
                generation,
                name,
                block,
                proof: sighting.proof(),
            });
            return None;
        }
        let (least, most) = holding.revisions;
        holding.revisions = (least.min(sighting.revision), most.max(sighting.revision));
        holding.sightings.push(sighting);
        Some(holding)
    }
}

fn shown_at(at: At, revision: u64) -> Sighting {
    Sighting {
        invoked: at,
        shown: at,
        revision,
        is_linearizable: false,
        id: None,
    }
}

fn end_of(invoked: At, ttl_us: Option<u64>) -> u64 {
    ttl_us.map_or(NEVER_US, |ttl| invoked.us.saturating_add(ttl))
}

/// The pool that each name claims from.
fn pools_of_names<'a>(story: &Story<'a>) -> BTreeMap<&'a str, &'a str> {
    let claims = story.parts().filter_map(|(_, part)| match part.ask {
        Ask::Claim { name, pool, .. } => Some((name, pool)),
        _ => None,
    });
    claims.collect()
}

/// For each name, the leases that its claims of unknown outcome may have begun.
fn leases_of_unknown_claims<'a>(story: &Story<'a>) -> BTreeMap<&'a str, Vec<Term>> {
    let mut unknown: BTreeMap<&str, Vec<Term>> = BTreeMap::new();
    for (operation, part) in story.parts() {
        if let (Ask::Claim { name, ttl_us, .. }, true) = (part.ask, operation.is_open()) {
            unknown.entry(name).or_default().push(Term {
                invoked: operation.invoked,
                answered: None,
                ends_us: end_of(operation.invoked, ttl_us),
            });
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::with_story;

    /// Earliest end in milliseconds, of generation 7.
    fn may_end_ms(text: &str) -> Option<u64> {
        with_story(text, |story| {
            let holdings = Holdings::of(story);
            let us = holdings.get(7).expect("generation 7 was seen").may_end_us;
            (us != NEVER_US).then_some(us / 1_000)
        })
    }

    #[test]
    fn a_holding_may_end_when_its_release_is_asked_for_or_its_lease_is_over() {
        let leased = "10-19 claim a p ttl=50 => holds 10.0.0.1/32 7 new @3\n";
        let held = "10-19 claim a p => holds 10.0.0.1/32 7 new @3\n";
        for (text, expected) in [
            (held.to_owned(), None),
            (leased.to_owned(), Some(60)),
            (
                format!("{held}30-39 release a 7 => released 7 @4"),
                Some(30),
            ),
            (format!("{held}30- release a 7"), Some(30)),
            (format!("{held}30-31 release a 7 => failed"), None),
            (
                format!("{held}30-31 release a 7 => refused generation_stale @4"),
                None,
            ),
            (
                format!("{held}30-31 release b 7 => refused claim_not_found @4"),
                None,
            ),
            (
                format!("{held}30- release a 7\n40-45 get a => found 10.0.0.1/32 7 @3"),
                Some(40),
            ),
            (
                format!("{held}30- release a 7\n40-45 get a local=0 => found 10.0.0.1/32 7 @3"),
                Some(30),
            ),
            (
                format!("{leased}30-31 renew a 7 ttl=100 => renewed 7 @4"),
                Some(130),
            ),
            (
                format!("{leased}30-31 renew a 7 ttl=1 => renewed 7 @4"),
                Some(31),
            ),
            (format!("{leased}30- renew a 7 ttl=100"), Some(60)),
            (format!("{leased}30- renew a 7 ttl=10"), Some(40)),
            (
                format!(
                    "{leased}30-39 renew a 7 ttl=100 => renewed 7 @4\n\
                     35-37 renew a 7 ttl=20 => renewed 7 @5"
                ),
                Some(55),
            ),
            (
                format!(
                    "{leased}30-34 renew a 7 ttl=20 => renewed 7 @4\n\
                     35-37 renew a 7 ttl=100 => renewed 7 @5"
                ),
                Some(135),
            ),
            (
                "10- claim a p ttl=90\n12- claim a p ttl=50\n\
                 20-21 get a => found 10.0.0.1/32 7 @3\n22- claim a p ttl=1"
                    .to_owned(),
                Some(62),
            ),
        ] {
            assert_eq!(may_end_ms(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_batch_that_releases_what_it_saw_saw_it_at_the_revision_before() {
        with_story(
            "0-1 claim a p => holds 10.0.0.1/32 7 new @3\n\
             2-3 batch claim a p ; release a 7 => holds 10.0.0.1/32 7 ; released 7 @5",
            |story| {
                let holdings = Holdings::of(story);
                let holding = holdings.get(7).expect("it was seen");
                assert_eq!(holding.revisions, (3, 4));
            },
        );
    }

    #[test]
    fn every_kind_of_line_shows_a_holding() {
        with_story(
            "0-1 claim a p => unknown\n\
             2 watching 1 0\n\
             3 watched 1 3.0 allocated a 10.0.0.1/32 7\n\
             4-5 lookup 10.0.0.1/32 => held_by a 7 @4\n\
             6-7 get a local=0 => found 10.0.0.1/32 7 @3\n\
             8-9 release a 7 => released 7 @5\n\
             9 claims 1 @4 a=10.0.0.1/32#7",
            |story| {
                let holdings = Holdings::of(story);
                let holding = holdings.get(7).expect("it was seen");
                assert_eq!(holding.sightings.len(), 4);
                assert_eq!(holding.first_shown().us, 3_000);
                assert_eq!(holding.revisions, (3, 4));
                assert!(holding.given.is_empty() && holdings.clashes.is_empty());
                assert_eq!(holding.over_at().map(|(revision, _)| revision), Some(5));
                assert_eq!(
                    holding.sure_release().map(|(_, revision)| revision),
                    Some(5)
                );
            },
        );
    }
}
