//! What a name holds is what it asked for: exactly the block that it named, or one of the pool's length inside the pool.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;

use super::Case;
use super::story::{Ask, Story};
use super::verdict::Notes;

const NAME: &str = "answers_fit";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let mut notes = Notes::new(NAME, "what a name holds is what it asked for");
    let mut asked: BTreeMap<&str, Vec<(&str, Option<Prefix>)>> = BTreeMap::new();
    for (_, part) in case.story.parts() {
        if let Ask::Claim {
            name, pool, cidr, ..
        } = part.ask
        {
            let asks = asked.entry(name).or_default();
            if !asks.contains(&(pool, cidr)) {
                asks.push((pool, cidr));
            }
        }
    }
    for holding in case.holdings.iter() {
        // That nobody asked for it at all is said elsewhere.
        let Some(asks) = asked.get(holding.name) else {
            continue;
        };
        notes.looked_at("holdings", 1);
        if !asks.iter().any(|ask| fits(case.story, *ask, holding.block)) {
            let says = format!(
                "{} holds {} (generation {}), which is not what it asked for",
                holding.name, holding.block, holding.generation
            );
            notes.wrong(says, holding.proof());
        }
    }
    notes
}

fn fits(story: &Story<'_>, (pool, cidr): (&str, Option<Prefix>), block: Prefix) -> bool {
    story.pools.get(pool).is_some_and(|pool| match cidr {
        Some(cidr) => cidr == block && pool.contains(block),
        None => pool.may_give(block),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_claim_is_given_what_it_asked_for() {
        for (bad, good) in [
            (
                "1-2 claim a p => holds 10.1.0.1/32 7 new @3",
                "1-2 claim a p => holds 10.0.0.1/32 7 new @3",
            ),
            (
                "1-2 claim a p => holds 10.0.0.4/30 7 new @3",
                "1-2 claim a p cidr=10.0.0.4/30 => holds 10.0.0.4/30 7 new @3",
            ),
            (
                "1-2 claim a p cidr=10.0.0.2/32 => holds 10.0.0.1/32 7 new @3",
                "1-2 claim a p cidr=10.0.0.1/32 => holds 10.0.0.1/32 7 new @3",
            ),
        ] {
            tells_apart(check, (bad, "which is not what it asked for"), good);
        }
    }
}
