//! Operations on the past, and on the present as it goes on.

use super::super::Method::Get;
use super::super::parameters::{
    HISTORY_FILTERS, IF_MIN_REVISION, PAGING, READING, REVISIONS, WATCH_FILTERS, header, query,
};
use super::super::{Operation, Parameter, Response, ResponseBody, Values};
use super::page_of;
use crate::problem::Code;

const FROM: &[Parameter] = &[
    query(
        "fromRevision",
        REVISIONS,
        "Events after this revision, waited for where it has not come yet. Without it, and without `Last-Event-ID`: those that come, after a bookmark.",
    ),
    header(
        "Last-Event-ID",
        Values::Text,
        "The id of the event that was seen last: go on behind it, on whichever node. It wins over `fromRevision`.",
    ),
    IF_MIN_REVISION,
];

const EVENTS: &[Response] = &[Response {
    status: 200,
    doc: "Server-sent events in order, each once, without end; the data of each is a document of this kind. While there is none, a bookmark now and then.",
    body: ResponseBody::EventsOf("WatchEvent"),
}];

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "history_list",
        method: Get,
        path: "/v1/tenants/{tenant}/history",
        tag: "Events",
        summary: "Lists holdings with generation, beginning, end and why they ended: first those whose blocks were free again, in that order, as far as the events reach; then those that go on or are kept.",
        parameters: &[HISTORY_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Holding")],
        problems: &[Code::TenantNotFound],
    },
    Operation {
        id: "history_list_all",
        method: Get,
        path: "/v1/history",
        tag: "Events",
        summary: "The same over all tenants; each holding names its holder's.",
        parameters: &[HISTORY_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Holding")],
        problems: &[],
    },
    Operation {
        id: "event_watch",
        method: Get,
        path: "/v1/tenants/{tenant}/watch",
        tag: "Events",
        summary: "Follows what happens to a tenant's pools and claims.",
        parameters: &[FROM, WATCH_FILTERS],
        request: None,
        responses: EVENTS,
        problems: &[Code::TenantNotFound, Code::Compacted],
    },
    Operation {
        id: "event_watch_all",
        method: Get,
        path: "/v1/watch",
        tag: "Events",
        summary: "Follows what happens to all tenants; each event names its own.",
        parameters: &[FROM, WATCH_FILTERS],
        request: None,
        responses: EVENTS,
        problems: &[Code::Compacted],
    },
];
