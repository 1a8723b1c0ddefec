//! `ipamctl cluster settings`

use api::requests::SettingsPatch;
use api::views::Settings;

use super::Context;
use crate::args::ClusterSettings;
use crate::confirm::confirm;
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
        if !command.destroy.is_confirmed() {
            let there = context.client.settings_show().await?.body;
            if forgets(&there, &patch) {
                let what = "what is older than the new bounds reach is forgotten, and no higher bound brings it back";
                confirm(what, "settings", false).await?;
            }
        }
        let writer = context.writer(command.destroy.dry_run);
        let edited = writer.settings_edit(&patch).await?.body;
        output::note(if command.destroy.dry_run.dry_run {
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

/// A bound becomes lower, so that events go.
fn forgets(there: &Settings, patch: &SettingsPatch) -> bool {
    let bounds = [
        (there.events_max_age_seconds, patch.events_max_age_seconds),
        (there.events_max_count, patch.events_max_count),
        (there.events_max_bytes, patch.events_max_bytes),
    ];
    bounds
        .into_iter()
        .any(|(before, after)| after.is_some_and(|after| after < before))
}

fn text(settings: &Settings) -> String {
    format!(
        "Events are kept for at most\n  Age:    {} s\n  Count:  {}\n  Bytes:  {}\n",
        settings.events_max_age_seconds, settings.events_max_count, settings.events_max_bytes
    )
}
