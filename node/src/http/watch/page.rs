//! Events that follow each other, encoded once for all who are told the same.

use std::sync::Arc;

use allocator::view::EventId;
use allocator::watch::{EventFilter, WatchPage, WatchedEvent};
use api::problem::Viewer;
use api::views::WatchEvent;
use bytes::Bytes;
use parking_lot::Mutex;

/// Most ways of telling one page that are kept; what is beyond is encoded for whoever asks.
const RENDERED_MAX: usize = 64;

/// What one watcher is told, and how.
#[derive(Debug, Clone)]
pub(super) struct Lens {
    pub(super) filter: EventFilter,
    /// Equal for those who are told the same.
    pub(super) identity: Arc<str>,
}

/// All events behind one place and up to another.
#[derive(Debug)]
pub(super) struct Page {
    after: EventId,
    reached: EventId,
    events: Vec<WatchedEvent>,
    rendered: Mutex<Vec<(Arc<str>, Bytes)>>,
}

impl Lens {
    /// Events as the bytes of the stream.
    pub(super) fn encode<'a>(&self, events: impl Iterator<Item = &'a WatchedEvent>) -> Bytes {
        let viewer = match &self.filter.tenant {
            Some(tenant) => Viewer::Tenant(tenant),
            None => Viewer::Admin,
        };
        let mut bytes = Vec::new();
        for event in events.filter(|event| self.filter.passes(event)) {
            WatchEvent::of(event, viewer).write(Some(event.id), &mut bytes);
        }
        bytes.into()
    }
}

impl Page {
    /// What was read behind a place, unfiltered.
    pub(super) fn new(after: EventId, read: WatchPage) -> Self {
        Self {
            after,
            reached: read.reached,
            events: read.items,
            rendered: Mutex::new(Vec::new()),
        }
    }

    /// All events up to here are before it.
    pub(super) fn after(&self) -> EventId {
        self.after
    }

    /// All events up to here are in it or before it.
    pub(super) fn reached(&self) -> EventId {
        self.reached
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// What of it lies behind a place, for one watcher; empty where nothing concerns it.
    pub(super) fn tell(&self, lens: &Lens, after: EventId) -> Bytes {
        if after > self.after {
            let first = self.events.partition_point(|event| event.id <= after);
            return lens.encode(self.events.iter().skip(first));
        }
        let known = |rendered: &[(Arc<str>, Bytes)]| {
            let found = rendered
                .iter()
                .find(|(identity, _)| **identity == *lens.identity);
            found.map(|(_, bytes)| bytes.clone())
        };
        if let Some(bytes) = known(&self.rendered.lock()) {
            return bytes;
        }
        let bytes = lens.encode(self.events.iter());
        let mut rendered = self.rendered.lock();
        if rendered.len() < RENDERED_MAX && known(&rendered).is_none() {
            rendered.push((Arc::clone(&lens.identity), bytes.clone()));
        }
        bytes
    }
}
