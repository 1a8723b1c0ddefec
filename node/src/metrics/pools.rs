//! A walk over all pools that never holds the state's lock for long.

use allocator::count::Count;
use allocator::name::Name;
use allocator::view::PoolView;
use raft_store::AppliedState;

/// Pools that are read under the lock at once: some hundred microseconds.
const PAGE: usize = 32;

/// Where a walk goes on: after the pool of this tenant and name.
pub(super) type Cursor = Option<(Name, Name)>;

/// The next pools after the cursor, which moves on; an empty page is the end of a round and sets
/// the cursor back to the beginning.
pub(super) fn next_page(applied: &AppliedState, cursor: &mut Cursor) -> Vec<PoolView> {
    let page = applied.read(|state| state.pools_everywhere(cursor.as_ref(), PAGE));
    // The last page names no key to go on after; the next call then finds nothing behind its last.
    *cursor = page.next.or_else(|| {
        page.items
            .last()
            .map(|pool| (pool.spec.tenant.clone(), pool.spec.name.clone()))
    });
    page.items
}

/// Every pool once, in the order of tenants and names. Pools that are made or removed meanwhile may
/// be met or not.
pub(super) fn each(applied: &AppliedState, mut visit: impl FnMut(&PoolView)) {
    let mut cursor = None;
    loop {
        let pools = next_page(applied, &mut cursor);
        if pools.is_empty() {
            return;
        }
        for pool in &pools {
            visit(pool);
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
