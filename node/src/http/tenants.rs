//! Tenants.

use allocator::command::Command;
use api::problem::Viewer;
use api::requests::query::{Mutation, Reading, TenantList};
use api::requests::{TenantCreate, TenantPatch};
use api::views::Tenant;
use hyper::StatusCode;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::{page_size, read};
use super::server::Server;
use super::write::write;

pub(super) async fn tenant_create(server: &Server, mut call: Call) -> Answered {
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = TenantCreate::parse(&body)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Admin)
}

pub(super) async fn tenant_list(server: &Server, call: Call) -> Answered {
    let list = TenantList::parse(call.query())?;
    let (page, stamp) = read(server, &call, list.reading, Viewer::Admin, |state| {
        Ok(state.tenants(&list.filter, list.after.as_ref(), page_size(list.limit)))
    })
    .await?;
    let next = page.next.map(|key| list.next_page_token(&key));
    Ok(answer::list(
        &page.items,
        |view| Tenant::from(view),
        next,
        stamp,
    ))
}

pub(super) async fn tenant_show(server: &Server, call: Call) -> Answered {
    let name = call.path_name("tenant")?;
    let reading = Reading::parse(call.query())?;
    let (tenant, stamp) = read(server, &call, reading, Viewer::Admin, |state| {
        state.tenant(&name)
    })
    .await?;
    Ok(answer::json(StatusCode::OK, &Tenant::from(&tenant), stamp))
}

pub(super) async fn tenant_edit(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = TenantPatch::parse(&body, &tenant)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Admin)
}

pub(super) async fn tenant_delete(server: &Server, call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    write(server, &call, Command::TenantDelete { tenant }, dry_run)
        .await?
        .reply(Viewer::Admin)
}
