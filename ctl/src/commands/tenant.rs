//! `ipamctl tenant …`

use api::requests::{self, Quota};

use super::{Context, by};
use crate::args::{TenantCommand, TenantCreate};
use crate::confirm::confirm;
use crate::failure::Failure;
use client::Filter;

pub(super) async fn run(context: &Context, command: TenantCommand) -> Result<(), Failure> {
    match command {
        TenantCommand::Create(create) => {
            let answer = context
                .writer(create.dry_run)
                .tenant_create(&document(&create))
                .await?;
            context.created("tenant", &answer, create.dry_run)
        }
        TenantCommand::List(asked) => {
            let filter = by(Filter::new(), "labelSelector", asked.selector);
            let page = |filter: Filter| async move { context.client.tenant_list(&filter).await };
            context.list(filter, &asked.paging, page).await
        }
        TenantCommand::Show { name } => context
            .output
            .one(&context.client.tenant_show(&name).await?.body),
        TenantCommand::Edit { name, edit } => super::edit::tenant(context, &name, &edit).await,
        TenantCommand::Delete { name, destroy } => {
            confirm(
                &format!("tenant {name} will be deleted"),
                name.as_str(),
                destroy.is_confirmed(),
            )
            .await?;
            let answer = context.writer(destroy.dry_run).tenant_delete(&name).await?;
            context.changed("tenant", &answer, "deleted", destroy.dry_run)
        }
    }
}

fn document(create: &TenantCreate) -> requests::TenantCreate {
    requests::TenantCreate {
        name: create.name.clone(),
        labels: create.about.labels(),
        annotations: create.about.annotations(),
        description: create.about.description.clone(),
        quota: Quota {
            pools: create.quota_pools,
            claims: create.quota_claims,
            ipv4_addresses: create.quota_ipv4_addresses,
            ipv6_prefixes_64: create.quota_ipv6_prefixes_64,
        },
        ..requests::TenantCreate::default()
    }
}
