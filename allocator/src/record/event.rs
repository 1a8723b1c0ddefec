//! An event: what happened, in a fixed size.

use serde::{Deserialize, Serialize};

use crate::view::{EventId, EventKind};

/// Number of an interned text; `None` is the empty text.
pub(crate) type TextId = Option<core::num::NonZeroU32>;

/// One event. Names are interned; the holding is found by its generation, alive or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) revision: u64,
    /// Wall time, for people.
    pub(crate) at_ms: u64,
    /// The log's clock, for the age.
    pub(crate) now_ms: u64,
    /// The holding; 0 where the event concerns none.
    pub(crate) generation: u64,
    pub(crate) tenant: TextId,
    pub(crate) pool: TextId,
    pub(crate) actor: TextId,
    pub(crate) source: TextId,
    pub(crate) ordinal: u32,
    /// The low half of the last generation that was given by then.
    pub(crate) given: u32,
    /// The holding's record while it is held; vacant or another's afterwards.
    pub(crate) hold: u32,
    pub(crate) kind: EventKind,
    /// A holding is gone with it: the record of how it last was is kept as long as the event. The
    /// holding is that of the event, but for `Returned`: there it is the one before.
    pub(crate) ends: bool,
}

/// What an event counts against the bound on bytes.
pub(crate) const EVENT_WEIGHT: u64 = 64;

impl Event {
    pub(crate) fn id(&self) -> EventId {
        EventId {
            revision: self.revision,
            ordinal: self.ordinal,
        }
    }

    /// The texts that it refers to.
    pub(crate) fn texts(&self) -> [TextId; 4] {
        [self.tenant, self.pool, self.actor, self.source]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_at_most_64_bytes() {
        assert!(size_of::<Option<Event>>() <= 64);
    }
}
