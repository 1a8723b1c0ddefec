//! Pools.

use api::headers::IF_REVISION;
use api::problem::Viewer;
use api::requests::query::{self, Mutation, PoolDelete, PoolList, Reading};
use api::requests::{PoolCreate, PoolPatch};
use api::scalar::{Cidr, Decimal};
use api::views::{Free, Pool, PoolMap, PoolTree};
use hyper::StatusCode;

use super::answer::{self, Answered, Failure};
use super::call::Call;
use super::claims::tell;
use super::read::{STEP_POOLS, Wanted, page_size, read, read_page};
use super::server::Server;
use super::write::write;

pub(super) async fn pool_create(server: &Server, mut call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let body = call.body(server.limits()).await?;
    let command = PoolCreate::parse(&body, &tenant)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Tenant(&tenant))
}

pub(super) async fn pool_list(server: &Server, call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    let list = PoolList::parse(call.query(), &tenant)?;
    let (page, stamp) = read_page(
        server,
        &call,
        list.reading,
        Viewer::Tenant(&tenant),
        Wanted {
            after: list.after.clone(),
            limit: list.limit,
            step: STEP_POOLS,
        },
        |state, after, limit| state.pools(&tenant, &list.filter, after, limit),
    )
    .await?;
    let next = page.next.map(|key| list.next_page_token(&key));
    Ok(answer::list(
        &page.items,
        |view| Pool::from(view),
        next,
        stamp,
    ))
}

pub(super) async fn pool_show(server: &Server, call: Call) -> Answered {
    let (tenant, name) = (call.path_name("tenant")?, call.path_name("pool")?);
    let reading = Reading::parse(call.query())?;
    let (pool, stamp) = read(server, &call, reading, Viewer::Tenant(&tenant), |state| {
        state.pool(&tenant, &name)
    })
    .await?;
    Ok(answer::json(StatusCode::OK, &Pool::from(&pool), stamp))
}

pub(super) async fn pool_edit(server: &Server, mut call: Call) -> Answered {
    let (tenant, pool) = (call.path_name("tenant")?, call.path_name("pool")?);
    let Mutation { dry_run } = Mutation::parse(call.query())?;
    let if_revision = call.header_revision(IF_REVISION)?;
    let body = call.body(server.limits()).await?;
    let command = PoolPatch::parse(&body, &tenant, &pool, if_revision)?;
    write(server, &call, command, dry_run)
        .await?
        .reply(Viewer::Tenant(&tenant))
}

pub(super) async fn pool_delete(server: &Server, call: Call) -> Answered {
    let (tenant, pool) = (call.path_name("tenant")?, call.path_name("pool")?);
    let removal = PoolDelete::parse(call.query())?;
    let if_revision = call.header_revision(IF_REVISION)?;
    let command = removal.command(tenant.clone(), pool, if_revision);
    let written = write(server, &call, command, removal.dry_run).await?;
    if let (Ok(outcome), false) = (&written.answer.result, removal.dry_run) {
        tell(server, &call, outcome, written.answer.revision);
    }
    written.reply(Viewer::Tenant(&tenant))
}

pub(super) async fn pool_free(server: &Server, call: Call) -> Answered {
    let (tenant, pool) = (call.path_name("tenant")?, call.path_name("pool")?);
    let free = query::Free::parse(call.query())?;
    let length = free.prefix_length;
    let ((family, blocks, count), stamp) = read(
        server,
        &call,
        free.reading,
        Viewer::Tenant(&tenant),
        |state| {
            let family = state.pool_family(&tenant, &pool)?;
            let (blocks, count) = if free.count {
                let count = state.free_count(&tenant, &pool, length)?;
                (Vec::new(), Some(count))
            } else {
                let limit = page_size(free.limit);
                (state.free_blocks(&tenant, &pool, length, limit)?, None)
            };
            Ok((family, blocks, count))
        },
    )
    .await?;
    free.require_length_of(family)
        .map_err(|problem| Failure::at(problem, stamp))?;
    let document = Free {
        items: blocks.into_iter().map(Cidr).collect(),
        count: count.map(Decimal),
        revision: stamp.revision,
    };
    Ok(answer::json(StatusCode::OK, &document, stamp))
}

pub(super) async fn pool_map(server: &Server, call: Call) -> Answered {
    let (tenant, pool) = (call.path_name("tenant")?, call.path_name("pool")?);
    let wanted = query::Map::parse(call.query())?;
    let viewer = Viewer::Tenant(&tenant);
    let (map, stamp) = read(server, &call, wanted.reading, viewer, |state| {
        let fits = wanted.require_family(state.pool_family(&tenant, &pool)?);
        match fits {
            Ok(()) => {
                let (length, from) = (wanted.prefix_length, wanted.from);
                let limit = page_size(wanted.limit);
                state.map(&tenant, &pool, length, from, limit).map(Ok)
            }
            Err(problem) => Ok(Err(problem)),
        }
    })
    .await?;
    let map = map.map_err(|problem| Failure::at(problem, stamp))?;
    let document = PoolMap::of(&map, viewer, stamp.revision);
    Ok(answer::json(StatusCode::OK, &document, stamp))
}

pub(super) async fn pool_tree(server: &Server, call: Call) -> Answered {
    let (tenant, pool) = (call.path_name("tenant")?, call.path_name("pool")?);
    let reading = Reading::parse(call.query())?;
    let viewer = Viewer::Tenant(&tenant);
    let (tree, stamp) = read(server, &call, reading, viewer, |state| {
        state.tree(&tenant, &pool)
    })
    .await?;
    Ok(answer::json(
        StatusCode::OK,
        &PoolTree::of(&tree, viewer, stamp.revision),
        stamp,
    ))
}
