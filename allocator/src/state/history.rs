//! The past, from the records of ended holdings and the events that tell when each began.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::history::{
    EndReason, HistoryFilter, HistoryKey, HoldingEnd, HoldingView, Moment, PastError,
};
use crate::name::{Labels, Name};
use crate::prefix::Prefix;
use crate::record::{
    Claim, Ended, EndedHolder, Event, Extras, Hold, HoldId, Holder, PoolId, TenantId,
};
use crate::view::{EventId, EventKind, Page, Phase, Purpose};

use super::State;
use super::events::Compacted;
use super::list::Pager;

type HistoryPager = Pager<HoldingView, HistoryKey>;

/// The low half of a counter, as events keep it.
pub(super) fn low_half(counter: u64) -> u32 {
    u32::try_from(counter & u64::from(u32::MAX)).unwrap_or(0)
}

impl State {
    /// Holdings of claims and child pools: those that have ended, in the order in which their blocks were
    /// free again, then those that are held or kept. Examines at most 2,000 rows.
    pub fn history(
        &self,
        filter: &HistoryFilter,
        after: Option<&HistoryKey>,
        limit: usize,
    ) -> Page<HoldingView, HistoryKey> {
        let mut pager = Pager::new(limit);
        let flow = match after {
            None => self.history_ended(filter, self.tables.ended.first(), &mut pager),
            Some(HistoryKey::Ended(number)) => {
                self.history_ended(filter, number.saturating_add(1), &mut pager)
            }
            Some(HistoryKey::Held { .. }) => ControlFlow::Continue(()),
        };
        let held_after = match after {
            Some(HistoryKey::Held { tenant, pool, cidr }) => Some((tenant, pool, *cidr)),
            _ => None,
        };
        let flow = match flow {
            ControlFlow::Continue(()) => self.history_held(filter, held_after, &mut pager),
            ControlFlow::Break(()) => flow,
        };
        pager.page(flow.is_break())
    }

    fn history_ended(
        &self,
        filter: &HistoryFilter,
        first: u64,
        pager: &mut HistoryPager,
    ) -> ControlFlow<()> {
        let ring = &self.tables.ended;
        for number in first.max(ring.first())..ring.end() {
            let Some(ended) = ring.get(number) else {
                break;
            };
            if pager.is_full() {
                return ControlFlow::Break(());
            }
            let item = self
                .ended_passes(ended, filter)
                .then(|| self.ended_holding(ended));
            pager.row(HistoryKey::Ended(number), item);
        }
        ControlFlow::Continue(())
    }

    fn ended_passes(&self, ended: &Ended, filter: &HistoryFilter) -> bool {
        let is = |id, name: &Name| self.tables.text(id) == name.as_str();
        // Another tenant's names and owners lead to nothing.
        let seen = passes(filter.tenant.as_ref(), |name| is(ended.tenant, name));
        let of_claim = seen && matches!(ended.holder, EndedHolder::Claim { .. });
        let owner = ended.extras().and_then(|extras| extras.owner.as_ref());
        let owner = owner.filter(|_| seen);
        passes(filter.tenant.as_ref(), |name| {
            is(ended.tenant, name) || is(ended.pool_tenant, name)
        }) && passes(filter.space.as_ref(), |name| is(ended.space, name))
            && passes(filter.cidr, |cidr| cidr.overlaps(ended.block))
            && passes(filter.claim.as_ref(), |name| {
                of_claim && ended.name() == name
            })
            && passes(filter.pool.as_ref(), |name| is(ended.pool, name))
            && passes(filter.owner.as_ref(), |wanted| owner == Some(wanted))
    }

