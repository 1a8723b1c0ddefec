//! `ipamctl claim …`

use allocator::name::Name;
use api::fields::ClaimPurpose;
use api::pool_selector::PoolSelector;
use api::requests::{self, generated_name};
use client::Filter;
use rand::Rng;

use super::{Context, by};
use crate::args::{self, ClaimCommand, ClaimCreate, ClaimList, Phase};
use crate::failure::Failure;
use crate::output;

pub(super) async fn run(context: &Context, command: ClaimCommand) -> Result<(), Failure> {
    // A list over all tenants names none.
    let tenant = context.tenant();
    match command {
        ClaimCommand::Create(create) => {
            let document = document(&create);
            let answer = context
                .writer(create.dry_run)
                .claim_create(tenant?, &document)
                .await;
            if let (Err(client::Error::OutcomeUnknown { .. }), Some(name)) =
                (&answer, &document.name)
            {
                output::note(&format!("the claim was asked for by the name {name}"));
            }
            context.created("claim", &answer?, create.dry_run)
        }
        ClaimCommand::List(asked) => list(context, asked).await,
        ClaimCommand::Show { name } => context
            .output
            .one(&context.client.claim_show(tenant?, &name).await?.body),
        ClaimCommand::Confirm { name, holding } => {
            let confirm = requests::ClaimConfirm {
                owner: holding.owner,
                generation: holding.generation,
            };
            let writer = context.writer(holding.dry_run);
            let answer = writer.claim_confirm(tenant?, &name, &confirm).await?;
            context.changed("claim", &answer, "in use", holding.dry_run)
        }
        ClaimCommand::Renew { name, ttl, holding } => {
            let renew = requests::ClaimRenew {
                owner: holding.owner,
                generation: holding.generation,
                ttl_seconds: ttl,
            };
            let writer = context.writer(holding.dry_run);
            let answer = writer.claim_renew(tenant?, &name, &renew).await?;
            context.changed("claim", &answer, "renewed", holding.dry_run)
        }
        ClaimCommand::Edit(edit) => super::edit::claim(context, &edit).await,
        ClaimCommand::Release(release) => super::release::run(context, &release).await,
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
