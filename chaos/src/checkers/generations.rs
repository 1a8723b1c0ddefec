//! A generation fences one holding: it is given once, to one name and block, and the next one is greater.

use std::collections::BTreeMap;

use super::Case;
use super::holding::{Given, Holding, gives};
use super::story::At;
use super::verdict::{Notes, Proof};

const NAME: &str = "generations";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "each generation is given once, and they grow with time and with the revisions";
    let mut notes = Notes::new(NAME, promise);
    notes.looked_at("generations", case.holdings.by_generation.len());
    for clash in &case.holdings.clashes {
        let known = case.holdings.get(clash.generation);
        let (before, proof) = match known {
            Some(one) => (format!("{} and {}", one.name, one.block), one.proof()),
            None => (String::new(), Vec::new()),
        };
        let says = format!(
            "generation {} stands for {before}, and for {} and {}",
            clash.generation, clash.name, clash.block
        );
        notes.wrong(says, proof.into_iter().chain([clash.proof]));
    }
    for holding in case.holdings.iter() {
        if let [first, second, ..] = &holding.given[..] {
            let says = format!(
                "generation {} was given twice, by operations {} and {}",
                holding.generation, first.id, second.id
            );
            let proof = [first, second].map(|given| given.answered.proof_of(given.id));
            notes.wrong(says, proof);
        }
    }
    with_revisions(&mut notes, case);
    with_time(&mut notes, case);
    notes
}

/// A revision at which a generation was surely given, and the line that says so.
type GivenAt = (u64, Proof);

/// Of two generations the greater was given at the greater revision, or both in one batch.
fn with_revisions(notes: &mut Notes, case: &Case<'_>) {
    let mut told: BTreeMap<u64, GivenAt> = BTreeMap::new();
    for ((revision, _), (change, at)) in &case.watched.changes {
        if let Some(generation) = change.generation.filter(|_| gives(&change.kind)) {
            told.entry(generation).or_insert((*revision, at.proof()));
        }
    }
    let mut before: Option<(&Holding<'_>, GivenAt)> = None;
    for holding in case.holdings.iter() {
        let acknowledged = holding.given.first();
        let acknowledged =
            acknowledged.map(|given| (given.revision, given.answered.proof_of(given.id)));
        let Some((revision, proof)) =
            acknowledged.or_else(|| told.get(&holding.generation).copied())
        else {
            continue;
        };
        notes.looked_at("generations with their revisions", 1);
        if let Some((less, (greatest, shown))) = before.filter(|(_, (most, _))| revision < *most) {
            let says = format!(
                "generation {} was given at revision {revision}, and generation {} before it at revision {greatest}",
                holding.generation, less.generation
            );
            notes.wrong(says, [proof, shown]);
            continue;
        }
        before = Some((holding, (revision, proof)));
    }
}

/// What was given later has a greater generation.
fn with_time(notes: &mut Notes, case: &Case<'_>) {
    let mut given: Vec<(&Given, u64)> = case
        .holdings
        .iter()
        .flat_map(|holding| {
            holding
                .given
                .iter()
                .map(|given| (given, holding.generation))
        })
        .collect();
    let mut answered = given.clone();
    given.sort_by_key(|(given, _)| given.invoked);
    answered.sort_by_key(|(given, _)| given.answered);
    let mut answered = answered.into_iter().peekable();
    let mut greatest: Option<(&Given, u64)> = None;
    let came_before = |at: At| move |(given, _): &(&Given, u64)| given.answered < at;
    for (one, generation) in given {
        while let Some(before) = answered.next_if(came_before(one.invoked)) {
            if greatest.is_none_or(|(_, most)| most < before.1) {
                greatest = Some(before);
            }
        }
        if let Some((before, most)) = greatest.filter(|(_, most)| *most >= generation) {
            let says = format!(
                "operation {} was given generation {most}, and operation {}, which was asked later, generation {generation}",
                before.id, one.id
            );
            let proof = [
                before.answered.proof_of(before.id),
                one.invoked.proof_of(one.id),
                one.answered.proof_of(one.id),
            ];
            notes.wrong(says, proof);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_generation_is_given_once_and_grows() {
        let held = "1-5 claim a p => holds 10.0.0.1/32 7 new @3\n";
        for (bad, expected, good) in [
            (
                "2-6 lookup 10.0.0.1/32 => held_by b 7 @3",
                "generation 7 stands for a and 10.0.0.1/32, and for b and 10.0.0.1/32",
                "2-6 lookup 10.0.0.1/32 => held_by a 7 @3",
            ),
            (
                "2-6 get a => found 10.0.0.2/32 7 @3",
                "and for a and 10.0.0.2/32",
                "2-6 get a => found 10.0.0.1/32 7 @3",
            ),
            (
                "2-6 claim a p => holds 10.0.0.1/32 7 new @3",
                "was given twice, by operations 0 and 1",
                "2-6 claim a p => holds 10.0.0.1/32 7 @3",
            ),
            (
                "2-6 claim b p => holds 10.0.0.2/32 8 new @2",
                "generation 8 was given at revision 2, and generation 7 before it at revision 3",
                "2-6 claim b p => holds 10.0.0.2/32 6 new @2",
            ),
            (
                "2- claim b p\n3 watching 1 0\n7 watched 1 2.0 allocated b 10.0.0.2/32 8",
                "generation 8 was given at revision 2",
                "2- claim b p\n3 watching 1 0\n7 watched 1 4.0 allocated b 10.0.0.2/32 8",
            ),
            (
                "6-7 claim b p => holds 10.0.0.2/32 6 new @2",
                "operation 0 was given generation 7, and operation 1, which was asked later, generation 6",
                "4-7 claim b p => holds 10.0.0.2/32 6 new @2",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{held}{bad}"), expected),
                &format!("{held}{good}"),
            );
        }
    }
}
