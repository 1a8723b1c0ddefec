//! Who has an address, or had it.

use allocator::history::{Moment, PastError};
use allocator::name::Name;
use allocator::prefix::Prefix;
use api::problem::{Problem, Viewer};
use api::requests::{path, query};
use api::scalar::Time;
use api::views::Lookup;
use hyper::StatusCode;

use super::answer::{self, Answered, Failure};
use super::call::Call;
use super::read::{read, read_reached};
use super::server::Server;

pub(super) async fn lookup_show(server: &Server, call: Call) -> Answered {
    let (tenant, cidr) = (call.path_name("tenant")?, path::block(call.path("cidr"))?);
    let lookup = query::Lookup::parse(call.query())?;
    let viewer = Viewer::Tenant(&tenant);
    if let Some(at) = lookup.at {
        return past(server, &call, &tenant, cidr, &lookup, at).await;
    }
    let (view, stamp) = read(server, &call, lookup.reading, viewer, |state| {
        state.lookup(&tenant, &lookup.space, cidr)
    })
    .await?;
    Ok(answer::json(
        StatusCode::OK,
        &Lookup::of(&view, &lookup.space, viewer, stamp.revision),
        stamp,
    ))
}

/// A revision that this node has not applied yet is waited for.
async fn past(
    server: &Server,
    call: &Call,
    tenant: &Name,
    cidr: Prefix,
    lookup: &query::Lookup,
    at: Moment,
) -> Answered {
    let viewer = Viewer::Tenant(tenant);
    let reached = match at {
        Moment::Revision(revision) => Some(revision),
        Moment::Time(_) => None,
    };
    let (past, stamp) = read_reached(server, call, lookup.reading, reached, viewer, |state| {
        Ok(state.lookup_at(tenant, &lookup.space, cidr, at))
    })
    .await?;
    let past = past.map_err(|error| {
        let problem = match error {
            PastError::Compacted(compacted) => Problem::past_compacted(
                match at {
                    Moment::Revision(revision) => format!("revision {revision}"),
                    Moment::Time(ms) => Time(ms).to_string(),
                },
                compacted.oldest,
            ),
            PastError::NotReached(present) => Problem::invalid_parameter(
                "at",
                "is above the present revision",
                format_args!("a revision up to {present}, or a time"),
            ),
            PastError::Refused(rejection) => {
                Problem::from_rejection(&rejection, stamp.revision, viewer)
            }
        };
        Failure::at(problem, stamp)
    })?;
    Ok(answer::json(
        StatusCode::OK,
        &Lookup::of(&past.lookup, &lookup.space, viewer, past.revision),
        stamp,
    ))
}
