//! A pool: its own fields, and apart from them the revision of what it holds.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{HoldId, PoolId, TenantId, TextId};
use crate::command::{Gateway, PoolSpec};
use crate::name::Name;
use crate::prefix::{Address, Family, Prefix};

/// A pool as it was asked for, and what that came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) spec: Arc<PoolSpec>,
    pub(crate) tenant: TenantId,
    /// Its name, interned for its events.
    pub(crate) text: TextId,
    pub(crate) space: Name,
    pub(crate) family: Family,
    /// The pool that a child is carved from, and the hold of it there.
    pub(crate) parent: Option<(PoolId, HoldId)>,
    /// 1 for a root.
    pub(crate) depth: u8,
    /// In the order in which they were stated.
    pub(crate) blocks: Vec<PoolBlock>,
    pub(crate) min_prefix_length: u8,
    pub(crate) max_prefix_length: u8,
    pub(crate) default_prefix_length: Option<u8>,
    /// Wall time since which nothing new is handed out.
    pub(crate) draining_since_ms: Option<u64>,
    pub(crate) revision: u64,
    pub(crate) created_revision: u64,
    pub(crate) created_at_ms: u64,
    pub(crate) updated_at_ms: u64,
}

/// One block of a pool, and what its holders configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolBlock {
    pub(crate) cidr: Prefix,
    pub(crate) subnet: Prefix,
    /// The subnet was stated (here or above): a flat network, whose subnet the children share.
    pub(crate) flat: bool,
    /// The gateway as stated here or above.
    pub(crate) rule: Option<Gateway>,
    /// The gateway in the subnet.
    pub(crate) gateway: Option<Address>,
}

/// What changes in a pool with each claim: kept apart from the rest, which may be large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Revision of the last change of what the pool holds.
    pub(crate) revision: u64,
    /// Wall time since which it has had no room; `None` while it has.
    pub(crate) exhausted_since_ms: Option<u64>,
    /// Wall time since which some holders are out of policy; `None` while none is.
    pub(crate) out_of_policy_since_ms: Option<u64>,
    /// Of a pool with `NextFit`: the last address of the block that was handed out last.
    pub(crate) cursor: Option<Address>,
}

impl Pool {
    /// The block of the pool that contains a block.
    pub(crate) fn block_of(&self, prefix: Prefix) -> Option<&PoolBlock> {
        self.blocks.iter().find(|block| block.cidr.contains(prefix))
    }
}
