//! The cluster's settings.

use api::problem::Viewer;
use api::requests::SettingsPatch;
use api::requests::query::{Mutation, Reading};
use api::views::Settings;
use hyper::StatusCode;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::read;
use super::server::Server;
use super::write::write;

pub(super) async fn settings_show(server: &Server, call: Call) -> Answered {
    let reading = Reading::parse(call.query())?;
    let (settings, stamp) = read(server, &call, reading, Viewer::Admin, |state| {
        Ok(state.settings())
    })
    .await?;
    Ok(answer::json(
        StatusCode::OK,
        &Settings::from(&settings),
        stamp,
    ))
}

pub(super) async fn settings_edit(server: &Server, mut call: Call) -> Answered {
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = SettingsPatch::parse(&body)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Admin)
}
