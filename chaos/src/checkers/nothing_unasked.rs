//! Nothing is held that nobody asked for: what no acknowledged claim was given, a claim of unknown outcome of the same
//! name was given, and no claim is given two holdings.

use super::Case;
use super::verdict::Notes;

const NAME: &str = "nothing_unasked";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise =
        "every holding comes of a claim that was acknowledged or whose outcome is unknown";
    let mut notes = Notes::new(NAME, promise);
    notes.looked_at("holdings", case.holdings.by_generation.len());
    notes.looked_at("holdings of unknown claims", case.orphans.windows.len());
    for (generation, window) in &case.orphans.windows {
        let (None, Some(holding)) = (window, case.holdings.get(*generation)) else {
            continue;
        };
        let says = format!(
            "{} was seen to hold {} (generation {generation}), which no claim that was acknowledged before or left unknown can have been given",
            holding.name, holding.block
        );
        notes.wrong(says, holding.proof());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_holding_has_its_claim() {
        let seen = "5-6 get a => found 10.0.0.1/32 7 @3";
        for (bad, good) in [
            (seen.to_owned(), format!("1- claim a p\n{seen}")),
            (
                format!("1-2 claim a p => failed\n{seen}"),
                format!("1-2 claim a p => unknown\n{seen}"),
            ),
            (
                format!("1-2 batch claim a p ; claim b p => refused pool_exhausted @2\n{seen}"),
                format!("1-2 batch claim a p ; claim b p => unknown\n{seen}"),
            ),
            (
                format!("1- claim a p\n{seen}\n7-8 get a => found 10.0.0.1/32 8 @5"),
                format!("1- claim a p\n2- claim a p\n{seen}\n7-8 get a => found 10.0.0.1/32 8 @5"),
            ),
            (
                "9 claims 1 @3 a=10.0.0.1/32#7".to_owned(),
                "2- claim a p\n9 claims 1 @3 a=10.0.0.1/32#7".to_owned(),
            ),
        ] {
            tells_apart(check, (&bad, "a was seen to hold 10.0.0.1/32"), &good);
        }
    }
}
