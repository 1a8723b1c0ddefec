//! `ipamctl claim …`

use std::io;

use allocator::name::Name;
use api::fields::ClaimPurpose;
use api::pool_selector::PoolSelector;
use api::requests::{self, generated_name};
use api::views::Claim;
use client::{Answer, Filter};
use rand::Rng;

use super::{Context, by, collect};
use crate::args::{self, ClaimCommand, ClaimCreate, ClaimList, ClaimRelease, Phase};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output;

pub(super) async fn run(context: &Context, command: ClaimCommand) -> Result<(), Failure> {
    if let ClaimCommand::List(asked) = command {
        return list(context, asked).await;
    }
    let tenant = context.tenant()?;
    match command {
        ClaimCommand::Create(create) => {
            let document = document(&create);
            let answer = context
                .writer(create.dry_run)
                .claim_create(tenant, &document)
                .await;
            if let (Err(client::Error::OutcomeUnknown { .. }), Some(name)) =
                (&answer, &document.name)
            {
                output::note(&format!("the claim was asked for by the name {name}"));
            }
            context.created("claim", &answer?, create.dry_run)
        }
        ClaimCommand::List(_) => unreachable!("it was done above"),
        ClaimCommand::Show { name } => context
            .output
            .one(&context.client.claim_show(tenant, &name).await?.body),
        ClaimCommand::Confirm { name, holding } => {
            let confirm = requests::ClaimConfirm {
                owner: holding.owner,
                generation: holding.generation,
            };
            let writer = context.writer(holding.dry_run);
            let answer = writer.claim_confirm(tenant, &name, &confirm).await?;
            context.changed("claim", &answer, "in use", holding.dry_run)
        }
        ClaimCommand::Renew { name, ttl, holding } => {
            let renew = requests::ClaimRenew {
                owner: holding.owner,
                generation: holding.generation,
                ttl_seconds: ttl,
            };
            let writer = context.writer(holding.dry_run);
            let answer = writer.claim_renew(tenant, &name, &renew).await?;
            context.changed("claim", &answer, "renewed", holding.dry_run)
        }
        ClaimCommand::Edit(edit) => super::edit::claim(context, &edit).await,
        ClaimCommand::Release(release) => match &release.selector {
            Some(selector) => release_selected(context, tenant, &release, selector).await,
            None => release_named(context, tenant, &release).await,
        },
    }
}

async fn list(context: &Context, asked: ClaimList) -> Result<(), Failure> {
    let pool = asked.pool.as_ref().map(Name::as_str);
    let filter = by(asked.narrow.filter(), "pool", pool);
    let filter = by(
        filter,
        "purpose",
        asked.purpose.map(args::ClaimPurpose::word),
    );
    let filter = by(filter, "phase", asked.phase.map(Phase::word));
    let filter = by(filter, "allocatedBefore", asked.allocated_before);
    let client = &context.client;
    if asked.all_tenants {
        let page = |filter: Filter| async move { client.claim_list_all(&filter).await };
        return context.list_all(filter, &asked.paging, page).await;
    }
    let tenant = context.tenant()?;
    let page = |filter: Filter| async move { client.claim_list(tenant, &filter).await };
    context.list(filter, &asked.paging, page).await
}

/// A claim without a name is given one here, so that it can be told when the outcome is not known.
fn document(create: &ClaimCreate) -> requests::ClaimCreate {
    let name = create
        .name
        .clone()
        .unwrap_or_else(|| generated_name(rand::rng().random()).to_string());
    let tenant = create.pool_tenant.as_ref().map(Name::to_string);
    let family = create.family.map(Into::into);
    let pool_selector = create.pool_selector.clone().map(|selector| PoolSelector {
        tenant,
        family,
        ..selector
    });
    requests::ClaimCreate {
        name: Some(name),
        pool: create.pool.clone(),
        pool_selector,
        purpose: create.reservation.then_some(ClaimPurpose::Reservation),
        prefix_length: create.length,
        cidr: create.cidr.clone(),
        within: create.within.clone(),
        family,
        owner: create.owner.clone(),
        ttl_seconds: create.ttl,
        grace_seconds: create.grace,
        reclaim_policy: create.reclaim_policy.map(Into::into),
        labels: create.about.labels(),
        annotations: create.about.annotations(),
        description: create.about.description.clone(),
        ..requests::ClaimCreate::default()
    }
}

async fn release_named(
    context: &Context,
    tenant: &Name,
    release: &ClaimRelease,
) -> Result<(), Failure> {
    if release.generation.is_some() && release.names.len() > 1 {
        return Err(Failure::Usage("--generation is for one claim".to_owned()));
    }
    let client = context.writer(release.destroy.dry_run);
    let mut outcomes = Vec::new();
    for name in &release.names {
        outcomes.push(match release.generation {
            Some(generation) => client.claim_release(tenant, name, generation).await,
            None => client.claim_release_current(tenant, name).await,
        });
    }
    tell(context, release, outcomes)
}

/// Each claim that the selector finds, by the generation that it was found with.
async fn release_selected(
    context: &Context,
    tenant: &Name,
    release: &ClaimRelease,
    selector: &str,
) -> Result<(), Failure> {
    let filter = Filter::new().by("labelSelector", selector);
    let page = |filter: Filter| async move { context.client.claim_list(tenant, &filter).await };
    let (claims, _) = collect(filter, None, page).await?;
    if claims.is_empty() {
        return context.output.list::<Claim>(&[], None);
    }
    let count = claims.len().to_string();
    confirm(
        &format!("{count} claims will be released"),
        &count,
        release.destroy.is_confirmed(),
    )
    .await?;
    let client = context.writer(release.destroy.dry_run);
    let mut outcomes = Vec::new();
    for claim in &claims {
        outcomes.push(
            client
                .claim_release(tenant, &claim.name, claim.status.generation)
                .await,
        );
    }
    tell(context, release, outcomes)
}

/// Shows those that were released, tells each failure, and fails if any did. One claim that was named is
/// shown as itself; what else may be several is a list, however many it comes to.
fn tell(
    context: &Context,
    release: &ClaimRelease,
    outcomes: Vec<Result<Answer<Claim>, client::Error>>,
) -> Result<(), Failure> {
    let total = outcomes.len();
    let (done, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let mut done: Vec<Answer<Claim>> = done.into_iter().flatten().collect();
    let mut failures: Vec<Failure> = failed
        .into_iter()
        .filter_map(Result::err)
        .map(Failure::from)
        .collect();
    if release.selector.is_none() && total == 1 {
        return match (done.pop(), failures.pop()) {
            (Some(answer), _) => {
                context.changed("claim", &answer, "released", release.destroy.dry_run)
            }
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(()),
        };
    }
    let claims: Vec<Claim> = done.into_iter().map(|answer| answer.body).collect();
    context.output.list(&claims, None)?;
    for failure in &failures {
        // When stderr is gone there is nobody to tell.
        failure.print(&mut io::stderr().lock()).ok();
    }
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Several {
            failed: failures.len(),
            total,
            code: first.exit_code(),
        }),
    }
}
