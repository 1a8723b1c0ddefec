//! Operations on all that an owner holds.

use super::super::Method::Post;
use super::super::Operation;
use super::super::parameters::DRY_RUN;
use super::ok;
use crate::problem::Code;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "owner_release",
        method: Post,
        path: "/v1/tenants/{tenant}/owners/release",
        tag: "Owners",
        summary: "Gives back what an owner holds and was given at or before a revision, or some holdings.",
        parameters: &[DRY_RUN],
        request: Some("OwnerRelease"),
        responses: &[ok(
            "OwnerReleased",
            "They were given back, or had been before.",
        )],
        problems: &[Code::TenantNotFound, Code::PoolNotFound, Code::TooMany],
    },
    Operation {
        id: "owners_reconcile",
        method: Post,
        path: "/v1/tenants/{tenant}/owners/reconcile",
        tag: "Owners",
        summary: "Declares who is there; what the others hold is released once they were missed often and long enough, all of an owner's blocks or none.",
        parameters: &[DRY_RUN],
        request: Some("OwnersReconcile"),
        responses: &[ok(
            "Reconciled",
            "Who is a suspect, what was released, and who is there and holds nothing.",
        )],
        problems: &[
            Code::TenantNotFound,
            Code::TooMany,
            Code::TooManySuspects,
            Code::EpochStale,
        ],
    },
];
