//! What is asked of all that an owner holds, rather than of one claim.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::command::PoolRef;
use crate::name::{Name, Owner};
use crate::prefix::{Family, Prefix};

/// Most blocks that one command gives back.
pub const RELEASE_BLOCKS_MAX: u32 = 10_000;

/// The release of all that an owner holds, or of some holdings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRelease {
    /// The tenant of the claims.
    pub tenant: Name,
    /// Which of them.
    pub what: OwnerHoldings,
}

/// Which holdings an owner release ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerHoldings {
    /// Those of an owner that were given at or before a revision, so that a late repeat frees nothing
    /// newer.
    Owned(OwnedBefore),
    /// Exactly these. One that has already ended counts as done.
    Listed(Vec<HoldingRef>),
}

/// What an owner was given at or before a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedBefore {
    /// Whose.
    pub owners: OwnerMatch,
    /// The last revision at which a holding may have been given; not above the state's own.
    pub as_of_revision: u64,
    /// The first so many in order of address, 1 to [`RELEASE_BLOCKS_MAX`]; without it all of them, or
    /// none where they are more than that.
    pub limit: Option<u32>,
    /// Held from these pools, and not from those under them; from any where there is none.
    pub pools: Vec<PoolRef>,
}

/// An owner, or all under a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerMatch {
    /// This one alone.
    Exact(Owner),
    /// This one, and all whose first segments it is.
    Prefix(Owner),
}

impl OwnerMatch {
    /// The owner is meant.
    pub fn matches(&self, owner: &Owner) -> bool {
        match self {
            Self::Exact(exact) => exact == owner,
            Self::Prefix(prefix) => prefix.covers(owner),
        }
    }
}

/// One holding: a block, and the generation that fences it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HoldingRef {
    /// Tenant of the pool, where it is another's.
    pub tenant: Option<Name>,
    /// The routing domain.
    pub space: Name,
    /// The block.
    pub cidr: Prefix,
    /// The holding.
    pub generation: u64,
}

/// What an owner release came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReleased {
    /// Holdings that it ended.
    pub released: u64,
    /// Of listed holdings: those that had ended before.
    pub already_ended: u64,
    /// Holdings that are meant and were left for the next step.
    pub remaining: u64,
    /// The ended ones by pool.
    pub pools: Box<[PoolTally]>,
}

/// How many holdings ended in a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolTally {
    /// The pool's tenant.
    pub tenant: Name,
    /// The pool.
    pub pool: Name,
    /// Its family.
    pub family: Family,
    /// How many.
    pub released: u64,
}
