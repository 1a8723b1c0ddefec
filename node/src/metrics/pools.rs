//! A walk over all pools that never holds the state's lock for long.

use allocator::count::Count;
use allocator::filter::{PoolFilter, TenantKey};
use allocator::name::Name;
use allocator::view::PoolView;
use raft_store::AppliedState;

/// Pools that are read under the lock at once: some hundred microseconds.
const PAGE: usize = 32;

/// Where a walk goes on; `None` at the beginning of a round.
pub(super) type Cursor = Option<TenantKey<Name>>;

/// The next pools after the cursor, which moves on; there may be none of them although the round goes on.
pub(super) fn next_page(applied: &AppliedState, cursor: &mut Cursor) -> Vec<PoolView> {
    let all = PoolFilter::default();
    let page = applied.read(|state| state.pools_everywhere(&all, cursor.as_ref(), PAGE));
    *cursor = page.next;
    page.items
}

/// Every pool once, in the order of tenants and names. Pools that are made or removed meanwhile may
/// be met or not.
pub(super) fn each(applied: &AppliedState, mut visit: impl FnMut(&PoolView)) {
    let mut cursor = None;
    loop {
        for pool in &next_page(applied, &mut cursor) {
            visit(pool);
        }
        if cursor.is_none() {
            return;
        }
    }
}

/// A number of addresses or blocks for a gauge, which is a float by Prometheus' definition.
#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floats; exact numbers are in the API"
)]
pub(super) fn gauge(count: Count) -> f64 {
    count
        .as_u128()
        .map_or_else(|| 2_f64.powi(128), |value| value as f64)
}
