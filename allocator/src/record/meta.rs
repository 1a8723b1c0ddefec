//! The counters of the state: one record.

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::settings::Settings;
use crate::view::EventId;

/// What there is once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The active version of formats and rules.
    pub(crate) version: u32,
    pub(crate) cluster_id: Option<u128>,
    /// Grows by one for each command that changed something.
    pub(crate) revision: u64,
    /// The last generation given.
    pub(crate) generation: u64,
    /// The last serial number of a tenant.
    pub(crate) serial: u64,
    pub(crate) clock: Clock,
    pub(crate) bounds: EventBounds,
    /// Numbers of the oldest event and of the next one.
    pub(crate) events: (u64, u64),
    /// The same for ended holdings.
    pub(crate) ended: (u64, u64),
    /// The newest event that was dropped.
    pub(crate) dropped: Option<EventId>,
    /// Wall time of that event.
    pub(crate) dropped_at_ms: u64,
}

/// How far back events reach: whichever is passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventBounds {
    /// By the log's clock.
    pub(crate) age_ms: u64,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Meta {
    /// Those of an empty state.
    pub(crate) fn new() -> Self {
        let settings = Settings::default();
        Self {
            version: 1,
            cluster_id: None,
            revision: 0,
            generation: 0,
            serial: 0,
            clock: Clock::default(),
            bounds: EventBounds {
                age_ms: settings.events_max_age_seconds.saturating_mul(1_000),
                count: settings.events_max_count,
                bytes: settings.events_max_bytes,
            },
            events: (0, 0),
            ended: (0, 0),
            dropped: None,
            dropped_at_ms: 0,
        }
    }
}
