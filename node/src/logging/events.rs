//! What a node logs about the work that it answered. One function an event, so that its name and
//! its fields stand in one place.

use std::time::Duration;

use allocator::owners::PoolTally;
use allocator::view::{AllocationView, ClaimView, EventKind, EventView};
use api::scalar::Time;

use super::{AUDIT, TARGET};

/// Who asked, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The request's id.
    pub(crate) request_id: &'a str,
    /// From its arrival to the answer.
    pub(crate) duration: Duration,
    /// Revision of the state after it.
    pub(crate) revision: u64,
}

/// A claim got a block.
pub(crate) fn allocated(claim: &ClaimView, asked: Asked<'_>) {
    tracing::info!(
        target: TARGET,
        tenant = claim.spec.tenant.as_str(),
        pool = claim.pool.as_str(),
        claim = claim.spec.name.as_str(),
        owner = claim.spec.owner.as_ref().map(allocator::name::Owner::as_str),
        block = %claim.block,
        generation = claim.generation,
        duration_ms = milliseconds(asked.duration),
        request_id = asked.request_id,
        revision = asked.revision,
        "allocated"
    );
}

/// A claim gave its block back.
pub(crate) fn released(claim: &ClaimView, asked: Asked<'_>) {
    tracing::info!(
        target: TARGET,
        tenant = claim.spec.tenant.as_str(),
        pool = claim.pool.as_str(),
        claim = claim.spec.name.as_str(),
        owner = claim.spec.owner.as_ref().map(allocator::name::Owner::as_str),
        block = %claim.block,
        generation = claim.generation,
        duration_ms = milliseconds(asked.duration),
        request_id = asked.request_id,
        revision = asked.revision,
        "released"
    );
}

/// Claims of a pool gave their blocks back in one command: one line, however many they are.
pub(crate) fn released_many(tally: &PoolTally, asked: Asked<'_>) {
    tracing::info!(
        target: TARGET,
        tenant = tally.tenant.as_str(),
        pool = tally.pool.as_str(),
        blocks = tally.released,
        duration_ms = milliseconds(asked.duration),
        request_id = asked.request_id,
        revision = asked.revision,
        "released"
    );
}

/// A holder got back the block that it had.
pub(crate) fn returned(claim: &ClaimView, asked: Asked<'_>) {
    tracing::info!(
        target: TARGET,
        tenant = claim.spec.tenant.as_str(),
        pool = claim.pool.as_str(),
        claim = claim.spec.name.as_str(),
        owner = claim.spec.owner.as_ref().map(allocator::name::Owner::as_str),
        block = %claim.block,
        generation = claim.generation,
        previously_released_at = claim.previously_released_at_ms.map(|ms| Time(ms).to_string()),
        duration_ms = milliseconds(asked.duration),
        request_id = asked.request_id,
        revision = asked.revision,
        "returned"
    );
}

/// An operator freed a kept block before its time.
pub(crate) fn reclaimed_early(allocation: &AllocationView, asked: Asked<'_>) {
    tracing::info!(
        target: TARGET,
        tenant = allocation.tenant.as_str(),
        pool = allocation.pool.as_str(),
        claim = allocation.claim.as_ref().map(|(_, name)| name.as_str()),
        owner = allocation.owner.as_ref().map(allocator::name::Owner::as_str),
        block = %allocation.cidr,
        generation = allocation.generation,
        duration_ms = milliseconds(asked.duration),
        request_id = asked.request_id,
        revision = asked.revision,
        "reclaimed"
    );
}

/// The log's clock ended a lease or a grace. Nobody asked: the leader tells it.
pub(crate) fn timed(event: &EventView) {
    let what = match event.kind {
        EventKind::Expired => "expired",
        EventKind::Reclaimed => "reclaimed",
        _ => return,
    };
    let Some(claim) = event.claim.as_deref() else {
        return;
    };
    tracing::info!(
        target: TARGET,
        tenant = claim.spec.tenant.as_str(),
        pool = claim.pool.as_str(),
        claim = claim.spec.name.as_str(),
        owner = claim.spec.owner.as_ref().map(allocator::name::Owner::as_str),
        block = %claim.block,
        generation = claim.generation,
        revision = event.id.revision,
        "{what}"
    );
}

/// A pool passed 0.8, 0.9 or 0.95 of its space on the way up.
pub(crate) fn approaching_exhaustion(
    tenant: &str,
    pool: &str,
    available: &str,
    total: &str,
    utilization: &str,
) {
    tracing::warn!(
        target: TARGET,
        tenant,
        pool,
        available,
        total,
        utilization,
        "pool approaching exhaustion"
    );
}

/// A mutation was refused: what was asked, by whom, and the code of the problem. Not told of those
/// that met a busy or leaderless cluster: nothing was decided about them, and they come in floods.
pub(crate) fn refused(
    operation: &str,
    path: &str,
    source: &str,
    request_id: &str,
    status: u16,
    code: &str,
) {
    tracing::info!(target: AUDIT, operation, path, source, request_id, status, code, "refused");
}

/// A handler panicked. The request is answered 500; the message is in the line of the panic itself.
pub(crate) fn panicked(operation: &str, request_id: &str, message: &str) {
    tracing::error!(target: TARGET, operation, request_id, message, "a handler panicked");
}

/// With three digits after the point: most are below a millisecond apart.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
