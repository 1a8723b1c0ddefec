//! Holdings that were seen, but that no acknowledged claim was given: a claim of unknown outcome was given them.
//!
//! An operation of unknown outcome may take effect at any time after it was invoked, so that it stays open to the end
//! of a history, and twenty of them make a search for an order hopeless. Most of it is decided without a search:
//!
//! 1. Generations are unique. A claim of unknown outcome whose generation nobody ever saw changed nothing that anybody
//!    was told of, with the exceptions of 4; it need not be put into an order at all.
//! 2. One whose generation was seen took effect before that was shown, and generations grow: it also took effect after
//!    every acknowledged claim with a smaller one was invoked, and before each with a greater one was answered. It has
//!    an interval as any other operation.
//! 3. Which claim of a name it was does not matter, since all claims of one name ask for the same. The first holding is
//!    given to the claim invoked first, and so on: where any assignment is possible, this one is.
//! 4. What nobody saw may still stand in somebody's way: a refusal can be due to it ([`Orphans::may_be_in_the_way`]).
//!    Without a lease such a holding lasts to the end, since only who knows its generation can release it, and a list
//!    of all claims, or a watch of everything, would have shown it.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

use super::holding::Holding;
use super::holdings::Holdings;
use super::story::{Ask, At, Story};
use super::watched::Watched;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Orphans<'a> {
    /// By generation; `None` where no claim can have been given it.
    pub(super) windows: BTreeMap<u64, Option<Window>>,
    /// Names of which a claim of unknown outcome is left over.
    spare: BTreeMap<&'a str, Vec<Unknown<'a>>>,
    /// No change up to this revision went unseen.
    told_up_to: u64,
    /// Line and revision of the last list.
    last_list: Option<(usize, u64)>,
}

/// Lines between which something took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: At,
    pub(super) to: At,
}

/// A claim of unknown outcome.
#[derive(Debug, Clone, Copy)]
struct Unknown<'a> {
    invoked: At,
    pool: &'a str,
    cidr: Option<Prefix>,
    has_lease: bool,
}

impl<'a> Orphans<'a> {
    pub(super) fn of(story: &Story<'a>, holdings: &Holdings<'a>, watched: &Watched<'_>) -> Self {
        let unknown = unknown_claims(story);
        let bounds = Bounds::of(holdings);
        let mut orphans = Self {
            told_up_to: watched.told_up_to(),
            last_list: story
                .lists
                .iter()
                .map(|list| (list.at.line, list.revision))
                .max(),
            ..Self::default()
        };
        for (name, held) in holdings.by_name() {
            let nobodys: Vec<&Holding<'_>> = held
                .into_iter()
                .filter(|one| one.given.is_empty())
                .collect();
            let claims = unknown.get(name).map_or(&[][..], Vec::as_slice);
            orphans.assign(&nobodys, claims, &bounds);
        }
        for (name, claims) in unknown {
            let seen = holdings.of_name(name).filter(|one| one.given.is_empty());
            if claims.len() > seen.count() {
                orphans.spare.insert(name, claims);
            }
        }
        orphans
    }

    /// A claim of that name whose outcome nobody saw may have held something for a while.
    pub(super) fn may_hold_unseen(&self, name: &str, shown: At, revision: u64) -> bool {
        self.spare.get(name).is_some_and(|claims| {
            claims
                .iter()
                .any(|claim| claim.invoked < shown && self.is_unseen(*claim, shown, revision))
        })
    }

    /// Something that nobody saw may have stood in the way of a block, when somebody else was refused it.
    pub(super) fn may_be_in_the_way(
        &self,
        story: &Story<'_>,
        block: Prefix,
        refused: &str,
        (shown, revision): (At, u64),
    ) -> bool {
        let others = self.spare.iter().filter(|(name, _)| **name != refused);
        others.flat_map(|(_, claims)| claims).any(|claim| {
            let pool = story.pools.get(claim.pool);
            let may_have_it = claim.cidr.map_or_else(
                || pool.is_some_and(|pool| pool.overlaps(block)),
                |cidr| cidr.overlaps(block),
            );
            may_have_it && claim.invoked < shown && self.is_unseen(*claim, shown, revision)
        })
    }

    fn is_unseen(&self, claim: Unknown<'_>, shown: At, revision: u64) -> bool {
        let listed = self
            .last_list
            .is_some_and(|(line, listed)| line > shown.line && listed >= revision);
        revision > self.told_up_to && (claim.has_lease || !listed)
    }

    /// `nobodys` by generation, `claims` by invocation.
    fn assign(&mut self, nobodys: &[&Holding<'_>], claims: &[Unknown<'_>], bounds: &Bounds) {
        // What was given before another holding of the name was given before that one was shown.
        let mut shown_by: Vec<At> = nobodys.iter().map(|one| one.first_shown()).collect();
        for place in (1..shown_by.len()).rev() {
            shown_by[place - 1] = shown_by[place - 1].min(shown_by[place]);
        }
        let mut claims = claims.iter();
        for (holding, shown) in nobodys.iter().zip(shown_by) {
            let source = claims.next().filter(|claim| claim.invoked < shown);
            let window =
                source.map(|claim| bounds.narrow(holding.generation, claim.invoked, shown));
            self.windows.insert(holding.generation, window);
        }
    }
}

/// What the acknowledged claims say of when a generation was given.
struct Bounds {
    /// By generation: the last invocation among this and smaller ones, the first answer among this and greater ones.
    acknowledged: BTreeMap<u64, (At, At)>,
}

