//! Settings of the cluster, which are part of the state and edited through the log.

use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How far back events reach: whichever bound is passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Oldest event that is kept, in seconds by the log's clock.
    pub events_max_age_seconds: u64,
    /// Most events that are kept.
    pub events_max_count: u64,
    /// Most bytes of events and of the records of ended holdings.
    pub events_max_bytes: u64,
}

/// An edit of the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsEdit {
    /// See [`Settings::events_max_age_seconds`].
    pub events_max_age_seconds: SettingChange,
    /// See [`Settings::events_max_count`].
    pub events_max_count: SettingChange,
    /// See [`Settings::events_max_bytes`].
    pub events_max_bytes: SettingChange,
}

/// What becomes of one setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SettingChange {
    /// It stays.
    #[default]
    Keep,
    /// It is what it was at the beginning.
    Reset,
    /// It is this from now on.
    To(u64),
}

/// A minute to ten years.
pub const EVENTS_AGE_SECONDS: RangeInclusive<u64> = 60..=315_360_000;
/// A thousand to a hundred million.
pub const EVENTS_COUNT: RangeInclusive<u64> = 1_000..=100_000_000;
/// 1 MiB to 16 GiB.
pub const EVENTS_BYTES: RangeInclusive<u64> = 1_048_576..=17_179_869_184;

impl Default for Settings {
    /// Seven days, a million events, 128 MiB.
    fn default() -> Self {
        Self {
            events_max_age_seconds: 604_800,
            events_max_count: 1_000_000,
            events_max_bytes: 134_217_728,
        }
    }
}

impl SettingChange {
    /// The setting after it.
    pub(crate) fn of(self, now: u64, at_first: u64) -> u64 {
        match self {
            Self::Keep => now,
            Self::Reset => at_first,
            Self::To(value) => value,
        }
    }
}
