//! Revisions agree with time, and no two changes have the same.
//!
//! Who was shown a revision has seen something that was committed. Whoever asks after that, for a write or a
//! linearizable read, is shown that revision or a later one; who changes something, a later one.

use std::collections::{BTreeMap, BTreeSet};

use super::Case;
use super::holding::Holding;
use super::story::{At, Operation, Tells};
use super::verdict::{Notes, Proof};

const NAME: &str = "revisions";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "what is asked later is shown no earlier revision, and each change has its own";
    let mut notes = Notes::new(NAME, promise);
    let releases: BTreeSet<u64> = case
        .holdings
        .iter()
        .filter_map(Holding::sure_release)
        .map(|(ending, _)| ending.id)
        .collect();
    let is_change =
        |operation: &Operation<'_>| operation.surely_changed() || releases.contains(&operation.id);
    with_time(&mut notes, case, is_change);
    each_its_own(&mut notes, case, is_change);
    notes
}

fn with_time(notes: &mut Notes, case: &Case<'_>, is_change: impl Fn(&Operation<'_>) -> bool) {
    let mut shown: Vec<(At, u64, Proof)> = case
        .story
        .operations
        .iter()
        .filter_map(|operation| {
            let (at, revision) = operation.answered()?;
            Some((at, revision, at.proof_of(operation.id)))
        })
        .collect();
    for told in case.story.watches.values().flatten() {
        if let Tells::Event { revision, .. } | Tells::Bookmark(revision) = told.tells {
            shown.push((told.at, revision, told.at.proof()));
        }
    }
    shown.sort_by_key(|(at, ..)| *at);
    notes.looked_at("revisions shown", shown.len());
    let mut shown = shown.into_iter().peekable();
    let mut greatest: (u64, Option<Proof>) = (0, None);
    for operation in &case.story.operations {
        while let Some((_, revision, proof)) = shown.next_if(|(at, ..)| *at < operation.invoked) {
            if revision > greatest.0 {
                greatest = (revision, Some(proof));
            }
        }
        let (Some((_, revision)), None, (most, Some(before))) =
            (operation.answered(), operation.local(), greatest)
        else {
            continue;
        };
        notes.looked_at("writes and linearizable reads", 1);
        let has_changed = is_change(operation);
        if revision < most || (has_changed && revision == most) {
            let later = if revision < most { "" } else { ", a change," };
            let says = format!(
                "{}{later} was asked when revision {most} had been shown",
                operation.words()
            );
            notes.wrong(says, operation.proof().into_iter().chain([before]));
        }
    }
}

fn each_its_own(notes: &mut Notes, case: &Case<'_>, is_change: impl Fn(&Operation<'_>) -> bool) {
    let mut changes: BTreeMap<u64, &Operation<'_>> = BTreeMap::new();
    for operation in case.story.operations.iter().filter(|one| is_change(one)) {
        let Some((_, revision)) = operation.answered() else {
            continue;
        };
        notes.looked_at("changes", 1);
        if let Some(other) = changes.insert(revision, operation) {
            let says = format!(
                "two changes have revision {revision}: {} and {}",
                other.words(),
                operation.words()
            );
            notes.wrong(says, other.proof().into_iter().chain(operation.proof()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn revisions_grow_with_time() {
        let held = "1-2 claim a p => holds 10.0.0.1/32 7 new @5\n";
        for (bad, expected, good) in [
            (
                "3-4 get b => nothing @4",
                "operation 1 (get b -> nothing at revision 4) was asked when revision 5 had been shown",
                "3-4 get b local=0 => nothing @4",
            ),
            (
                "3-4 get b local=0 => nothing @6\n5-6 claim b p => holds 10.0.0.2/32 8 new @6",
                "a change, was asked when revision 6",
                "3-4 get b local=0 => nothing @6\n5-6 claim b p => holds 10.0.0.2/32 8 @6",
            ),
            (
                "3-4 get b local=0 => nothing @6\n5-6 release a 7 => released 7 @6",
                "a change, was asked",
                "3-4 get b local=0 => nothing @6\n5-6 release a 7 => released 7 @7",
            ),
            (
                "1-9 claim b p => holds 10.0.0.2/32 8 new @5",
                "two changes have revision 5",
                "1-9 claim b p => holds 10.0.0.2/32 8 new @4",
            ),
            (
                "3-4 get b local=0 => nothing @9\n5-6 get b => nothing @8",
                "operation 2 (get b",
                "3-4 get b local=0 => nothing @9\n4-6 get b => nothing @9",
            ),
            (
                "3 watching 1 5\n4 watched 1 9 bookmark\n5-6 get b => nothing @8",
                "was asked when revision 9",
                "3 watching 1 5\n4 watched 1 9 bookmark\n3-6 get b => nothing @8",
            ),
            (
                "3-4 batch claim b p ; claim c p => refused pool_exhausted @4",
                "refused at revision 4) was asked when revision 5",
                "3-4 batch claim b p ; claim c p => refused pool_exhausted @5",
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
