//! Operations on tenants.

use super::super::Method::{Delete, Get, Patch, Post};
use super::super::Operation;
use super::super::parameters::{DRY_RUN, PAGING, READING, TENANT_FILTERS};
use super::{made, ok, page_of, repeated};
use crate::problem::Code;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "tenant_create",
        method: Post,
        path: "/v1/tenants",
        tag: "Tenants",
        summary: "Makes a tenant.",
        parameters: &[DRY_RUN],
        request: Some("TenantCreate"),
        responses: &[made("Tenant"), repeated("Tenant")],
        problems: &[Code::AlreadyExists],
    },
    Operation {
        id: "tenant_list",
        method: Get,
        path: "/v1/tenants",
        tag: "Tenants",
        summary: "Lists the tenants by name.",
        parameters: &[TENANT_FILTERS, PAGING, READING],
        request: None,
        responses: &[page_of("Tenant")],
        problems: &[],
    },
    Operation {
        id: "tenant_show",
        method: Get,
        path: "/v1/tenants/{tenant}",
        tag: "Tenants",
        summary: "Shows a tenant.",
        parameters: &[READING],
        request: None,
        responses: &[ok("Tenant", "The tenant.")],
        problems: &[Code::TenantNotFound],
    },
    Operation {
        id: "tenant_edit",
        method: Patch,
        path: "/v1/tenants/{tenant}",
        tag: "Tenants",
        summary: "Edits a tenant; what it holds above a new bound stays.",
        parameters: &[DRY_RUN],
        request: Some("TenantPatch"),
        responses: &[ok("Tenant", "The tenant as it is now.")],
        problems: &[Code::TenantNotFound],
    },
    Operation {
        id: "tenant_delete",
        method: Delete,
        path: "/v1/tenants/{tenant}",
        tag: "Tenants",
        summary: "Removes a tenant that has neither pools nor claims.",
        parameters: &[DRY_RUN],
        request: None,
        responses: &[ok("Tenant", "It was removed: as it last was.")],
        problems: &[Code::TenantNotFound, Code::TenantInUse],
    },
];
