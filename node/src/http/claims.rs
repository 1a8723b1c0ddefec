//! Claims: the main job.

use allocator::answer::{Outcome, Rejection};
use allocator::command::{ClaimRelease, ClaimSpec, Command};
use allocator::name::Name;
use allocator::owners::PoolTally;
use api::headers::IDEMPOTENCY_KEY;
use api::problem::{Code, Problem, Viewer};
use api::requests::query::{ClaimList, Mutation, Reading, Release};
use api::requests::{ClaimConfirm, ClaimCreate, ClaimPatch, ClaimRenew, Naming};
use api::views::Claim;
use hyper::StatusCode;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::{STEP_HOLDS, Wanted, read, read_page};
use super::server::Server;
use super::write::write;
use crate::logging::events::{self, Asked};
use crate::metrics::life;

pub(super) async fn claim_create(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let idempotency_key = call.header(IDEMPOTENCY_KEY)?.map(str::as_bytes);
    let naming = Naming {
        idempotency_key,
        random: &|| server.random(),
    };
    let command = ClaimCreate::parse(&body, &tenant, naming)?;
    if dry_run {
        return write(server, &call, command, dry_run)
            .await?
            .reply(Viewer::Tenant(&tenant));
    }
    let pool = match &command {
        Command::ClaimCreate(spec) => pool_of(spec),
        _ => None,
    };
    let written = match write(server, &call, command, dry_run).await {
        Ok(written) => written,
        Err(problem) => {
            count_refused(server, &call, pool.as_ref(), &problem);
            return Err(problem.into());
        }
    };
    if let Ok(outcome) = &written.answer.result {
        tell(server, &call, outcome, written.answer.revision);
    }
    let replied = written.document(Viewer::Tenant(&tenant));
    if let Err(failure) = &replied {
        count_refused(server, &call, pool.as_ref(), &failure.problem);
    }
    replied.map(|reply| written.encode(&reply))
}

pub(super) async fn claim_list(server: &Server, call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let list = ClaimList::parse(call.query(), &tenant)?;
    let (page, stamp) = read_page(
        server,
        &call,
        list.reading,
        Viewer::Tenant(&tenant),
        Wanted {
            after: list.after.clone(),
            limit: list.limit,
            step: STEP_HOLDS,
        },
        |state, after, limit| state.claims(&tenant, &list.filter, after, limit),
    )
    .await?;
    let next = page.next.map(|key| list.next_page_token(&key));
    Ok(answer::list(
        &page.items,
        |view| Claim::from(view),
        next,
        stamp,
    ))
}

pub(super) async fn claim_show(server: &Server, call: Call) -> Answered {
    let (tenant, name) = (call.path_name("tenant")?, call.path_name("claim")?);
    let reading = Reading::parse(call.query())?;
    let (claim, stamp) = read(server, &call, reading, Viewer::Tenant(&tenant), |state| {
        state.claim(&tenant, &name)
    })
    .await?;
    Ok(answer::json(StatusCode::OK, &Claim::from(&claim), stamp))
}

pub(super) async fn claim_edit(server: &Server, mut call: Call) -> Answered {
    let (tenant, name) = (call.path_name("tenant")?, call.path_name("claim")?);
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = ClaimPatch::parse(&body, &tenant, &name)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Tenant(&tenant))
}

pub(super) async fn claim_release(server: &Server, call: Call) -> Answered {
    let (tenant, name) = (call.path_name("tenant")?, call.path_name("claim")?);
    let Release {
        dry_run,
        generation,
    } = Release::parse(call.query())?;
    let command = Command::ClaimRelease(ClaimRelease {
        tenant: tenant.clone(),
        name,
        generation,
    });
    let written = write(server, &call, command, dry_run).await?;
    if let (Ok(outcome), false) = (&written.answer.result, dry_run) {
        tell(server, &call, outcome, written.answer.revision);
    }
    written.reply(Viewer::Tenant(&tenant))
}

