//! No address is held by two claims at once.

use std::collections::BTreeMap;

use allocator::prefix::Prefix;
use allocator::view::EventKind;
use anyhow::{Result, ensure};

use super::Told;

/// What is held: the first address of each block, with block and holder.
#[derive(Debug, Default)]
pub(super) struct NoBlockTwice {
    held: BTreeMap<String, (Prefix, String)>,
}

impl NoBlockTwice {
    /// Takes in a change of which nobody had told before.
    pub(super) fn check(&mut self, told: &Told) -> Result<()> {
        let Some((name, block, _)) = &told.change.held else {
            return Ok(());
        };
        match told.change.kind {
            EventKind::Allocated | EventKind::Returned => {
                let other = self.held.values().find(|(other, _)| other.overlaps(*block));
                ensure!(
                    other.is_none(),
                    "{block} is given to {name}, while {other:?} is held"
                );
                self.held.insert(block.to_string(), (*block, name.clone()));
            }
            EventKind::Released | EventKind::Expired => {
                let before = self.held.remove(&block.to_string());
                ensure!(
                    before.as_ref().is_some_and(|(_, holder)| holder == name),
                    "{name} gives {block} back, which is held by {before:?}"
                );
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::told;
    use super::*;

    #[test]
    fn a_block_inside_one_that_is_held_is_found() -> Result<()> {
        let mut invariant = NoBlockTwice::default();
        let allocated = |revision, held| told(revision, EventKind::Allocated, held, 0);
        invariant.check(&allocated(1, ("a", "10.0.0.0/30", 1)))?;
        invariant.check(&allocated(2, ("b", "10.0.0.4/32", 2)))?;
        assert!(
            invariant
                .check(&allocated(3, ("c", "10.0.0.3/32", 3)))
                .is_err()
        );
        assert!(
            invariant
                .check(&allocated(3, ("c", "10.0.0.0/29", 3)))
                .is_err()
        );
        let released = |held| told(4, EventKind::Released, held, 0);
        assert!(invariant.check(&released(("b", "10.0.0.0/30", 1))).is_err());
        invariant.check(&allocated(5, ("c", "10.0.0.0/30", 3)))?;
        invariant.check(&released(("c", "10.0.0.0/30", 3)))?;
        invariant.check(&allocated(6, ("d", "10.0.0.3/32", 4)))
    }
}
