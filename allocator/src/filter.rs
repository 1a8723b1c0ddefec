//! What a list may be narrowed to, and the keys by which it goes on.
//!
//! A filter whose field is `None` (or whose selector is empty) lets everything pass.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::name::{Labels, Name, Owner};
use crate::prefix::{Address, Family, Prefix};
use crate::view::{Phase, PoolPhase, Purpose};

/// Requirements on labels, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSelector {
    /// The requirements; none lets everything pass.
    pub requirements: Vec<LabelRequirement>,
}

/// One requirement on labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelRequirement {
    /// The label is there with one of the values.
    In(Box<str>, Vec<Box<str>>),
    /// The label is absent or has none of the values.
    NotIn(Box<str>, Vec<Box<str>>),
    /// The label is there.
    Exists(Box<str>),
    /// The label is absent.
    Absent(Box<str>),
}

impl LabelRequirement {
    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::In(key, values) | Self::NotIn(key, values) => values
                .iter()
                .fold(key.len(), |sum, value| sum.saturating_add(value.len())),
            Self::Exists(key) | Self::Absent(key) => key.len(),
        }
    }
}

impl LabelSelector {
    /// Whether the labels, looked up by `value_of`, meet every requirement.
    pub fn matches<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements
            .iter()
            .all(|requirement| match requirement {
                LabelRequirement::In(key, values) => {
                    value_of(key).is_some_and(|value| values.iter().any(|one| **one == *value))
                }
                LabelRequirement::NotIn(key, values) => {
                    value_of(key).is_none_or(|value| values.iter().all(|one| **one != *value))
                }
                LabelRequirement::Exists(key) => value_of(key).is_some(),
                LabelRequirement::Absent(key) => value_of(key).is_none(),
            })
    }

    /// Whether the labels meet every requirement.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(|key| labels.get(key).map(|value| &**value))
    }
}

/// Which tenants to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantFilter {
    /// Whose labels match.
    pub labels: LabelSelector,
}

/// Which pools to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFilter {
    /// Children of this pool of the same tenant; in a list over all tenants, of one of this name.
    pub parent: Option<Name>,
    /// Of this routing domain.
    pub space: Option<Name>,
    /// Of this family.
    pub family: Option<Family>,
    /// In this phase.
    pub phase: Option<PoolPhase>,
    /// With this owner.
    pub owner: Option<Owner>,
    /// With this owner or one whose first segments it is.
    pub owner_prefix: Option<Owner>,
    /// With a block inside this one.
    pub within: Option<Prefix>,
    /// With a block that has this address.
    pub contains: Option<Address>,
    /// Whose labels match.
    pub labels: LabelSelector,
}

/// Which claims to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimFilter {
    /// Taken from this pool of the same tenant; in a list over all tenants, from one of this name.
    pub pool: Option<Name>,
    /// For this purpose: `Claim` or `Reservation`.
    pub purpose: Option<Purpose>,
    /// Of this routing domain.
    pub space: Option<Name>,
    /// Of this family.
    pub family: Option<Family>,
    /// In this phase.
    pub phase: Option<Phase>,
    /// With this owner.
    pub owner: Option<Owner>,
    /// With this owner or one whose first segments it is.
    pub owner_prefix: Option<Owner>,
    /// Whose block lies inside this one.
    pub within: Option<Prefix>,
    /// Whose block has this address.
    pub contains: Option<Address>,
    /// Given before this wall time, in milliseconds since the Unix epoch.
    pub allocated_before_ms: Option<u64>,
    /// Whose labels match.
    pub labels: LabelSelector,
}

/// Which allocations to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationFilter {
    /// Held from this pool of the tenant; in a list over all tenants, from one of this name.
    pub pool: Option<Name>,
    /// Of this routing domain.
    pub space: Option<Name>,
    /// Of this family.
    pub family: Option<Family>,
    /// Held for this purpose.
    pub purpose: Option<Purpose>,
    /// In this phase.
    pub phase: Option<Phase>,
    /// With this owner.
    pub owner: Option<Owner>,
    /// With this owner or one whose first segments it is.
    pub owner_prefix: Option<Owner>,
    /// Whose block lies inside this one.
    pub within: Option<Prefix>,
    /// Whose block has this address.
    pub contains: Option<Address>,
    /// Given before this wall time, in milliseconds since the Unix epoch.
    pub allocated_before_ms: Option<u64>,
    /// Whose labels match: those of the claim or of the child pool.
    pub labels: LabelSelector,
}

/// Where an allocation stands in the order of the list: what is held from the tenant's own pools by name
/// of the pool, then by address; after that what it holds of other tenants' pools, by address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AllocationKey {
    /// Held from an own pool.
    Own {
        /// The pool that it is held from.
        pool: Name,
        /// The block.
        cidr: Prefix,
    },
    /// Held of another tenant's pool.
    Foreign {
        /// The block.
        cidr: Prefix,
        /// Tells equal blocks of different tenants apart.
        hold: u32,
    },
}

/// Where something stands in a list over all tenants: by name of the tenant, then as in its own list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantKey<K> {
    /// The tenant.
    pub tenant: Name,
    /// The key in the tenant's list; `None` behind all of it.
    pub key: Option<K>,
}
