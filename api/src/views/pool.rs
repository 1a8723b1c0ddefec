//! Pools as shown.

use allocator::command::{
    self, ChildBlock, Gateway, PRIORITY_DEFAULT, PoolSource, Sharing, Strategy,
};
use allocator::life::ReclaimPolicy;
use allocator::name::{Name, Owner};
use allocator::prefix::{Address, Family};
use allocator::view::{self, PoolPhase, PoolView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::Condition;
use crate::fields::{Exclusion, Labels, PoolCidr, PoolRef};
use crate::handout::{Dns, Route, routes_of};
use crate::scalar::{Cidr, Decimal, Ratio, Time};

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// Its name.
    #[schema(schema_with = crate::scalar::name_schema)]
    pub name: Name,
    /// Whose it is, in a list over all tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// The routing domain of a root pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub space: Option<Name>,
    /// The blocks of a root pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<PoolCidr>,
    /// The family, where it was stated; `status.family` always has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Option<Family>,
    /// The pool from which a child was carved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PoolRef>,
    /// The length that a child asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
    /// The block that a child asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Cidr>,
    /// Key of a child pool's holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Owner>,
    /// Smallest number that may be asked for, as stated; `status` has the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_prefix_length: Option<u8>,
    /// Largest number that may be asked for, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prefix_length: Option<u8>,
    /// What a claim that names no length gets, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_prefix_length: Option<u8>,
    /// Which free block is handed out.
    #[serde(default)]
    #[schema(schema_with = crate::scalar::strategy_schema)]
    pub strategy: Strategy,
    /// Addresses that no holder can use are withheld.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usable_only: bool,
    /// Every CIDR is RFC 1918 or RFC 4193.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private_only: bool,
    /// Nothing new is handed out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drain: bool,
    /// Tenants that may take from it; `["*"]` is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// Its place among the candidates of a selector, the lowest first; 100 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// What is withheld from allocation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Exclusion>,
    /// The on-link prefix, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Cidr>,
    /// The gateway, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The routes that its holders get, as stated; `status` has what is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
    /// The resolver that its holders get, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// The MTU of a holder's interface, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Strings that mean something to holders only, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Labels>,
    /// For how long a released block is kept for its holder; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// What becomes of a released block; `Delete` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::scalar::reclaim_policy_schema)]
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// The longest grace that a claim may state; the pool's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_grace_seconds: Option<u32>,
    /// A claim may state `Retain`; where that is the pool's own policy when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_retain: Option<bool>,
    /// The longest lease; a claim that states none gets it. Absent: leases are not required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<u32>,
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
    pub status: PoolStatus,
}

/// What the system assigned to a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolStatus {
    /// Whether it can serve claims: it can, it hands out nothing new, or no block of its default length
    /// is free (where it has none: no address).
    #[schema(schema_with = phase_schema)]
    pub phase: PoolPhase,
    /// The blocks that it has.
    #[serde(rename = "allocatedCIDRs")]
    pub allocated_cidrs: Vec<Cidr>,
    /// The same blocks, each with what its holders configure.
    pub cidrs: Vec<ResolvedCidr>,
    /// The routing domain in which it lies.
    #[schema(value_type = String)]
    pub space: Name,
    /// Its family.
    #[schema(schema_with = crate::scalar::family_schema)]
    pub family: Family,
    /// `private` or `shared`.
    pub visibility: String,
    /// The smallest number in force.
    pub min_prefix_length: u8,
    /// The largest number in force.
    pub max_prefix_length: u8,
    /// The default in force; absent where a claim must name its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_prefix_length: Option<u8>,
    /// Routes that holders of its blocks get: its own, else those of the next pool above that states
    /// some. So with the next three.
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
    /// In addresses.
    pub capacity: Capacity,
    /// In blocks of the default length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
    /// (allocated + released) / (total − reserved).
    pub utilization: Ratio,
    /// 1 − largest free block / free.
    pub fragmentation: Ratio,
    /// Length of the largest free block; absent when nothing is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_free_prefix_length: Option<u8>,
    /// How many child pools it has.
    pub children: u64,
    /// Its claims by phase.
    pub claims: ClaimCounts,
    /// Claims and child pools that its present policy would not have allowed.
    #[serde(default)]
    pub out_of_policy: u64,
    /// The revision at which it was made or last edited.
    pub revision: u64,
    /// The revision at which what it holds last changed.
    pub content_revision: u64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last edited.
    pub updated_at: Time,
    /// What holds of it.
    pub conditions: Vec<Condition>,
}

