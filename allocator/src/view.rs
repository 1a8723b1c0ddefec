//! What a reader sees: objects as values, cut loose from the state.
//!
//! All times are wall time for people, in milliseconds since the Unix epoch.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::command::{ClaimSpec, PoolSpec, TenantSpec};
use crate::count::Count;
use crate::handout::Handout;
use crate::name::{Labels, Name, Owner};
use crate::prefix::{Address, Family, Prefix};

/// Why a block is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// By a claim.
    Claim,
    /// By a child pool.
    Child,
    /// Withheld from allocation.
    Reservation,
}

/// Where a holding is in its life (SPEC §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Given, not confirmed.
    Allocated,
    /// Given and confirmed.
    InUse,
    /// Given back; kept for its holder until the grace is over.
    Released,
}

/// Whether a pool can serve claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PoolPhase {
    /// It can.
    Ready,
    /// It hands out nothing new.
    Draining,
    /// No block of its default length is free (where it has none: no address).
    Exhausted,
}

impl PoolPhase {
    /// By since when it drains and is exhausted.
    pub fn of(draining_since_ms: Option<u64>, exhausted_since_ms: Option<u64>) -> Self {
        match (draining_since_ms, exhausted_since_ms) {
            (Some(_), _) => Self::Draining,
            (None, Some(_)) => Self::Exhausted,
            (None, None) => Self::Ready,
        }
    }
}

impl fmt::Display for PoolPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "Ready",
            Self::Draining => "Draining",
            Self::Exhausted => "Exhausted",
        })
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantView {
    /// As asked for.
    pub spec: TenantSpec,
    /// What it holds, in the units of its quota.
    pub usage: Usage,
    /// Revision at which it was made or last edited.
    pub revision: u64,
    /// When it was made.
    pub created_at_ms: u64,
    /// When it was last edited.
    pub updated_at_ms: u64,
}

/// What a tenant holds, in the units of its quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Pools.
    pub pools: u64,
    /// Claims.
    pub claims: u64,
    /// IPv4 addresses in claims.
    pub ipv4_addresses: u64,
    /// IPv6 claims in units of a /64.
    pub ipv6_prefixes_64: u128,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// As asked for.
    pub spec: PoolSpec,
    /// The routing domain in which it lies.
    pub space: Name,
    /// The blocks that it has.
    pub cidrs: Vec<PoolCidrView>,
    /// Their family.
    pub family: Family,
    /// Bounds and default as they are in force.
    pub min_prefix_length: u8,
    /// See `min_prefix_length`.
    pub max_prefix_length: u8,
    /// `None` where a claim must name its length.
    pub default_prefix_length: Option<u8>,
    /// What its holders get: its own, and the rest as the pools above say.
    pub handout: Handout,
    /// In addresses.
    pub capacity: Capacity,
    /// In blocks of the default length.
    pub blocks: Option<Blocks>,
    /// (allocated + released) / (total − reserved) in ten-thousandths, rounded down.
    pub utilization_e4: u32,
    /// 1 − largest free block / free, in ten-thousandths, rounded down.
    pub fragmentation_e4: u32,
    /// `None` when nothing is free.
    pub largest_free_prefix_length: Option<u8>,
    /// Since when no block of the default length (where there is none: no address) has been free;
    /// `None` while one is.
    pub exhausted_since_ms: Option<u64>,
    /// Since when nothing new is handed out; `None` while it is.
    pub draining_since_ms: Option<u64>,
    /// Holders (claims and child pools) that the pool's present policy would not have allowed: of a
    /// length outside of its bounds, or where it withholds.
    pub out_of_policy: u64,
    /// Since when there are such; `None` while there are none.
    pub out_of_policy_since_ms: Option<u64>,
    /// Child pools.
    pub children: u64,
    /// Claims by phase.
    pub claims: ClaimCounts,
    /// Revision at which it was made or last edited.
    pub revision: u64,
    /// Revision of the last change of what it holds.
    pub content_revision: u64,
    /// When it was made.
    pub created_at_ms: u64,
    /// When it was last edited.
    pub updated_at_ms: u64,
}

