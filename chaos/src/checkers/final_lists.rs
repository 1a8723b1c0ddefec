//! The lists at the end: equal where their revisions are, with every holding that nothing can have ended, and without
//! any whose release was acknowledged.

use std::collections::BTreeMap;

use super::Case;
use super::story::List;
use super::verdict::Notes;

const NAME: &str = "final_lists";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let promise = "lists of one revision are equal, and have every acknowledged claim and none that was released";
    let mut notes = Notes::new(NAME, promise);
    notes.looked_at("lists", case.story.lists.len());
    let mut first: BTreeMap<u64, &List<'_>> = BTreeMap::new();
    for list in &case.story.lists {
        notes.looked_at("listed claims", list.held.len());
        let known = *first.entry(list.revision).or_insert(list);
        if let Some(difference) = difference(known, list) {
            let says = format!(
                "at revision {} nodes {} and {} list different claims: {difference}",
                list.revision, known.node, list.node
            );
            notes.wrong(says, [known.at.proof(), list.at.proof()]);
        }
        complete(&mut notes, case, list);
    }
    notes
}

/// The first name of which two lists say different things.
fn difference(one: &List<'_>, other: &List<'_>) -> Option<String> {
    let names = one.held.keys().chain(other.held.keys());
    let differs = names
        .copied()
        .find(|name| one.held.get(name) != other.held.get(name))?;
    let words = |list: &List<'_>| match list.held.get(differs) {
        Some((block, generation)) => format!("{block} (generation {generation})"),
        None => "nothing".to_owned(),
    };
    Some(format!(
        "{differs} holds {}, or {}",
        words(one),
        words(other)
    ))
}

fn complete(notes: &mut Notes, case: &Case<'_>, list: &List<'_>) {
    for holding in case.holdings.iter() {
        let listed = list.held.get(holding.name);
        let is_listed = listed == Some(&(holding.block, holding.generation));
        let (least, _) = holding.revisions;
        let who = || {
            format!(
                "{} {} (generation {})",
                holding.name, holding.block, holding.generation
            )
        };
        let must_be = least <= list.revision && list.at.us < holding.may_end_us;
        notes.looked_at("holdings that must be listed", usize::from(must_be));
        if must_be && !is_listed {
            let says = format!(
                "lost: {} is not in the list of node {} at revision {}, though it was seen at revision {least} and cannot have ended",
                who(),
                list.node,
                list.revision
            );
            notes.wrong(says, holding.proof().into_iter().chain([list.at.proof()]));
        }
        let over = holding.over_at().filter(|(over, _)| *over <= list.revision);
        notes.looked_at(
            "holdings that must not be listed",
            usize::from(over.is_some()),
        );
        if let Some((over, ending)) = over.filter(|_| is_listed) {
            let says = format!(
                "{} is in the list of node {} at revision {}, though its release was acknowledged at revision {over}",
                who(),
                list.node,
                list.revision
            );
            let ended = ending.invoked.proof_of(ending.id);
            notes.wrong(says, [ended, list.at.proof()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_list_has_what_was_acknowledged_and_nothing_that_was_released() {
        let held = "1-2 claim a p => holds 10.0.0.1/32 7 new @3\n";
        for (bad, expected, good) in [
            (
                "9 claims 1 @3",
                "lost: a 10.0.0.1/32",
                "9 claims 1 @3 a=10.0.0.1/32#7",
            ),
            ("9 claims 1 @3", "lost: a", "9 claims 1 @2"),
            ("9 claims 1 @3", "lost: a", "5- release a 7\n9 claims 1 @4"),
            (
                "5-6 release a 7 => released 7 @4\n9 claims 1 @4 a=10.0.0.1/32#7",
                "though its release was acknowledged at revision 4",
                "5-6 release a 7 => released 7 @4\n9 claims 1 @4",
            ),
            (
                "3- claim b p\n4- release b 8\n9 claims 1 @4 a=10.0.0.1/32#7\n9 claims 2 @4 a=10.0.0.1/32#7 b=10.0.0.2/32#8",
                "nodes 1 and 2 list different claims: b holds nothing, or 10.0.0.2/32 (generation 8)",
                "3- claim b p\n4- release b 8\n9 claims 1 @4 a=10.0.0.1/32#7\n9 claims 2 @5 a=10.0.0.1/32#7 b=10.0.0.2/32#8",
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
