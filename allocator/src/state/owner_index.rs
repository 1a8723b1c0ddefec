//! Where what claims hold is found by their owner.

use crate::name::Owner;
use crate::ordered::{Key, Ordered};
use crate::record::{Hold, HoldId, TenantId};

use super::index::Contradiction;
use super::tables::Tables;

/// What claims that have an owner hold, by tenant, owner and id. What is kept for an owner that left is
/// not in it.
#[derive(Debug, Default)]
pub(super) struct OwnerIndex {
    pub(super) holds: Ordered,
}

/// The key of a hold by its owner; `None` for one that is in the index of none.
fn key(id: HoldId, hold: &Hold) -> Option<Key<'_>> {
    let claim = hold.claim().filter(|_| hold.kept().is_none())?;
    Some(Key {
        // Above 0, so that the first comes after the key without an id.
        tail: u64::from(id).saturating_add(1),
        ..Key::text(u64::from(claim.tenant), claim.owner()?.as_str())
    })
}

/// The key of a hold that is in the index.
pub(super) fn owner_key(id: HoldId, hold: &Hold) -> Key<'_> {
    key(id, hold).expect("the index of owners leads to claims with an owner")
}

impl OwnerIndex {
    pub(super) fn add(
        &mut self,
        tables: &Tables,
        id: HoldId,
        hold: &Hold,
    ) -> Result<(), Contradiction> {
        match key(id, hold) {
            Some(key) if !self.holds.insert(key, id, tables.owner_keys()) => {
                Err("a hold is owned twice")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The record is still in its table.
    pub(super) fn remove(&mut self, tables: &Tables, id: HoldId, hold: &Hold) {
        if let Some(key) = key(id, hold) {
            let removed = self.holds.remove(key, tables.owner_keys());
            assert!(removed == Some(id), "a claim is indexed by its owner");
        }
    }

    /// What claims of exactly that owner hold.
    pub(super) fn of_owner(
        &self,
        tables: &Tables,
        tenant: TenantId,
        owner: &Owner,
    ) -> impl Iterator<Item = HoldId> {
        let first = Key::text(u64::from(tenant), owner.as_str());
        let (wanted, text) = (first.head, first.text);
        self.holds
            .after(first, tables.owner_keys())
            .take_while(move |id| {
                let found = owner_key(*id, tables.hold(*id));
                (found.head, found.text) == (wanted, text)
            })
    }

    /// The same for that owner and all whose first segments it is, by owner.
    pub(super) fn under(
        &self,
        tables: &Tables,
        tenant: TenantId,
        prefix: &Owner,
    ) -> impl Iterator<Item = HoldId> {
        // Between an owner and those under it stand others: '!' to '.' sort before '/'.
        let wanted = u64::from(tenant);
        let below = alloc::format!("{prefix}/");
        let ids = self
            .holds
            .after(Key::text(wanted, &below), tables.owner_keys());
        let ids = ids.take_while(move |id| {
            let found = owner_key(*id, tables.hold(*id));
            found.head == wanted && found.text.starts_with(below.as_bytes())
        });
        self.of_owner(tables, tenant, prefix).chain(ids)
    }
}
