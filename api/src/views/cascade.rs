//! What came of the removal of a pool.

use allocator::cascade;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Pool;

/// What came of a removal: the pool as it last was, or with `cascade` what came of that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PoolDeletion {
    /// With `cascade`.
    Cascade(PoolCascaded),
    /// Without.
    Pool(Box<Pool>),
}

/// What a cascade came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCascaded {
    /// Blocks that were held under the pool and are no longer: of claims, kept for holders that had
    /// left, and of child pools.
    pub released: u64,
    /// Blocks that are meant and are left: repeat with the same `asOfRevision` until it is 0.
    pub remaining: u64,
    /// Blocks that stay, and the pool with them, because they or something in them were given after
    /// `asOfRevision`; the pool itself where it was made after it.
    pub newer: u64,
    /// The pool is gone.
    pub deleted: bool,
    /// The revision after it.
    pub revision: u64,
}

impl PoolCascaded {
    /// As answered at a revision.
    pub fn of(cascaded: &cascade::PoolCascaded, revision: u64) -> Self {
        Self {
            released: cascaded.released,
            remaining: cascaded.remaining,
            newer: cascaded.newer,
            deleted: cascaded.deleted,
            revision,
        }
    }
}
