//! What declared live sets leave behind: the scopes, and who was not there.

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use super::{ScopeId, TenantId};
use crate::reconcile::SuspectHolder;

/// The scope of live sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScopeRecord {
    pub(crate) tenant: TenantId,
    /// What it is, in one form.
    pub(crate) key: Box<str>,
    /// The last epoch that was accepted.
    pub(crate) epoch: u64,
    /// When that was, by the log's clock.
    pub(crate) seen_ms: u64,
}

/// A holder in a scope that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspect {
    pub(crate) scope: ScopeId,
    pub(crate) holder: SuspectHolder,
    /// When it was seen first, by the log's clock.
    pub(crate) first_ms: u64,
    /// The revision at which it was seen first: what it did later begins it anew.
    pub(crate) first_revision: u64,
    /// In how many calls it was seen.
    pub(crate) sightings: u32,
}
