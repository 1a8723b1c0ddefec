//! Revisions and generations only grow, and a generation fences one holding.

use std::collections::BTreeMap;

use allocator::view::EventKind;
use anyhow::{Result, ensure};

use super::Told;

/// The numbers that were given.
#[derive(Debug, Default)]
pub(super) struct NumbersGrow {
    last: (u64, u32),
    generation: u64,
    holdings: BTreeMap<u64, (String, String)>,
}

impl NumbersGrow {
    /// Takes in a change of which nobody had told before.
    pub(super) fn check(&mut self, told: &Told) -> Result<()> {
        ensure!(
            self.last < told.id,
            "{:?} (revision, place) comes after {:?}",
            told.id,
            self.last
        );
        self.last = told.id;
        let Some((name, block, generation)) = &told.change.held else {
            return Ok(());
        };
        let holding = (name.clone(), block.to_string());
        if matches!(told.change.kind, EventKind::Allocated | EventKind::Returned) {
            ensure!(
                self.generation < *generation,
                "{name} was given generation {generation} after {}",
                self.generation
            );
            self.generation = *generation;
            self.holdings.insert(*generation, holding);
        } else {
            ensure!(
                self.holdings.get(generation) == Some(&holding),
                "generation {generation} is {holding:?} in {:?}, and was given to {:?}",
                told.change.kind,
                self.holdings.get(generation)
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;

    #[test]
    fn a_generation_that_is_given_twice_or_changes_its_block_is_found() -> Result<()> {
        let mut invariant = NumbersGrow::default();
        let a = ("a", "10.0.0.0/32", 4);
        invariant.check(&told(1, EventKind::Allocated, a, 0))?;
        invariant.check(&told(2, EventKind::Renewed, a, 0))?;
        for (revision, kind, held) in [
            (2, EventKind::Renewed, a),
            (3, EventKind::Released, ("a", "10.0.0.1/32", 4)),
            (4, EventKind::Released, ("b", "10.0.0.0/32", 4)),
            (5, EventKind::Allocated, ("b", "10.0.0.1/32", 4)),
            (6, EventKind::Released, ("c", "10.0.0.1/32", 5)),
        ] {
            assert!(
                invariant.check(&told(revision, kind, held, 0)).is_err(),
                "{held:?}"
            );
        }
        Ok(())
    }
}
