//! What was acknowledged stays: a holding that anybody was told of lasts until its release is asked for, or its lease
//! may be over.

use std::collections::BTreeMap;

use super::Case;
use super::holding::{Holding, NEVER_US};
use super::observations::Observation;
use super::verdict::Notes;

const NAME: &str = "acknowledged_stays";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "a claim that was acknowledged, or seen, stays until it is released or its lease may be over";
    let mut notes = Notes::new(NAME, promise);
    let none = Vec::new();
    for (name, held) in case.holdings.by_name() {
        let said = case.observations.of_names.get(name).unwrap_or(&none);
        notes.looked_at("holdings", held.len());
        notes.looked_at("observations", said.len());
        for holding in held {
            let denial = said
                .iter()
                .find(|seen| seen.denies(holding.generation) && is_too_early(holding, seen));
            if let Some(denial) = denial {
                lost(&mut notes, holding, denial);
            }
        }
    }
    let groups = case.groups();
    notes.looked_at("lookups that showed nothing", case.observations.free.len());
    // One finding for a holding, however often it was missed.
    let mut missed: BTreeMap<u64, &Observation> = BTreeMap::new();
    for (block, seen) in &case.observations.free {
        let group = groups.get(&case.overlaps.group(*block));
        for holding in group.into_iter().flatten() {
            if holding.block.contains(*block) && is_too_early(holding, seen) {
                missed.entry(holding.generation).or_insert(seen);
            }
        }
    }
    for (generation, seen) in missed {
        if let Some(holding) = case.holdings.get(generation) {
            lost(&mut notes, holding, seen);
        }
    }
    notes
}

/// The holding had been shown before, and nothing can have ended it yet.
fn is_too_early(holding: &Holding<'_>, seen: &Observation) -> bool {
    let behind = if seen.is_linearizable && seen.invoked > holding.first_shown() {
        true
    } else {
        seen.revision >= holding.revisions.0
    };
    behind && seen.shown.us < holding.may_end_us
}

fn lost(notes: &mut Notes, holding: &Holding<'_>, denial: &Observation) {
    let why = if holding.may_end_us == NEVER_US {
        "nobody had asked for its end, and it has no lease".to_owned()
    } else {
        format!(
            "it cannot have ended before {:.3} s",
            std::time::Duration::from_micros(holding.may_end_us).as_secs_f64()
        )
    };
    let says = format!(
        "{} held {} (generation {}), but {}; {why}",
        holding.name,
        holding.block,
        holding.generation,
        denial.words()
    );
    let proof = holding.proof().into_iter().chain(denial.proof());
    notes.wrong(says, proof);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn what_was_acknowledged_is_not_gone_before_its_end() {
        let held = "1-2 claim a p => holds 10.0.0.1/32 7 new @3\n";
        let leased = "1-2 claim a p ttl=50 => holds 10.0.0.1/32 7 new @3\n";
        let orphan = "0- claim a p\n1-2 get a => found 10.0.0.1/32 7 @3\n";
        for (before, bad, expected, good) in [
            (
                held,
                "5-6 get a => nothing @3",
                "nobody had asked for its end, and it has no lease",
                "5- release a 7\n5-6 get a => nothing @4",
            ),
            (
                held,
                "5-6 claim a p => refused pool_exhausted @3",
                "operation 1 says at revision 3 that it holds nothing",
                "1-6 claim a p => refused pool_exhausted @2",
            ),
            (
                held,
                "5-6 get a local=0 => nothing @3",
                "nobody had asked",
                "5-6 get a local=0 => nothing @2",
            ),
            (
                orphan,
                "5-6 get a => nothing @3",
                "a held 10.0.0.1/32 (generation 7)",
                "5-6 get a => found 10.0.0.1/32 7 @3",
            ),
            (
                held,
                "5-6 lookup 10.0.0.1/32 => nothing @4",
                "operation 1 says",
                "5-6 lookup 10.0.0.2/32 => nothing @4",
            ),
            (
                leased,
                "5-50 get a => nothing @4",
                "it cannot have ended before 0.051 s",
                "5-51 get a => nothing @4",
            ),
            (
                leased,
                "5 watching 1 3\n40 watched 1 4.0 expired a 10.0.0.1/32 7",
                "a watch or list says at revision 4 that generation 7 is over",
                "5 watching 1 3\n60 watched 1 4.0 expired a 10.0.0.1/32 7",
            ),
            (
                held,
                "5-6 release a 7 => failed\n7-8 claim a p => holds 10.0.0.2/32 8 new @4",
                "operation 2 says at revision 4 that it holds generation 8",
                "5-6 release a 7 => unknown\n7-8 claim a p => holds 10.0.0.2/32 8 new @5",
            ),
            (
                held,
                "5-6 renew a 7 ttl=9 => refused generation_stale @4",
                "does not hold generation 7",
                "5-6 renew a 6 ttl=9 => refused generation_stale @4",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{before}{bad}"), expected),
                &format!("{before}{good}"),
            );
        }
    }
}
