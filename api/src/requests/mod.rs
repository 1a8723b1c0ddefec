//! Requests: what a client writes, and how it becomes a command.
//!
//! 1. Unknown fields are refused, so that a typing error never passes for a default; `status` is
//!    accepted and ignored, so that what was read can be sent back.
//! 2. All problems of a document's values are told at once, each with its field and what is allowed.
//! 3. Only what the command's types need is checked here; everything that depends on the state, or
//!    on two fields together, is decided by the state machine and so is the same on every node.

mod batch;
pub(crate) mod check;
mod claim;
mod cluster;
mod edit;
mod handout;
mod life;
mod owners;
mod page;
pub mod path;
mod pool;
mod pool_selector;
pub mod query;
mod reconcile;
pub(crate) mod selector;
mod settings;
mod tenant;

pub use batch::{Batch, BatchOperation, BatchRead, ClaimRelease, RefusedOperations};
pub use claim::{ClaimCreate, Naming, generated_name};
pub use cluster::MemberAdd;
pub use edit::{ClaimPatch, PoolPatch, TenantPatch};
pub use life::{AllocationReclaim, ClaimConfirm, ClaimRenew, ClockAdvance};
pub use owners::{HoldingRef, OwnerRelease};
pub use pool::PoolCreate;
pub use reconcile::{OwnersReconcile, ReconcileScope};
pub use settings::SettingsPatch;
pub use tenant::{Quota, TenantCreate};
