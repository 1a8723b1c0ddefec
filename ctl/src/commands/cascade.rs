//! `ipamctl pool delete --cascade`

use allocator::name::Name;
use allocator::owners::RELEASE_BLOCKS_MAX;
use api::views::PoolCascaded;

use super::Context;
use super::owner::again_as_of;
use crate::args::{Cascade, Destroy};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output;

/// Removes a pool with what is under it: in steps until nothing of it is left, unless a limit asks for
/// one step.
pub(super) async fn delete(
    context: &Context,
    pool: &Name,
    if_revision: Option<u64>,
    cascade: Cascade,
    destroy: Destroy,
) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    let as_of = context.as_of(tenant, cascade.as_of).await?;
    confirm(
        &format!("pool {pool} and all that is under it will be deleted, also what is in use"),
        pool.as_str(),
        destroy.is_confirmed(),
    )
    .await?;
    let dry_run = destroy.dry_run.dry_run;
    let writer = context.writer(destroy.dry_run);
    let limit = Some(cascade.limit.unwrap_or(RELEASE_BLOCKS_MAX));
    let unknown = |error| Failure::fenced(error, || again_as_of(as_of));
    let first = writer
        .pool_cascade(tenant, pool, as_of, limit, if_revision)
        .await;
    let mut sum = first.map_err(unknown)?.body;
    while sum.remaining > 0 && cascade.limit.is_none() && !dry_run {
        output::note(&format!(
            "{} released, {} left",
            sum.released, sum.remaining
        ));
        // The first step has drained the pool, and so changed its revision.
        let step = writer.pool_cascade(tenant, pool, as_of, limit, None).await;
        let step = step.map_err(unknown)?.body;
        sum = PoolCascaded {
            released: sum.released.saturating_add(step.released),
            ..step
        };
    }
    let said = said(pool, &sum, as_of, dry_run);
    let newer = sum.newer > 0 && !dry_run;
    if !newer {
        output::note(&said);
    }
    context
        .output
        .document(&sum, pool.as_str(), |_| text(&sum))?;
    if newer {
        return Err(Failure::InPart(said));
    }
    Ok(())
}

/// What became of the pool.
fn said(pool: &Name, sum: &PoolCascaded, as_of: u64, dry_run: bool) -> String {
    match (sum.deleted, dry_run) {
        (true, false) => format!("pool {pool} deleted"),
        (true, true) => format!("pool {pool} would be deleted (dry run)"),
        (false, _) if sum.newer > 0 => format!(
            "pool {pool} stays: it has {} that were given after revision {as_of}",
            sum.newer
        ),
        (false, _) => format!("pool {pool} stays until the rest is released"),
    }
}

fn text(sum: &PoolCascaded) -> String {
    format!(
        "Released:   {}\nRemaining:  {}\nNewer:      {}\nDeleted:    {}\n",
        sum.released, sum.remaining, sum.newer, sum.deleted
    )
}
