//! Allocations as shown.

use allocator::name::{Name, Owner};
use allocator::prefix::Family;
use allocator::view::{AllocationView, Phase, Purpose};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::fields::PoolRef;
use crate::problem::Viewer;
use crate::scalar::{Cidr, Time};

/// The system's record that a block is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Allocation {
    /// The block.
    pub cidr: Cidr,
    /// Its family.
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Family,
    /// The routing domain.
    #[schema(value_type = String)]
    pub space: Name,
    /// The pool that it is held from.
    pub pool: PoolRef,
    /// Why it is held.
    #[schema(schema_with = purpose_schema)]
    pub purpose: Purpose,
    /// The claim, for purpose `Claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub claim: Option<Name>,
    /// The child pool, for purpose `Child`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub child: Option<Name>,
    /// The holder's tenant: in a list over all tenants, and where it is another one, whose name and
    /// owner are not shown then. Of what is withheld, the pool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// Why, for purpose `Reservation`, where a reason was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Key of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Owner>,
    /// Where the holding is in its life.
    #[schema(schema_with = phase_schema)]
    pub phase: Phase,
    /// Fences this holding.
    pub generation: u64,
    /// When it was given.
    pub allocated_at: Time,
    /// When it was given back, where it is kept for the holder that left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Time>,
    /// When its lease ends: not before, but perhaps later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Until when it is kept: not before, but perhaps later. Absent where an operator has to reclaim
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim_at: Option<Time>,
    /// The revision of its last change.
    pub revision: u64,
}

impl Allocation {
    /// As `viewer` may see it.
    pub fn of(view: &AllocationView, viewer: Viewer<'_>) -> Self {
        let holder = view.claim.as_ref().or(view.child.as_ref());
        let holder = holder.map(|(tenant, _)| tenant);
        let hidden = holder.filter(|tenant| !viewer.sees(tenant));
        let whose = holder.unwrap_or(&view.tenant);
        let name_in = |holder: &Option<(Name, Name)>| match hidden {
            None => holder.as_ref().map(|(_, name)| name.clone()),
            Some(_) => None,
        };
        let (own, told) = match viewer {
            Viewer::Admin => (whose, Some(whose)),
            Viewer::Tenant(own) => (own, hidden),
        };
        Self {
            cidr: Cidr(view.cidr),
            family: view.cidr.family(),
            space: view.space.clone(),
            pool: PoolRef::seen_from(own, &view.tenant, &view.pool),
            purpose: view.purpose,
            claim: name_in(&view.claim),
            child: name_in(&view.child),
            tenant: told.cloned(),
            reason: view.reason.clone(),
            owner: if hidden.is_none() {
                view.owner.clone()
            } else {
                None
            },
            phase: view.phase,
            generation: view.generation,
            allocated_at: Time(view.allocated_at_ms),
            released_at: view.released_at_ms.map(Time),
            expires_at: view.expires_at_ms.map(Time),
            reclaim_at: view.reclaim_at_ms.map(Time),
            revision: view.revision,
        }
    }

    /// Its holder, `claim c` or `pool p`; `None` for a reservation and for another tenant's.
    pub fn holder_name(&self) -> Option<String> {
        match (&self.claim, &self.child) {
            (Some(claim), _) => Some(format!("claim {claim}")),
            (None, Some(child)) => Some(format!("pool {child}")),
            (None, None) => None,
        }
    }
}

/// Schema of [`Phase`], which the allocator owns.
pub(super) fn phase_schema() -> Object {
    words(&["Allocated", "InUse", "Released"])
}

/// Schema of [`Purpose`], which the allocator owns.
pub(super) fn purpose_schema() -> Object {
    words(&["Claim", "Child", "Reservation"])
}

/// Schema of one of some words.
pub(super) fn words(words: &[&str]) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(words.iter().copied()))
        .build()
}
