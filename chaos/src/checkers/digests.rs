//! All nodes have the same state at the same revision: their digests are equal, and so is the entry of the log behind
//! which each took its own.

use std::collections::BTreeMap;

use super::Case;
use super::story::DigestShown;
use super::verdict::Notes;

const NAME: &str = "digests";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let mut notes = Notes::new(NAME, "digests of one revision are equal on all nodes");
    notes.looked_at("digests", case.story.digests.len());
    let mut first: BTreeMap<u64, &DigestShown<'_>> = BTreeMap::new();
    for shown in &case.story.digests {
        let known = *first.entry(shown.revision).or_insert(shown);
        notes.looked_at("compared", usize::from(known.at != shown.at));
        if (known.digest, known.index) != (shown.digest, shown.index) {
            let says = format!(
                "at revision {} node {} has digest {} (index {}), and node {} has {} (index {})",
                shown.revision,
                known.node,
                known.digest,
                known.index,
                shown.node,
                shown.digest,
                shown.index
            );
            notes.wrong(says, [known.at.proof(), shown.at.proof()]);
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn digests_of_one_revision_are_equal() {
        let one = "1 digest 1 @5 index=9 ab\n";
        for (bad, good) in [
            ("2 digest 2 @5 index=9 cd", "2 digest 2 @5 index=9 ab"),
            ("2 digest 2 @5 index=8 ab", "2 digest 2 @6 index=10 cd"),
        ] {
            let (bad, good) = (format!("{one}{bad}"), format!("{one}{good}"));
            tells_apart(check, (&bad, "node 1 has digest ab (index 9)"), &good);
        }
    }
}