impl Bounds {
    fn of(holdings: &Holdings<'_>) -> Self {
        let given = holdings.iter().filter_map(|holding| {
            let given = holding.given.first()?;
            Some((holding.generation, (given.invoked, given.answered)))
        });
        let mut acknowledged: BTreeMap<u64, (At, At)> = given.collect();
        let mut last_invoked = At { line: 0, us: 0 };
        for (invoked, _) in acknowledged.values_mut() {
            last_invoked = last_invoked.max(*invoked);
            *invoked = last_invoked;
        }
        let mut first_answered: Option<At> = None;
        for (_, answered) in acknowledged.values_mut().rev() {
            let first = first_answered.map_or(*answered, |first| first.min(*answered));
            first_answered = Some(first);
            *answered = first;
        }
        Self { acknowledged }
    }

    fn narrow(&self, generation: u64, from: At, to: At) -> Window {
        let below = self.acknowledged.range(..generation).next_back();
        let above = self.acknowledged.range(generation..).next();
        let after = below.map_or(from, |(_, (invoked, _))| from.max(*invoked));
        let before = above.map_or(to, |(_, (_, answered))| to.min(*answered));
        if after < before {
            Window {
                from: after,
                to: before,
            }
        } else {
            // The generations are not in order, which their own checker says.
            Window { from, to }
        }
    }
}

fn unknown_claims<'a>(story: &Story<'a>) -> BTreeMap<&'a str, Vec<Unknown<'a>>> {
    let mut unknown: BTreeMap<&str, Vec<Unknown<'a>>> = BTreeMap::new();
    for (operation, part) in story.parts() {
        if let (
            Ask::Claim {
                name,
                pool,
                cidr,
                ttl_us,
            },
            true,
        ) = (part.ask, operation.is_open())
        {
            unknown.entry(name).or_default().push(Unknown {
                invoked: operation.invoked,
                pool,
                cidr,
                has_lease: ttl_us.is_some(),
            });
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::with_story;

    /// The windows in milliseconds, by generation.
    fn windows(text: &str) -> Vec<(u64, Option<(u64, u64)>)> {
        with_story(text, |story| {
            let holdings = Holdings::of(story);
            let orphans = Orphans::of(story, &holdings, &Watched::of(story));
            let windows = orphans.windows.iter();
            let ms = |window: &Window| (window.from.us / 1_000, window.to.us / 1_000);
            windows
                .map(|(generation, window)| (*generation, window.as_ref().map(ms)))
                .collect()
        })
    }

    #[test]
    fn an_unknown_claim_took_effect_between_its_question_and_what_shows_it() {
        for (text, expected) in [
            (
                "10-19 claim a p => unknown\n30-35 get a => found 10.0.0.1/32 7 @3",
                vec![(7, Some((10, 35)))],
            ),
            ("30-35 get a => found 10.0.0.1/32 7 @3", vec![(7, None)]),
            (
                "30-35 get a => found 10.0.0.1/32 7 @3\n40- claim a p",
                vec![(7, None)],
            ),
            // Two holdings cannot come of one claim; of two, the first comes of the first.
            (
                "10- claim a p\n30-35 get a => found 10.0.0.1/32 7 @3\n\
                 40-45 get a => found 10.0.0.1/32 8 @5",
                vec![(7, Some((10, 35))), (8, None)],
            ),
            (
                "10- claim a p\n20- claim a p\n30-35 get a => found 10.0.0.1/32 7 @3\n\
                 40-45 get a => found 10.0.0.1/32 8 @5",
                vec![(7, Some((10, 35))), (8, Some((20, 45)))],
            ),
            // Generations grow.
            (
                "10- claim a p\n12-14 claim b p => holds 10.0.0.2/32 6 new @2\n\
                 16-18 claim c p => holds 10.0.0.3/32 8 new @4\n\
                 30-35 get a => found 10.0.0.1/32 7 @4",
                vec![(7, Some((12, 18)))],
            ),
        ] {
            assert_eq!(windows(text), expected, "{text}");
        }
    }

    #[test]
    fn what_nobody_saw_may_be_in_the_way_until_something_would_have_shown_it() {
        let in_the_way = |text: &str| {
            with_story(text, |story| {
                let holdings = Holdings::of(story);
                let orphans = Orphans::of(story, &holdings, &Watched::of(story));
                let at = |us| At {
                    line: story
                        .operations
                        .last()
                        .map_or(0, |last| last.invoked.line + 1),
                    us,
                };
                orphans.may_be_in_the_way(
                    story,
                    "10.0.0.4/30".parse().unwrap(),
                    "b",
                    (at(21_000), 5),
                )
            })
        };
        let refused = "20-21 claim b p cidr=10.0.0.4/30 => refused address_taken @5";
        for (text, expected) in [
            ("10- claim a p", true),
            ("10- claim a kept", false),
            ("10- claim b p", false),
            ("10- claim a p cidr=10.0.0.5/32", true),
            ("10- claim a p cidr=10.0.0.9/32", false),
            ("10- claim a p\n30 claims 1 @5", false),
            ("10- claim a p\n30 claims 1 @4", true),
            ("10- claim a p ttl=3\n30 claims 1 @5", true),
            (
                "1 watching 1 0\n10- claim a p ttl=3\n30 watched 1 5 bookmark",
                false,
            ),
            (
                "10- claim a p ttl=3\n11 watching 1 0\n30 watched 1 5 bookmark",
                true,
            ),
        ] {
            assert_eq!(
                in_the_way(&format!("{text}\n{refused}")),
                expected,
                "{text}"
            );
        }
    }
}
