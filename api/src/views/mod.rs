//! Views: what an answer shows.
//!
//! 1. What the user wrote stands at the top, what the system assigned under `status`; so a view can
//!    be sent back as the request that made it.
//! 2. What is absent or empty is left out, except `labels` and a tenant's `quota`.
//! 3. Each view reads back (`Deserialize`) as what was written; a reader skips members that it does
//!    not know, so that an older client reads a newer server.
//! 4. Of another tenant's object a view shows tenant, purpose and phase, never names or labels.

mod allocation;
mod batch;
mod cascade;
mod claim;
mod cluster;
mod history;
mod lookup;
mod map;
mod owners;
mod pool;
mod reconcile;
mod settings;
mod tenant;
mod watch;

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::scalar::{Cidr, Decimal, Time};

pub use allocation::Allocation;
pub use batch::{Batch, BatchResult};
pub use cascade::{PoolCascaded, PoolDeletion};
pub use claim::{Claim, ClaimStatus};
pub use cluster::{ClockAdvanced, Cluster, Digest, Health, Member, MemberRole};
pub use history::{Holding, HoldingReason};
pub use lookup::{Lookup, PoolTree, TreeNode};
pub use map::{PoolMap, Run, RunState};
pub use owners::OwnerReleased;
pub use pool::{Blocks, Capacity, ClaimCounts, Pool, PoolStatus, ResolvedCidr};
pub use reconcile::{Reconciled, ReleasedHolding, Suspect};
pub use settings::Settings;
pub use tenant::{Quota, Tenant, TenantStatus, Usage};
pub use watch::{EVENT_STREAM, WatchEvent, WatchObject, WatchType};

/// One page of a list.
pub type List<T> = ListOf<Vec<T>>;

/// One page of a list, with the items as they are at hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListOf<I> {
    /// The items, in the order of their keys.
    pub items: I,
    /// Where the next page begins; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// The revision that the page shows.
    pub revision: u64,
}

/// Items each of which becomes a document when it is written, and is none any more when the next one is:
/// a thousand at a time cost several times as much memory, and most of the time of a page.
#[derive(Debug)]
pub struct Shown<'a, V, F>(pub &'a [V], pub F);

impl<V, T: Serialize, F: Fn(&V) -> T> Serialize for Shown<'_, V, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

/// Free blocks of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Free {
    /// The blocks: of the length that was asked for, by address, or the maximal ones, largest first.
    pub items: Vec<Cidr>,
    /// How many there are in all, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Decimal>,
    /// The revision that is shown.
    pub revision: u64,
}

/// One aspect of an object's state, as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Allocated` or `Exhausted`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// `True` or `False`.
    pub status: Cow<'static, str>,
    /// Why, in one word.
    pub reason: Cow<'static, str>,
    /// Why, for people.
    pub message: String,
    /// Since when.
    pub last_transition_time: Time,
}

impl Condition {
    /// A condition that holds.
    fn holds(kind: &'static str, reason: &'static str, message: String, since_ms: u64) -> Self {
        Self::new(kind, "True", reason, message, since_ms)
    }

    /// A condition that does not hold any more.
    fn fails(kind: &'static str, reason: &'static str, message: String, since_ms: u64) -> Self {
        Self::new(kind, "False", reason, message, since_ms)
    }

    fn new(
        kind: &'static str,
        status: &'static str,
        reason: &'static str,
        message: String,
        since_ms: u64,
    ) -> Self {
        Self {
            kind: kind.into(),
            status: status.into(),
            reason: reason.into(),
            message,
            last_transition_time: Time(since_ms),
        }
    }
}
