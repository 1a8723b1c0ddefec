//! The cluster's settings as shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The cluster's settings: how far back events reach, by whichever bound is passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// For how long events are kept at most, in seconds by the log's clock.
    pub events_max_age_seconds: u64,
    /// Most events that are kept.
    pub events_max_count: u64,
    /// Most bytes of events and of what they refer to.
    pub events_max_bytes: u64,
}

impl From<&allocator::settings::Settings> for Settings {
    fn from(settings: &allocator::settings::Settings) -> Self {
        Self {
            events_max_age_seconds: settings.events_max_age_seconds,
            events_max_count: settings.events_max_count,
            events_max_bytes: settings.events_max_bytes,
        }
    }
}
