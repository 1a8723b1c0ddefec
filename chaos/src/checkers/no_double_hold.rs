//! No address is held twice: holdings of blocks that overlap, whatever their lengths, follow each other, by time and by
//! revision.
//!
//! By time a holding lasts surely from the first line that shows it to the earliest moment at which it may have ended;
//! by revision from the first to the last at which it was seen.

use super::Case;
use super::holding::Holding;
use super::verdict::Notes;

const NAME: &str = "no_double_hold";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let mut notes = Notes::new(NAME, "no address is held by two at a time");
    for held in case.groups().values() {
        notes.looked_at("blocks", 1);
        notes.looked_at("holdings", held.len());
        let mut told = Vec::new();
        overlaps(
            held,
            |one| Some(one.revisions),
            |one, other| {
                told.push((one.generation, other.generation));
                let says = format!(
                    "{} was seen at revision {}, and {} at revision {}; each was held by the one at all revisions in between",
                    words(one),
                    between(one.revisions),
                    words(other),
                    between(other.revisions),
                );
                let proof = [one, other].map(Holding::proof_of_revisions);
                notes.wrong(says, proof.concat());
            },
        );
        overlaps(held, by_time, |one, other| {
            if !told.contains(&(one.generation, other.generation)) {
                let says = format!(
                    "{} and {} were held at the same time: nothing can have ended the first before the second was shown",
                    words(one),
                    words(other)
                );
                notes.wrong(says, one.proof().into_iter().chain(other.proof()));
            }
        });
    }
    notes
}

/// From and up to, both included.
type Span = (u64, u64);

fn by_time(holding: &Holding<'_>) -> Option<Span> {
    let from = holding.first_shown().us;
    let to = holding.may_end_us.checked_sub(1)?;
    (from <= to).then_some((from, to))
}

/// All pairs whose spans and blocks overlap.
fn overlaps<'h, 'a>(
    held: &[&'h Holding<'a>],
    span: impl Fn(&Holding<'_>) -> Option<Span>,
    mut found: impl FnMut(&'h Holding<'a>, &'h Holding<'a>),
) {
    let mut spans: Vec<(Span, &Holding<'a>)> = held
        .iter()
        .filter_map(|holding| Some((span(holding)?, *holding)))
        .collect();
    spans.sort_by_key(|(span, holding)| (*span, holding.generation));
    let mut lasting: Vec<(Span, &Holding<'a>)> = Vec::new();
    for ((from, to), holding) in spans {
        lasting.retain(|((_, last), _)| *last >= from);
        for (_, other) in &lasting {
            if other.block.overlaps(holding.block) {
                found(other, holding);
            }
        }
        lasting.push(((from, to), holding));
    }
}

fn words(holding: &Holding<'_>) -> String {
    format!(
        "{} of {} (generation {})",
        holding.block, holding.name, holding.generation
    )
}

fn between((least, most): Span) -> String {
    if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn overlapping_blocks_are_held_one_after_the_other() {
        let held = "1-2 claim a p cidr=10.0.0.4/30 => holds 10.0.0.4/30 7 new @3\n";
        for (bad, expected, good) in [
            (
                "5-6 claim b p => holds 10.0.0.5/32 8 new @4",
                "were held at the same time",
                "5-6 claim b p => holds 10.0.0.8/32 8 new @4",
            ),
            (
                "5-6 claim b p cidr=10.0.0.4/30 => holds 10.0.0.4/30 8 new @4\n10- release a 7",
                "10.0.0.4/30 of a (generation 7) and 10.0.0.4/30 of b (generation 8)",
                "5-6 claim b p cidr=10.0.0.4/30 => holds 10.0.0.4/30 8 new @4\n6- release a 7",
            ),
            // A release that may have been there, but was not by its revision.
            (
                "3- release a 7\n5-6 claim b p => holds 10.0.0.5/32 8 new @4\n\
                 7-8 get a => found 10.0.0.4/30 7 @5",
                "at revision 3 to 5",
                "3- release a 7\n5-6 claim b p => holds 10.0.0.5/32 8 new @5\n\
                 2-8 get a => found 10.0.0.4/30 7 @4",
            ),
            (
                "3- release a 7\n4- claim b p\n9 claims 1 @6 a=10.0.0.4/30#7 b=10.0.0.5/32#8",
                "at revision 6",
                "3- release a 7\n4- claim b p\n9 claims 1 @6 b=10.0.0.5/32#8",
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
