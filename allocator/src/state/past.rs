//! Who had an address or block at a moment in the past, after the holder and its pool are gone as well.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::answer::Rejection;
use crate::history::{Moment, PastError, PastView};
use crate::name::Name;
use crate::prefix::Prefix;
use crate::record::{Ended, EndedHolder, HoldId, Holder};
use crate::view::{AllocationView, ClaimView, LookupView, Phase, Purpose};

use super::State;
use super::list::LIST_ROWS_MAX;

/// A holding that contained the block then.
enum Then<'a> {
    Held(HoldId),
    Ended(&'a Ended),
}

/// A moment: after a revision, at a wall time.
#[derive(Clone, Copy)]
struct At {
    revision: u64,
    ms: u64,
}

impl State {
    /// Who had that address or block at a moment, as [`State::lookup`] tells it of the present. Labels
    /// and owner of a holder are as it last had them. Of what was withheld, only what still is.
    ///
    /// # Errors
    /// [`PastError::Compacted`] where the moment lies before what is kept; [`PastError::NotReached`];
    /// [`Rejection::TenantNotFound`]; [`Rejection::TooMany`] for a block that nothing contains and in
    /// which too much was held to tell whether it was held in part.
    pub fn lookup_at(
        &self,
        tenant: &Name,
        space: &Name,
        query: Prefix,
        moment: Moment,
    ) -> Result<PastView, PastError> {
        if !self.tenant_is_known(tenant) {
            let tenant = tenant.clone();
            let refused = Rejection::TenantNotFound { tenant };
            return Err(PastError::Refused(Box::new(refused)));
        }
        let (revision, ms) = self.moment(moment)?;
        let at = At { revision, ms };
        let chain = self.chain_at(tenant, space, query, at);
        let innermost = chain
            .last()
            .filter(|then| !self.is_child(then) || self.block_then(then) == query);
        let held_in_part = innermost.is_none()
            && !query.is_single()
            && self.was_held_inside(tenant, space, query, at)?;
        let lookup = LookupView {
            query,
            pools: self.pools_then(&chain, tenant, space, query, at),
            allocation: innermost.map(|then| self.allocation_then(then, at)),
            held_in_part,
            claim: innermost.and_then(|then| self.claim_then(then, at)),
        };
        Ok(PastView { revision, lookup })
    }

