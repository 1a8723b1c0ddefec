//! What came of the release of what an owner held.

use allocator::owners;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an owner release came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReleased {
    /// Holdings that it ended.
    pub released: u64,
    /// Holdings that are meant and are left: repeat with the same `asOfRevision` until it is 0.
    pub remaining: u64,
    /// Of listed holdings: those that had ended before.
    #[serde(default)]
    pub already_ended: u64,
    /// The revision after it.
    pub revision: u64,
}

impl OwnerReleased {
    /// As answered at a revision.
    pub fn of(released: &owners::OwnerReleased, revision: u64) -> Self {
        Self {
            released: released.released,
            remaining: released.remaining,
            already_ended: released.already_ended,
            revision,
        }
    }
}
