//! The records of the state, as they stand in its tables, in its pages and in its digest.
//!
//! A record refers to others by id. Ids of tenants, pools, holds and texts are given again when they
//! are vacant; what outlives its object (an event, an ended holding) therefore refers to texts and to
//! numbers that are never given again.

mod ended;
mod event;
mod hold;
mod labels;
mod life;
mod meta;
mod pool;
mod suspect;
mod tenant;

pub(crate) use ended::{Ended, EndedHolder};
pub(crate) use event::{EVENT_WEIGHT, Event, TextId};
pub(crate) use hold::{Asked, Claim, Extras, Hold, Holder};
pub(crate) use labels::PackedLabels;
pub(crate) use life::{Kept, Lease, Life, Past, ms};
pub(crate) use meta::Meta;
pub(crate) use pool::{Content, Pool, PoolBlock};
pub(crate) use suspect::{ScopeRecord, Suspect};
pub(crate) use tenant::Tenant;

/// Number of a tenant's record.
pub(crate) type TenantId = u32;
/// Number of a pool's record.
pub(crate) type PoolId = u32;
/// Number of a hold's record.
pub(crate) type HoldId = u32;
/// Number of the record of a scope of live sets.
pub(crate) type ScopeId = u32;
/// Number of a suspect's record.
pub(crate) type SuspectId = u32;

/// The numbers of the tables, in pages and in the digest.
pub(crate) mod table {
    pub(crate) const META: u8 = 0;
    pub(crate) const TENANTS: u8 = 1;
    pub(crate) const POOLS: u8 = 2;
    pub(crate) const CONTENTS: u8 = 3;
    pub(crate) const HOLDS: u8 = 4;
    pub(crate) const TEXTS: u8 = 5;
    pub(crate) const EVENTS: u8 = 6;
    pub(crate) const ENDED: u8 = 7;
    pub(crate) const SCOPES: u8 = 8;
    pub(crate) const SUSPECTS: u8 = 9;
}
