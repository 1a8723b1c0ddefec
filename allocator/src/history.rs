//! The past: who held which block, from when to when, and why it ended.
//!
//! It reaches as far back as the events do. Of what ended before that nothing is known; what is held,
//! or was held since, is known however long ago it began.

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::answer::Rejection;
use crate::name::{Labels, Name, Owner};
use crate::prefix::Prefix;
use crate::state::Compacted;
use crate::view::{LookupView, Phase, Purpose};

/// Why a holding ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EndReason {
    /// The claim gave its block back.
    Released,
    /// Its lease was over.
    Expired,
    /// The child pool that held it was deleted.
    PoolDeleted,
}

/// How a block that was kept for its holder came to be kept no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FreedBy {
    /// Its grace was over, or an operator did not wait for that: it was free.
    Reclaim,
    /// It went back to its holder, as another holding.
    Return,
}

/// One holding of a block, by a claim or a child pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingView {
    /// The block.
    pub cidr: Prefix,
    /// The routing domain.
    pub space: Name,
    /// Tenant of the pool that it was held from.
    pub tenant: Name,
    /// The pool that it was held from.
    pub pool: Name,
    /// By a claim or by a child pool.
    pub purpose: Purpose,
    /// Its holder, the claim or the child pool: tenant and name.
    pub holder: (Name, Name),
    /// Key of the holder.
    pub owner: Option<Owner>,
    /// Labels of the holder, as last edited.
    pub labels: Labels,
    /// Fences this holding.
    pub generation: u64,
    /// Where it is in its life, or how it ended.
    pub phase: Phase,
    /// When it began.
    pub from_ms: u64,
    /// Revision at which it began, where the events reach back to that.
    pub from_revision: Option<u64>,
    /// How it ended; `None` while it goes on.
    pub end: Option<HoldingEnd>,
}

/// How a holding ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingEnd {
    /// When.
    pub at_ms: u64,
    /// At which revision.
    pub revision: u64,
    /// Why.
    pub reason: EndReason,
    /// The revision since which its block is kept for its holder no longer, where it is not: that of the
    /// end, where there was no grace.
    pub gone_revision: Option<u64>,
    /// By what a grace ended.
    pub freed: Option<FreedBy>,
}

/// Which holdings to list; what is `None` lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFilter {
    /// Of this tenant: by it, or from its pools.
    pub tenant: Option<Name>,
    /// In this routing domain.
    pub space: Option<Name>,
    /// Of blocks that overlap this one.
    pub cidr: Option<Prefix>,
    /// By the claims of this name.
    pub claim: Option<Name>,
    /// From the pools of this name.
    pub pool: Option<Name>,
    /// By this owner.
    pub owner: Option<Owner>,
}

/// Where a holding stands in the list: first what has ended, in the order in which the blocks were free
/// again, then what is held or kept, by tenant, pool and address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HistoryKey {
    /// The number of an ended holding.
    Ended(u64),
    /// A block that is held from a pool.
    Held {
        /// The pool's tenant.
        tenant: Name,
        /// The pool.
        pool: Name,
        /// The block.
        cidr: Prefix,
    },
}

/// A moment in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// After this revision.
    Revision(u64),
    /// At this wall time, in milliseconds since the Unix epoch.
    Time(u64),
}

/// Who had a block at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastView {
    /// The revision at that moment.
    pub revision: u64,
    /// Who had it.
    pub lookup: LookupView,
}

/// Why the past cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastError {
    /// It lies before what is kept.
    Compacted(Compacted),
    /// It has not come yet; the present revision.
    NotReached(u64),
    /// Something else.
    Refused(Box<Rejection>),
}
