//! A held block.

use alloc::boxed::Box;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Kept, Lease, Life, PackedLabels, PoolId, TenantId};
use crate::command::{PoolSelector, Range};
use crate::life::ClaimLife;
use crate::name::{Name, Owner};
use crate::prefix::Prefix;
use crate::view::{Phase, Purpose};

/// A block that is held from a pool. There may be millions: what few of them have is behind a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) block: Prefix,
    pub(crate) phase: Phase,
    /// The same block came back to the same holder.
    pub(crate) returned: bool,
    pub(crate) pool: PoolId,
    pub(crate) generation: u64,
    /// Revision of the last change.
    pub(crate) revision: u64,
    /// Wall time at which this generation was given.
    pub(crate) allocated_at_ms: u64,
    pub(crate) holder: Holder,
}

/// By whom or what a block is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holder {
    Claim(Claim),
    Child { pool: PoolId },
    Reservation { reason: Arc<str> },
}

/// The claim that holds a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The tenant that owns the claim.
    pub(crate) tenant: TenantId,
    pub(crate) asked: Asked,
    pub(crate) name: Name,
    pub(crate) extras: Option<Arc<Extras>>,
    /// What not every claim has of a life; `None` for one that has nothing of it.
    pub(crate) life: Option<Arc<Life>>,
}

/// How a claim was asked for, as far as its block does not tell it; repeats are compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) prefix_length: Option<u8>,
    /// Exactly this block was asked for.
    pub(crate) cidr: bool,
    /// The family was stated.
    pub(crate) family: bool,
    /// It withholds its block.
    pub(crate) reservation: bool,
}

/// What not every claim has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extras {
    pub(crate) owner: Option<Owner>,
    /// Where the block was to lie.
    pub(crate) within: Box<[Range]>,
    /// By what its pool was found.
    pub(crate) selector: Option<Box<PoolSelector>>,
    pub(crate) labels: PackedLabels,
    pub(crate) annotations: PackedLabels,
    pub(crate) description: Box<str>,
}

/// What a range counts: two addresses of the larger family.
const RANGE_BYTES: usize = 32;

impl Hold {
    /// The pool itself withholds the block, not a claim.
    pub(crate) fn is_own_reservation(&self) -> bool {
        matches!(self.holder, Holder::Reservation { .. })
    }

    /// The pool's policy says whether the hold would be allowed: not of what is withheld.
    pub(crate) fn obeys_policy(&self) -> bool {
        self.purpose() != Purpose::Reservation
    }

    pub(crate) fn purpose(&self) -> Purpose {
        match &self.holder {
            Holder::Claim(claim) if !claim.asked.reservation => Purpose::Claim,
            Holder::Claim(_) | Holder::Reservation { .. } => Purpose::Reservation,
            Holder::Child { .. } => Purpose::Child,
        }
    }

    /// The claim that holds the block, or for which it is kept.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        match &self.holder {
            Holder::Claim(claim) => Some(claim),
            Holder::Child { .. } | Holder::Reservation { .. } => None,
        }
    }
}

impl Hold {
    /// What keeps the block for the holder that left; `None` while it is held.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        self.life()?.kept.as_ref()
    }

    /// Lease, confirmation and the like, of a claim that has such.
    pub(crate) fn life(&self) -> Option<&Life> {
        self.claim()?.life.as_deref()
    }

    /// Revision at which this generation was given.
    pub(crate) fn given_revision(&self) -> u64 {
        self.life()
            .and_then(|life| life.given_revision)
            .unwrap_or(self.revision)
    }

    /// The life of a claim's hold that is about to change, which remembers when it was given.
    pub(crate) fn life_to_change(&self) -> Life {
        let life = self.life();
        Life {
            given_revision: Some(self.given_revision()),
            ..life.cloned().unwrap_or_default()
        }
    }

    /// The lease on which the block is held.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.claim()?.life.as_ref()?.lease.as_ref()
    }

    /// When, by the log's clock, the lease or the grace is over; `None` for what has no end.
    pub(crate) fn end_ms(&self) -> Option<u64> {
        match self.kept() {
            Some(kept) => kept.reclaim_ms,
            None => self.lease().map(|lease| lease.expires_ms),
        }
    }

    /// When, by the log's clock, something is to be done about the hold: its end, or before it the
    /// announcement.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        match (self.kept(), self.lease()) {
            (None, Some(lease)) if lease.told_at_ms.is_none() => Some(lease.tell_ms()),
            _ => self.end_ms(),
        }
    }
}

impl Claim {
    /// By what its pool was found, where it named none.
    pub(crate) fn selector(&self) -> Option<&PoolSelector> {
        self.extras.as_ref()?.selector.as_deref()
    }

    pub(crate) fn within(&self) -> &[Range] {
        self.extras.as_ref().map_or(&[], |extras| &extras.within)
    }

    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.extras.as_ref()?.owner.as_ref()
    }

    /// What the claim stated of its life.
    pub(crate) fn life_asked(&self) -> ClaimLife {
        self.life
            .as_ref()
            .map_or_else(ClaimLife::default, |life| life.asked)
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.extras.as_ref()?.labels.get(key)
    }
}

impl Extras {
    /// Bytes of its texts, ranges and selector.
    pub(crate) fn bytes(&self) -> usize {
        let owner = self.owner.as_ref().map_or(0, |owner| owner.as_str().len());
        [
            owner,
            self.within.len().saturating_mul(RANGE_BYTES),
            self.selector
                .as_ref()
                .map_or(0, |selector| selector.bytes()),
            self.labels.bytes(),
            self.annotations.bytes(),
            self.description.len(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}
