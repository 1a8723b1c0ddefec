//! Lists over all tenants, for one who may see them all.

use allocator::State;
use allocator::filter::TenantKey;
use allocator::view::Page;
use api::problem::Viewer;
use api::requests::query::{self, AllocationListAll, ClaimListAll, PageKey, PoolListAll};
use api::views::{Allocation, Claim, List, Pool};
use hyper::StatusCode;
use serde::Serialize;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::{page_size, read};
use super::server::Server;

pub(super) async fn pool_list_all(server: &Server, call: Call) -> Answered {
    let asked = PoolListAll::parse(call.query())?;
    let look = |state: &State| {
        state.pools_everywhere(&asked.filter, asked.after.as_ref(), page_size(asked.limit))
    };
    list(server, &call, &asked, look, Pool::with_tenant).await
}

pub(super) async fn claim_list_all(server: &Server, call: Call) -> Answered {
    let asked = ClaimListAll::parse(call.query())?;
    let look = |state: &State| {
        state.claims_everywhere(&asked.filter, asked.after.as_ref(), page_size(asked.limit))
    };
    list(server, &call, &asked, look, Claim::with_tenant).await
}

pub(super) async fn allocation_list_all(server: &Server, call: Call) -> Answered {
    let asked = AllocationListAll::parse(call.query())?;
    let look = |state: &State| {
        state.allocations_everywhere(&asked.filter, asked.after.as_ref(), page_size(asked.limit))
    };
    let shown = |view: &_| Allocation::of(view, Viewer::Admin);
    list(server, &call, &asked, look, shown).await
}

/// The page that `look` finds, its items as `shown`.
async fn list<F, K, V, T: Serialize>(
    server: &Server,
    call: &Call,
    asked: &query::List<F, TenantKey<K>>,
    look: impl FnOnce(&State) -> Page<V, TenantKey<K>>,
    shown: impl Fn(&V) -> T,
) -> Answered
where
    TenantKey<K>: PageKey,
{
    let (page, stamp) = read(server, call, asked.reading, Viewer::Admin, |state| {
        Ok(look(state))
    })
    .await?;
    let document = List {
        items: page.items.iter().map(shown).collect(),
        next_page_token: page.next.map(|key| asked.next_page_token(&key)),
        revision: stamp.revision,
    };
    Ok(answer::json(StatusCode::OK, &document, stamp))
}
