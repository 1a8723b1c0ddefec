//! A local read is never behind the revision that it asked for.

use super::Case;
use super::verdict::Notes;

const NAME: &str = "local_reads";

pub(super) fn check(case: &Case<'_>) -> Notes {
    let mut notes = Notes::new(NAME, "a local read is not behind its least revision");
    for operation in &case.story.operations {
        let (Some(least), Some((_, revision))) = (operation.local(), operation.answered()) else {
            continue;
        };
        notes.looked_at("local reads", 1);
        notes.looked_at("local reads with a least revision", usize::from(least > 0));
        if revision < least {
            let says = format!(
                "{} was to show revision {least} or a later one",
                operation.words()
            );
            notes.wrong(says, operation.proof());
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::tells_apart;

    #[test]
    fn a_local_read_shows_at_least_the_revision_it_asked_for() {
        for (bad, good) in [
            (
                "1-2 get a local=5 => nothing @4",
                "1-2 get a local=5 => nothing @5",
            ),
            (
                "1-2 lookup 10.0.0.1/32 local=5 => refused allocation_not_found @4",
                "1-2 lookup 10.0.0.1/32 => refused allocation_not_found @4",
            ),
        ] {
            tells_apart(check, (bad, "was to show revision 5 or a later one"), good);
        }
    }
}
