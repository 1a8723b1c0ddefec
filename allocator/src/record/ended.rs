//! A holding that has ended: written once, kept as long as the event that tells its end.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Asked, Extras, Life, TextId};
use crate::history::{EndReason, FreedBy};
use crate::name::Name;
use crate::prefix::{Address, Prefix};

/// A holding as it last was. It stands on its own: pool and tenant may be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) block: Prefix,
    /// Length of the on-link prefix around the block.
    pub(crate) subnet_length: u8,
    pub(crate) gateway: Option<Address>,
    pub(crate) returned: bool,
    pub(crate) generation: u64,
    /// Revision at which it ended: was released, or its lease was over.
    pub(crate) revision: u64,
    /// Revision at which its block was free or another's: later, where a grace kept it.
    pub(crate) gone: u64,
    /// Why it ended, and by what a grace did.
    pub(crate) reason: EndReason,
    pub(crate) freed: Option<FreedBy>,
    pub(crate) allocated_at_ms: u64,
    /// Wall time of the end.
    pub(crate) until_ms: u64,
    /// Number of the holder's tenant that is never given again, and its name.
    pub(crate) tenant_serial: u64,
    pub(crate) tenant: TextId,
    /// The pool that it was held from, and the routing domain in which that lay.
    pub(crate) pool_tenant: TextId,
    pub(crate) pool: TextId,
    pub(crate) space: TextId,
    pub(crate) holder: EndedHolder,
}

/// Who held it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndedHolder {
    Claim {
        asked: Asked,
        name: Name,
        extras: Option<Arc<Extras>>,
        life: Option<Arc<Life>>,
    },
    Child {
        name: Name,
        /// Owner and labels of the pool as last edited.
        extras: Option<Arc<Extras>>,
    },
}

impl Ended {
    /// The holder's name.
    pub(crate) fn name(&self) -> &Name {
        match &self.holder {
            EndedHolder::Claim { name, .. } | EndedHolder::Child { name, .. } => name,
        }
    }

    /// The texts that it refers to.
    pub(crate) fn texts(&self) -> [TextId; 4] {
        [self.tenant, self.pool_tenant, self.pool, self.space]
    }

    /// Owner, labels and the like of the holder.
    pub(crate) fn extras(&self) -> Option<&Extras> {
        match &self.holder {
            EndedHolder::Claim { extras, .. } | EndedHolder::Child { extras, .. } => {
                extras.as_deref()
            }
        }
    }

    /// Lease, confirmation and the like, of a claim that had such.
    pub(crate) fn life(&self) -> Option<&Life> {
        match &self.holder {
            EndedHolder::Claim { life, .. } => life.as_deref(),
            EndedHolder::Child { .. } => None,
        }
    }

    /// What it counts against the bound on bytes: a fixed part and its texts, so that the count is
    /// the same on every platform.
    pub(crate) fn weight(&self) -> u64 {
        let extras = self.extras().map_or(0, Extras::bytes);
        let life = if self.life().is_some() { 128 } else { 0 };
        let texts = self.name().as_str().len().saturating_add(extras);
        u64::try_from(texts)
            .unwrap_or(u64::MAX)
            .saturating_add(160)
            .saturating_add(life)
    }
}
