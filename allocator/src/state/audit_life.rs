//! Recomputing what is kept and what is due.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::ordered::Key;
use crate::record::{Hold, HoldId};
use crate::view::Phase;

use super::State;
use super::audit::{AuditFailure, audit_index, check};
use super::views::count;

impl State {
    /// Invariant 13, and 7 for the indexes of kept blocks and of what is due.
    pub(super) fn audit_life(&self) -> Result<(), AuditFailure> {
        let (life, tables) = (&self.index.life, &self.tables);
        for (_, hold) in tables.holds.iter() {
            let kept = hold.kept();
            let sound = (hold.phase == Phase::Released) == kept.is_some()
                && (kept.is_none() || hold.lease().is_none())
                && kept.is_none_or(|kept| kept.serial < tables.events.end())
                && (hold.claim().is_some() || hold.phase == Phase::Allocated)
                && hold.given_revision() <= hold.revision;
            check(sound, 13, || format!("{} is {:?}", hold.block, hold.phase))?;
        }
        let kept = self.holds_that(|hold| hold.kept().is_some());
        let due = self.holds_that(|hold| hold.due_ms().is_some());
        let lowest = Key::number(0);
        audit_index(
            "kept blocks by holder",
            life.kept.after(lowest, tables.kept_keys()),
            tables.kept_keys(),
            &kept,
        )?;
        audit_index(
            "kept blocks by name",
            life.names.after(lowest, tables.kept_name_keys()),
            tables.kept_name_keys(),
            &kept,
        )?;
        audit_index(
            "what is due",
            life.due.after(lowest, tables.due_keys()),
            tables.due_keys(),
            &due,
        )?;
        audit_index(
            "what ends in a pool",
            life.ends.after(lowest, tables.end_keys()),
            tables.end_keys(),
            &due,
        )?;
        for id in &kept {
            let generation = tables.hold(*id).generation;
            let found = life.kept_of_generation(tables, generation);
            check(found == Some(*id), 7, || {
                format!("kept generation {generation}")
            })?;
        }
        check(life.generations() == count(kept.len()), 7, || {
            String::from("the number of kept blocks")
        })
    }

    fn holds_that(&self, test: impl Fn(&Hold) -> bool) -> BTreeSet<HoldId> {
        let holds = self.tables.holds.iter();
        holds
            .filter(|(_, hold)| test(hold))
            .map(|(id, _)| id)
            .collect()
    }
}
