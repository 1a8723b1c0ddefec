//! Where scopes of live sets and their suspects are found.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use crate::ordered::{Key, Ordered};
use crate::reconcile::{Scope, SuspectHolder};
use crate::record::{ScopeId, ScopeRecord, Suspect, SuspectId, TenantId};

use super::index::Contradiction;
use super::tables::Tables;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SuspectIndex {
    /// Scopes by tenant and form.
    pub(super) scopes: Ordered,
    /// Suspects by scope, kind and key.
    pub(super) suspects: Ordered,
    /// Scopes by when they were named last.
    pub(super) seen: BTreeSet<(u64, ScopeId)>,
    /// How many suspects there are.
    pub(super) count: usize,
    /// How many scopes and suspects each tenant has that has any.
    pub(super) shares: BTreeMap<TenantId, (usize, usize)>,
}

/// A scope in one form: equal for equal scopes, and for no others.
pub(super) fn scope_form(scope: &Scope) -> String {
    match scope {
        Scope::OwnerPrefix(prefix) => format!("owners {prefix}"),
        Scope::Labels(labels) => labels
            .iter()
            .fold(String::from("labels"), |form, (key, value)| {
                format!("{form} {}:{key} {}:{value}", key.len(), value.len())
            }),
    }
}

pub(super) fn scope_key(scope: &ScopeRecord) -> Key<'_> {
    Key::text(u64::from(scope.tenant), &scope.key)
}

pub(super) fn suspect_key(suspect: &Suspect) -> Key<'_> {
    holder_key(suspect.scope, &suspect.holder)
}

/// Ids are below 2^31: one bit is left for the kind.
fn holder_key(scope: ScopeId, holder: &SuspectHolder) -> Key<'_> {
    let head = u64::from(scope) << 1_u32 | u64::from(holder.is_owner());
    Key::text(head, holder.as_str())
}

impl SuspectIndex {
    pub(super) fn scope_add(
        &mut self,
        tables: &Tables,
        id: ScopeId,
        scope: &ScopeRecord,
    ) -> Result<(), Contradiction> {
        if !self
            .scopes
            .insert(scope_key(scope), id, tables.scope_keys())
        {
            return Err("two scopes are one");
        }
        self.seen.insert((scope.seen_ms, id));
        let share = self.shares.entry(scope.tenant).or_default();
        share.0 = share.0.saturating_add(1);
        Ok(())
    }

    /// The record is still in its table.
    pub(super) fn scope_remove(&mut self, tables: &Tables, id: ScopeId, scope: &ScopeRecord) {
        let removed = self.scopes.remove(scope_key(scope), tables.scope_keys());
        let seen = self.seen.remove(&(scope.seen_ms, id));
        assert!(
            removed == Some(id) && seen,
            "a scope is indexed by its form and by its time"
        );
        if let Some(share) = self.shares.get_mut(&scope.tenant) {
            share.0 = share.0.saturating_sub(1);
            if *share == (0, 0) {
                self.shares.remove(&scope.tenant);
            }
        }
    }

    pub(super) fn suspect_add(
        &mut self,
        tables: &Tables,
        id: SuspectId,
        suspect: &Suspect,
    ) -> Result<(), Contradiction> {
        let Some(scope) = tables.scopes.get(suspect.scope) else {
            return Err("a suspect has no scope");
        };
        if !self
            .suspects
            .insert(suspect_key(suspect), id, tables.suspect_keys())
        {
            return Err("a holder is a suspect twice");
        }
        self.count = self.count.saturating_add(1);
        let share = self.shares.entry(scope.tenant).or_default();
        share.1 = share.1.saturating_add(1);
        Ok(())
    }

    /// The record is still in its table.
    pub(super) fn suspect_remove(&mut self, tables: &Tables, id: SuspectId, suspect: &Suspect) {
        let removed = self
            .suspects
            .remove(suspect_key(suspect), tables.suspect_keys());
        assert!(removed == Some(id), "a suspect is indexed by its key");
        self.count = self.count.saturating_sub(1);
        let tenant = tables.scopes.get(suspect.scope).map(|scope| scope.tenant);
        if let Some(share) = tenant.and_then(|tenant| self.shares.get_mut(&tenant)) {
            share.1 = share.1.saturating_sub(1);
        }
    }

    /// How many scopes and suspects a tenant has.
    pub(super) fn of_tenant(&self, tenant: TenantId) -> (usize, usize) {
        self.shares.get(&tenant).copied().unwrap_or_default()
    }

    pub(super) fn scope_of(
        &self,
        tables: &Tables,
        tenant: TenantId,
        scope: &Scope,
    ) -> Option<ScopeId> {
        let form = scope_form(scope);
        self.scopes
            .get(Key::text(u64::from(tenant), &form), tables.scope_keys())
    }

    pub(super) fn suspect_of(
        &self,
        tables: &Tables,
        scope: ScopeId,
        holder: &SuspectHolder,
    ) -> Option<SuspectId> {
        self.suspects
            .get(holder_key(scope, holder), tables.suspect_keys())
    }

    /// The suspects of a scope: claims by name, then owners by key.
    pub(super) fn suspects_of(
        &self,
        tables: &Tables,
        scope: ScopeId,
    ) -> impl Iterator<Item = SuspectId> {
        let first = Key::number(u64::from(scope) << 1_u32);
        self.suspects
            .after(first, tables.suspect_keys())
            .take_while(move |id| {
                let suspect = tables.suspects.get(*id);
                suspect.is_some_and(|suspect| suspect.scope == scope)
            })
    }

    /// The scopes of a tenant.
    pub(super) fn scopes_of(
        &self,
        tables: &Tables,
        tenant: TenantId,
    ) -> impl Iterator<Item = ScopeId> {
        self.scopes
            .after(Key::number(u64::from(tenant)), tables.scope_keys())
            .take_while(move |id| {
                let scope = tables.scopes.get(*id);
                scope.is_some_and(|scope| scope.tenant == tenant)
            })
    }
}
