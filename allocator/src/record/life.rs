//! What not every hold of a claim has of a life: a lease, a confirmation, a past, a grace.
//!
//! Times that end in `_at_ms` are wall time, for people; the others are the log's clock.

use serde::{Deserialize, Serialize};

use crate::life::ClaimLife;

/// Shortest and longest time before its end at which a lease is told to be expiring.
const TELL_BEFORE_MS: (u64, u64) = (1_000, 3_600_000);

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    /// As the claim stated it, or as it was last renewed.
    pub(crate) asked: ClaimLife,
    pub(crate) lease: Option<Lease>,
    pub(crate) in_use_at_ms: Option<u64>,
    /// The revision of the same moment.
    pub(crate) in_use_revision: Option<u64>,
    /// The block came back to its holder.
    pub(crate) returned: Option<Past>,
    /// The holder left, and the block is kept for it.
    pub(crate) kept: Option<Kept>,
    /// Revision at which the holding began, once its hold has changed since; before, it is that of the
    /// hold.
    pub(crate) given_revision: Option<u64>,
}

/// A time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) ttl_seconds: u32,
    pub(crate) expires_ms: u64,
    /// When its coming end was told.
    pub(crate) told_at_ms: Option<u64>,
}

/// What was before a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) first_allocated_at_ms: u64,
    pub(crate) released_at_ms: u64,
}

/// A grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) released_at_ms: u64,
    /// Its lease was over; else it was released.
    pub(crate) expired: bool,
    /// `None`: until an operator reclaims it.
    pub(crate) reclaim_ms: Option<u64>,
    /// Grows with each release: which was the last.
    pub(crate) serial: u64,
}

impl Lease {
    /// A lease that begins now.
    pub(crate) fn new(ttl_seconds: u32, now_ms: u64) -> Self {
        Self {
            ttl_seconds,
            expires_ms: now_ms.saturating_add(ms(ttl_seconds)),
            told_at_ms: None,
        }
    }

    /// When its coming end is to be told: a tenth of the lease before it, 1 s to 1 h.
    pub(crate) fn tell_ms(&self) -> u64 {
        let (least, most) = TELL_BEFORE_MS;
        let before = ms(self.ttl_seconds)
            .checked_div(10)
            .unwrap_or(0)
            .clamp(least, most);
        self.expires_ms.saturating_sub(before)
    }
}

impl Life {
    /// Its use was confirmed at or before a revision.
    pub(crate) fn used_by(&self, revision: u64) -> bool {
        self.in_use_revision.is_some_and(|since| since <= revision)
    }
}

/// Seconds in milliseconds.
pub(crate) fn ms(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1_000)
}
