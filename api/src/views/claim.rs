//! Claims as shown.

use allocator::command::ClaimFrom;
use allocator::life::ReclaimPolicy;
use allocator::name::{Name, Owner};
use allocator::prefix::{Address, Family};
use allocator::view::{ClaimView, Phase};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Condition;
use crate::fields::{ClaimPurpose, Labels, PoolRef};
use crate::handout::{Dns, Route, routes_of};
use crate::pool_selector::PoolSelector;
use crate::scalar::{Cidr, Time};

/// A claim, or one holding of it that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Its name.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: Name,
    /// Whose it is, in a list over all tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// The pool that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolRef>,
    /// By what its pool was found, where it asked for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_selector: Option<PoolSelector>,
    /// `Reservation` where it withholds its block; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<ClaimPurpose>,
    /// The length that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
    /// The block that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Cidr>,
    /// Where the block had to lie.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
    /// The family, where it was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// Key of the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Owner>,
    /// Its time limit: it is renewed, or it expires. The pool's longest where it stated none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// For how long its block is kept once it is released; as the pool says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// What becomes of its block then; as the pool says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::reclaim_policy_schema)]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What the system assigned.
    pub status: ClaimStatus,
}

/// What the system assigned to a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimStatus {
    /// Where the holding is in its life.
    #[schema(schema_with = super::allocation::phase_schema)]
    pub phase: Phase,
    /// The block.
    #[serde(rename = "allocatedCIDR")]
    pub allocated_cidr: Cidr,
    /// For a single address: with the subnet's length, as it goes on the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "10.244.0.5/24")]
    pub address: Option<String>,
    /// The on-link prefix that the holder configures.
    pub subnet: Cidr,
    /// The gateway that the holder configures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gateway: Option<Address>,
    /// Routes that the holder adds, in order, as the pool or the next one above it says now. So with the
    /// next three; a holding that has ended has none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
    /// The resolver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// The MTU of the holder's interface, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Strings that mean something to holders only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Labels>,
    /// The pool that it was taken from.
    pub pool: PoolRef,
    /// Fences this holding: send it with the release.
    pub generation: u64,
    /// The same block came back to the same holder.
    pub returned: bool,
    /// When this generation was given.
    pub allocated_at: Time,
    /// When the block was given first, before it came back to its holder.
    pub first_allocated_at: Time,
    /// When a block that came back had been given back last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previously_released_at: Option<Time>,
    /// When its use was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use_at: Option<Time>,
    /// When its lease ends: not before, but perhaps later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Time>,
    /// Until when it is kept for its holder: not before, but perhaps later. Absent where an operator
    /// has to reclaim it, and where it is kept no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim_at: Option<Time>,
    /// The revision of its last change.
    pub revision: u64,
    /// What holds of it.
    pub conditions: Vec<Condition>,
}

impl Claim {
    /// As it stands in a list over all tenants.
    pub fn with_tenant(view: &ClaimView) -> Self {
        Self {
            tenant: Some(view.spec.tenant.clone()),
            ..Self::from(view)
        }
    }
}

impl From<&ClaimView> for Claim {
    fn from(view: &ClaimView) -> Self {
        let spec = &view.spec;
        Self {
            name: spec.name.clone(),
            tenant: None,
            pool: spec.pool().map(PoolRef::from),
            pool_selector: match &spec.from {
                ClaimFrom::Pool(_) => None,
                ClaimFrom::Selector(selector) => Some(PoolSelector::from(&**selector)),
            },
            purpose: ClaimPurpose::shown(spec.reservation),
            prefix_length: spec.prefix_length,
            cidr: spec.cidr.map(Cidr),
            within: spec.within.iter().map(ToString::to_string).collect(),
            family: spec.family,
            owner: spec.owner.clone(),
            ttl_seconds: spec.life.ttl_seconds,
            grace_seconds: spec.life.grace_seconds,
            reclaim_policy: spec.life.reclaim_policy,
            labels: Labels::from(&spec.labels),
            annotations: Labels::from(&spec.annotations),
            description: spec.description.to_string(),
            status: ClaimStatus::from(view),
        }
    }
}

impl From<&ClaimView> for ClaimStatus {
    fn from(view: &ClaimView) -> Self {
        let pool = PoolRef::seen_from(&view.spec.tenant, &view.pool_tenant, &view.pool);
        let address = view
            .block
            .is_single()
            .then(|| format!("{}/{}", view.block.first(), view.subnet.length()));
        let message = match view.released_at_ms {
            None => format!("{} from pool {pool}", view.block),
            Some(_) => format!("{} went back to pool {pool}", view.block),
        };
        Self {
            phase: view.phase,
            allocated_cidr: Cidr(view.block),
            address,
            subnet: Cidr(view.subnet),
            gateway: view.gateway,
            routes: routes_of(&view.handout),
            dns: view.handout.dns.as_deref().map(Dns::from),
            mtu: view.handout.mtu,
            parameters: view.handout.parameters.as_deref().map(Labels::from),
            pool,
            generation: view.generation,
            returned: view.returned,
            allocated_at: Time(view.allocated_at_ms),
            first_allocated_at: Time(view.first_allocated_at_ms),
            previously_released_at: view.previously_released_at_ms.map(Time),
            in_use_at: view.in_use_at_ms.map(Time),
            expires_at: view.expires_at_ms.map(Time),
            released_at: view.released_at_ms.map(Time),
            reclaim_at: view.reclaim_at_ms.map(Time),
            revision: view.revision,
            conditions: conditions(view, message),
        }
    }
}

fn conditions(view: &ClaimView, message: String) -> Vec<Condition> {
    let allocated = match view.released_at_ms {
        None => Condition::holds(
            "Allocated",
            "AllocationSucceeded",
            message,
            view.allocated_at_ms,
        ),
        Some(since) => Condition::fails("Allocated", "Released", message, since),
    };
    let expiring = view.expiring_since_ms.zip(view.expires_at_ms);
    let expiring = expiring.map(|(since, end)| {
        let message = format!("the lease ends at {}, unless it is renewed", Time(end));
        Condition::holds("Expiring", "LeaseEnds", message, since)
    });
    [Some(allocated), expiring].into_iter().flatten().collect()
}
