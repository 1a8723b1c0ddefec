//! What is done to all that an owner holds.

use api::problem::Viewer;
use api::requests::query::Mutation;
use api::requests::{OwnerRelease, OwnersReconcile};

use super::answer::Answered;
use super::call::Call;
use super::claims::tell;
use super::server::Server;
use super::write::write;

pub(super) async fn owner_release(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = OwnerRelease::parse(&body, &tenant)?;
    let written = write(server, &call, command, dry_run).await?;
    if let (Ok(outcome), false) = (&written.answer.result, dry_run) {
        tell(server, &call, outcome, written.answer.revision);
    }
    written.reply(Viewer::Tenant(&tenant))
}

pub(super) async fn owners_reconcile(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let (command, tried) = OwnersReconcile::parse(&body, &tenant)?;
    let dry_run = dry_run || tried;
    let written = write(server, &call, command, dry_run).await?;
    if let (Ok(outcome), false) = (&written.answer.result, dry_run) {
        tell(server, &call, outcome, written.answer.revision);
    }
    written.reply(Viewer::Tenant(&tenant))
}
