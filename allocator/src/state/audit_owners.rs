//! Recomputing what owners have, and what declared live sets left behind.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use crate::ordered::Key;
use crate::record::{Claim, Hold, TenantId};

use super::State;
use super::audit::{AuditFailure, audit_index, check};

impl State {
    /// Invariant 7 for the index of owners.
    pub(super) fn audit_owners(&self) -> Result<(), AuditFailure> {
        let (index, tables) = (&self.index.owners, &self.tables);
        let is_owned = |hold: &Hold| hold.claim().and_then(Claim::owner).is_some();
        let holds = |kept: bool| {
            let holds = tables.holds.iter();
            let of_part = holds.filter(|(_, hold)| is_owned(hold) && hold.kept().is_some() == kept);
            of_part.map(|(id, _)| id).collect::<BTreeSet<u32>>()
        };
        let pools = tables.pools.iter();
        let pools = pools.filter(|(_, pool)| pool.spec.owner.is_some());
        let parts = [
            ("what owners hold", &index.held, holds(false)),
            ("what is kept for owners", &index.kept, holds(true)),
            (
                "owners' pools",
                &index.pools,
                pools.map(|(id, _)| id).collect(),
            ),
        ];
        for (name, part, records) in parts {
            let ids = part.after(tables, Key::number(0));
            audit_index(name, ids, |id| part.key(tables, id), &records)?;
        }
        Ok(())
    }

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
        check(counts, 7, || String::from("the number of suspects"))?;
        let mut shares: BTreeMap<TenantId, (usize, usize)> = BTreeMap::new();
        for (_, scope) in tables.scopes.iter() {
            let share = shares.entry(scope.tenant).or_default();
            share.0 = share.0.saturating_add(1);
        }
        for (_, suspect) in tables.suspects.iter() {
            let tenant = tables.scope(suspect.scope).tenant;
            let share = shares.entry(tenant).or_default();
            share.1 = share.1.saturating_add(1);
        }
        check(shares == index.shares, 7, || {
            String::from("the shares that tenants have of suspects")
        })
    }
}
