//! Declared live sets: who is still there, so that what the others hold can be given back.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::name::{Labels, Name, Owner};
use crate::owners::PoolTally;
use crate::prefix::Prefix;

/// Most live owners or claims in one call; a larger set is divided by scope.
pub const LIVE_MAX: usize = 5_000;
/// Most suspects that the state remembers, over all tenants.
pub const SUSPECTS_MAX: usize = 100_000;
/// Most scopes that the state remembers, over all tenants.
pub const SCOPES_MAX: usize = 100_000;
/// Most of those of one tenant.
pub const TENANT_SCOPES_MAX: usize = 10_000;
/// Most suspects of one tenant.
pub const TENANT_SUSPECTS_MAX: usize = 50_000;
/// Most bytes of the labels of a scope.
pub const SCOPE_BYTES_MAX: usize = 1_024;
/// Epochs are below this: 2^53, so that each is a number in JSON.
pub const EPOCH_END: u64 = 1 << 53_u32;
/// For how long, by the log's clock, a scope is remembered that no call names.
pub const SCOPE_IDLE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Most suspects that an answer shows.
pub const SUSPECTS_SHOWN: usize = 1_000;

/// A live set as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconcile {
    /// The tenant of the claims.
    pub tenant: Name,
    /// What it is about.
    pub scope: Scope,
    /// Who is there.
    pub live: Live,
    /// Grows from call to call of one scope. A repeat of the last one changes nothing.
    pub epoch: u64,
    /// For how long, by the log's clock, a holder has to be a suspect before its blocks are released.
    pub grace_seconds: u32,
    /// In how many calls a holder has to be a suspect before its blocks are released: 1 or 2.
    pub sightings: u8,
    /// Rather nothing than more blocks than this.
    pub release_at_most: Option<u64>,
    /// The revision that the caller had seen when it listed its live set: who was given or did
    /// something later is no suspect.
    pub as_of_revision: Option<u64>,
}

/// The holders that a live set is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The claims of this owner and of all whose first segments it is.
    OwnerPrefix(Owner),
    /// The claims that have all these labels; at least one.
    Labels(Labels),
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Live {
    /// These owners, each exactly as its claims state it. Claims without an owner are left alone.
    Owners(Vec<Owner>),
    /// These claims. An owner is there as long as one of its claims is.
    Claims(Vec<Name>),
}

/// What a live set came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// The epoch was the last one already: nothing was counted and nothing released.
    pub repeated: bool,
    /// Who holds something, is not there, and keeps it for now: the first [`SUSPECTS_SHOWN`].
    pub suspects: Vec<SuspectView>,
    /// How many there are.
    pub suspects_total: u64,
    /// What was released, by address.
    pub released: Vec<ReleasedHolding>,
    /// Who is there and holds nothing.
    pub missing: Vec<Box<str>>,
    /// The released ones by pool.
    pub pools: Box<[PoolTally]>,
}

/// A holder that is not there, as far as calls have said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectView {
    /// An owner, or a claim that has none.
    pub holder: SuspectHolder,
    /// Blocks that it holds in the scope.
    pub blocks: u64,
    /// In how many calls it was one.
    pub sightings: u32,
    /// Since when, by the log's clock: so many milliseconds ago.
    pub age_ms: u64,
}

/// A holder: what has an owner is one with all that the owner holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SuspectHolder {
    /// A claim without an owner.
    Claim(Name),
    /// An owner.
    Owner(Owner),
}

impl SuspectHolder {
    /// Its key.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Claim(name) => name.as_str(),
            Self::Owner(owner) => owner.as_str(),
        }
    }

    /// It is an owner.
    pub fn is_owner(&self) -> bool {
        matches!(self, Self::Owner(_))
    }
}

/// A holding that was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedHolding {
    /// The claim.
    pub claim: Name,
    /// Its owner.
    pub owner: Option<Owner>,
    /// The pool that it was held from, by tenant and name.
    pub pool_tenant: Name,
    /// See `pool_tenant`.
    pub pool: Name,
    /// The routing domain.
    pub space: Name,
    /// The block.
    pub cidr: Prefix,
    /// The holding.
    pub generation: u64,
}
