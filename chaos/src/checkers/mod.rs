//! Whether a history can have come about by keeping every promise: a checker a file.
//!
//! Two of them look for an order in which everything can have happened (`linearizable_names`, `linearizable_blocks`);
//! the others look at all that was told, for what no order could explain. Each says what it looked at, so that one that
//! looked at nothing is seen, and each has tests that show it a promise broken and the same history mended.
//!
//! What is judged, and what is not:
//! 1. Everything that was answered happened between its question and its answer, in the order of the lines.
//! 2. What has an unknown outcome may have happened at any time after its question, or never. Nothing is ever called
//!    wrong because of something that an unknown operation may have done.
//! 3. Leases and graces are measured by the history's clock from the invocation of what began them: late is allowed,
//!    early never. No allowance is made for clocks that run at different rates.
//! 4. What cannot be decided within the bound of work is said to be undecided, which is not ok.

mod acknowledged_stays;
mod agreement;
mod answers_fit;
mod digests;
mod final_lists;
mod generations;
mod holding;
mod holdings;
mod keyed;
mod linearizable_blocks;
mod linearizable_names;
mod local_reads;
mod no_double_hold;
mod no_early_reuse;
mod nothing_unasked;
mod observations;
mod orphans;
mod overlaps;
mod parse;
mod revisions;
mod search;
mod story;
#[cfg(test)]
mod testing;
mod verdict;
mod watched;
mod watches;
mod whole_batches;

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

pub use verdict::{Examined, Finding, Kind, Proof, Verdict};

use crate::history::Line;
use holding::Holding;
use holdings::Holdings;
use observations::{Observations, observations};
use orphans::Orphans;
use overlaps::Overlaps;
use story::{Ask, Operation, Part, Story};
use verdict::Notes;
use watched::Watched;

/// Looks at one promise.
type Checker = fn(&Case<'_>) -> Notes;

/// All of them, in the order in which they are reported.
const CHECKERS: &[Checker] = &[
    linearizable_names::check,
    linearizable_blocks::check,
    no_double_hold::check,
    acknowledged_stays::check,
    no_early_reuse::check,
    generations::check,
    revisions::check,
    agreement::check,
    local_reads::check,
    watches::check,
    whole_batches::check,
    nothing_unasked::check,
    answers_fit::check,
    digests::check,
    final_lists::check,
];

/// Judges a history.
pub fn check(lines: &[Line]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut notes = Notes::new("well_formed", "the history is one by its format");
    let story = Story::read(lines, &mut notes);
    verdict.add(notes);
    let case = Case::new(&story);
    for checker in CHECKERS {
        verdict.add(checker(&case));
    }
    verdict
}

/// What all checkers look at.
#[derive(Debug)]
struct Case<'a> {
    story: &'a Story<'a>,
    holdings: Holdings<'a>,
    orphans: Orphans<'a>,
    watched: Watched<'a>,
    overlaps: Overlaps,
    observations: Observations<'a>,
    /// Operations and parts that concern a name, by their places.
    parts: BTreeMap<&'a str, Vec<(usize, usize)>>,
}

impl<'a> Case<'a> {
    fn new(story: &'a Story<'a>) -> Self {
        let holdings = Holdings::of(story);
        let watched = Watched::of(story);
        let asked = story.parts().filter_map(|(_, part)| match part.ask {
            Ask::Claim { cidr, .. } => cidr,
            Ask::Lookup { block, .. } => Some(block),
            Ask::Release { .. } | Ask::Renew { .. } | Ask::Get { .. } => None,
        });
        let held = holdings.iter().map(|holding| holding.block);
        Self {
            overlaps: Overlaps::of(asked.chain(held)),
            orphans: Orphans::of(story, &holdings, &watched),
            observations: observations(story),
            parts: parts_of_names(story),
            story,
            holdings,
            watched,
        }
    }

    /// What was asked of a name, with the operations that it belongs to.
    fn parts_of(&self, name: &str) -> impl Iterator<Item = (&Operation<'a>, &Part<'a>)> {
        let places = self.parts.get(name).into_iter().flatten();
        places.map(|(operation, part)| {
            let operation = &self.story.operations[*operation];
            (operation, &operation.parts[*part])
        })
    }

    /// Holdings of blocks that may overlap, by generation.
    fn groups(&self) -> BTreeMap<Prefix, Vec<&Holding<'a>>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for holding in self.holdings.iter() {
            let group = self.overlaps.group(holding.block);
            groups.entry(group).or_default().push(holding);
        }
        groups
    }
}

fn parts_of_names<'a>(story: &Story<'a>) -> BTreeMap<&'a str, Vec<(usize, usize)>> {
    let mut parts: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (operation, one) in story.operations.iter().enumerate() {
        for (part, name) in one.parts.iter().map(|part| part.ask.name()).enumerate() {
            if let Some(name) = name {
                parts.entry(name).or_default().push((operation, part));
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn a_search_without_an_end_is_undecided_and_not_ok() {
        // Renewals that all overlap can have come in any order, and none of them explains the lookup.
        let mut table = "1-2 claim a p ttl=900 => holds 10.0.0.1/32 7 new @3\n".to_owned();
        for number in 0..24 {
            let (ttl, revision) = (900 + number, 4 + number);
            writeln!(
                table,
                "{}-90 renew a 7 ttl={ttl} => renewed 7 @{revision}",
                10 + number
            )
            .unwrap();
        }
        let good = testing::history(&format!(
            "{table}80-90 lookup 10.0.0.1/32 => held_by a 7 @27"
        ));
        assert!(check(&good).is_ok());
        let bad = testing::history(&format!("{table}80-90 lookup 10.0.0.1/32 => nothing @2"));
        let verdict = check(&bad);
        assert!(!verdict.is_ok());
        let blocks = verdict
            .checkers
            .iter()
            .find(|one| one.checker == "linearizable_blocks");
        let counts = blocks.map(|one| (one.wrong, one.undecided));
        assert_eq!(counts, Some((0, 1)));
        let steps = verdict.count("linearizable_blocks", "steps");
        assert!(steps < search::STEPS_MAX + 100, "{steps}");
    }
}