/// One block of a pool with what its holders configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedCidr {
    /// The block.
    pub cidr: Cidr,
    /// The on-link prefix.
    pub subnet: Cidr,
    /// The gateway; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gateway: Option<Address>,
}

/// A pool's addresses: `total = allocated + released + reserved + available`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// All.
    pub total: Decimal,
    /// Held by claims and child pools.
    pub allocated: Decimal,
    /// The part of `allocated` that is in use.
    pub in_use: Decimal,
    /// Given back and kept for their holders.
    pub released: Decimal,
    /// Withheld.
    pub reserved: Decimal,
    /// Free.
    pub available: Decimal,
}

/// A pool in blocks of its default length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocks {
    /// The length.
    pub prefix_length: u8,
    /// How many there are in all.
    pub total: Decimal,
    /// How many more claims of that length succeed now.
    pub available: Decimal,
}

/// Claims of a pool by phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimCounts {
    /// All that are not released.
    pub allocated: u64,
    /// The part of `allocated` that is in use.
    pub in_use: u64,
    /// Given back and kept for their holders.
    pub released: u64,
}

impl Pool {
    /// As it stands in a list over all tenants.
    pub fn with_tenant(view: &PoolView) -> Self {
        Self {
            tenant: Some(view.spec.tenant.clone()),
            ..Self::from(view)
        }
    }
}

impl From<&PoolView> for Pool {
    fn from(view: &PoolView) -> Self {
        let spec = &view.spec;
        let (space, cidrs, parent, block) = match &spec.source {
            PoolSource::Root { cidrs, .. } => (
                Some(view.space.clone()),
                cidrs.iter().map(PoolCidr::from).collect(),
                None,
                None,
            ),
            PoolSource::Child { parent, block } => {
                (None, Vec::new(), Some(PoolRef::from(parent)), Some(*block))
            }
        };
        let (prefix_length, cidr) = match block {
            None => (None, None),
            Some(ChildBlock::Length(length)) => (Some(length), None),
            Some(ChildBlock::Cidr(cidr)) => (None, Some(Cidr(cidr))),
        };
        Self {
            name: spec.name.clone(),
            tenant: None,
            space,
            cidrs,
            family: spec.family,
            parent,
            prefix_length,
            cidr,
            owner: spec.owner.clone(),
            min_prefix_length: spec.min_prefix_length,
            max_prefix_length: spec.max_prefix_length,
            default_prefix_length: spec.default_prefix_length,
            strategy: spec.strategy,
            usable_only: spec.usable_only,
            private_only: spec.private_only,
            drain: spec.drain,
            shared_with: sharing_texts(&spec.shared_with),
            priority: (spec.priority != PRIORITY_DEFAULT).then_some(spec.priority),
            exclude: spec.exclude.iter().map(Exclusion::from).collect(),
            subnet: spec.subnet.map(Cidr),
            gateway: spec.gateway.map(gateway_text),
            routes: routes_of(&spec.handout),
            dns: spec.handout.dns.as_deref().map(Dns::from),
            mtu: spec.handout.mtu,
            parameters: spec.handout.parameters.as_deref().map(Labels::from),
            grace_seconds: spec.life.grace_seconds,
            reclaim_policy: spec.life.reclaim_policy,
            max_grace_seconds: spec.life.max_grace_seconds,
            allow_retain: spec.life.allow_retain,
            max_ttl_seconds: spec.life.max_ttl_seconds,
            labels: Labels::from(&spec.labels),
            annotations: Labels::from(&spec.annotations),
            description: spec.description.to_string(),
            status: PoolStatus::from(view),
        }
    }
}

impl From<&PoolView> for PoolStatus {
    fn from(view: &PoolView) -> Self {
        Self {
            phase: PoolPhase::of(view.draining_since_ms, view.exhausted_since_ms),
            allocated_cidrs: view.cidrs.iter().map(|one| Cidr(one.cidr)).collect(),
            cidrs: view.cidrs.iter().map(ResolvedCidr::from).collect(),
            space: view.space.clone(),
            family: view.family,
            visibility: match view.spec.shared_with {
                Sharing::Private => "private".to_owned(),
                Sharing::With(_) | Sharing::Everyone => "shared".to_owned(),
            },
            min_prefix_length: view.min_prefix_length,
            max_prefix_length: view.max_prefix_length,
            default_prefix_length: view.default_prefix_length,
            routes: routes_of(&view.handout),
            dns: view.handout.dns.as_deref().map(Dns::from),
            mtu: view.handout.mtu,
            parameters: view.handout.parameters.as_deref().map(Labels::from),
            capacity: Capacity::from(&view.capacity),
            blocks: view.blocks.as_ref().map(Blocks::from),
            utilization: Ratio(view.utilization_e4),
            fragmentation: Ratio(view.fragmentation_e4),
            largest_free_prefix_length: view.largest_free_prefix_length,
            children: view.children,
            claims: ClaimCounts {
                allocated: view.claims.allocated,
                in_use: view.claims.in_use,
                released: view.claims.released,
            },
            out_of_policy: view.out_of_policy,
            revision: view.revision,
            content_revision: view.content_revision,
            created_at: Time(view.created_at_ms),
            updated_at: Time(view.updated_at_ms),
            conditions: conditions(view),
        }
    }
}