/// One block of a pool with what its holders configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolCidrView {
    /// The block.
    pub cidr: Prefix,
    /// The on-link prefix.
    pub subnet: Prefix,
    /// The gateway, resolved.
    pub gateway: Option<Address>,
}

/// A pool's addresses: `total = allocated + released + reserved + available`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// All.
    pub total: Count,
    /// Held by claims and child pools.
    pub allocated: Count,
    /// The part of `allocated` that is in use.
    pub in_use: Count,
    /// Within their grace.
    pub released: Count,
    /// Withheld.
    pub reserved: Count,
    /// Free.
    pub available: Count,
}

/// A pool in blocks of its default length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// The length.
    pub prefix_length: u8,
    /// How many there are in all.
    pub total: Count,
    /// How many more claims of that length succeed now.
    pub available: Count,
}

/// Claims of a pool by phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimCounts {
    /// All that are not released.
    pub allocated: u64,
    /// The part of `allocated` that is in use.
    pub in_use: u64,
    /// Within their grace.
    pub released: u64,
}

/// A claim, or one holding of it that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimView {
    /// As asked for.
    pub spec: ClaimSpec,
    /// The pool that it was taken from, by tenant and name.
    pub pool_tenant: Name,
    /// See `pool_tenant`.
    pub pool: Name,
    /// Where it is in its life.
    pub phase: Phase,
    /// The block.
    pub block: Prefix,
    /// The on-link prefix that the holder configures.
    pub subnet: Prefix,
    /// The gateway that the holder configures.
    pub gateway: Option<Address>,
    /// What else the holder gets, as the pool and those above it say now; nothing for a holding that
    /// has ended.
    pub handout: Handout,
    /// Fences this holding.
    pub generation: u64,
    /// The same block came back to the same holder.
    pub returned: bool,
    /// When this generation was given.
    pub allocated_at_ms: u64,
    /// When the block was given first, before it came back to its holder.
    pub first_allocated_at_ms: u64,
    /// When it was given back last, for a block that came back to its holder.
    pub previously_released_at_ms: Option<u64>,
    /// When its use was confirmed.
    pub in_use_at_ms: Option<u64>,
    /// When its lease ends, at the earliest; `None` without a lease.
    pub expires_at_ms: Option<u64>,
    /// Since when its end has been announced.
    pub expiring_since_ms: Option<u64>,
    /// When it was given back, for a holding that has ended.
    pub released_at_ms: Option<u64>,
    /// Until when the block is kept for the holder that left, at the least: until it was given back,
    /// where there is no grace. `None` for what is held, for what is kept until an operator reclaims
    /// it, and for what is kept no longer.
    pub reclaim_at_ms: Option<u64>,
    /// Revision of its last change.
    pub revision: u64,
}

/// The system's record that a block is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationView {
    /// The block.
    pub cidr: Prefix,
    /// The routing domain.
    pub space: Name,
    /// Tenant of the pool that it is held from.
    pub tenant: Name,
    /// The pool that it is held from.
    pub pool: Name,
    /// Why it is held.
    pub purpose: Purpose,
    /// The claim, for purpose `Claim`: tenant and name.
    pub claim: Option<(Name, Name)>,
    /// The child pool, for purpose `Child`: tenant and name.
    pub child: Option<(Name, Name)>,
    /// Why, for purpose `Reservation`, where a reason was stated.
    pub reason: Option<String>,
    /// Key of the holder.
    pub owner: Option<Owner>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Fences this holding.
    pub generation: u64,
    /// When it was given.
    pub allocated_at_ms: u64,
    /// When its lease ends, at the earliest; `None` without a lease.
    pub expires_at_ms: Option<u64>,
    /// When it was given back, where it is kept for the holder that left.
    pub released_at_ms: Option<u64>,
    /// Until when it is kept, at the least; `None` where an operator has to reclaim it.
    pub reclaim_at_ms: Option<u64>,
    /// Revision of its last change.
    pub revision: u64,
}

