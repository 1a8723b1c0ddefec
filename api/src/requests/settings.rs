//! An edit of the cluster's settings.

use allocator::command::Command;
use allocator::settings::{SettingChange, SettingsEdit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::json;
use crate::problem::Problem;

/// An edit of the cluster's settings, as a merge patch: one that is `null` is what it was at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsPatch {
    /// For how long events are kept at most, in seconds by the log's clock: 60 to 315360000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_max_age_seconds: Option<u64>,
    /// Most events that are kept: 1000 to 100000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_max_count: Option<u64>,
    /// Most bytes of events and of what they refer to: 1048576 to 17179869184.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_max_bytes: Option<u64>,
}

impl SettingsPatch {
    /// The command that a body asks for.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8]) -> Result<Command, Problem> {
        let (document, nulls): (Self, _) = json::decode_patch(body, &[], &[])?;
        let change = |field: &str, value: Option<u64>| match value {
            Some(value) => SettingChange::To(value),
            None if nulls.has(field, None) => SettingChange::Reset,
            None => SettingChange::Keep,
        };
        Ok(Command::SettingsEdit(SettingsEdit {
            events_max_age_seconds: change("eventsMaxAgeSeconds", document.events_max_age_seconds),
            events_max_count: change("eventsMaxCount", document.events_max_count),
            events_max_bytes: change("eventsMaxBytes", document.events_max_bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_set_reset_or_left() {
        let body = br#"{"eventsMaxCount": 5000, "eventsMaxBytes": null}"#;
        let expected = SettingsEdit {
            events_max_age_seconds: SettingChange::Keep,
            events_max_count: SettingChange::To(5_000),
            events_max_bytes: SettingChange::Reset,
        };
        assert_eq!(
            SettingsPatch::parse(body),
            Ok(Command::SettingsEdit(expected))
        );
        for bad in [
            r#"{"eventsMaxCount": "many"}"#,
            r#"{"eventMaxCount": 5000}"#,
        ] {
            let problem = SettingsPatch::parse(bad.as_bytes()).unwrap_err();
            assert_eq!(problem.code, "invalid_field", "{bad}");
        }
    }
}
