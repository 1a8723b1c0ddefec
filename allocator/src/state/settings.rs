//! The settings: shown and edited.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::answer::{FieldProblem, Outcome, Rejection};
use crate::settings::{EVENTS_AGE_SECONDS, EVENTS_BYTES, EVENTS_COUNT, Settings, SettingsEdit};

use super::State;

/// Milliseconds of a second.
const SECOND_MS: u64 = 1_000;

impl State {
    /// The settings that are in force.
    pub fn settings(&self) -> Settings {
        let bounds = &self.meta.bounds;
        Settings {
            events_max_age_seconds: bounds.age_ms.checked_div(SECOND_MS).unwrap_or(0),
            events_max_count: bounds.count,
            events_max_bytes: bounds.bytes,
        }
    }

    /// Edits the settings. What lies beyond a bound that is closer now goes little by little.
    pub(super) fn settings_edit(&mut self, edit: &SettingsEdit) -> Result<Outcome, Rejection> {
        let (now, first) = (self.settings(), Settings::default());
        let wanted = Settings {
            events_max_age_seconds: edit
                .events_max_age_seconds
                .of(now.events_max_age_seconds, first.events_max_age_seconds),
            events_max_count: edit
                .events_max_count
                .of(now.events_max_count, first.events_max_count),
            events_max_bytes: edit
                .events_max_bytes
                .of(now.events_max_bytes, first.events_max_bytes),
        };
        check(&wanted)?;
        if wanted != now {
            self.revision_open();
            let bounds = &mut self.meta.bounds;
            bounds.age_ms = wanted.events_max_age_seconds.saturating_mul(SECOND_MS);
            bounds.count = wanted.events_max_count;
            bounds.bytes = wanted.events_max_bytes;
        }
        Ok(Outcome::SettingsEdited(wanted))
    }
}

/// Each setting is within its bounds; all that are not are told.
fn check(wanted: &Settings) -> Result<(), Rejection> {
    let table: [(&str, u64, RangeInclusive<u64>); 3] = [
        (
            "eventsMaxAgeSeconds",
            wanted.events_max_age_seconds,
            EVENTS_AGE_SECONDS,
        ),
        ("eventsMaxCount", wanted.events_max_count, EVENTS_COUNT),
        ("eventsMaxBytes", wanted.events_max_bytes, EVENTS_BYTES),
    ];
    let wrong: Vec<FieldProblem> = table
        .into_iter()
        .filter(|(_, value, bounds)| !bounds.contains(value))
        .map(|(field, value, bounds)| FieldProblem {
            field: String::from(field),
            problem: format!("is {value}"),
            allowed: format!("{} to {}", bounds.start(), bounds.end()),
        })
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Rejection::InvalidField(wrong))
    }
}
