//! Where what owners have is found: what their claims hold, what is kept for them, their child pools.

use alloc::boxed::Box;
use alloc::format;

use crate::name::Owner;
use crate::ordered::{Key, Ordered};
use crate::owners::OwnerMatch;
use crate::record::{Hold, HoldId, Pool, PoolId, TenantId};

use super::index::Contradiction;
use super::tables::Tables;

/// What has an owner. What has none is in no part of it.
#[derive(Debug)]
pub(super) struct OwnerIndex {
    /// What claims hold.
    pub(super) held: Owned,
    /// What is kept for claims that are gone.
    pub(super) kept: Owned,
    /// Child pools.
    pub(super) pools: Owned,
}

/// Ids by tenant of the owner, owner and id.
#[derive(Debug)]
pub(super) struct Owned {
    ids: Ordered,
    key_of: fn(&Tables, u32) -> Key<'_>,
}

impl Default for OwnerIndex {
    fn default() -> Self {
        let empty = |key_of| Owned {
            ids: Ordered::default(),
            key_of,
        };
        Self {
            held: empty(hold_key_of),
            kept: empty(hold_key_of),
            pools: empty(pool_key_of),
        }
    }
}

fn key(tenant: TenantId, owner: &Owner, id: u32) -> Key<'_> {
    Key {
        // Above 0, so that the first comes after the key without an id.
        tail: u64::from(id).saturating_add(1),
        ..Key::text(u64::from(tenant), owner.as_str())
    }
}

fn hold_key(id: HoldId, hold: &Hold) -> Option<Key<'_>> {
    let claim = hold.claim()?;
    claim.owner().map(|owner| key(claim.tenant, owner, id))
}

fn pool_key(id: PoolId, pool: &Pool) -> Option<Key<'_>> {
    let owner = pool.spec.owner.as_ref();
    owner.map(|owner| key(pool.tenant, owner, id))
}

fn hold_key_of(tables: &Tables, id: u32) -> Key<'_> {
    hold_key(id, tables.hold(id)).expect("the index of owners leads to what has one")
}

fn pool_key_of(tables: &Tables, id: u32) -> Key<'_> {
    pool_key(id, tables.pool(id)).expect("the index of owners leads to what has one")
}

impl OwnerIndex {
    pub(super) fn hold_add(
        &mut self,
        tables: &Tables,
        id: HoldId,
        hold: &Hold,
    ) -> Result<(), Contradiction> {
        self.part_of(hold).add(tables, id, hold_key(id, hold))
    }

    /// The record is still in its table.
    pub(super) fn hold_remove(&mut self, tables: &Tables, id: HoldId, hold: &Hold) {
        self.part_of(hold).remove(tables, id, hold_key(id, hold));
    }

    fn part_of(&mut self, hold: &Hold) -> &mut Owned {
        if hold.kept().is_some() {
            &mut self.kept
        } else {
            &mut self.held
        }
    }

    pub(super) fn pool_add(
        &mut self,
        tables: &Tables,
        id: PoolId,
        pool: &Pool,
    ) -> Result<(), Contradiction> {
        self.pools.add(tables, id, pool_key(id, pool))
    }

    /// The record is still in its table.
    pub(super) fn pool_remove(&mut self, tables: &Tables, id: PoolId, pool: &Pool) {
        self.pools.remove(tables, id, pool_key(id, pool));
    }
}

impl Owned {
    fn add(&mut self, tables: &Tables, id: u32, key: Option<Key<'_>>) -> Result<(), Contradiction> {
        let key_of = self.key_of;
        match key {
            Some(key) if !self.ids.insert(key, id, |id| key_of(tables, id)) => {
                Err("something is owned twice")
            }
            Some(_) | None => Ok(()),
        }
    }

    fn remove(&mut self, tables: &Tables, id: u32, key: Option<Key<'_>>) {
        let key_of = self.key_of;
        if let Some(key) = key {
            let removed = self.ids.remove(key, |id| key_of(tables, id));
            assert!(removed == Some(id), "what has an owner is indexed by it");
        }
    }

    /// The ids after a key, in order.
    pub(super) fn after<'t>(
        &'t self,
        tables: &'t Tables,
        first: Key<'_>,
    ) -> impl Iterator<Item = u32> + use<'t> {
        let key_of = self.key_of;
        self.ids.after(first, move |id| key_of(tables, id))
    }

    /// The key of an id that is in it.
    pub(super) fn key<'t>(&self, tables: &'t Tables, id: u32) -> Key<'t> {
        (self.key_of)(tables, id)
    }

    /// What exactly that owner has.
    pub(super) fn of_owner<'t>(
        &'t self,
        tables: &'t Tables,
        tenant: TenantId,
        owner: &Owner,
    ) -> impl Iterator<Item = u32> + use<'t> {
        let owner = owner.clone();
        let first = Key::text(u64::from(tenant), owner.as_str());
        self.after(tables, first).take_while(move |id| {
            let found = self.key(tables, *id);
            (found.head, found.text) == (u64::from(tenant), owner.as_str().as_bytes())
        })
    }

    /// What that owner has, and all whose first segments it is, by owner.
    fn under<'t>(
        &'t self,
        tables: &'t Tables,
        tenant: TenantId,
        prefix: &Owner,
    ) -> impl Iterator<Item = u32> + use<'t> {
        // Between an owner and those under it stand others: '!' to '.' sort before '/'.
        let below = format!("{prefix}/");
        let first = Key::text(u64::from(tenant), &below);
        let ids = self.after(tables, first);
        let ids = ids.take_while(move |id| {
            let found = self.key(tables, *id);
            found.head == u64::from(tenant) && found.text.starts_with(below.as_bytes())
        });
        self.of_owner(tables, tenant, prefix).chain(ids)
    }

    /// What the owners that are meant have.
    pub(super) fn matching<'t>(
        &'t self,
        tables: &'t Tables,
        tenant: TenantId,
        owners: &OwnerMatch,
    ) -> Box<dyn Iterator<Item = u32> + 't> {
        match owners {
            OwnerMatch::Exact(owner) => Box::new(self.of_owner(tables, tenant, owner)),
            OwnerMatch::Prefix(prefix) => Box::new(self.under(tables, tenant, prefix)),
        }
    }
}
