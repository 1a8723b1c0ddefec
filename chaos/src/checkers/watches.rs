//! A watch tells every change once and in order: no gap, no repeat, no disorder; what it says agrees with what was
//! acknowledged and with what other watches say.

use std::collections::BTreeSet;

use super::Case;
use super::holding::gives;
use super::story::{Fate, Part, Shown};
use super::verdict::{Notes, Proof};
use super::watched::{Step, Stretch};
use crate::history::Change;

const NAME: &str = "watches";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "a watch tells every change once and in order, and all watches tell the same";
    let mut notes = Notes::new(NAME, promise);
    notes.looked_at("watches", case.story.watches.len());
    notes.looked_at("changes", case.watched.changes.len());
    for ((revision, ordinal), one, other) in &case.watched.conflicts {
        let says = format!("two watches tell different changes of {revision}.{ordinal}");
        notes.wrong(says, [one.proof(), other.proof()]);
    }
    for stretch in &case.watched.stretches {
        notes.looked_at("stretches", 1);
        in_order(&mut notes, stretch);
        complete(&mut notes, case, stretch);
    }
    acknowledged_are_told(&mut notes, case);
    notes
}

fn in_order(notes: &mut Notes, stretch: &Stretch) {
    let start = stretch.after_place.unwrap_or((stretch.after, u64::MAX));
    let (mut before, mut shown) = (start, stretch.began);
    let mut told: BTreeSet<(u64, u64)> = BTreeSet::new();
    for Step {
        place,
        at,
        is_change,
    } in &stretch.told
    {
        let (revision, ordinal) = *place;
        let what = if told.contains(place) && *is_change {
            format!("repeats {revision}.{ordinal}")
        } else if *place < before || (*place == before && *is_change) {
            format!(
                "tells of revision {revision} when it has come to revision {}",
                before.0
            )
        } else if *is_change && !follows(before, *place) {
            format!("leaves something out before {revision}.{ordinal}")
        } else {
            String::new()
        };
        if !what.is_empty() {
            let says = format!("watch {} {what}", stretch.watch);
            notes.wrong(says, [shown.proof(), at.proof()]);
        }
        told.insert(*place);
        (before, shown) = (before.max(*place), *at);
    }
    notes.looked_at("changes and bookmarks told", stretch.told.len());
}

/// The changes of a revision are counted from 0 without a gap.
fn follows((revision, ordinal): (u64, u64), next: (u64, u64)) -> bool {
    let within = next.0 == revision && ordinal != u64::MAX;
    next.1 == if within { ordinal + 1 } else { 0 }
}

/// What any watch told of was told by this one too, as far as it has come.
fn complete(notes: &mut Notes, case: &Case<'_>, stretch: &Stretch) {
    let own: BTreeSet<(u64, u64)> = stretch.told.iter().map(|told| told.place).collect();
    let covered = (stretch.after.saturating_add(1), 0)..=(stretch.covered, u64::MAX);
    if covered.is_empty() {
        return;
    }
    for (place, (change, at)) in case.watched.changes.range(covered) {
        if !own.contains(place) {
            let says = format!(
                "watch {} did not tell of {}.{} ({}), which another watch did, though it has come to revision {}",
                stretch.watch,
                place.0,
                place.1,
                words(change),
                stretch.covered
            );
            notes.wrong(says, [at.proof(), end_of(stretch)]);
        }
    }
}

fn acknowledged_are_told(notes: &mut Notes, case: &Case<'_>) {
    for (operation, part) in case.story.parts() {
        let Fate::Answered { revision, .. } = operation.fate else {
            continue;
        };
        let Some((kinds, generation)) = change_of(case, part) else {
            continue;
        };
        let mut owed = case
            .watched
            .stretches
            .iter()
            .filter(|stretch| stretch.after < revision && revision <= stretch.covered);
        let Some(stretch) = owed.next() else {
            continue;
        };
        notes.looked_at("acknowledged changes", 1);
        let mut told = case
            .watched
            .changes
            .range((revision, 0)..=(revision, u64::MAX));
        let is_told = told.any(|(_, (change, _))| {
            kinds.contains(&change.kind.as_str())
                && change.generation == Some(generation)
                && change.name.as_deref() == part.ask.name()
        });
        if !is_told {
            let says = format!(
                "watch {} has come to revision {} and did not tell of {}",
                stretch.watch,
                stretch.covered,
                operation.words()
            );
            notes.wrong(says, operation.proof().into_iter().chain([end_of(stretch)]));
        }
    }
    // The other way round: what is told to have been given was given then.
    for ((revision, _), (change, at)) in &case.watched.changes {
        let given = change
            .generation
            .filter(|_| gives(&change.kind))
            .and_then(|generation| case.holdings.get(generation))
            .and_then(|holding| holding.given.first());
        if let Some(given) = given.filter(|given| given.revision != *revision) {
            let says = format!(
                "a watch tells at revision {revision} of {}, which was acknowledged at revision {}",
                words(change),
                given.revision
            );
            notes.wrong(says, [at.proof(), given.answered.proof_of(given.id)]);
        }
    }
}

