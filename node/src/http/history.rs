//! The past: holdings, from when to when.

use allocator::State;
use allocator::answer::Rejection;
use allocator::name::Name;
use api::problem::Viewer;
use api::requests::query::HistoryList;
use api::views::Holding;

use super::answer::{self, Answered};
use super::call::Call;
use super::read::{STEP_HOLDS, Wanted, read_page};
use super::server::Server;

pub(super) async fn history_list(server: &Server, call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    list(server, &call, Some(&tenant)).await
}

pub(super) async fn history_list_all(server: &Server, call: Call) -> Answered {
    list(server, &call, None).await
}

async fn list(server: &Server, call: &Call, tenant: Option<&Name>) -> Answered {
    let list = HistoryList::parse(call.query(), tenant)?;
    let viewer = tenant.map_or(Viewer::Admin, Viewer::Tenant);
    let wanted = Wanted {
        after: list.after.clone(),
        limit: list.limit,
        step: STEP_HOLDS,
    };
    let look = |state: &State, after: Option<&_>, limit| {
        if let Some(tenant) = tenant.filter(|tenant| !state.tenant_is_known(tenant)) {
            let tenant = tenant.clone();
            return Err(Rejection::TenantNotFound { tenant });
        }
        Ok(state.history(&list.filter, after, limit))
    };
    let (page, stamp) = read_page(server, call, list.reading, viewer, wanted, look).await?;
    let shown = |view: &_| Holding::of(view, viewer);
    let next = page.next.map(|key| list.next_page_token(&key));
    Ok(answer::list(&page.items, shown, next, stamp))
}
