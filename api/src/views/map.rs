//! The layout of a pool as shown.

use allocator::name::Name;
use allocator::prefix::Address;
use allocator::view::{MapKind, MapRun, MapView, Phase};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Viewer;

/// The layout of a pool as runs by address, as far as one answer goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolMap {
    /// The length of a cell: what is smaller is not told apart.
    pub prefix_length: u8,
    /// The runs, by address and without gaps inside a CIDR.
    pub items: Vec<Run>,
    /// `from` of the next answer; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Address>,
    /// The revision that is shown.
    pub revision: u64,
}

/// Neighbouring blocks of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its first address.
    #[schema(value_type = String)]
    pub first: Address,
    /// Its last address.
    #[schema(value_type = String)]
    pub last: Address,
    /// What it is.
    pub state: RunState,
    /// How many holds it is made of; absent where it is free or mixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<u64>,
    /// The child pool, where it is the viewer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub child: Option<Name>,
    /// The tenant of a child pool, where it is another one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// Length of the largest free block in a mixed run; absent where nothing in it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_free_prefix_length: Option<u8>,
}

/// What a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum RunState {
    /// Free.
    Free,
    /// Held by claims.
    Allocated,
    /// Held by claims whose holders have confirmed it.
    InUse,
    /// Kept for holders that left.
    Released,
    /// Withheld.
    Reserved,
    /// A child pool's.
    Child,
    /// Cells of which only a part is held.
    Mixed,
}

impl PoolMap {
    /// As `viewer` may see it.
    pub fn of(view: &MapView, viewer: Viewer<'_>, revision: u64) -> Self {
        Self {
            prefix_length: view.prefix_length,
            items: view.runs.iter().map(|run| Run::of(run, viewer)).collect(),
            next: view.next,
            revision,
        }
    }
}

impl Run {
    fn of(run: &MapRun, viewer: Viewer<'_>) -> Self {
        let mut shown = Self {
            first: run.first,
            last: run.last,
            state: RunState::Free,
            holds: (run.holds > 0).then_some(run.holds),
            child: None,
            tenant: None,
            largest_free_prefix_length: None,
        };
        shown.state = match &run.kind {
            MapKind::Free => RunState::Free,
            MapKind::Claims(Phase::Allocated) => RunState::Allocated,
            MapKind::Claims(Phase::InUse) => RunState::InUse,
            MapKind::Claims(Phase::Released) => RunState::Released,
            MapKind::Reserved => RunState::Reserved,
            MapKind::Child(tenant, name) => {
                if viewer.sees(tenant) {
                    shown.child = Some(name.clone());
                } else {
                    shown.tenant = Some(tenant.clone());
                }
                RunState::Child
            }
            MapKind::Mixed(largest) => {
                shown.largest_free_prefix_length = *largest;
                RunState::Mixed
            }
        };
        shown
    }
}
