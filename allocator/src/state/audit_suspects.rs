//! Recomputing what declared live sets left behind.

use alloc::format;
use alloc::string::String;

use crate::ordered::Key;

use super::State;
use super::audit::{AuditFailure, audit_index, check};

impl State {
    /// Invariant 16, and 7 for the indexes of scopes and suspects.
    pub(super) fn audit_suspects(&self) -> Result<(), AuditFailure> {
        let (index, tables) = (&self.index.suspects, &self.tables);
        let (now_ms, revision) = (self.meta.clock.now_ms(), self.meta.revision);
        for (id, scope) in tables.scopes.iter() {
            let sound = tables.tenants.get(scope.tenant).is_some() && scope.seen_ms <= now_ms;
            check(sound, 16, || format!("scope {}", scope.key))?;
            check(index.seen.contains(&(scope.seen_ms, id)), 7, || {
                format!("the time of scope {}", scope.key)
            })?;
        }
        for (_, suspect) in tables.suspects.iter() {
            let sound = tables.scopes.get(suspect.scope).is_some()
                && suspect.first_ms <= now_ms
                && suspect.first_revision < revision
                && suspect.sightings > 0;
            check(sound, 16, || format!("suspect {}", suspect.holder.as_str()))?;
        }
        let lowest = Key::number(0);
        let scopes = tables.scopes.iter().map(|(id, _)| id).collect();
        audit_index(
            "scopes",
            index.scopes.after(lowest, tables.scope_keys()),
            tables.scope_keys(),
            &scopes,
        )?;
        let suspects = tables.suspects.iter().map(|(id, _)| id).collect();
        audit_index(
            "suspects",
            index.suspects.after(lowest, tables.suspect_keys()),
            tables.suspect_keys(),
            &suspects,
        )?;
        let counts = (index.seen.len(), index.count) == (scopes.len(), suspects.len());
        check(counts, 7, || String::from("the number of suspects"))
    }
}