    /// The holdings that contained a block, the outermost first.
    fn chain_at(&self, tenant: &Name, space: &Name, query: Prefix, at: At) -> Vec<Then<'_>> {
        let mut chain: Vec<Then<'_>> = Vec::new();
        if let Ok(tenant) = self.tenant_find(tenant) {
            let (_, holds) = self.chain(tenant, space, query);
            chain.extend(
                holds
                    .into_iter()
                    .filter(|id| self.was_held(*id, at))
                    .map(Then::Held),
            );
        }
        for length in 0..=query.length() {
            let Some(block) = Prefix::around(query.first(), length) else {
                continue;
            };
            let ended = self.ended_after(tenant, space, block, at.revision);
            let then = ended
                .into_iter()
                .filter(|ended| self.began_by(ended.generation, at));
            chain.extend(then.map(Then::Ended));
        }
        // Of two with one block the child pool is around the claim in it.
        chain.sort_by_key(|then| {
            let depth = u8::from(!self.is_child(then));
            (
                self.block_then(then).length(),
                depth,
                self.generation_then(then),
            )
        });
        chain
    }

    fn began_by(&self, generation: u64, at: At) -> bool {
        self.began(generation)
            .is_none_or(|revision| revision <= at.revision)
    }

    fn was_held(&self, id: HoldId, at: At) -> bool {
        let hold = self.tables.hold(id);
        match hold.holder {
            Holder::Reservation { .. } => hold.revision <= at.revision,
            Holder::Claim(_) | Holder::Child { .. } => self.began_by(hold.generation, at),
        }
    }

    fn is_child(&self, then: &Then<'_>) -> bool {
        match then {
            Then::Held(id) => matches!(self.tables.hold(*id).holder, Holder::Child { .. }),
            Then::Ended(ended) => matches!(ended.holder, EndedHolder::Child { .. }),
        }
    }

    fn block_then(&self, then: &Then<'_>) -> Prefix {
        match then {
            Then::Held(id) => self.tables.hold(*id).block,
            Then::Ended(ended) => ended.block,
        }
    }

    fn generation_then(&self, then: &Then<'_>) -> u64 {
        match then {
            Then::Held(id) => self.tables.hold(*id).generation,
            Then::Ended(ended) => ended.generation,
        }
    }

    /// The pools around a block: those that its holdings were from, and the child pool that is the last
    /// of them. Where nothing held it, the root that is there since then.
    fn pools_then(
        &self,
        chain: &[Then<'_>],
        tenant: &Name,
        space: &Name,
        query: Prefix,
        at: At,
    ) -> Vec<(Name, Name)> {
        let mut pools: Vec<(Name, Name)> = Vec::new();
        for then in chain {
            let (pool, child) = match then {
                Then::Held(id) => {
                    let hold = self.tables.hold(*id);
                    let child = match hold.holder {
                        Holder::Child { pool } => Some(self.pool_names(pool)),
                        Holder::Claim(_) | Holder::Reservation { .. } => None,
                    };
                    (self.pool_names(hold.pool), child)
                }
                Then::Ended(ended) => {
                    let child = match &ended.holder {
                        EndedHolder::Child { name, .. } => {
                            Some((self.text_name(ended.tenant), name.clone()))
                        }
                        EndedHolder::Claim { .. } => None,
                    };
                    let pool = (
                        self.text_name(ended.pool_tenant),
                        self.text_name(ended.pool),
                    );
                    (pool, child)
                }
            };
            // Another tenant's child pool is told by what is held of it, if that is to be seen.
            let child = child.filter(|(owner, _)| owner == tenant);
            for name in [Some(pool), child].into_iter().flatten() {
                if pools.last() != Some(&name) {
                    pools.push(name);
                }
            }
        }
        let root = self
            .tenant_find(tenant)
            .ok()
            .filter(|_| pools.is_empty())
            .and_then(|tenant| self.index.root_overlapping(tenant, space, query))
            .filter(|(cidr, pool)| {
                cidr.contains(query) && self.tables.pool(*pool).created_revision <= at.revision
            });
        pools.extend(root.map(|(_, pool)| self.pool_names(pool)));
        pools
    }

    fn allocation_then(&self, then: &Then<'_>, at: At) -> AllocationView {
        let mut view = match then {
            Then::Held(id) => self.allocation_view(*id),
            Then::Ended(ended) => self.ended_allocation(ended),
        };
        view.phase = match (self.ended_by(then, at), self.used_by(then, at)) {
            (true, _) => Phase::Released,
            (false, true) => Phase::InUse,
            (false, false) => Phase::Allocated,
        };
        if view.phase != Phase::Released {
            (view.released_at_ms, view.reclaim_at_ms) = (None, None);
        }
        view.revision = view.revision.min(at.revision);
        view
    }

    fn ended_allocation(&self, ended: &Ended) -> AllocationView {
        let holding = self.ended_holding(ended);
        let (claim, child) = match holding.purpose {
            Purpose::Claim | Purpose::Reservation => (Some(holding.holder), None),
            Purpose::Child => (None, Some(holding.holder)),
        };
        AllocationView {
            cidr: holding.cidr,
            space: holding.space,
            tenant: holding.tenant,
            pool: holding.pool,
            purpose: holding.purpose,
            claim,
            child,
            reason: None,
            owner: holding.owner,
            phase: Phase::Released,
            generation: holding.generation,
            allocated_at_ms: holding.from_ms,
            expires_at_ms: None,
            released_at_ms: Some(ended.until_ms),
            reclaim_at_ms: None,
            revision: ended.revision,
        }
    }

    /// Its use was confirmed by then. Of two changes at one wall time the revisions tell the order.
    fn used_by(&self, then: &Then<'_>, at: At) -> bool {
        let life = match then {
            Then::Held(id) => self.tables.hold(*id).life(),
            Then::Ended(ended) => ended.life(),
        };
        life.is_some_and(|life| life.used_by(at.revision))
    }

    /// It had ended by then, and its block was kept.
    fn ended_by(&self, then: &Then<'_>, at: At) -> bool {
        match then {
            Then::Held(id) => {
                let hold = self.tables.hold(*id);
                hold.kept().is_some() && hold.revision <= at.revision
            }
            Then::Ended(ended) => ended.revision <= at.revision,
        }
    }

    /// The claim that held it; what was kept for one that was gone has none.
    fn claim_then(&self, then: &Then<'_>, at: At) -> Option<Box<ClaimView>> {
        if self.ended_by(then, at) {
            return None;
        }
        let mut view = match then {
            Then::Held(id) => {
                let hold = self.tables.hold(*id);
                self.claim_view(hold, hold.claim()?)
            }
            Then::Ended(ended) => self.ended_view(ended)?,
        };
        view.in_use_at_ms = view.in_use_at_ms.filter(|_| self.used_by(then, at));
        view.phase = match view.in_use_at_ms {
            Some(_) => Phase::InUse,
            None => Phase::Allocated,
        };
        view.expiring_since_ms = view.expiring_since_ms.filter(|since| *since <= at.ms);
        (view.released_at_ms, view.reclaim_at_ms) = (None, None);
        view.revision = view.revision.min(at.revision);
        Some(Box::new(view))
    }

    /// Something inside a block was held.
    fn was_held_inside(
        &self,
        tenant: &Name,
        space: &Name,
        query: Prefix,
        at: At,
    ) -> Result<bool, PastError> {
        let first = self.ended_where(|ended| ended.gone <= at.revision);
        let mut rows = 0_usize;
        let is = |id, name: &Name| self.tables.text(id) == name.as_str();
        let mut too_many = false;
        for number in first..self.tables.ended.end() {
            let Some(ended) = self.tables.ended.get(number) else {
                break;
            };
            rows = rows.saturating_add(1);
            if rows > LIST_ROWS_MAX {
                too_many = true;
                break;
            }
            if query.contains(ended.block)
                && (is(ended.pool_tenant, tenant) || is(ended.tenant, tenant))
                && is(ended.space, space)
                && self.began_by(ended.generation, at)
            {
                return Ok(true);
            }
        }
        let held = self.is_held_inside_since(tenant, space, query, at);
        match held {
            Some(true) => Ok(true),
            Some(false) if !too_many => Ok(false),
            Some(false) | None => {
                let refused = Rejection::TooMany {
                    what: "cidr".into(),
                    count: self.tables.ended.end().saturating_sub(first),
                    limit: super::views::count(LIST_ROWS_MAX),
                };
                Err(PastError::Refused(Box::new(refused)))
            }
        }
    }

    /// Something inside a block is held since then; `None` where there is too much to tell.
    fn is_held_inside_since(
        &self,
        tenant: &Name,
        space: &Name,
        query: Prefix,
        at: At,
    ) -> Option<bool> {
        use core::ops::ControlFlow;
        let Ok(tenant) = self.tenant_find(tenant) else {
            return Some(false);
        };
        let elsewhere = self.foreign_inside(tenant, space, query);
        if elsewhere.into_iter().any(|id| self.was_held(id, at)) {
            return Some(true);
        }
        let (pools, _) = self.chain(tenant, space, query);
        let inside = self
            .index
            .roots_inside(tenant, space, query)
            .take(LIST_ROWS_MAX);
        let (mut rows, mut found) = (0_usize, false);
        let around = pools.last().map(|pool| (query, *pool));
        for (cidr, pool) in around.into_iter().chain(inside) {
            if let Some(trie) = self.pool_index(pool).trie(cidr) {
                let flow = trie.holds_from(&self.index.nodes, Some(query.first()), &mut |id| {
                    let block = self.tables.hold(id).block;
                    rows = rows.saturating_add(1);
                    if !query.contains(block) || rows > LIST_ROWS_MAX {
                        return ControlFlow::Break(());
                    }
                    found = self.was_held(id, at);
                    if found {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                });
                if found {
                    return Some(true);
                }
                if flow.is_break() && rows > LIST_ROWS_MAX {
                    return None;
                }
            }
        }
        Some(false)
    }
}
