//! Operations on allocations.

use super::super::Method::{Delete, Get, Post};
use super::super::Operation;
use super::super::parameters::{ALLOCATION_FILTERS, AT, DRY_RUN, IN_SPACE, PAGING, READING};
use super::{ok, page_of};
use crate::problem::Code;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "allocation_list",
        method: Get,
        path: "/v1/tenants/{tenant}/allocations",
        tag: "Allocations",
        summary: "Lists what is held from a tenant's pools, by pool and address.",
        parameters: &[ALLOCATION_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Allocation")],
        problems: &[Code::TenantNotFound],
    },
    Operation {
        id: "allocation_list_all",
        method: Get,
        path: "/v1/allocations",
        tag: "Allocations",
        summary: "Lists what is held in all tenants' pools, each block once: by its holder's tenant, which it names, then as in that tenant's own list.",
        parameters: &[ALLOCATION_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Allocation")],
        problems: &[],
    },
    Operation {
        id: "allocation_show",
        method: Get,
        path: "/v1/tenants/{tenant}/allocations/{cidr}",
        tag: "Allocations",
        summary: "Shows the allocation of exactly that block.",
        parameters: &[IN_SPACE, READING],
        request: None,
        responses: &[ok("Allocation", "The allocation.")],
        problems: &[Code::TenantNotFound, Code::AllocationNotFound],
    },
    Operation {
        id: "allocation_delete",
        method: Delete,
        path: "/v1/tenants/{tenant}/allocations/{cidr}",
        tag: "Allocations",
        summary: "Never done: an allocation goes with its claim or pool, which the answer names.",
        parameters: &[IN_SPACE, READING, DRY_RUN],
        request: None,
        responses: &[],
        problems: &[
            Code::TenantNotFound,
            Code::AllocationNotFound,
            Code::DeleteTheClaim,
        ],
    },
    Operation {
        id: "allocation_reclaim",
        method: Post,
        path: "/v1/tenants/{tenant}/allocations/reclaim",
        tag: "Allocations",
        summary: "Frees a released block before its grace is over.",
        parameters: &[DRY_RUN],
        request: Some("AllocationReclaim"),
        responses: &[ok("Allocation", "It is free; as it last was.")],
        problems: &[
            Code::TenantNotFound,
            Code::AllocationNotFound,
            Code::AddressTaken,
            Code::GenerationStale,
        ],
    },
    Operation {
        id: "lookup_show",
        method: Get,
        path: "/v1/tenants/{tenant}/lookup/{cidr}",
        tag: "Allocations",
        summary: "Who has an address or block, or had it: the chain of pools, the allocation, the claim with its labels.",
        parameters: &[AT, IN_SPACE, READING],
        request: None,
        responses: &[ok(
            "Lookup",
            "What is known of it; `pools` is empty where no pool contains it.",
        )],
        problems: &[Code::TenantNotFound, Code::Compacted, Code::TooMany],
    },
];
