//! Watches: what happens, told as it happens, as server-sent events.
//!
//! 1. Events are told in order, each once, and a watch can go on behind any of them on any node: they
//!    are read from the state, which all nodes share.
//! 2. A watch is no request in flight: its bounds are of its own, and it does not hold a stop up.

mod feed;
mod page;
mod stream;

use std::convert::Infallible;
use std::sync::Arc;

use allocator::answer::Rejection;
use allocator::name::Name;
use api::headers::LAST_EVENT_ID;
use api::problem::{Problem, Viewer};
use api::requests::query::{Reading, Watch};
use api::views::EVENT_STREAM;
use axum::body::Body;
use hyper::header::{CACHE_CONTROL, CONNECTION, HeaderValue};
use hyper::{StatusCode, Version};

pub(super) use self::feed::Feed;

use self::page::Lens;
use self::stream::Watcher;
use super::answer::{self, Answered, Stamp};
use super::call::Call;
use super::listener::Note;
use super::read::ready;
use super::server::Server;

pub(super) async fn event_watch(server: &Server, call: Call) -> Answered {
    let tenant = call.path_name("tenant")?;
    watch(server, &call, Some(&tenant)).await
}

pub(super) async fn event_watch_all(server: &Server, call: Call) -> Answered {
    watch(server, &call, None).await
}

async fn watch(server: &Server, call: &Call, tenant: Option<&Name>) -> Answered {
    let watch = Watch::parse(call.query(), tenant)?;
    let asked = watch.after(call.header(LAST_EVENT_ID)?)?;
    let feed = server.feed();
    if feed.ended().is_cancelled() {
        return Err(Problem::stopping().into());
    }
    let granted = ready(server, call, Reading::default()).await?;
    let applied = server.replica().applied();
    // One that goes on is told the end of a tenant, too, and may know more than this node does.
    let (after, there, kept) = applied.read(|state| {
        let after = asked.unwrap_or_else(|| state.events_end());
        let there = tenant.is_none_or(|tenant| match asked {
            Some(after) => after.revision > state.revision() || state.tenant_is_known(tenant),
            None => state.tenant(tenant).is_ok(),
        });
        (after, there, state.events_reach(after))
    });
    let revision = applied.at().revision;
    if let Some(tenant) = tenant.filter(|_| !there) {
        let rejection = Rejection::TenantNotFound {
            tenant: tenant.clone(),
        };
        return Err(Problem::from_rejection(&rejection, revision, Viewer::Tenant(tenant)).into());
    }
    kept.map_err(|compacted| Problem::compacted(after.revision, compacted.oldest))?;
    let seat = feed.seat(after).ok_or_else(Problem::too_many_watches)?;
    let lens = Lens {
        filter: watch.filter,
        identity: Arc::from(watch.identity),
    };
    let watcher = Watcher::new(
        server.replica().clone(),
        seat,
        lens,
        after,
        asked.is_none(),
        server.limits().bookmark_interval,
    );
    let stream = futures::stream::unfold(watcher, |mut watcher| async {
        let bytes = watcher.next().await?;
        Some((Ok::<_, Infallible>(bytes), watcher))
    });
    let mut response = answer::plain(
        StatusCode::OK,
        HeaderValue::from_static(EVENT_STREAM),
        Body::from_stream(stream),
    );
    let headers = response.headers_mut();
    let stamp = Stamp {
        staleness_ms: granted.staleness_ms,
        ..server.stamp()
    };
    stamp.write(headers);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if call.parts.version <= Version::HTTP_11 {
        // Its connection is given away: see the listener. What comes after it would be served there, too.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(note) = call.parts.extensions.get::<Note>() {
            note.watches();
        }
    }
    // A proxy that gathers events before it passes them on would keep them from being told in time.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