/// The change that an answer surely made: its kinds, and the generation.
fn change_of(case: &Case<'_>, part: &Part<'_>) -> Option<(&'static [&'static str], u64)> {
    match part.shown? {
        Shown::Holds {
            generation,
            new: true,
            ..
        } => Some((&["allocated", "returned"], generation)),
        Shown::Renewed { generation } => Some((&["renewed"], generation)),
        Shown::Released { generation } => {
            let holding = case.holdings.get(generation)?;
            holding.sure_release()?;
            Some((&["released"], generation))
        }
        Shown::Holds { .. }
        | Shown::Found { .. }
        | Shown::HeldBy { .. }
        | Shown::Nothing
        | Shown::Refused { .. } => None,
    }
}

fn end_of(stretch: &Stretch) -> Proof {
    let last = stretch.told.last().map_or(stretch.began, |told| told.at);
    last.proof()
}

fn words(change: &Change) -> String {
    let name = change.name.as_deref().unwrap_or("nobody");
    format!("{} {name} {}", change.kind, change.block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    const HELD: &str = "0 watching 1 2\n1-2 claim a p => holds 10.0.0.1/32 7 new @3\n";

    #[test]
    fn a_watch_tells_everything_once_and_in_order() {
        let given = "3 watched 1 3.0 allocated a 10.0.0.1/32 7\n";
        for (bad, expected, good) in [
            // Gaps.
            (
                "9 watched 1 4 bookmark".to_owned(),
                "watch 1 has come to revision 4 and did not tell of operation 1",
                format!("{given}9 watched 1 4 bookmark"),
            ),
            (
                "5- claim b p\n9 watched 1 4.0 allocated b 10.0.0.2/32 8".to_owned(),
                "did not tell of operation 1",
                format!("{given}5- claim b p\n9 watched 1 4.0 allocated b 10.0.0.2/32 8"),
            ),
            (
                format!("{given}5- claim b p\n9 watched 1 4.1 allocated b 10.0.0.2/32 8"),
                "leaves something out before 4.1",
                format!("{given}5- claim b p\n9 watched 1 4.0 allocated b 10.0.0.2/32 8"),
            ),
            (
                format!("{given}5-6 release a 7 => released 7 @4\n9 watched 1 4 bookmark"),
                "did not tell of operation 3",
                format!(
                    "{given}5-6 release a 7 => released 7 @4\n9 watched 1 4.0 released a 10.0.0.1/32 7\n\
                     9 watched 1 4 bookmark"
                ),
            ),
            // Repeat and disorder.
            (
                format!("{given}9 watched 1 3.0 allocated a 10.0.0.1/32 7"),
                "watch 1 repeats 3.0",
                format!("{given}9 watching 1 2\n9 watched 1 3.0 allocated a 10.0.0.1/32 7"),
            ),
            (
                format!("{given}9 watched 1 2 bookmark"),
                "tells of revision 2 when it has come to revision 3",
                format!("{given}9 watched 1 3 bookmark\n10 watched 1 3 bookmark"),
            ),
            (
                format!("{given}4 watched 1 3 bookmark\n9 watched 1 3.1 expiring a 10.0.0.1/32 7"),
                "tells of revision 3 when it has come to revision 3",
                format!("{given}9 watched 1 3.1 expiring a 10.0.0.1/32 7"),
            ),
            // What it says.
            (
                "3 watched 1 4.0 allocated a 10.0.0.1/32 7".to_owned(),
                "did not tell of operation 1",
                given.to_owned(),
            ),
        ] {
            let bad = format!("{HELD}{bad}");
            let sentences = crate::checkers::testing::said(&bad, check);
            assert!(
                sentences.iter().any(|one| one.contains(expected)),
                "{bad}\n{sentences:#?}"
            );
            let good = format!("{HELD}{good}");
            assert_eq!(
                crate::checkers::testing::said(&good, check),
                [] as [&str; 0],
                "{good}"
            );
        }
    }

    #[test]
    fn watches_tell_the_same() {
        let both = "0 watching 1 2\n0 watching 2 2\n1- claim a p\n3 watched 1 3.0 allocated a 10.0.0.1/32 7\n";
        for (bad, expected, good) in [
            (
                "4 watched 2 3.0 allocated a 10.0.0.2/32 7",
                "two watches tell different changes of 3.0",
                "4 watched 2 3.0 allocated a 10.0.0.1/32 7",
            ),
            (
                "4 watched 2 3 bookmark",
                "watch 2 did not tell of 3.0 (allocated a 10.0.0.1/32)",
                "4 watched 2 2 bookmark",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{both}{bad}"), expected),
                &format!("{both}{good}"),
            );
        }
        // A watch that goes on within a revision is not given its beginning again.
        let goes_on = "0 watching 1 2\n1- batch claim a p ; claim b p\n\
                       3 watched 1 3.0 allocated a 10.0.0.1/32 7\n4 watching 1 3\n";
        tells_apart(
            check,
            (
                &format!("{goes_on}5 watched 1 3.2 allocated b 10.0.0.2/32 8"),
                "leaves something out before 3.2",
            ),
            &format!("{goes_on}5 watched 1 3.1 allocated b 10.0.0.2/32 8"),
        );
    }
}
