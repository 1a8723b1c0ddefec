//! Allocations: what is held, by claims, child pools and reservations.

use api::problem::{Problem, Viewer};
use api::requests::query::{AllocationList, Consistency, InSpace, Mutation};
use api::requests::{AllocationReclaim, path};
use api::views::Allocation;
use hyper::StatusCode;

use super::answer::{self, Answered, Failure};
use super::call::Call;
use super::claims::tell;
use super::read::{STEP_HOLDS, Wanted, read, read_page};
use super::server::Server;
use super::write::write;

pub(super) async fn allocation_list(server: &Server, call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let list = AllocationList::parse(call.query(), &tenant)?;
    let viewer = Viewer::Tenant(&tenant);
    let (page, stamp) = read_page(
        server,
        &call,
        list.reading,
        viewer,
        Wanted {
            after: list.after.clone(),
            limit: list.limit,
            step: STEP_HOLDS,
        },
        |state, after, limit| state.allocations(&tenant, &list.filter, after, limit),
    )
    .await?;
    let next = page.next.map(|key| list.next_page_token(&key));
    Ok(answer::list(
        &page.items,
        |view| Allocation::of(view, viewer),
        next,
        stamp,
    ))
}

pub(super) async fn allocation_show(server: &Server, call: Call) -> Answered {
    let (tenant, cidr) = (call.path_name("tenant")?, path::block(call.path("cidr"))?);
    let InSpace { reading, space } = InSpace::parse(call.query())?;
    let viewer = Viewer::Tenant(&tenant);
    let (view, stamp) = read(server, &call, reading, viewer, |state| {
        state.allocation(&tenant, &space, cidr)
    })
    .await?;
    Ok(answer::json(
        StatusCode::OK,
        &Allocation::of(&view, viewer),
        stamp,
    ))
}

pub(super) async fn allocation_reclaim(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = AllocationReclaim::parse(&body, &tenant)?;
    let written = write(server, &call, command, dry_run).await?;
    if let (Ok(outcome), false) = (&written.answer.result, dry_run) {
        tell(server, &call, outcome, written.answer.revision);
    }
    written.reply(Viewer::Tenant(&tenant))
}

/// Never done; the answer names what to delete instead.
pub(super) async fn allocation_delete(server: &Server, call: Call) -> Answered {
    let (tenant, cidr) = (call.path_name("tenant")?, path::block(call.path("cidr"))?);
    let InSpace { mut reading, space } = InSpace::parse_mutation(call.query())?;
    reading.consistency = Consistency::Local;
    let viewer = Viewer::Tenant(&tenant);
    let (view, stamp) = read(server, &call, reading, viewer, |state| {
        state.allocation(&tenant, &space, cidr)
    })
    .await?;
    Err(Failure::at(
        Problem::delete_the_claim(&Allocation::of(&view, viewer)),
        stamp,
    ))
}
