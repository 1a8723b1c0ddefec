//! What a watch tells: events with what they concern, from a place on, in order.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::filter::LabelSelector;
use crate::name::{Labels, Name, Owner};
use crate::view::{ClaimView, EventId, EventKind, Phase, PoolView, TenantView};

/// What kind of object an event concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WatchedKind {
    /// A claim, or a holding of it.
    Claim,
    /// A pool.
    Pool,
    /// A tenant.
    Tenant,
}

impl EventKind {
    /// What kind of object it concerns.
    pub fn concerns(self) -> WatchedKind {
        match self {
            Self::TenantCreated | Self::TenantDeleted | Self::TenantChanged => WatchedKind::Tenant,
            Self::PoolCreated | Self::PoolDeleted | Self::PoolChanged => WatchedKind::Pool,
            Self::Allocated
            | Self::Confirmed
            | Self::Renewed
            | Self::Expiring
            | Self::Expired
            | Self::Released
            | Self::ClaimChanged
            | Self::Returned
            | Self::Reclaimed => WatchedKind::Claim,
        }
    }
}

/// Which events to tell; what is `None` or empty lets everything pass.
///
/// Owner and labels are those that are known when the event is read: as last edited. Of a pool or
/// tenant that is gone they are not known; its deletion is told all the same, its other events are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Of this tenant's objects.
    pub tenant: Option<Name>,
    /// Of objects of this kind.
    pub kind: Option<WatchedKind>,
    /// Of this pool of the object's tenant, and of what is held from it.
    pub pool: Option<Name>,
    /// Of what this owner holds.
    pub owner: Option<Owner>,
    /// Of what has labels that match.
    pub labels: LabelSelector,
}

/// An event with what it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedEvent {
    /// Where it stands among all events.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// Wall time at which it happened.
    pub at_ms: u64,
    /// The tenant whose object it concerns.
    pub tenant: Name,
    /// The pool that it concerns, or that the holding is from.
    pub pool: Option<Name>,
    /// What it concerns.
    pub object: WatchedObject,
}

/// What an event concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WatchedObject {
    /// The holding of a claim: phase and times as they were, labels as last edited.
    Claim(Box<ClaimView>),
    /// The pool as it is.
    Pool(Box<PoolView>),
    /// The tenant as it is.
    Tenant(Box<TenantView>),
    /// A pool or tenant that is gone.
    Gone,
}

/// Events that follow a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchPage {
    /// Those that pass the filter, in order.
    pub items: Vec<WatchedEvent>,
    /// All events up to here, this one included, were looked at.
    pub reached: EventId,
    /// There is none behind it at present.
    pub is_end: bool,
}

impl EventId {
    /// Behind all events of a revision, and before those of the next one.
    pub fn end_of(revision: u64) -> Self {
        Self {
            revision,
            ordinal: u32::MAX,
        }
    }
}

impl EventFilter {
    /// Whether an event is to be told.
    pub fn passes(&self, event: &WatchedEvent) -> bool {
        self.tenant
            .as_ref()
            .is_none_or(|tenant| event.tenant == *tenant)
            && self.kind.is_none_or(|kind| event.kind.concerns() == kind)
            && self.pool.as_ref().is_none_or(|pool| event.is_of_pool(pool))
            && (self.passes_all_holders() || self.passes_object(event))
    }

    /// Owner and labels keep nothing out.
    pub(crate) fn passes_all_holders(&self) -> bool {
        self.owner.is_none() && self.labels.requirements.is_empty()
    }

    /// Whether what has that owner and those labels is to be told.
    pub(crate) fn passes_holder<'a>(
        &self,
        owner: Option<&Owner>,
        label: impl Fn(&str) -> Option<&'a str>,
    ) -> bool {
        self.owner
            .as_ref()
            .is_none_or(|wanted| owner == Some(wanted))
            && self.labels.matches(label)
    }

    fn passes_object(&self, event: &WatchedEvent) -> bool {
        let (owner, labels): (Option<&Owner>, &Labels) = match &event.object {
            WatchedObject::Claim(claim) => (claim.spec.owner.as_ref(), &claim.spec.labels),
            WatchedObject::Pool(pool) => (pool.spec.owner.as_ref(), &pool.spec.labels),
            WatchedObject::Tenant(tenant) => (None, &tenant.spec.labels),
            WatchedObject::Gone => {
                return matches!(
                    event.kind,
                    EventKind::PoolDeleted | EventKind::TenantDeleted
                );
            }
        };
        self.passes_holder(owner, |key| labels.get(key).map(|value| &**value))
    }
}

impl WatchedEvent {
    /// It concerns the pool of that name, or a claim from it, of the event's own tenant.
    fn is_of_pool(&self, pool: &Name) -> bool {
        let own = match &self.object {
            WatchedObject::Claim(claim) => claim.pool_tenant == self.tenant,
            WatchedObject::Pool(_) | WatchedObject::Tenant(_) | WatchedObject::Gone => true,
        };
        own && self.pool.as_ref() == Some(pool)
    }
}

impl ClaimView {
    /// The holding as far as it had come with an event of it: what happened to it later is not told.
    pub(crate) fn told_by(mut self, id: EventId, kind: EventKind, was_in_use: bool) -> Self {
        let ended = matches!(
            kind,
            EventKind::Released | EventKind::Expired | EventKind::Reclaimed
        );
        self.revision = id.revision;
        self.in_use_at_ms = self.in_use_at_ms.filter(|_| was_in_use);
        if kind != EventKind::Expiring {
            self.expiring_since_ms = None;
        }
        if ended {
            self.phase = Phase::Released;
            return self;
        }
        self.phase = match kind {
            EventKind::Allocated | EventKind::Returned => Phase::Allocated,
            _ if self.in_use_at_ms.is_some() => Phase::InUse,
            _ => Phase::Allocated,
        };
        if self.phase == Phase::Allocated {
            self.in_use_at_ms = None;
        }
        (self.released_at_ms, self.reclaim_at_ms) = (None, None);
        self
    }
}
