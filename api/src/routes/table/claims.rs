//! Operations on claims.

use super::super::Method::{Delete, Get, Patch, Post};
use super::super::ResponseBody::Json;
use super::super::parameters::{CLAIM_FILTERS, DRY_RUN, PAGING, READING, REVISIONS, header, query};
use super::super::{Operation, Response, Values};
use super::{ok, page_of};
use crate::problem::Code;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "claim_create",
        method: Post,
        path: "/v1/tenants/{tenant}/claims",
        tag: "Claims",
        summary: "Claims a block. The name is the idempotency key: a repeat answers with the block that it has.",
        parameters: &[
            DRY_RUN,
            &[header(
                "Idempotency-Key",
                Values::Text,
                "For a claim that states no name: `k-` and 32 hex digits of its SHA-256 become the name.",
            )],
        ],
        request: Some("ClaimCreate"),
        responses: &[
            Response {
                status: 201,
                doc: "The block was given.",
                body: Json("Claim"),
            },
            Response {
                status: 200,
                doc: "The same claim was there already, with the block that it has.",
                body: Json("Claim"),
            },
        ],
        problems: &[
            Code::QuotaExceeded,
            Code::TenantNotFound,
            Code::PoolNotFound,
            Code::NoPoolMatches,
            Code::ClaimMismatch,
            Code::AddressTaken,
            Code::PoolDraining,
            Code::PrefixLengthOutOfBounds,
            Code::FamilyMismatch,
            Code::PoolExhausted,
        ],
    },
    Operation {
        id: "claim_list",
        method: Get,
        path: "/v1/tenants/{tenant}/claims",
        tag: "Claims",
        summary: "Lists a tenant's claims by name.",
        parameters: &[CLAIM_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Claim")],
        problems: &[Code::TenantNotFound],
    },
    Operation {
        id: "claim_show",
        method: Get,
        path: "/v1/tenants/{tenant}/claims/{claim}",
        tag: "Claims",
        summary: "Shows a claim.",
        parameters: &[READING],
        request: None,
        responses: &[ok("Claim", "The claim.")],
        problems: &[Code::TenantNotFound, Code::ClaimNotFound],
    },
    Operation {
        id: "claim_edit",
        method: Patch,
        path: "/v1/tenants/{tenant}/claims/{claim}",
        tag: "Claims",
        summary: "Edits what a claim says of itself; what it asked for stays.",
        parameters: &[DRY_RUN],
        request: Some("ClaimPatch"),
        responses: &[ok("Claim", "The claim as it is now.")],
        problems: &[Code::TenantNotFound, Code::ClaimNotFound],
    },
    Operation {
        id: "claim_release",
        method: Delete,
        path: "/v1/tenants/{tenant}/claims/{claim}",
        tag: "Claims",
        summary: "Releases a claim and its block.",
        parameters: &[
            DRY_RUN,
            &[query(
                "generation",
                REVISIONS,
                "The holding that is meant; one that has already ended answers 200. Without it the request is not safe to retry.",
            )],
        ],
        request: None,
        responses: &[ok(
            "Claim",
            "It was released, now or before: as it last was.",
        )],
        problems: &[
            Code::TenantNotFound,
            Code::ClaimNotFound,
            Code::GenerationStale,
        ],
    },
    Operation {
        id: "claim_confirm",
        method: Post,
        path: "/v1/tenants/{tenant}/claims/{claim}/confirm",
        tag: "Claims",
        summary: "Tells that the holder uses its block: the claim is in use.",
        parameters: &[DRY_RUN],
        request: Some("ClaimConfirm"),
        responses: &[ok("Claim", "It is in use, from now on or from before.")],
        problems: &[
            Code::NotTheHolder,
            Code::TenantNotFound,
            Code::ClaimNotFound,
            Code::GenerationStale,
        ],
    },
    Operation {
        id: "claim_renew",
        method: Post,
        path: "/v1/tenants/{tenant}/claims/{claim}/renew",
        tag: "Claims",
        summary: "Begins a claim's lease anew, from now.",
        parameters: &[DRY_RUN],
        request: Some("ClaimRenew"),
        responses: &[ok("Claim", "The claim with its new lease.")],
        problems: &[
            Code::NotTheHolder,
            Code::TenantNotFound,
            Code::ClaimNotFound,
            Code::GenerationStale,
        ],
    },
    Operation {
        id: "batch_apply",
        method: Post,
        path: "/v1/tenants/{tenant}/batch",
        tag: "Claims",
        summary: "Up to 1,000 claims and releases: all or none in one write, or each on its own.",
        parameters: &[DRY_RUN],
        request: Some("Batch"),
        responses: &[ok(
            "BatchAnswer",
            "One result for each operation. An atomic batch that is refused answers with status and code of its first culprit, `failedIndex` and `results`.",
        )],
        problems: &[
            Code::QuotaExceeded,
            Code::TenantNotFound,
            Code::PoolNotFound,
            Code::NoPoolMatches,
            Code::ClaimNotFound,
            Code::ClaimMismatch,
            Code::AddressTaken,
            Code::PoolDraining,
            Code::GenerationStale,
            Code::PrefixLengthOutOfBounds,
            Code::FamilyMismatch,
            Code::NotApplied,
            Code::PoolExhausted,
        ],
    },
];
