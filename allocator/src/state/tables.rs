//! The records: all that is durable, apart from the counters.

use alloc::sync::Arc;

use crate::ordered::Key;
use crate::paged::{Ring, Slab};
use crate::pages::size;
use crate::record::{
    Content, Ended, Event, Hold, HoldId, Pool, PoolId, ScopeId, ScopeRecord, Suspect, SuspectId,
    Tenant, TenantId, TextId,
};

use super::ended_index::{ENDED_MASK, ended_id};
use super::index::{claim_key, pool_key, tenant_key};
use super::life_index::{due_key, end_key, kept_key, kept_name_key};
use super::suspect_index::{scope_key, suspect_key};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) tenants: Slab<Tenant, { size::TENANTS }>,
    pub(super) pools: Slab<Pool, { size::POOLS }>,
    /// By id of the pool.
    pub(super) contents: Slab<Content, { size::CONTENTS }>,
    pub(super) holds: Slab<Hold, { size::HOLDS }>,
    pub(super) texts: Slab<Arc<str>, { size::TEXTS }>,
    pub(super) events: Ring<Event, { size::EVENTS }>,
    pub(super) ended: Ring<Ended, { size::ENDED }>,
    pub(super) scopes: Slab<ScopeRecord, { size::SCOPES }>,
    pub(super) suspects: Slab<Suspect, { size::SUSPECTS }>,
}

impl Tables {
    pub(super) fn tenant(&self, id: TenantId) -> &Tenant {
        self.tenants.get(id).expect("an id of a tenant leads to it")
    }

    pub(super) fn pool(&self, id: PoolId) -> &Pool {
        self.pools.get(id).expect("an id of a pool leads to it")
    }

    pub(super) fn hold(&self, id: HoldId) -> &Hold {
        self.holds.get(id).expect("an id of a hold leads to it")
    }

    pub(super) fn scope(&self, id: ScopeId) -> &ScopeRecord {
        self.scopes.get(id).expect("an id of a scope leads to it")
    }

    pub(super) fn suspect(&self, id: SuspectId) -> &Suspect {
        self.suspects
            .get(id)
            .expect("an id of a suspect leads to it")
    }

    /// An interned text.
    pub(super) fn text(&self, id: TextId) -> &str {
        match id {
            None => "",
            Some(number) => self
                .texts
                .get(number.get().saturating_sub(1))
                .expect("an interned text is kept while something refers to it"),
        }
    }

    /// The ended holding that an index leads to.
    pub(super) fn ended_of(&self, id: u32) -> &Ended {
        self.ended
            .get(self.ended_number(id))
            .expect("an ended holding is kept while it is indexed")
    }

    /// An ended holding that may have left the ring is still there.
    pub(super) fn ended_is_kept(&self, id: u32) -> bool {
        self.ended_number(id) < self.ended.end()
    }

    /// An index has the low bits of a number; it is the first one in the ring that has them.
    pub(super) fn ended_number(&self, id: u32) -> u64 {
        let first = self.ended.first();
        let past = id.wrapping_sub(ended_id(first)) & ended_id(ENDED_MASK);
        first.saturating_add(u64::from(past))
    }

    pub(super) fn tenant_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| tenant_key(self.tenant(id))
    }

    pub(super) fn pool_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| pool_key(self.pool(id))
    }

    pub(super) fn claim_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| {
            claim_key(
                self.hold(id)
                    .claim()
                    .expect("the index of claims leads to claims"),
            )
        }
    }

    pub(super) fn kept_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| kept_key(self.hold(id))
    }

    pub(super) fn kept_name_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| kept_name_key(self.hold(id))
    }

    pub(super) fn scope_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| scope_key(self.scope(id))
    }

    pub(super) fn suspect_keys<'t>(&'t self) -> impl Fn(u32) -> Key<'t> {
        |id| suspect_key(self.suspect(id))
    }

    pub(super) fn due_keys(&self) -> impl Fn(u32) -> Key<'static> {
        |id| due_key(id, self.hold(id))
    }

    pub(super) fn end_keys(&self) -> impl Fn(u32) -> Key<'static> {
        |id| end_key(id, self.hold(id))
    }
}
