//! `ipamctl cluster settings`

use api::requests::SettingsPatch;
use api::views::Settings;

use super::Context;
use crate::args::ClusterSettings;
use crate::failure::Failure;
use crate::output;

/// Shows the settings, after it has edited them where it is told to.
pub(super) async fn run(context: &Context, command: ClusterSettings) -> Result<(), Failure> {
    let patch = SettingsPatch {
        events_max_age_seconds: command.events_max_age,
        events_max_count: command.events_max_count,
        events_max_bytes: command.events_max_bytes,
    };
    let settings = if patch == SettingsPatch::default() {
        context.client.settings_show().await?.body
    } else {
        let writer = context.writer(command.dry_run);
        let edited = writer.settings_edit(&patch).await?.body;
        output::note(if command.dry_run.dry_run {
            "settings would be edited (dry run)"
        } else {
            "settings edited"
        });
        edited
    };
    context
        .output
        .document(&settings, "settings", |_| text(&settings))
}

fn text(settings: &Settings) -> String {
    format!(
        "Events are kept for at most\n  Age:    {} s\n  Count:  {}\n  Bytes:  {}\n",
        settings.events_max_age_seconds, settings.events_max_count, settings.events_max_bytes
    )
}
