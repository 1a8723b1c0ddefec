//! The ring of events as those who watch read it: from a place on, so many at a time.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::name::Name;
use crate::record::{Event, TextId};
use crate::view::EventId;
use crate::watch::{EventFilter, WatchPage, WatchedEvent, WatchedKind, WatchedObject};

use super::State;
use super::events::Compacted;
use super::list::LIST_ROWS_MAX;

/// Texts that an event must have; `None` lets every one pass.
struct Wanted {
    tenant: Option<TextId>,
    pool: Option<TextId>,
}

impl State {
    /// The place behind all that has happened.
    pub fn events_end(&self) -> EventId {
        EventId::end_of(self.meta.revision)
    }

    /// No event after that place has been dropped.
    ///
    /// # Errors
    /// [`Compacted`] where one has.
    pub fn events_reach(&self, after: EventId) -> Result<(), Compacted> {
        match self.meta.dropped {
            Some(dropped) if after < dropped => Err(Compacted {
                oldest: dropped.revision.saturating_add(1),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The events after a place that pass a filter: at most `limit` of them, at most 2,000 looked at, and
    /// of those at most `limit` further than their records. After a place that is not reached yet there
    /// are none.
    ///
    /// # Errors
    /// [`Compacted`] where events after that place have been dropped.
    pub fn watch(
        &self,
        after: EventId,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<WatchPage, Compacted> {
        self.events_reach(after)?;
        let ring = &self.tables.events;
        let mut page = WatchPage {
            items: Vec::new(),
            reached: after,
            is_end: false,
        };
        let wanted = self.wanted(filter);
        let mut built = 0_usize;
        let first = self.event_after(after);
        let numbers = first..ring.end();
        for number in numbers.take(LIST_ROWS_MAX) {
            let Some(event) = ring.get(number) else {
                break;
            };
            if built >= limit {
                return Ok(page);
            }
            page.reached = event.id();
            if let Some(wanted) = &wanted
                && wanted.passes(event)
                && self.holder_passes(event, filter)
            {
                built = built.saturating_add(1);
                let event = self.watched(event);
                page.items.extend(filter.passes(&event).then_some(event));
            }
        }
        let rows = ring.end().saturating_sub(first);
        if rows <= u64::try_from(LIST_ROWS_MAX).unwrap_or(u64::MAX) {
            page.reached = after.max(self.events_end());
            page.is_end = true;
        }
        Ok(page)
    }

    /// There is a tenant of that name, or there was one of which an event is still kept, or what another
    /// tenant held of a pool of its.
    pub fn tenant_is_known(&self, tenant: &Name) -> bool {
        // Pools, routing domains and actors have texts, too: theirs are not told apart from free ones.
        let text = self.texts.find(&self.tables, tenant.as_str());
        self.tenant_find(tenant).is_ok() || self.texts.past_tenants(text) > 0
    }

    /// `None` where no event can pass, since none has the texts.
    fn wanted(&self, filter: &EventFilter) -> Option<Wanted> {
        let text = |name: &Option<Name>| match name {
            None => Some(None),
            Some(name) => {
                let id = self.texts.find(&self.tables, name.as_str());
                id.is_some().then_some(Some(id))
            }
        };
        Some(Wanted {
            tenant: text(&filter.tenant)?,
            pool: text(&filter.pool)?,
        })
    }

    /// `false` for what a filter keeps out by the kind of object, or by owner and labels of a claim, so
    /// that no view is built of it.
    fn holder_passes(&self, event: &Event, filter: &EventFilter) -> bool {
        if filter
            .kind
            .is_some_and(|kind| kind != event.kind.concerns())
        {
            return false;
        }
        if event.kind.concerns() != WatchedKind::Claim || filter.passes_all_holders() {
            return true;
        }
        let Some(holding) = self.holding_record(event) else {
            return true;
        };
        let extras = holding.extras();
        filter.passes_holder(extras.and_then(|extras| extras.owner.as_ref()), |key| {
            extras.and_then(|extras| extras.labels.get(key))
        })
    }

    fn watched(&self, event: &Event) -> WatchedEvent {
        let view = self.event_view(event);
        let object = match view.claim {
            Some(claim) => {
                let holding = self.holding_record(event);
                let was_in_use = holding.is_some_and(|holding| holding.used_by(event.revision));
                WatchedObject::Claim(Box::new(claim.told_by(view.id, view.kind, was_in_use)))
            }
            None => self.watched_object(&view.tenant, view.pool.as_ref(), event),
        };
        WatchedEvent {
            id: view.id,
            kind: view.kind,
            at_ms: view.at_ms,
            tenant: view.tenant,
            pool: view.pool,
            object,
        }
    }

    /// The pool or tenant of an event, if it is still there: one of the same name that was made later
    /// is another one.
    fn watched_object(&self, tenant: &Name, pool: Option<&Name>, event: &Event) -> WatchedObject {
        let deleted = matches!(
            event.kind,
            crate::view::EventKind::PoolDeleted | crate::view::EventKind::TenantDeleted
        );
        let Some(tenant) = self.tenant_find(tenant).ok().filter(|_| !deleted) else {
            return WatchedObject::Gone;
        };
        if event.kind.concerns() == WatchedKind::Tenant {
            let same = self.tables.tenant(tenant).created_revision <= event.revision;
            return if same {
                WatchedObject::Tenant(Box::new(self.tenant_view(tenant)))
            } else {
                WatchedObject::Gone
            };
        }
        let id = pool.and_then(|pool| self.pool_find(tenant, pool));
        match id.filter(|id| self.tables.pool(*id).created_revision <= event.revision) {
            Some(id) => WatchedObject::Pool(Box::new(self.pool_view(id))),
            None => WatchedObject::Gone,
        }
    }
}

impl Wanted {
    fn passes(&self, event: &Event) -> bool {
        self.tenant.is_none_or(|tenant| event.tenant == tenant)
            && self.pool.is_none_or(|pool| event.pool == pool)
    }
}
