//! Query parameters and headers that operations have in common.

use super::{Parameter, Place, Values};
use crate::requests::query::LIMIT_MAX;

pub(super) const fn query(name: &'static str, values: Values, doc: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Query,
        values,
        doc,
    }
}

pub(super) const fn header(name: &'static str, values: Values, doc: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Header,
        values,
        doc,
    }
}

pub(super) const REVISIONS: Values = Values::Number {
    min: 0,
    max: u64::MAX >> 11,
};

/// Of a change to a pool that somebody has looked at.
pub(super) const IF_REVISION: &[Parameter] = &[header(
    "If-Revision",
    REVISIONS,
    "Only if the pool has this `status.revision`; else 412.",
)];

/// Of the removal of a pool with what is under it.
pub(super) const CASCADE: &[Parameter] = &[
    query(
        "cascade",
        Values::Flag,
        "Drains the pool and those under it, releases what is under it, grace or not, and removes them once they are empty. Another tenant's objects are not reached: 409 `pool_in_use`.",
    ),
    query(
        "asOfRevision",
        REVISIONS,
        "Beside `cascade`, and required there: only what was given at or before this revision, which is not above the present one.",
    ),
    query(
        "limit",
        Values::Number {
            min: 1,
            max: 10_000,
        },
        "Beside `cascade`: at most so many blocks, the first in order of address. Without it all, unless they are more than 10,000.",
    ),
];

/// What every read takes.
pub(super) const READING: &[Parameter] = &[
    query(
        "consistency",
        Values::Words(&["local", "linearizable"]),
        "From which state: this node's (the default), or one that has every write answered before.",
    ),
    query(
        "maxStalenessMs",
        Values::Number {
            min: 0,
            max: 86_400_000,
        },
        "Rather 503 `stale` than a state that may be older than this.",
    ),
    IF_MIN_REVISION,
];
pub(super) const IF_MIN_REVISION: Parameter = header(
    "If-Min-Revision",
    REVISIONS,
    "Answer from a state of at least this revision.",
);

pub(super) const PAGING: &[Parameter] = &[
    query(
        "limit",
        Values::Number {
            min: 1,
            max: LIMIT_MAX,
        },
        "Items on the page; 100 where it is not stated.",
    ),
    query(
        "pageToken",
        Values::Text,
        "`nextPageToken` of the page before, with the same filters.",
    ),
];

pub(super) const DRY_RUN: &[Parameter] = &[query(
    "dryRun",
    Values::Flag,
    "The exact answer that the request would get; nothing changes.",
)];

const LABEL_SELECTOR: Parameter = query(
    "labelSelector",
    Values::Text,
    "Requirements on the labels, all of which must hold: `app=web,tier!=db,zone in (a,b),gpu,!old`.",
);
const SPACE: Parameter = query("space", Values::Text, "Of this routing domain.");
const POOL: Parameter = query(
    "pool",
    Values::Text,
    "From this pool of the tenant; in a list over all tenants, from pools of this name.",
);
const FAMILY: Parameter = query(
    "family",
    Values::Words(&["IPv4", "IPv6"]),
    "Of this family.",
);
const PHASE: Parameter = query(
    "phase",
    Values::Words(&["Allocated", "InUse", "Released"]),
    "In this phase.",
);
const OWNER: Parameter = query("owner", Values::Text, "With exactly this owner.");
const OWNER_PREFIX: Parameter = query(
    "ownerPrefix",
    Values::Text,
    "With this owner or one whose first segments it is.",
);
const WITHIN: Parameter = query("within", Values::Text, "With a block inside this CIDR.");
const CONTAINS: Parameter = query(
    "contains",
    Values::Text,
    "With a block that has this address.",
);
const ALLOCATED_BEFORE: Parameter = query(
    "allocatedBefore",
    Values::Text,
    "Given before this time (RFC 3339).",
);

pub(super) const TENANT_FILTERS: &[Parameter] = &[LABEL_SELECTOR];
pub(super) const POOL_FILTERS: &[Parameter] = &[
    query(
        "parent",
        Values::Text,
        "Children of this pool of the tenant; in a list over all tenants, of pools of this name.",
    ),
    SPACE,
    FAMILY,
    query(
        "phase",
        Values::Words(&["Ready", "Draining", "Exhausted"]),
        "In this phase.",
    ),
    OWNER,
    OWNER_PREFIX,
    WITHIN,
    CONTAINS,
    LABEL_SELECTOR,
];
pub(super) const CLAIM_FILTERS: &[Parameter] = &[
    POOL,
    SPACE,
    FAMILY,
    query(
        "purpose",
        Values::Words(&["Claim", "Reservation"]),
        "For this purpose.",
    ),
    PHASE,
    OWNER,
    OWNER_PREFIX,
    WITHIN,
    CONTAINS,
    ALLOCATED_BEFORE,
    LABEL_SELECTOR,
];
pub(super) const ALLOCATION_FILTERS: &[Parameter] = &[
    POOL,
    SPACE,
    FAMILY,
    query(
        "purpose",
        Values::Words(&["Claim", "Child", "Reservation"]),
        "Held for this purpose.",
    ),
    PHASE,
    OWNER,
    OWNER_PREFIX,
    WITHIN,
    CONTAINS,
    ALLOCATED_BEFORE,
    LABEL_SELECTOR,
];
pub(super) const HISTORY_FILTERS: &[Parameter] = &[
    query(
        "cidr",
        Values::Text,
        "Of blocks that overlap this address or CIDR.",
    ),
    SPACE,
    query("claim", Values::Text, "By the claims of this name."),
    query("pool", Values::Text, "From the pools of this name."),
    OWNER,
];
pub(super) const AT: &[Parameter] = &[query(
    "at",
    Values::Text,
    "Who had it then: after a revision (a number), or at a time (RFC 3339). The present where it is not stated.",
)];
pub(super) const WATCH_FILTERS: &[Parameter] = &[
    query(
        "kind",
        Values::Words(&["Claim", "Pool", "Tenant"]),
        "Of objects of this kind.",
    ),
    query(
        "pool",
        Values::Text,
        "Of this pool of the tenant and of the claims from it.",
    ),
    OWNER,
    LABEL_SELECTOR,
];
pub(super) const IN_SPACE: &[Parameter] = &[query(
    "space",
    Values::Text,
    "The routing domain; `default` where it is not stated.",
)];
