//! Lists over all tenants, for one who may see them all.

use allocator::State;
use allocator::filter::TenantKey;
use allocator::view::Page;
use api::problem::Viewer;
use api::requests::query::{self, AllocationListAll, ClaimListAll, PageKey, PoolListAll};
use api::views::{Allocation, Claim, Pool};
use serde::Serialize;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::{STEP_HOLDS, STEP_POOLS, Wanted, read_page};
use super::server::Server;

pub(super) async fn pool_list_all(server: &Server, call: Call) -> Answered {
    let asked = PoolListAll::parse(call.query())?;
    let look = |state: &State, after: Option<&_>, limit| {
        state.pools_everywhere(&asked.filter, after, limit)
    };
    list(server, &call, &asked, STEP_POOLS, look, Pool::with_tenant).await
}

pub(super) async fn claim_list_all(server: &Server, call: Call) -> Answered {
    let asked = ClaimListAll::parse(call.query())?;
    let look = |state: &State, after: Option<&_>, limit| {
        state.claims_everywhere(&asked.filter, after, limit)
    };
    list(server, &call, &asked, STEP_HOLDS, look, Claim::with_tenant).await
}

pub(super) async fn allocation_list_all(server: &Server, call: Call) -> Answered {
    let asked = AllocationListAll::parse(call.query())?;
    let look = |state: &State, after: Option<&_>, limit| {
        state.allocations_everywhere(&asked.filter, after, limit)
    };
    let shown = |view: &_| Allocation::of(view, Viewer::Admin);
    list(server, &call, &asked, STEP_HOLDS, look, shown).await
}

/// The page that `look` finds, some items at a time, and its items as `shown`.
async fn list<F, K, V, T: Serialize>(
    server: &Server,
    call: &Call,
    asked: &query::List<F, TenantKey<K>>,
    step: usize,
    look: impl Fn(&State, Option<&TenantKey<K>>, usize) -> Page<V, TenantKey<K>>,
    shown: impl Fn(&V) -> T,
) -> Answered
where
    TenantKey<K>: PageKey + Clone,
{
    let wanted = Wanted {
        after: asked.after.clone(),
        limit: asked.limit,
        step,
    };
    let look = |state: &State, after: Option<&_>, limit| Ok(look(state, after, limit));
    let (page, stamp) = read_page(server, call, asked.reading, Viewer::Admin, wanted, look).await?;
    let next = page.next.map(|key| asked.next_page_token(&key));
    Ok(answer::list(&page.items, shown, next, stamp))
}
