//! The writes of scopes and suspects: each changes one record, its part of the digest and what is
//! indexed of it, and notes in the journal how to take it back.

use crate::record::{ScopeId, ScopeRecord, Suspect, SuspectId, table};

use super::State;
use super::store::Undo;

/// How to take one write back.
#[derive(Debug)]
pub(super) enum SuspectUndo {
    ScopeInserted(ScopeId),
    ScopeRemoved(ScopeId, ScopeRecord),
    Inserted(SuspectId),
    Removed(SuspectId, Suspect),
    Replaced(SuspectId, Suspect),
}

impl State {
    pub(super) fn scope_insert(&mut self, scope: ScopeRecord) -> ScopeId {
        let id = self.tables.scopes.next_id();
        self.scope_put(id, scope);
        self.note(Undo::Suspects(SuspectUndo::ScopeInserted(id)));
        id
    }

    fn scope_put(&mut self, id: ScopeId, scope: ScopeRecord) {
        self.index
            .suspects
            .scope_add(&self.tables, id, &scope)
            .expect("a plan only makes what contradicts nothing");
        self.digest_add(table::SCOPES, u64::from(id), &scope);
        self.tables.scopes.insert_at(id, scope, self.epoch);
    }

    pub(super) fn scope_remove(&mut self, id: ScopeId) -> ScopeRecord {
        self.index
            .suspects
            .scope_remove(&self.tables, id, self.tables.scope(id));
        let scope = self.tables.scopes.remove(id, self.epoch);
        self.digest_subtract(table::SCOPES, u64::from(id), &scope);
        self.note(Undo::Suspects(SuspectUndo::ScopeRemoved(id, scope.clone())));
        scope
    }

    /// Notes that a scope was named. Its id stays.
    pub(super) fn scope_seen(&mut self, id: ScopeId, epoch: u64) {
        let scope = self.scope_remove(id);
        let seen = ScopeRecord {
            epoch,
            seen_ms: self.meta.clock.now_ms(),
            ..scope
        };
        self.scope_put(id, seen);
        self.note(Undo::Suspects(SuspectUndo::ScopeInserted(id)));
    }

    pub(super) fn suspect_insert(&mut self, suspect: Suspect) {
        let id = self.tables.suspects.next_id();
        self.suspect_put(id, suspect);
        self.note(Undo::Suspects(SuspectUndo::Inserted(id)));
    }

    fn suspect_put(&mut self, id: SuspectId, suspect: Suspect) {
        self.index
            .suspects
            .suspect_add(&self.tables, id, &suspect)
            .expect("a plan only makes what contradicts nothing");
        self.digest_add(table::SUSPECTS, u64::from(id), &suspect);
        self.tables.suspects.insert_at(id, suspect, self.epoch);
    }

    pub(super) fn suspect_remove(&mut self, id: SuspectId) {
        self.index
            .suspects
            .suspect_remove(&self.tables, id, self.tables.suspect(id));
        let suspect = self.tables.suspects.remove(id, self.epoch);
        self.digest_subtract(table::SUSPECTS, u64::from(id), &suspect);
        self.note(Undo::Suspects(SuspectUndo::Removed(id, suspect)));
    }

    /// Puts the next state of a suspect in its place: of the same scope and holder.
    pub(super) fn suspect_replace(&mut self, id: SuspectId, suspect: Suspect) {
        let same = {
            let before = self.tables.suspect(id);
            (before.scope, &before.holder) == (suspect.scope, &suspect.holder)
        };
        assert!(same, "a suspect stays where it is");
        self.digest_add(table::SUSPECTS, u64::from(id), &suspect);
        let before = self.tables.suspects.replace(id, suspect, self.epoch);
        self.digest_subtract(table::SUSPECTS, u64::from(id), &before);
        self.note(Undo::Suspects(SuspectUndo::Replaced(id, before)));
    }

    /// No journal is kept here, so that nothing is noted.
    pub(super) fn suspects_undo(&mut self, undo: SuspectUndo) {
        match undo {
            SuspectUndo::ScopeInserted(id) => {
                self.scope_remove(id);
            }
            SuspectUndo::ScopeRemoved(id, scope) => self.scope_put(id, scope),
            SuspectUndo::Inserted(id) => self.suspect_remove(id),
            SuspectUndo::Removed(id, suspect) => self.suspect_put(id, suspect),
            SuspectUndo::Replaced(id, suspect) => self.suspect_replace(id, suspect),
        }
    }
}
