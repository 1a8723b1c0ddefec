//! Who has an address.

use api::problem::Viewer;
use api::requests::path;
use api::requests::query::InSpace;
use api::views::Lookup;
use hyper::StatusCode;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::read;
use super::server::Server;

pub(super) async fn lookup_show(server: &Server, call: Call) -> Answered {
    let (tenant, cidr) = (call.path_name("tenant")?, path::block(call.path("cidr"))?);
    let InSpace { reading, space } = InSpace::parse(call.query())?;
    let viewer = Viewer::Tenant(&tenant);
    let (view, stamp) = read(server, &call, reading, viewer, |state| {
        state.lookup(&tenant, &space, cidr)
    })
    .await?;
    Ok(answer::json(
        StatusCode::OK,
        &Lookup::of(&view, &space, viewer, stamp.revision),
        stamp,
    ))
}
