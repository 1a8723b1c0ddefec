//! Holdings in the past and the present.

use allocator::history::{EndReason, FreedBy, HoldingView};
use allocator::name::{Name, Owner};
use allocator::prefix::Family;
use allocator::view::{Phase, Purpose};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::{Labels, PoolRef};
use crate::problem::Viewer;
use crate::scalar::{Cidr, Time};

/// One holding of a block, by a claim or a child pool: from when to when, and why it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// The block.
    pub cidr: Cidr,
    /// Its family.
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Family,
    /// The routing domain.
    #[schema(value_type = String)]
    pub space: Name,
    /// The pool that it was held from.
    pub pool: PoolRef,
    /// By a claim or by a child pool.
    #[schema(schema_with = super::allocation::purpose_schema)]
    pub purpose: Purpose,
    /// The claim, for purposes `Claim` and `Reservation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub claim: Option<Name>,
    /// The child pool, for purpose `Child`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub child: Option<Name>,
    /// The holder's tenant: in a list over all tenants, and where it is another one, whose name, owner
    /// and labels are not shown then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// Key of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Owner>,
    /// Its labels, as last edited.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Fences this holding.
    pub generation: u64,
    /// Where it is in its life; `Released` once it has ended.
    #[schema(schema_with = super::allocation::phase_schema)]
    pub phase: Phase,
    /// When it began.
    pub from: Time,
    /// The revision with which it began; absent where the events do not reach back so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_revision: Option<u64>,
    /// When it ended; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// The revision with which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_revision: Option<u64>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = reason_schema)]
    pub reason: Option<HoldingReason>,
    /// The revision since which its block is not kept for its holder; absent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_revision: Option<u64>,
}

/// Why a holding ended; of one whose block was kept, what came of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldingReason {
    /// The claim gave its block back.
    Released,
    /// Its lease was over.
    Expired,
    /// It was released or expired, and the block was reclaimed after its grace or by an operator.
    Reclaimed,
    /// It was released or expired, and the block went back to its holder as another holding.
    Returned,
    /// The child pool was deleted.
    PoolDeleted,
}

impl Holding {
    /// As `viewer` may see it.
    pub fn of(view: &HoldingView, viewer: Viewer<'_>) -> Self {
        let (tenant, name) = &view.holder;
        let seen = viewer.sees(tenant);
        let is_child = view.purpose == Purpose::Child;
        let name_if = |wanted: bool| (seen && wanted).then(|| name.clone());
        let (own, told) = match viewer {
            Viewer::Admin => (tenant, true),
            Viewer::Tenant(own) => (own, !seen),
        };
        let end = view.end.as_ref();
        Self {
            cidr: Cidr(view.cidr),
            family: view.cidr.family(),
            space: view.space.clone(),
            pool: PoolRef::seen_from(own, &view.tenant, &view.pool),
            purpose: view.purpose,
            claim: name_if(!is_child),
            child: name_if(is_child),
            tenant: told.then(|| tenant.clone()),
            owner: view.owner.clone().filter(|_| seen),
            labels: if seen {
                Labels::from(&view.labels)
            } else {
                Labels::default()
            },
            generation: view.generation,
            phase: view.phase,
            from: Time(view.from_ms),
            from_revision: view.from_revision,
            to: end.map(|end| Time(end.at_ms)),
            to_revision: end.map(|end| end.revision),
            reason: end.map(|end| match (end.freed, end.reason) {
                (Some(FreedBy::Reclaim), _) => HoldingReason::Reclaimed,
                (Some(FreedBy::Return), _) => HoldingReason::Returned,
                (None, EndReason::Released) => HoldingReason::Released,
                (None, EndReason::Expired) => HoldingReason::Expired,
                (None, EndReason::PoolDeleted) => HoldingReason::PoolDeleted,
            }),
            gone_revision: end.and_then(|end| end.gone_revision),
        }
    }

    /// Its holder, `claim c` or `pool p`; `None` for another tenant's.
    pub fn holder_name(&self) -> Option<String> {
        match (&self.claim, &self.child) {
            (Some(claim), _) => Some(format!("claim {claim}")),
            (None, Some(child)) => Some(format!("pool {child}")),
            (None, None) => None,
        }
    }
}

impl std::fmt::Display for HoldingReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Reclaimed => "reclaimed",
            Self::Returned => "returned",
            Self::PoolDeleted => "poolDeleted",
        })
    }
}

fn reason_schema() -> utoipa::openapi::schema::Object {
    super::allocation::words(&[
        "released",
        "expired",
        "reclaimed",
        "returned",
        "poolDeleted",
    ])
}