/// Schema of [`PoolPhase`], which the allocator owns.
fn phase_schema() -> Object {
    super::allocation::words(&["Ready", "Draining", "Exhausted"])
}

fn sharing_texts(sharing: &Sharing) -> Vec<String> {
    match sharing {
        Sharing::Private => Vec::new(),
        Sharing::With(tenants) => tenants.iter().map(Name::to_string).collect(),
        Sharing::Everyone => vec!["*".to_owned()],
    }
}

fn conditions(view: &PoolView) -> Vec<Condition> {
    let blocks: Vec<String> = view.cidrs.iter().map(|one| one.cidr.to_string()).collect();
    let message = match &view.spec.source {
        PoolSource::Root { .. } => blocks.join(", "),
        PoolSource::Child { parent, .. } => {
            format!("{} from pool {}", blocks.join(", "), PoolRef::from(parent))
        }
    };
    let mut conditions = vec![Condition::holds(
        "Allocated",
        "AllocationSucceeded",
        message,
        view.created_at_ms,
    )];
    if let Some(since_ms) = view.draining_since_ms {
        conditions.push(Condition::holds(
            "Draining",
            "DrainAsked",
            "nothing new is handed out".to_owned(),
            since_ms,
        ));
    }
    if let Some(since_ms) = view.exhausted_since_ms {
        let message = match view.default_prefix_length {
            Some(length) => format!("no /{length} is free"),
            None => "no address is free".to_owned(),
        };
        conditions.push(Condition::holds(
            "Exhausted",
            "NoFreeBlock",
            message,
            since_ms,
        ));
    }
    if let Some(since_ms) = view.out_of_policy_since_ms {
        let message = format!("{} holders stay as they are", view.out_of_policy);
        conditions.push(Condition::holds(
            "OutOfPolicy",
            "PolicyEdited",
            message,
            since_ms,
        ));
    }
    conditions
}

fn gateway_text(gateway: Gateway) -> String {
    match gateway {
        Gateway::First => "first".to_owned(),
        Gateway::Last => "last".to_owned(),
        Gateway::Address(address) => address.to_string(),
    }
}

impl From<&command::PoolCidr> for PoolCidr {
    fn from(cidr: &command::PoolCidr) -> Self {
        Self {
            cidr: cidr.cidr.to_string(),
            subnet: cidr.subnet.map(|subnet| subnet.to_string()),
            gateway: cidr.gateway.map(gateway_text),
        }
    }
}

impl From<&command::Exclusion> for Exclusion {
    fn from(exclusion: &command::Exclusion) -> Self {
        let reason = (!exclusion.reason.is_empty()).then(|| exclusion.reason.to_string());
        Self {
            addresses: exclusion.text.to_string(),
            reason,
        }
    }
}

impl From<&view::PoolCidrView> for ResolvedCidr {
    fn from(view: &view::PoolCidrView) -> Self {
        Self {
            cidr: Cidr(view.cidr),
            subnet: Cidr(view.subnet),
            gateway: view.gateway,
        }
    }
}

impl From<&view::Capacity> for Capacity {
    fn from(capacity: &view::Capacity) -> Self {
        Self {
            total: Decimal(capacity.total),
            allocated: Decimal(capacity.allocated),
            in_use: Decimal(capacity.in_use),
            released: Decimal(capacity.released),
            reserved: Decimal(capacity.reserved),
            available: Decimal(capacity.available),
        }
    }
}

impl From<&view::Blocks> for Blocks {
    fn from(blocks: &view::Blocks) -> Self {
        Self {
            prefix_length: blocks.prefix_length,
            total: Decimal(blocks.total),
            available: Decimal(blocks.available),
        }
    }
}
