//! Claims as shown.

use allocator::name::{Name, Owner};
use allocator::prefix::{Address, Family};
use allocator::view::{ClaimView, Phase};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Condition;
use crate::fields::{Labels, PoolRef};
use crate::scalar::{Cidr, Time};

/// A claim, or one holding of it that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Its name.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: Name,
    /// The pool that was asked for.
    pub pool: PoolRef,
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
    /// The pool that it was taken from.
    pub pool: PoolRef,
    /// Fences this holding: send it with the release.
    pub generation: u64,
    /// The same block came back to the same holder.
    pub returned: bool,
    /// When this generation was given.
    pub allocated_at: Time,
    /// When it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Time>,
    /// Until when it is kept for its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim_at: Option<Time>,
    /// The revision of its last change.
    pub revision: u64,
    /// What holds of it.
    pub conditions: Vec<Condition>,
}

impl From<&ClaimView> for Claim {
    fn from(view: &ClaimView) -> Self {
        let spec = &view.spec;
        Self {
            name: spec.name.clone(),
            pool: PoolRef::from(&spec.pool),
            prefix_length: spec.prefix_length,
            cidr: spec.cidr.map(Cidr),
            within: spec.within.iter().map(ToString::to_string).collect(),
            family: spec.family,
            owner: spec.owner.clone(),
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
            pool,
            generation: view.generation,
            returned: view.returned,
            allocated_at: Time(view.allocated_at_ms),
            released_at: view.released_at_ms.map(Time),
            // Nothing is kept beyond its release as long as pools have no grace.
            reclaim_at: view.released_at_ms.map(Time),
            revision: view.revision,
            conditions: vec![match view.released_at_ms {
                None => Condition::holds(
                    "Allocated",
                    "AllocationSucceeded",
                    message,
                    view.allocated_at_ms,
                ),
                Some(since) => Condition::fails("Allocated", "Released", message, since),
            }],
        }
    }
}
