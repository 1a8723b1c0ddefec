//! A tenant.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TextId;
use crate::command::TenantSpec;

/// A tenant as it was asked for, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tenant {
    pub(crate) spec: Arc<TenantSpec>,
    /// A number that no other tenant ever had or gets.
    pub(crate) serial: u64,
    /// Its name, interned for its events.
    pub(crate) text: TextId,
    pub(crate) revision: u64,
    pub(crate) created_revision: u64,
    pub(crate) created_at_ms: u64,
    pub(crate) updated_at_ms: u64,
}