/// Who has an address or block, at present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupView {
    /// What was asked.
    pub query: Prefix,
    /// The pools that contain it, the root first.
    pub pools: Vec<(Name, Name)>,
    /// The allocation that contains it in the innermost pool, if any; for a child pool's own block,
    /// that of the child.
    pub allocation: Option<AllocationView>,
    /// No allocation contains it, but there is at least one inside it.
    pub held_in_part: bool,
    /// The claim that holds it, if any; what is kept for a claim that is gone has none.
    pub claim: Option<Box<ClaimView>>,
}

/// A pool with its descendants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    /// The pool's tenant.
    pub tenant: Name,
    /// The pool.
    pub name: Name,
    /// Its blocks.
    pub cidrs: Vec<Prefix>,
    /// Its addresses.
    pub capacity: Capacity,
    /// See [`PoolView::utilization_e4`].
    pub utilization_e4: u32,
    /// Addresses that claims really hold, in it and below it.
    pub held_below: Count,
    /// Its labels.
    pub labels: Labels,
    /// How many child pools it has.
    pub children_total: u64,
    /// Its child pools, by address; fewer than `children_total` where the tree would be too large.
    pub children: Vec<TreeNode>,
}

/// What happened at one revision, in the order of [`EventId`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Where it stands among all events.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// Wall time at which it happened.
    pub at_ms: u64,
    /// The tenant that it concerns.
    pub tenant: Name,
    /// The pool that it concerns.
    pub pool: Option<Name>,
    /// The holding that it concerns.
    pub generation: Option<u64>,
    /// That holding: as it is, or as it last was.
    pub claim: Option<Box<ClaimView>>,
    /// The subject that asked for it; empty while access control is off.
    pub actor: Box<str>,
    /// Where the request came from; may be empty.
    pub source: Box<str>,
}

/// The place of an event: written `revision.ordinal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// The revision that it belongs to.
    pub revision: u64,
    /// Its place among the events of that revision, from 0.
    pub ordinal: u32,
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A tenant was made.
    TenantCreated,
    /// A tenant was removed.
    TenantDeleted,
    /// A pool was made.
    PoolCreated,
    /// A pool was removed.
    PoolDeleted,
    /// A block was given to a claim.
    Allocated,
    /// The holder of a block said that it uses it.
    Confirmed,
    /// A lease began anew.
    Renewed,
    /// A lease is about to end.
    Expiring,
    /// A lease was over: the claim's block was given back.
    Expired,
    /// A claim gave its block back.
    Released,
    /// A tenant was edited.
    TenantChanged,
    /// A pool was edited.
    PoolChanged,
    /// What a claim says of itself was edited.
    ClaimChanged,
    /// A block that was kept for its holder went back to it.
    Returned,
    /// A block that was kept for its holder is free again.
    Reclaimed,
}

/// The layout of a pool as runs by address, as far as one answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapView {
    /// The length of a cell: what is smaller is not told apart.
    pub prefix_length: u8,
    /// The runs, without gaps inside a CIDR.
    pub runs: Vec<MapRun>,
    /// Where the next answer begins; `None` at the end.
    pub next: Option<Address>,
}

/// Neighbouring blocks of one kind in one CIDR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRun {
    /// Its first address.
    pub first: Address,
    /// Its last address.
    pub last: Address,
    /// What it is.
    pub kind: MapKind,
    /// How many holds it is made of; of what is free or mixed none are counted.
    pub holds: u64,
}

/// What a run of a pool's layout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapKind {
    /// Free.
    Free,
    /// Held by claims, in this phase.
    Claims(Phase),
    /// Withheld.
    Reserved,
    /// A child pool's block: tenant and name.
    Child(Name, Name),
    /// Cells of which only a part is held; the length of the largest free block in any of them, if
    /// something is free.
    Mixed(Option<u8>),
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T, K> {
    /// The items, in the order of their keys.
    pub items: Vec<T>,
    /// The key to go on after; `None` at the end.
    pub next: Option<K>,
}
