//! Events as a watch tells them: server-sent events whose data is one JSON document each.

use allocator::name::Name;
use allocator::view::{EventId, EventKind};
use allocator::watch::{WatchedEvent, WatchedObject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Claim, Pool, Tenant};
use crate::problem::{Problem, Viewer};
use crate::scalar::Time;

/// The media type of a stream of events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// What a watch tells of one event. Its id in the stream is `revision.ordinal`; that of a bookmark is
/// `revision`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchEvent {
    /// The revision that it belongs to; of a bookmark, the one up to which everything has been told.
    pub revision: u64,
    /// When it happened.
    pub at: Time,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: WatchType,
    /// The tenant whose object it is, in a watch over all tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Name>,
    /// What it concerns; absent in a bookmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<WatchObject>,
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WatchType {
    /// A block was given to a claim.
    Allocated,
    /// The holder of a block said that it uses it.
    Confirmed,
    /// A lease began anew.
    Renewed,
    /// A lease is about to end.
    Expiring,
    /// A lease was over: the claim's block was given back.
    Expired,
    /// A claim gave its block back.
    Released,
    /// A block that was kept for its holder went back to it.
    Returned,
    /// A block that was kept for its holder is free again.
    Reclaimed,
    /// What a claim says of itself was edited.
    ClaimChanged,
    /// A pool was made.
    PoolCreated,
    /// A pool was edited.
    PoolChanged,
    /// A pool was removed.
    PoolDeleted,
    /// A tenant was made.
    TenantCreated,
    /// A tenant was edited.
    TenantChanged,
    /// A tenant was removed.
    TenantDeleted,
    /// Nothing happened: everything up to the revision has been told.
    Bookmark,
    /// The reader fell behind what is kept; the stream ends. The object is the problem.
    Compacted,
    /// Something that this reader does not know.
    #[serde(other)]
    Other,
}

/// What an event concerns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum WatchObject {
    /// A holding of a claim: phase and times as they were, labels as last edited.
    Claim(Box<Claim>),
    /// The pool as it is.
    Pool(Box<Pool>),
    /// The tenant as it is.
    Tenant(Box<Tenant>),
    /// Why a stream ends.
    Problem(Box<Problem>),
    /// A pool or tenant that is gone.
    Gone {
        /// Its name.
        #[schema(value_type = String)]
        name: Name,
    },
}

impl WatchEvent {
    /// As `viewer` may see it; the tenant is told to one who sees all.
    pub fn of(event: &WatchedEvent, viewer: Viewer<'_>) -> Self {
        let object = match &event.object {
            WatchedObject::Claim(view) => WatchObject::Claim(Box::new(Claim::from(&**view))),
            WatchedObject::Pool(view) => WatchObject::Pool(Box::new(Pool::from(&**view))),
            WatchedObject::Tenant(view) => WatchObject::Tenant(Box::new(Tenant::from(&**view))),
            WatchedObject::Gone => WatchObject::Gone {
                name: event.pool.as_ref().unwrap_or(&event.tenant).clone(),
            },
        };
        Self {
            revision: event.id.revision,
            at: Time(event.at_ms),
            kind: WatchType::from(event.kind),
            tenant: match viewer {
                Viewer::Admin => Some(event.tenant.clone()),
                Viewer::Tenant(_) => None,
            },
            object: Some(object),
        }
    }

    /// All up to a revision has been told.
    pub fn bookmark(revision: u64, at_ms: u64) -> Self {
        Self {
            revision,
            at: Time(at_ms),
            kind: WatchType::Bookmark,
            tenant: None,
            object: None,
        }
    }

    /// What comes next is not kept any more.
    pub fn compacted(revision: u64, at_ms: u64, problem: Problem) -> Self {
        Self {
            kind: WatchType::Compacted,
            object: Some(WatchObject::Problem(Box::new(problem))),
            ..Self::bookmark(revision, at_ms)
        }
    }

    /// As it stands in the stream, at the end of `into`. Without an id a reader that comes again asks
    /// for what follows the event before.
    pub fn write(&self, id: Option<EventId>, into: &mut Vec<u8>) {
        if let Some(id) = id {
            into.extend_from_slice(format!("id: {}\n", id_text(id)).as_bytes());
        }
        into.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut *into, self)
            .expect("documents have string keys and no fallible parts");
        into.extend_from_slice(b"\n\n");
    }
}

/// The id of an event in a stream; that of a whole revision is the revision.
fn id_text(id: EventId) -> String {
    if id == EventId::end_of(id.revision) {
        id.revision.to_string()
    } else {
        format!("{}.{}", id.revision, id.ordinal)
    }
}

impl From<EventKind> for WatchType {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::TenantCreated => Self::TenantCreated,
            EventKind::TenantDeleted => Self::TenantDeleted,
            EventKind::TenantChanged => Self::TenantChanged,
            EventKind::PoolCreated => Self::PoolCreated,
            EventKind::PoolDeleted => Self::PoolDeleted,
            EventKind::PoolChanged => Self::PoolChanged,
            EventKind::Allocated => Self::Allocated,
            EventKind::Confirmed => Self::Confirmed,
            EventKind::Renewed => Self::Renewed,
            EventKind::Expiring => Self::Expiring,
            EventKind::Expired => Self::Expired,
            EventKind::Released => Self::Released,
            EventKind::ClaimChanged => Self::ClaimChanged,
            EventKind::Returned => Self::Returned,
            EventKind::Reclaimed => Self::Reclaimed,
        }
    }
}
