//! A released block is kept for who had it: to anybody else it goes when the grace of its pool is over, and no earlier.
//!
//! The grace begins no earlier than somebody asked for the holding's end, or its lease was over, and is measured by the
//! history's clock. It may begin before the end takes effect: a leader counts it from when it takes the release in, and
//! may need a while for a quorum.

use super::Case;
use super::holding::{Holding, NEVER_US};
use super::story::{At, Tells};
use super::verdict::Notes;

const NAME: &str = "no_early_reuse";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "a released block goes to nobody else before the grace of its pool is over";
    let mut notes = Notes::new(NAME, promise);
    for held in case.groups().into_values() {
        // The last holding of each block; those that overlap a later one are done with.
        let mut last: Vec<&Holding<'_>> = Vec::new();
        for holding in held {
            last.retain(|before| {
                if !before.block.overlaps(holding.block) {
                    return true;
                }
                followed(&mut notes, before, holding);
                false
            });
            last.push(holding);
        }
    }
    for told in case.story.watches.values().flatten() {
        if let Tells::Event { change, .. } = told.tells
            && change.kind == "reclaimed"
            && let Some(holding) = change.generation.and_then(|one| case.holdings.get(one))
        {
            reclaimed(&mut notes, holding, told.at);
        }
    }
    notes
}

/// The end of the grace, where there is one and the holding may have ended at all.
fn kept_until_us(holding: &Holding<'_>) -> Option<u64> {
    let from_us = holding.asked_or_over();
    let is_kept = holding.grace_us > 0 && from_us != NEVER_US;
    is_kept.then(|| from_us.saturating_add(holding.grace_us))
}

fn followed(notes: &mut Notes, before: &Holding<'_>, next: &Holding<'_>) {
    let goes_back = before.name == next.name && before.block == next.block;
    let Some(until_us) = kept_until_us(before).filter(|_| !goes_back) else {
        return;
    };
    notes.looked_at("kept blocks that went to somebody else", 1);
    if next.first_shown().us < until_us {
        let says = format!(
            "{} was kept for {} until {} at the earliest, but {} had {} (generation {}) before that",
            before.block,
            before.name,
            seconds(until_us),
            next.name,
            next.block,
            next.generation
        );
        notes.wrong(says, before.proof().into_iter().chain(next.proof()));
    }
}

fn reclaimed(notes: &mut Notes, holding: &Holding<'_>, at: At) {
    let Some(until_us) = kept_until_us(holding) else {
        return;
    };
    notes.looked_at("kept blocks that were told to be reclaimed", 1);
    if at.us < until_us {
        let says = format!(
            "{} was kept for {} until {} at the earliest, but was told to be reclaimed before that",
            holding.block,
            holding.name,
            seconds(until_us)
        );
        notes.wrong(says, holding.proof().into_iter().chain([at.proof()]));
    }
}

fn seconds(us: u64) -> String {
    format!(
        "{:.3} s",
        std::time::Duration::from_micros(us).as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_kept_block_rests() {
        let released = "1-2 claim a kept cidr=10.1.0.4/30 => holds 10.1.0.4/30 7 new @3\n\
                        10-12 release a 7 => released 7 @4\n";
        for (bad, good) in [
            (
                "20-109 claim b kept => holds 10.1.0.5/32 8 new @5",
                "20-110 claim b kept => holds 10.1.0.5/32 8 new @5",
            ),
            (
                "20-109 claim b kept => holds 10.1.0.5/32 8 new @5",
                "20-21 claim a kept => holds 10.1.0.4/30 8 new @5",
            ),
            (
                "90 watching 1 4\n100 watched 1 5.0 reclaimed a 10.1.0.4/30 7",
                "90 watching 1 4\n110 watched 1 5.0 reclaimed a 10.1.0.4/30 7",
            ),
            // The leader had it before the read, and needed a while for a quorum.
            (
                "30-40 get a => found 10.1.0.4/30 7 @3\n80-109 claim b kept => holds 10.1.0.5/32 8 new @5",
                "30-40 get a => found 10.1.0.4/30 7 @3\n80-110 claim b kept => holds 10.1.0.5/32 8 new @5",
            ),
            // It goes back, and the grace begins anew.
            (
                "20-21 claim a kept => holds 10.1.0.4/30 8 new @5\n30- release a 8\n\
                 80-129 claim b kept => holds 10.1.0.6/32 9 new @7",
                "20-21 claim a kept => holds 10.1.0.4/30 8 new @5\n30- release a 8\n\
                 80-130 claim b kept => holds 10.1.0.6/32 9 new @7",
            ),
        ] {
            tells_apart(
                check,
                (&format!("{released}{bad}"), "was kept for a until 0.1"),
                &format!("{released}{good}"),
            );
        }
    }
}
