//! `ipamctl pool …`

use allocator::name::Name;
use api::requests;
use client::{Filter, FreeBlocks};

use super::{Context, by};
use crate::args::{PoolCommand, PoolCreate, PoolList, PoolPhase};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::output::{self, TreeRows, column, table};

pub(super) async fn run(context: &Context, command: PoolCommand) -> Result<(), Failure> {
    // A list over all tenants names none.
    let tenant = context.tenant();
    match command {
        PoolCommand::Create(create) => {
            let document = document(&create)?;
            let answer = context
                .writer(create.dry_run)
                .pool_create(tenant?, &document)
                .await?;
            context.created("pool", &answer, create.dry_run)
        }
        PoolCommand::List(asked) => list(context, asked).await,
        PoolCommand::Show { name } => context
            .output
            .one(&context.client.pool_show(tenant?, &name).await?.body),
        PoolCommand::Tree { name } => {
            let tree = context.client.pool_tree(tenant?, &name).await?.body;
            context.output.document(&tree, name.as_str(), |wide| {
                TreeRows::render(&tree.pool, wide)
            })
        }
        PoolCommand::Map { name, length } => map(context, tenant?, &name, length).await,
        PoolCommand::Free {
            name,
            length,
            limit,
            count,
        } => {
            let which = FreeBlocks {
                prefix_length: length,
                limit,
                count,
            };
            free(context, tenant?, &name, which).await
        }
        PoolCommand::Edit(edit) => super::edit::pool(context, &edit).await,
        PoolCommand::Resize(resize) => super::edit::resize(context, &resize).await,
        PoolCommand::Drain { name, end, dry_run } => {
            super::edit::drain(context, &name, !end, dry_run).await
        }
        PoolCommand::Delete {
            name,
            if_revision,
            cascade,
            destroy,
        } if cascade.wanted => {
            super::cascade::delete(context, &name, if_revision, cascade, destroy).await
        }
        PoolCommand::Delete {
            name,
            if_revision,
            cascade: _,
            destroy,
        } => {
            let tenant = tenant?;
            confirm(
                &format!("pool {name} will be deleted"),
                name.as_str(),
                destroy.is_confirmed(),
            )
            .await?;
            let answer = context
                .writer(destroy.dry_run)
                .pool_delete(tenant, &name, if_revision)
                .await?;
            context.changed("pool", &answer, "deleted", destroy.dry_run)
        }
    }
}

async fn list(context: &Context, asked: PoolList) -> Result<(), Failure> {
    let parent = asked.parent.as_ref().map(Name::as_str);
    let filter = by(asked.narrow.filter(), "parent", parent);
    let filter = by(filter, "phase", asked.phase.map(PoolPhase::word));
    let client = &context.client;
    if asked.all_tenants {
        let page = |filter: Filter| async move { client.pool_list_all(&filter).await };
        return context.list_all(filter, &asked.paging, page).await;
    }
    let tenant = context.tenant()?;
    let page = |filter: Filter| async move { client.pool_list(tenant, &filter).await };
    context.list(filter, &asked.paging, page).await
}

/// One CIDR beside a parent is the child's own block.
fn document(create: &PoolCreate) -> Result<requests::PoolCreate, Failure> {
    let (cidr, cidrs) = match (&create.parent, create.cidr.as_slice()) {
        (None, cidrs) => (
            None,
            cidrs.iter().map(|cidr| cidr.as_str().into()).collect(),
        ),
        (Some(_), []) => (None, Vec::new()),
        (Some(_), [cidr]) => (Some(cidr.clone()), Vec::new()),
        (Some(_), _) => return Err(Failure::Usage("a child pool has one --cidr".to_owned())),
    };
    Ok(requests::PoolCreate {
        name: create.name.clone(),
        space: create.space.clone(),
        cidrs,
        family: create.family.map(Into::into),
        parent: create.parent.clone(),
        prefix_length: create.length,
        cidr,
        owner: create.owner.clone(),
        min_prefix_length: create.min_length,
        max_prefix_length: create.max_length,
        default_prefix_length: create.default_length,
        strategy: create.strategy.map(Into::into),
        usable_only: create.usable_only,
        private_only: create.private_only,
        drain: create.drain,
        shared_with: create.share_with.clone(),
        priority: create.priority,
        exclude: create
            .exclude
            .iter()
            .map(|addresses| addresses.as_str().into())
            .collect(),
        subnet: create.subnet.clone(),
        gateway: create.gateway.clone(),
        routes: create.handout.routes(),
        dns: create.handout.dns(),
        mtu: create.handout.mtu,
        parameters: create.handout.parameters(),
        grace_seconds: create.grace,
        reclaim_policy: create.reclaim_policy.map(Into::into),
        max_grace_seconds: create.max_grace,
        allow_retain: create.allow_retain,
        max_ttl_seconds: create.max_ttl,
        labels: create.about.labels(),
        annotations: create.about.annotations(),
        description: create.about.description.clone(),
        ..requests::PoolCreate::default()
    })
}

async fn free(
    context: &Context,
    tenant: &Name,
    pool: &Name,
    which: FreeBlocks,
) -> Result<(), Failure> {
    let free = context.client.pool_free(tenant, pool, which).await?.body;
    if let (true, Some(count)) = (which.count, free.count) {
        return context
            .output
            .document(&free, &count.to_string(), |_| format!("{count}\n"));
    }
    if free.items.is_empty() {
        output::note("nothing is free");
    }
    let names: Vec<String> = free.items.iter().map(ToString::to_string).collect();
    context.output.document(&free, &names.join("\n"), |_| {
        let rows: Vec<Vec<String>> = free
            .items
            .iter()
            .map(|block| vec![block.to_string(), block.0.size().to_string()])
            .collect();
        table::render(&[column("BLOCK"), column("ADDRESSES")], &rows, false, false)
    })
}

/// The whole layout, answer after answer.
async fn map(
    context: &Context,
    tenant: &Name,
    pool: &Name,
    length: Option<u8>,
) -> Result<(), Failure> {
    let mut map = context
        .client
        .pool_map(tenant, pool, length, None)
        .await?
        .body;
    while let Some(from) = map.next {
        let length = Some(map.prefix_length);
        let more = context.client.pool_map(tenant, pool, length, Some(from));
        let more = more.await?.body;
        map.items.extend(more.items);
        (map.next, map.revision) = (more.next, more.revision);
    }
    let names: Vec<String> = map
        .items
        .iter()
        .map(|run| format!("{}-{}", run.first, run.last))
        .collect();
    let columns = ["FIRST", "LAST", "STATE", "HOLDS", "CHILD", "LARGEST FREE"].map(column);
    context.output.document(&map, &names.join("\n"), |_| {
        let rows: Vec<Vec<String>> = map
            .items
            .iter()
            .map(|run| {
                let largest = run.largest_free_prefix_length;
                vec![
                    run.first.to_string(),
                    run.last.to_string(),
                    format!("{:?}", run.state),
                    run.holds
                        .map_or_else(String::new, |holds| holds.to_string()),
                    run.child.as_ref().map_or_else(String::new, Name::to_string),
                    largest.map_or_else(String::new, |length| format!("/{length}")),
                ]
            })
            .collect();
        table::render(&columns, &rows, false, false)
    })
}
