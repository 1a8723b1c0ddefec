//! What a client was told has been done was done, and stays until somebody asks for its end or its lease is over.

use std::collections::{BTreeMap, BTreeSet};

use allocator::view::EventKind;
use anyhow::{Result, ensure};

use super::Told;

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The revision of the answer: the change is at it or before it.
    pub revision: u64,
    /// The name.
    pub name: String,
    /// The block; `None` where the holding is over.
    pub block: Option<String>,
    /// The holding.
    pub generation: u64,
}

/// What was acknowledged, and what nodes have told of.
#[derive(Debug, Default)]
pub(super) struct AcknowledgedStays {
    /// By generation: name and block, and the revision at which they were given.
    given: BTreeMap<u64, ((String, String), u64)>,
    /// By generation: the revision at which it ended.
    over: BTreeMap<u64, u64>,
    asked: BTreeSet<u64>,
    waiting: Vec<Acknowledged>,
}

impl AcknowledgedStays {
    /// Somebody is about to ask for the end of a holding.
    pub(super) fn release_asked(&mut self, generation: u64) {
        self.asked.insert(generation);
    }

    /// A client was told.
    pub(super) fn acknowledged(&mut self, acknowledged: Acknowledged) {
        self.waiting.push(acknowledged);
    }

    /// Takes in a change of which nobody had told before.
    pub(super) fn told(&mut self, told: &Told) -> Result<()> {
        let Some((name, block, generation)) = &told.change.held else {
            return Ok(());
        };
        match told.change.kind {
            EventKind::Allocated | EventKind::Returned => {
                let holding = (name.clone(), block.to_string());
                self.given.insert(*generation, (holding, told.id.0));
            }
            EventKind::Released => {
                ensure!(
                    self.asked.contains(generation),
                    "{name} lost {block} (generation {generation}) at revision {}, and nobody had asked for that",
                    told.id.0
                );
                self.over.insert(*generation, told.id.0);
            }
            // Whether its time had come is another invariant's.
            EventKind::Expired => {
                self.over.insert(*generation, told.id.0);
            }
            _ => {}
        }
        Ok(())
    }

    /// All that was acknowledged up to a revision must have been told of.
    pub(super) fn settle(&mut self, reaches: u64) -> Result<()> {
        let due = self.waiting.extract_if(.., |told| told.revision <= reaches);
        for told in due {
            let Acknowledged {
                revision,
                name,
                block,
                generation,
            } = &told;
            let over = self.over.get(generation).copied();
            match block {
                Some(block) => {
                    let given = self.given.get(generation);
                    let holding = (name.clone(), block.clone());
                    ensure!(
                        given.is_some_and(|(given, at)| *given == holding && at <= revision),
                        "lost: {name} was told at revision {revision} that it holds {block} \
                         (generation {generation}), but that was given to {given:?}"
                    );
                    ensure!(
                        over.is_none_or(|at| at > *revision),
                        "{name} was told at revision {revision} that it holds {block} \
                         (generation {generation}), which was over at {over:?}"
                    );
                }
                None => ensure!(
                    over.is_some_and(|at| at <= *revision),
                    "{name} was told at revision {revision} that generation {generation} is over, and it ended at {over:?}"
                ),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;

    fn acknowledged(block: Option<&str>) -> Acknowledged {
        Acknowledged {
            revision: 2,
            name: "a".to_owned(),
            block: block.map(ToOwned::to_owned),
            generation: 1,
        }
    }

    #[test]
    fn a_claim_that_nobody_knows_of_and_an_end_that_nobody_asked_for_are_found() -> Result<()> {
        let (block, other) = ("10.0.0.0/32", "10.0.0.1/32");
        let given = told(1, EventKind::Allocated, ("a", block, 1), 0);
        let ended = told(2, EventKind::Released, ("a", block, 1), 0);
        let late = told(3, EventKind::Allocated, ("a", block, 1), 0);
        for (events, asked, answer, holds) in [
            (vec![&given], false, Some(block), true),
            (vec![&given], false, Some(other), false),
            (vec![], false, Some(block), false),
            (vec![&given], true, None, false),
            (vec![&given, &ended], true, None, true),
            (vec![&given, &ended], false, None, false),
            (vec![&given, &ended], true, Some(block), false),
            (vec![&late], false, Some(block), false),
        ] {
            let mut invariant = AcknowledgedStays::default();
            if asked {
                invariant.release_asked(1);
            }
            invariant.acknowledged(acknowledged(answer));
            invariant.settle(1)?;
            let checked = events
                .iter()
                .try_for_each(|told| invariant.told(told))
                .and_then(|()| invariant.settle(2));
            assert_eq!(checked.is_ok(), holds, "{events:?} {answer:?}: {checked:?}");
        }
        Ok(())
    }
}