    fn history_held(
        &self,
        filter: &HistoryFilter,
        after: Option<(&Name, &Name, Prefix)>,
        pager: &mut HistoryPager,
    ) -> ControlFlow<()> {
        let own = match &filter.tenant {
            Some(tenant) => match self.tenant_find(tenant) {
                Ok(tenant) => Some(tenant),
                Err(_) => return ControlFlow::Continue(()),
            },
            None => None,
        };
        // Behind its own pools comes what a tenant holds of others': its keys are of another tenant.
        let elsewhere = own.and_then(|own| {
            let (tenant, _, cidr) = after?;
            (tenant != self.tenant_name(own)).then_some((own, cidr))
        });
        if let Some((own, cidr)) = elsewhere {
            return self.history_elsewhere(own, Some(cidr), filter, pager);
        }
        let at = after
            .and_then(|(tenant, pool, cidr)| Some((self.tenant_find(tenant).ok()?, pool, cidr)));
        let begun =
            at.and_then(|(tenant, pool, cidr)| Some((self.pool_find(tenant, pool)?, Some(cidr))));
        let tenant_begun = match after {
            Some((tenant, pool, _)) => {
                let id = self.tenant_find(tenant).ok();
                id.map(|id| (id, Some(pool)))
            }
            None => own.map(|tenant| (tenant, None)),
        };
        let rest = tenant_begun
            .into_iter()
            .flat_map(|(tenant, pool)| self.pools_after(tenant, pool));
        let others = own.is_none().then(|| {
            let tenants = self.tenants_after(after.map(|(tenant, ..)| tenant));
            tenants.flat_map(|tenant| self.pools_after(tenant, None))
        });
        let pools = rest
            .chain(others.into_iter().flatten())
            .map(|pool| (pool, None));
        for (pool, from) in begun.into_iter().chain(pools) {
            self.history_of_pool(pool, from, filter, pager)?;
        }
        match own {
            Some(own) => self.history_elsewhere(own, None, filter, pager),
            None => ControlFlow::Continue(()),
        }
    }

    /// Adds what a tenant holds of other tenants' pools, after a block; breaks off when the page is
    /// full, but not between two holdings of one block.
    fn history_elsewhere(
        &self,
        tenant: TenantId,
        after: Option<Prefix>,
        filter: &HistoryFilter,
        pager: &mut HistoryPager,
    ) -> ControlFlow<()> {
        let after = after.map(|cidr| (cidr, HoldId::MAX));
        let mut last = None;
        for (cidr, id) in self.index.foreign.after(tenant, after) {
            if pager.is_full() && last != Some(cidr) {
                return ControlFlow::Break(());
            }
            last = Some(cidr);
            let hold = self.tables.hold(id);
            let pool = self.tables.pool(hold.pool);
            let passes = passes(filter.space.as_ref(), |space| pool.space == *space)
                && passes(filter.pool.as_ref(), |name| pool.spec.name == *name)
                && self.held_passes(hold, filter);
            let item = passes.then(|| self.held_holding(hold)).flatten();
            let key = HistoryKey::Held {
                tenant: pool.spec.tenant.clone(),
                pool: pool.spec.name.clone(),
                cidr,
            };
            pager.row(key, item);
        }
        ControlFlow::Continue(())
    }

    /// Adds what is held from one pool, after a block; breaks off when the page is full.
    fn history_of_pool(
        &self,
        id: PoolId,
        after: Option<Prefix>,
        filter: &HistoryFilter,
        pager: &mut HistoryPager,
    ) -> ControlFlow<()> {
        let pool = self.tables.pool(id);
        let (tenant, name) = (&pool.spec.tenant, &pool.spec.name);
        let key = |cidr| HistoryKey::Held {
            tenant: tenant.clone(),
            pool: name.clone(),
            cidr,
        };
        let may_hold = passes(filter.space.as_ref(), |space| pool.space == *space)
            && passes(filter.pool.as_ref(), |wanted| name == wanted);
        let tries = &self.pool_index(id).tries;
        for trie in tries {
            let block = trie.cidr();
            if !may_hold || !passes(filter.cidr, |cidr| cidr.overlaps(block)) {
                continue;
            }
            let nodes = &self.index.nodes;
            let mut visit = |id: HoldId| {
                let hold = self.tables.hold(id);
                if after.is_some_and(|after| hold.block <= after) {
                    return ControlFlow::Continue(());
                }
                if pager.is_full() {
                    return ControlFlow::Break(());
                }
                let passes = self.held_passes(hold, filter);
                let item = passes.then(|| self.held_holding(hold)).flatten();
                pager.row(key(hold.block), item);
                ControlFlow::Continue(())
            };
            let inside = filter.cidr.filter(|cidr| block.contains(*cidr));
            let around = inside.and_then(|cidr| trie.covering(nodes, cidr));
            if let Some(id) = around {
                visit(id)?;
                continue;
            }
            let first = filter.cidr.map(|cidr| block.first().max(cidr.first()));
            let first = first.max(after.map(Prefix::first));
            let mut beyond = false;
            let flow = trie.holds_from(nodes, first, &mut |id| {
                let begins = self.tables.hold(id).block.first();
                beyond = filter.cidr.is_some_and(|cidr| begins > cidr.last());
                if beyond {
                    return ControlFlow::Break(());
                }
                visit(id)
            });
            if !beyond {
                flow?;
            }
        }
        if pager.is_full() {
            return ControlFlow::Break(());
        }
        // The pool is a row, too: its key stands behind all that it holds.
        let last = Prefix::single(crate::prefix::Address::from([u8::MAX; 16]));
        pager.row(key(last), None);
        ControlFlow::Continue(())
    }

