//! Reads: wait until the state here is fresh enough, then look at it.

use allocator::State;
use allocator::answer::Rejection;
use allocator::view::Page;
use api::headers::IF_MIN_REVISION;
use api::problem::{Problem, Viewer};
use api::requests::query::{self, Reading};

use super::answer::{Failure, Stamp};
use super::call::Call;
use super::server::Server;
use crate::replica::{Consistency, ReadError, ReadStamp};

/// Claims or allocations that are read under one hold of the state's lock: a hundred microseconds or less
/// where a million are held and the processor's caches have none of them.
pub(super) const STEP_HOLDS: usize = 50;
/// The same of pools, each of which has more to be gathered.
pub(super) const STEP_POOLS: usize = 32;

/// Which page of a list is wanted.
pub(super) struct Wanted<K> {
    /// Behind this one.
    pub(super) after: Option<K>,
    /// Most items.
    pub(super) limit: u64,
    /// Items that are read at once.
    pub(super) step: usize,
}

/// What `look` sees of the state, and the state that it was. The lock is held for `look` only; what
/// becomes a document is made after it.
pub(super) async fn read<T>(
    server: &Server,
    call: &Call,
    reading: Reading,
    viewer: Viewer<'_>,
    look: impl FnOnce(&State) -> Result<T, Rejection>,
) -> Result<(T, Stamp), Failure> {
    read_reached(server, call, reading, None, viewer, look).await
}

/// The same, of a state of at least some revision.
pub(super) async fn read_reached<T>(
    server: &Server,
    call: &Call,
    reading: Reading,
    reached: Option<u64>,
    viewer: Viewer<'_>,
    look: impl FnOnce(&State) -> Result<T, Rejection>,
) -> Result<(T, Stamp), Failure> {
    let granted = ready_reached(server, call, reading, reached).await?;
    let (revision, seen) = server
        .replica()
        .applied()
        .read(|state| (state.revision(), look(state)));
    let stamp = Stamp {
        revision,
        leader: granted.leader,
        staleness_ms: granted.staleness_ms,
    };
    match seen {
        Ok(seen) => Ok((seen, stamp)),
        Err(rejection) => Err(Failure::at(
            Problem::from_rejection(&rejection, revision, viewer),
            stamp,
        )),
    }
}

/// A page of a list: what `look` finds after a key, so many at most, a step at a time, so that no claim
/// waits for a whole page. What is written between two steps may be in it or not; its stamp is that of
/// the first, so that one who watches from its revision misses nothing.
///
/// The page ends early behind a step that came short: then `look` has examined as many rows as it may.
pub(super) async fn read_page<T, K>(
    server: &Server,
    call: &Call,
    reading: Reading,
    viewer: Viewer<'_>,
    wanted: Wanted<K>,
    look: impl Fn(&State, Option<&K>, usize) -> Result<Page<T, K>, Rejection>,
) -> Result<(Page<T, K>, Stamp), Failure> {
    let limit = page_size(wanted.limit);
    let step = limit.min(wanted.step);
    let (mut page, stamp) = read(server, call, reading, viewer, |state| {
        look(state, wanted.after.as_ref(), step)
    })
    .await?;
    let mut left = limit.saturating_sub(step);
    let mut is_full = page.items.len() >= step;
    while is_full && left > 0 && page.next.is_some() {
        let step = left.min(wanted.step);
        let applied = server.replica().applied();
        // What is gone meanwhile has nothing more to be listed.
        let Ok(more) = applied.read(|state| look(state, page.next.as_ref(), step)) else {
            page.next = None;
            break;
        };
        left = left.saturating_sub(step);
        is_full = more.items.len() >= step;
        page.items.extend(more.items);
        page.next = more.next;
    }
    Ok((page, stamp))
}

/// Waits until what is known here is as fresh as the caller wants it.
pub(super) async fn ready(
    server: &Server,
    call: &Call,
    reading: Reading,
) -> Result<ReadStamp, Problem> {
    ready_reached(server, call, reading, None).await
}

async fn ready_reached(
    server: &Server,
    call: &Call,
    reading: Reading,
    reached: Option<u64>,
) -> Result<ReadStamp, Problem> {
    let consistency = match reading.consistency {
        query::Consistency::Linearizable => Consistency::Linearizable,
        query::Consistency::Local => Consistency::Local {
            min_revision: call.header_revision(IF_MIN_REVISION)?.max(reached),
            max_staleness_ms: reading.max_staleness_ms,
        },
    };
    let deadline = server.limits().request_deadline;
    server
        .replica()
        .read_ready(consistency, deadline)
        .await
        .map_err(|error| refused(&error))
}

fn refused(error: &ReadError) -> Problem {
    match error {
        ReadError::NoLeader => Problem::no_leader(),
        ReadError::Stale { staleness_ms } => Problem::stale(*staleness_ms),
        ReadError::MinRevisionNotReached { wanted, reached } => {
            Problem::min_revision_not_reached(*wanted, *reached)
        }
        ReadError::Stopping => Problem::stopping(),
    }
}

/// A page's limit, which the contract has bounded.
pub(super) fn page_size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
