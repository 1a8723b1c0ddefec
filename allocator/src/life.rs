//! How long a block is held, and for how long it is kept for the holder that left.
//!
//! Durations are whole seconds of the log's clock, below 2^32 (136 years).

use serde::{Deserialize, Serialize};

/// What becomes of a block that was released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReclaimPolicy {
    /// It is free when its grace is over.
    #[default]
    Delete,
    /// It is kept until an operator reclaims it.
    Retain,
}

/// What a pool says of the life of its blocks. What is absent has the default that is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLife {
    /// For how long a released block is kept for its holder: 0.
    pub grace_seconds: Option<u32>,
    /// What becomes of it then: `Delete`.
    pub reclaim_policy: Option<ReclaimPolicy>,
    /// The longest grace that a claim may state: the pool's own.
    pub max_grace_seconds: Option<u32>,
    /// A claim may state `Retain`: where that is the pool's own policy.
    pub allow_retain: Option<bool>,
    /// The longest lease; a claim that states none gets this one. Absent: leases are not required.
    pub max_ttl_seconds: Option<u32>,
}

/// What a claim says of the life of its block. What is absent is as the pool says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimLife {
    /// The length of its lease.
    pub ttl_seconds: Option<u32>,
    /// For how long its block is kept once it is released.
    pub grace_seconds: Option<u32>,
    /// What becomes of its block then.
    pub reclaim_policy: Option<ReclaimPolicy>,
}

impl PoolLife {
    /// The grace in force.
    pub fn grace(&self) -> u32 {
        self.grace_seconds.unwrap_or(0)
    }

    /// The policy in force.
    pub fn policy(&self) -> ReclaimPolicy {
        self.reclaim_policy.unwrap_or_default()
    }

    /// The longest grace that a claim may state.
    pub fn grace_max(&self) -> u32 {
        self.max_grace_seconds.unwrap_or_else(|| self.grace())
    }

    /// A claim may state `Retain`.
    pub fn retain_allowed(&self) -> bool {
        self.allow_retain
            .unwrap_or(self.policy() == ReclaimPolicy::Retain)
    }
}