    fn held_passes(&self, hold: &Hold, filter: &HistoryFilter) -> bool {
        // Another tenant's names and owners lead to nothing.
        let seen = |tenant: &Name| passes(filter.tenant.as_ref(), |name| name == tenant);
        let claim = hold
            .claim()
            .filter(|claim| seen(self.tenant_name(claim.tenant)));
        let owner = match &hold.holder {
            Holder::Claim(_) => claim.and_then(Claim::owner),
            Holder::Child { pool } => {
                let spec = &self.tables.pool(*pool).spec;
                spec.owner.as_ref().filter(|_| seen(&spec.tenant))
            }
            Holder::Reservation { .. } => None,
        };
        passes(filter.cidr, |cidr| cidr.overlaps(hold.block))
            && passes(filter.claim.as_ref(), |name| {
                claim.is_some_and(|claim| claim.name == *name)
            })
            && passes(filter.owner.as_ref(), |wanted| owner == Some(wanted))
    }

    /// A holding that goes on, or whose block is kept; `None` for a reservation.
    fn held_holding(&self, hold: &Hold) -> Option<HoldingView> {
        let pool = self.tables.pool(hold.pool);
        let (holder, owner, labels) = match &hold.holder {
            Holder::Claim(claim) => (
                (self.tenant_name(claim.tenant).clone(), claim.name.clone()),
                claim.owner().cloned(),
                labels_of(claim.extras.as_deref()),
            ),
            Holder::Child { pool } => {
                let spec = &self.tables.pool(*pool).spec;
                (
                    self.pool_names(*pool),
                    spec.owner.clone(),
                    spec.labels.clone(),
                )
            }
            Holder::Reservation { .. } => return None,
        };
        Some(HoldingView {
            cidr: hold.block,
            space: pool.space.clone(),
            tenant: pool.spec.tenant.clone(),
            pool: pool.spec.name.clone(),
            purpose: hold.purpose(),
            holder,
            owner,
            labels,
            generation: hold.generation,
            phase: hold.phase,
            from_ms: hold.allocated_at_ms,
            from_revision: self.began(hold.generation),
            end: hold.kept().map(|kept| HoldingEnd {
                at_ms: kept.released_at_ms,
                revision: hold.revision,
                reason: if kept.expired {
                    EndReason::Expired
                } else {
                    EndReason::Released
                },
                gone_revision: None,
                freed: None,
            }),
        })
    }

    pub(super) fn ended_holding(&self, ended: &Ended) -> HoldingView {
        let purpose = match &ended.holder {
            EndedHolder::Claim { asked, .. } if asked.reservation => Purpose::Reservation,
            EndedHolder::Claim { .. } => Purpose::Claim,
            EndedHolder::Child { .. } => Purpose::Child,
        };
        HoldingView {
            cidr: ended.block,
            space: self.text_name(ended.space),
            tenant: self.text_name(ended.pool_tenant),
            pool: self.text_name(ended.pool),
            purpose,
            holder: (self.text_name(ended.tenant), ended.name().clone()),
            owner: ended.extras().and_then(|extras| extras.owner.clone()),
            labels: labels_of(ended.extras()),
            generation: ended.generation,
            phase: Phase::Released,
            from_ms: ended.allocated_at_ms,
            from_revision: self.began(ended.generation),
            end: Some(HoldingEnd {
                at_ms: ended.until_ms,
                revision: ended.revision,
                reason: ended.reason,
                gone_revision: Some(ended.gone),
                freed: ended.freed,
            }),
        }
    }

    /// Revision at which a holding of a claim or child pool began; `None` where that is before the
    /// events.
    pub(super) fn began(&self, generation: u64) -> Option<u64> {
        let ring = &self.tables.events;
        let number = self.event_where(|event| self.given_by(event) < generation);
        let event = ring.get(number)?;
        let gives = matches!(
            event.kind,
            EventKind::Allocated | EventKind::Returned | EventKind::PoolCreated
        );
        (gives && event.generation == generation).then_some(event.revision)
    }

