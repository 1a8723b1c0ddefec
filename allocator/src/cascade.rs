//! The removal of a pool together with what is under it.

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::owners::PoolTally;

/// Most pools that a cascade finds: a larger tree goes pool by pool.
pub const CASCADE_POOLS_MAX: u32 = 10_000;

/// A cascade as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolCascade {
    /// The pool's tenant.
    pub tenant: Name,
    /// The pool.
    pub pool: Name,
    /// Refused unless the pool's own revision is this one.
    pub if_revision: Option<u64>,
    /// The last revision at which what goes may have been given or made; not above the state's own.
    pub as_of_revision: u64,
    /// The first so many blocks in order of address, 1 to 10,000; without it all of them, or none
    /// where they are more than that.
    pub limit: Option<u32>,
}

/// What a cascade came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolCascaded {
    /// Blocks that were held under the pool and are no longer: of claims, kept, or of child pools.
    pub released: u64,
    /// Blocks that are meant and were left for the next step.
    pub remaining: u64,
    /// Blocks that stay because they, or something in them, were given after the revision; the pool
    /// itself where it was made after it.
    pub newer: u64,
    /// The pool is gone.
    pub deleted: bool,
    /// The part of `released` that was kept for holders that had left.
    pub reclaimed: u32,
    /// Claims that ended, by pool.
    pub pools: Box<[PoolTally]>,
}
