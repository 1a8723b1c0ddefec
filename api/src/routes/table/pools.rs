//! Operations on pools.

use super::super::Method::{Delete, Get, Patch, Post};
use super::super::parameters::{
    CASCADE, DRY_RUN, IF_REVISION, PAGING, POOL_FILTERS, READING, query,
};
use super::super::{Operation, Values};
use super::{made, ok, page_of, repeated};
use crate::problem::Code;
use crate::requests::query::LIMIT_MAX;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "pool_create",
        method: Post,
        path: "/v1/tenants/{tenant}/pools",
        tag: "Pools",
        summary: "Makes a root pool, or carves a child pool from its parent in the same write.",
        parameters: &[DRY_RUN],
        request: Some("PoolCreate"),
        responses: &[made("Pool"), repeated("Pool")],
        problems: &[
            Code::QuotaExceeded,
            Code::TenantNotFound,
            Code::PoolNotFound,
            Code::AlreadyExists,
            Code::CidrOverlap,
            Code::AddressTaken,
            Code::PoolDraining,
            Code::TooMany,
            Code::PrefixLengthOutOfBounds,
            Code::FamilyMismatch,
            Code::GatewayNotInSubnet,
            Code::NotPrivate,
            Code::PoolExhausted,
        ],
    },
    Operation {
        id: "pool_list",
        method: Get,
        path: "/v1/tenants/{tenant}/pools",
        tag: "Pools",
        summary: "Lists a tenant's pools by name.",
        parameters: &[POOL_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Pool")],
        problems: &[Code::TenantNotFound],
    },
    Operation {
        id: "pool_show",
        method: Get,
        path: "/v1/tenants/{tenant}/pools/{pool}",
        tag: "Pools",
        summary: "Shows a pool.",
        parameters: &[READING],
        request: None,
        responses: &[ok("Pool", "The pool.")],
        problems: &[Code::TenantNotFound, Code::PoolNotFound],
    },
    Operation {
        id: "pool_edit",
        method: Patch,
        path: "/v1/tenants/{tenant}/pools/{pool}",
        tag: "Pools",
        summary: "Edits a pool: its policy, and its CIDRs. Nobody is renumbered.",
        parameters: &[DRY_RUN, IF_REVISION],
        request: Some("PoolPatch"),
        responses: &[ok("Pool", "The pool as it is now.")],
        problems: &[
            Code::TenantNotFound,
            Code::PoolNotFound,
            Code::CidrOverlap,
            Code::PoolInUse,
            Code::TooMany,
            Code::RevisionMismatch,
            Code::FamilyMismatch,
            Code::GatewayNotInSubnet,
            Code::NotPrivate,
        ],
    },
    Operation {
        id: "pool_delete",
        method: Delete,
        path: "/v1/tenants/{tenant}/pools/{pool}",
        tag: "Pools",
        summary: "Removes a pool that holds nothing, or with `cascade` what is under it first; a child's block goes back to its parent in the same write.",
        parameters: &[CASCADE, DRY_RUN, IF_REVISION],
        request: None,
        responses: &[ok(
            "PoolDeletion",
            "It was removed: as it last was. With `cascade`: what was released and what is left.",
        )],
        problems: &[
            Code::TenantNotFound,
            Code::PoolNotFound,
            Code::PoolInUse,
            Code::TooMany,
            Code::RevisionMismatch,
            Code::InvalidField,
        ],
    },
    Operation {
        id: "pool_free",
        method: Get,
        path: "/v1/tenants/{tenant}/pools/{pool}/free",
        tag: "Pools",
        summary: "Lists a pool's free blocks: the maximal ones, largest first, or those of one length.",
        parameters: &[
            &[
                query(
                    "prefixLength",
                    Values::Number { min: 0, max: 128 },
                    "Blocks of this length, by address: 0 to 32 in an IPv4 pool.",
                ),
                query(
                    "limit",
                    Values::Number {
                        min: 1,
                        max: LIMIT_MAX,
                    },
                    "At most so many; 100 where it is not stated.",
                ),
                query("count", Values::Flag, "Only how many there are."),
            ],
            READING,
        ],
        request: None,
        responses: &[ok("Free", "The free blocks.")],
        problems: &[Code::TenantNotFound, Code::PoolNotFound],
    },
    Operation {
        id: "pool_map",
        method: Get,
        path: "/v1/tenants/{tenant}/pools/{pool}/map",
        tag: "Pools",
        summary: "Shows a pool's layout as runs by address, for drawing: bounded in size whatever the pool holds.",
        parameters: &[
            &[
                query(
                    "prefixLength",
                    Values::Number { min: 0, max: 128 },
                    "The length of a cell; what is smaller is not told apart. 256 cells in the widest CIDR where it is not stated.",
                ),
                query(
                    "from",
                    Values::Text,
                    "From this address on: `next` of the answer before.",
                ),
                query(
                    "limit",
                    Values::Number {
                        min: 1,
                        max: LIMIT_MAX,
                    },
                    "At most so many runs; 1,000 where it is not stated.",
                ),
            ],
            READING,
        ],
        request: None,
        responses: &[ok("PoolMap", "The layout, as far as one answer goes.")],
        problems: &[Code::TenantNotFound, Code::PoolNotFound],
    },
    Operation {
        id: "pool_tree",
        method: Get,
        path: "/v1/tenants/{tenant}/pools/{pool}/tree",
        tag: "Pools",
        summary: "Shows a pool with its descendants, their utilization and what claims really hold below.",
        parameters: &[READING],
        request: None,
        responses: &[ok("PoolTree", "The tree.")],
        problems: &[Code::TenantNotFound, Code::PoolNotFound],
    },
];