    /// The hold of a generation, where the event that gave it is kept and it is held or kept still.
    pub(super) fn held_by_generation(&self, generation: u64) -> Option<&Hold> {
        let number = self.event_where(|event| self.given_by(event) < generation);
        let event = self.tables.events.get(number)?;
        let hold = self.tables.holds.get(event.hold)?;
        (event.generation == generation && hold.generation == generation).then_some(hold)
    }

    /// The last generation that was given when an event happened: it has the low half of it.
    fn given_by(&self, event: &Event) -> u64 {
        let now = self.meta.generation;
        now.saturating_sub(u64::from(low_half(now).wrapping_sub(event.given)))
    }

    /// Number of the first event that is not before something, for what only becomes so once.
    fn event_where(&self, is_before: impl Fn(&Event) -> bool) -> u64 {
        let ring = &self.tables.events;
        let (mut low, mut high) = (ring.first(), ring.end());
        while low < high {
            let middle = low.midpoint(high);
            if ring.get(middle).is_some_and(&is_before) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// The revision at a moment, and the wall time then.
    pub(super) fn moment(&self, moment: Moment) -> Result<(u64, u64), PastError> {
        let gone = |dropped: EventId| {
            let oldest = dropped.revision.saturating_add(1);
            PastError::Compacted(Compacted { oldest })
        };
        let ring = &self.tables.events;
        let last_before = |number: u64| ring.get(number.checked_sub(1)?);
        match moment {
            Moment::Revision(revision) if revision > self.meta.revision => {
                Err(PastError::NotReached(self.meta.revision))
            }
            Moment::Revision(revision) => {
                let end = EventId::end_of(revision);
                self.events_reach(end).map_err(PastError::Compacted)?;
                let last = last_before(self.event_after(end));
                let at_ms = last.map_or(self.meta.dropped_at_ms, |event| event.at_ms);
                Ok((revision, at_ms))
            }
            Moment::Time(at_ms) => {
                let next = self.event_where(|event| event.at_ms <= at_ms);
                let revision = match (last_before(next), self.meta.dropped) {
                    (Some(_), _) if next == ring.end() => self.meta.revision,
                    (Some(event), _) => event.revision,
                    (None, Some(dropped)) if at_ms < self.meta.dropped_at_ms => {
                        return Err(gone(dropped));
                    }
                    (None, Some(dropped)) => dropped.revision,
                    (None, None) => 0,
                };
                Ok((revision, at_ms))
            }
        }
    }

    /// The ended holdings of exactly a block whose end came after a revision, at most so many: of the
    /// tenant's own pools, and of what it had of other tenants' pools.
    pub(super) fn ended_after(
        &self,
        tenant: &Name,
        space: &Name,
        block: Prefix,
        revision: u64,
    ) -> Vec<&Ended> {
        let text = |name: &Name| self.texts.find(&self.tables, name.as_str());
        let (Some(tenant), Some(space)) = (text(tenant), text(space)) else {
            return Vec::new();
        };
        let scope = (Some(tenant), Some(space));
        let first = self.ended_where(|ended| ended.gone <= revision);
        self.index
            .ended
            .of_block(&self.tables, scope, block, first)
            .take(super::list::LIST_ROWS_MAX)
            .map(|id| self.tables.ended_of(id))
            .filter(|ended| ended.block == block && (ended.pool_tenant, ended.space) == scope)
            .chain(
                self.index
                    .ended
                    .elsewhere(scope.0, block, first)
                    .take(super::list::LIST_ROWS_MAX)
                    .filter_map(|number| self.tables.ended.get(number))
                    .filter(|ended| ended.space == scope.1),
            )
            .collect()
    }

    /// Number of the first ended holding that is not before something; they are in the order of their
    /// ends.
    pub(super) fn ended_where(&self, is_before: impl Fn(&Ended) -> bool) -> u64 {
        let ring = &self.tables.ended;
        let (mut low, mut high) = (ring.first(), ring.end());
        while low < high {
            let middle = low.midpoint(high);
            if ring.get(middle).is_some_and(&is_before) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

fn labels_of(extras: Option<&Extras>) -> Labels {
    extras.map_or_else(Labels::new, |extras| extras.labels.to_labels())
}

fn passes<T>(wanted: Option<T>, test: impl FnOnce(T) -> bool) -> bool {
    wanted.is_none_or(test)
}