pub(super) async fn claim_confirm(server: &Server, mut call: Call) -> Answered {
    let (tenant, name) = (call.path_name("tenant")?, call.path_name("claim")?);
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = ClaimConfirm::parse(&body, &tenant, &name)?;
    let written = write(server, &call, command, dry_run).await?;
    written.reply(Viewer::Tenant(&tenant))
}

pub(super) async fn claim_renew(server: &Server, mut call: Call) -> Answered {
    let (tenant, name) = (call.path_name("tenant")?, call.path_name("claim")?);
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = ClaimRenew::parse(&body, &tenant, &name)?;
    let written = write(server, &call, command, dry_run).await?;
    written.reply(Viewer::Tenant(&tenant))
}

/// The pool that a claim names, by tenant and name.
pub(super) fn pool_of(spec: &ClaimSpec) -> Option<(Name, Name)> {
    let pool = spec.pool()?;
    let tenant = pool.tenant.as_ref().unwrap_or(&spec.tenant);
    Some((tenant.clone(), pool.name.clone()))
}

/// Counts and logs what was done to a claim. What had been done before is not told again.
pub(super) fn tell(server: &Server, call: &Call, outcome: &Outcome, revision: u64) {
    let duration = server.now().saturating_sub(call.arrived);
    let asked = Asked {
        request_id: &call.request_id,
        duration,
        revision,
    };
    match outcome {
        Outcome::ClaimCreated(claim) => {
            let family = claim.block.family();
            server
                .allocations()
                .allocated(&claim.pool_tenant, &claim.pool, family, duration);
            if claim.returned {
                life::returned();
                events::returned(claim, asked);
            } else {
                events::allocated(claim, asked);
            }
        }
        Outcome::ClaimReleased(claim) => {
            server
                .allocations()
                .released(&claim.pool_tenant, &claim.pool, claim.block.family());
            events::released(claim, asked);
        }
        Outcome::OwnerReleased(released) => {
            tell_tallies(server, &released.pools, asked);
        }
        Outcome::Reconciled(reconciled) => tell_tallies(server, &reconciled.pools, asked),
        Outcome::PoolCascaded(cascaded) => {
            life::reclaimed(cascaded.reclaimed);
            tell_tallies(server, &cascaded.pools, asked);
        }
        Outcome::AllocationReclaimed(allocation) => {
            life::reclaimed(1);
            events::reclaimed_early(allocation, asked);
        }
        Outcome::ClaimRepeated(_)
        | Outcome::ClaimAlreadyReleased(_)
        | Outcome::ClaimConfirmed(_)
        | Outcome::ClaimRenewed(_)
        | Outcome::Expired(_)
        | Outcome::ClockAdvanced { .. }
        | Outcome::SettingsEdited(_)
        | Outcome::Done
        | Outcome::TenantCreated(_)
        | Outcome::TenantRepeated(_)
        | Outcome::TenantDeleted(_)
        | Outcome::PoolCreated(_)
        | Outcome::PoolRepeated(_)
        | Outcome::PoolDeleted(_)
        | Outcome::TenantEdited(_)
        | Outcome::PoolEdited(_)
        | Outcome::ClaimEdited(_)
        | Outcome::Batch(_) => {}
    }
}

/// Counts and logs blocks that many claims gave back at once.
fn tell_tallies(server: &Server, pools: &[PoolTally], asked: Asked<'_>) {
    for tally in pools {
        server.allocations().released_many(tally);
        events::released_many(tally, asked);
    }
}

/// Counts a claim that got nothing.
pub(super) fn count_refused(
    server: &Server,
    call: &Call,
    pool: Option<&(Name, Name)>,
    problem: &Problem,
) {
    let reason = problem.known_code().map_or("unknown", Code::name);
    let latency = server.now().saturating_sub(call.arrived);
    server
        .allocations()
        .refused(pool, reason, latency, |(tenant, pool)| {
            let known = server
                .replica()
                .applied()
                .read(|state| -> Result<_, Rejection> { state.pool_family(tenant, pool) });
            known.ok()
        });
}
