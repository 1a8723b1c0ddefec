//! `ipamctl owner …`

use allocator::name::Name;
use allocator::owners::RELEASE_BLOCKS_MAX;
use api::requests;
use api::views::OwnerReleased;

use super::Context;
use crate::args::{OwnerCommand, OwnerRelease};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output;

pub(super) async fn run(context: &Context, command: OwnerCommand) -> Result<(), Failure> {
    match command {
        OwnerCommand::Release(asked) => release(context, asked).await,
    }
}

async fn release(context: &Context, asked: OwnerRelease) -> Result<(), Failure> {
    let tenant = context.tenant()?;
    let as_of_revision = context.as_of(tenant, asked.as_of).await?;
    let whose = if asked.prefix {
        format!("{} and all owners under it", asked.owner)
    } else {
        asked.owner.clone()
    };
    confirm(
        &format!("all that {whose} was given up to revision {as_of_revision} will be released"),
        &asked.owner,
        asked.destroy.is_confirmed(),
    )
    .await?;
    let (owner, owner_prefix) = if asked.prefix {
        (None, Some(asked.owner.clone()))
    } else {
        (Some(asked.owner.clone()), None)
    };
    let request = requests::OwnerRelease {
        owner,
        owner_prefix,
        as_of_revision: Some(as_of_revision),
        limit: Some(asked.limit.unwrap_or(RELEASE_BLOCKS_MAX)),
        pools: (!asked.pools.is_empty()).then_some(asked.pools),
        holdings: None,
    };
    let writer = context.writer(asked.destroy.dry_run);
    let unknown = |error| Failure::fenced(error, || again_as_of(as_of_revision));
    let first = writer.owner_release(tenant, &request).await;
    let mut sum = first.map_err(unknown)?.body;
    // One step where a limit was asked for, or nothing is done; else until nothing is left.
    while sum.remaining > 0 && asked.limit.is_none() && !asked.destroy.dry_run.dry_run {
        output::note(&format!(
            "{} released, {} left",
            sum.released, sum.remaining
        ));
        let step = writer.owner_release(tenant, &request).await;
        let step = step.map_err(unknown)?.body;
        sum = OwnerReleased {
            released: sum.released.saturating_add(step.released),
            ..step
        };
    }
    let would = if asked.destroy.dry_run.dry_run {
        "would be "
    } else {
        ""
    };
    output::note(&format!("of {whose} {would}released: {}", sum.released));
    released(context, &sum)
}

/// Shows what was released and what is left.
pub(super) fn released(context: &Context, sum: &OwnerReleased) -> Result<(), Failure> {
    let ended = match sum.already_ended {
        0 => String::new(),
        ended => format!("Ended:      {ended}\n"),
    };
    context
        .output
        .document(sum, &sum.released.to_string(), |_| {
            format!(
                "Released:   {}\nRemaining:  {}\n{ended}",
                sum.released, sum.remaining
            )
        })
}

impl Context {
    /// The fence of a release: the revision that was stated, else the present one, which is told before
    /// anything is sent.
    pub(super) async fn as_of(&self, tenant: &Name, stated: Option<u64>) -> Result<u64, Failure> {
        if let Some(revision) = stated {
            return Ok(revision);
        }
        let shown = self.client.tenant_show(tenant).await?;
        let revision = shown.revision.unwrap_or(shown.body.status.revision);
        output::note(&format!("as of revision {revision}"));
        Ok(revision)
    }
}

/// How a release is asked for once more that means nothing newer.
pub(super) fn again_as_of(revision: u64) -> String {
    format!("the same command with --as-of {revision} asks for the same once more")
}
