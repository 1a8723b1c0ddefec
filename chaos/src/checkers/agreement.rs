//! One revision, one state: all that was told of a revision, by whichever node and however it was read, fits together.
//!
//! A generation is given once and ends once, so that it is held at every revision between two at which it was seen.
//! Whatever says otherwise of a revision in between contradicts that; so does a sighting after an acknowledged release,
//! and one before the revision at which it was given. Local reads are judged here as well as others.

use super::Case;
use super::holding::Holding;
use super::observations::{Observation, Sees};
use super::verdict::Notes;

const NAME: &str = "agreement";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let mut notes = Notes::new(NAME, "all that is told of one revision tells of one state");
    for holding in case.holdings.iter() {
        given_and_over(&mut notes, holding);
    }
    let none = Vec::new();
    for (name, held) in case.holdings.by_name() {
        let mut held: Vec<&Holding<'_>> = held;
        held.sort_by_key(|holding| holding.revisions);
        for pair in held.windows(2) {
            one_after_the_other(&mut notes, name, pair[0], pair[1]);
        }
        let said = case.observations.of_names.get(name).unwrap_or(&none);
        notes.looked_at("observations", said.len());
        for seen in said {
            let holding = around(&held, seen.revision);
            if let Some(holding) = holding.filter(|holding| is_denied(holding, seen)) {
                contradicted(&mut notes, holding, seen);
            }
        }
    }
    let groups = case.groups();
    notes.looked_at("lookups that showed nothing", case.observations.free.len());
    for (block, seen) in &case.observations.free {
        let group = groups.get(&case.overlaps.group(*block));
        for holding in group.into_iter().flatten() {
            let (least, most) = holding.revisions;
            if holding.block.contains(*block) && (least..=most).contains(&seen.revision) {
                contradicted(&mut notes, holding, seen);
            }
        }
    }
    notes
}

/// What sees another holding is judged by that one's revisions, and an acknowledged release by itself.
fn is_denied(holding: &Holding<'_>, seen: &Observation) -> bool {
    match seen.sees {
        Sees::Holds(_) => false,
        Sees::Over(_) if seen.id.is_some() => false,
        Sees::Nothing | Sees::Over(_) | Sees::Another(_) => seen.denies(holding.generation),
    }
}

/// The holding that was seen at or around a revision; `held` is in the order of revisions.
fn around<'h, 'a>(held: &[&'h Holding<'a>], revision: u64) -> Option<&'h Holding<'a>> {
    let behind = held.partition_point(|holding| holding.revisions.0 <= revision);
    let last = held.get(behind.checked_sub(1)?)?;
    (revision <= last.revisions.1).then_some(*last)
}

fn given_and_over(notes: &mut Notes, holding: &Holding<'_>) {
    let (least, most) = holding.revisions;
    let who = format!(
        "{} {} (generation {})",
        holding.name, holding.block, holding.generation
    );
    if let Some(given) = holding.given.first().filter(|given| least < given.revision) {
        let says = format!(
            "{who} was given at revision {}, and was seen at revision {least}",
            given.revision
        );
        let given = given.answered.proof_of(given.id);
        notes.wrong(
            says,
            holding.proof_of_revisions().into_iter().chain([given]),
        );
    }
    if let Some((over, ending)) = holding.over_at().filter(|(over, _)| *over <= most) {
        let says = format!(
            "{who}: its release was acknowledged at revision {over}, and it was seen at revision {most}"
        );
        let ended = ending.invoked.proof_of(ending.id);
        notes.wrong(
            says,
            holding.proof_of_revisions().into_iter().chain([ended]),
        );
    }
}

fn one_after_the_other(notes: &mut Notes, name: &str, one: &Holding<'_>, next: &Holding<'_>) {
    notes.looked_at("holdings that followed each other", 1);
    let ((_, last), (first, _)) = (one.revisions, next.revisions);
    if first > last && one.generation < next.generation {
        return;
    }
    let says = format!(
        "{name} was seen to hold {} (generation {}) up to revision {last}, and {} (generation {}) from revision {first} on",
        one.block, one.generation, next.block, next.generation
    );
    let proof = [one, next].map(Holding::proof_of_revisions);
    notes.wrong(says, proof.concat());
}

fn contradicted(notes: &mut Notes, holding: &Holding<'_>, seen: &Observation) {
    let (least, most) = holding.revisions;
    let says = format!(
        "{} was seen to hold {} (generation {}) from revision {least} to {most}, but {}",
        holding.name,
        holding.block,
        holding.generation,
        seen.words()
    );
    let proof = holding.proof_of_revisions().into_iter();
    notes.wrong(says, proof.chain(seen.proof()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn answers_of_one_revision_agree() {
        let held = "1-2 claim a p => holds 10.0.0.1/32 7 new @3\n";
        for (bad, expected, good) in [
            // Two reads of one revision.
            (
                "5-6 get a local=0 => nothing @3",
                "but operation 1 says at revision 3 that it holds nothing",
                "5-6 get a local=0 => nothing @2",
            ),
            // One in between.
            (
                "9-10 get a => found 10.0.0.1/32 7 @9\n11-12 get a local=0 => nothing @8",
                "from revision 3 to 9, but operation 2",
                "9-10 get a => found 10.0.0.1/32 7 @9\n11-12 get a local=0 => nothing @10",
            ),
            (
                "9-10 get a => found 10.0.0.1/32 7 @9\n11-12 lookup 10.0.0.1/32 local=0 => nothing @8",
                "but operation 2",
                "9-10 get a => found 10.0.0.1/32 7 @9\n11-12 lookup 10.0.0.1/32 local=0 => nothing @2",
            ),
            // Seen before it was given.
            (
                "5-6 get a local=0 => found 10.0.0.1/32 7 @2",
                "was given at revision 3, and was seen at revision 2",
                "5-6 get a local=0 => found 10.0.0.1/32 7 @3",
            ),
            // An acknowledged release undone.
            (
                "5-6 release a 7 => released 7 @5\n20 claims 1 @6 a=10.0.0.1/32#7",
                "its release was acknowledged at revision 5, and it was seen at revision 6",
                "5-6 release a 7 => released 7 @5\n20 claims 1 @4 a=10.0.0.1/32#7",
            ),
            // Two holdings of one name at a time, and in the wrong order.
            (
                "5-6 claim a p => holds 10.0.0.2/32 8 new @4\n7-8 get a local=0 => found 10.0.0.1/32 7 @4",
                "up to revision 4",
                "5-6 claim a p => holds 10.0.0.2/32 8 new @4\n7-8 get a local=0 => found 10.0.0.1/32 7 @3",
            ),
            (
                "5-6 claim a p => holds 10.0.0.2/32 6 new @4",
                "(generation 6) from revision 4 on",
                "5-6 claim a p => holds 10.0.0.2/32 8 new @4",
            ),
            // A batch shows its end.
            (
                "5-6 batch release a 7 ; claim a p => released 7 ; holds 10.0.0.1/32 8 new @4\n\
                 7-8 get a local=0 => nothing @4",
                "but operation 2",
                "5-6 batch release a 7 ; claim a p => released 7 ; holds 10.0.0.1/32 8 new @4\n\
                 7-8 get a local=0 => found 10.0.0.1/32 8 @4",
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
