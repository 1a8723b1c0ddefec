//! Health and documents.

use super::super::Method::Get;
use super::super::ResponseBody::{Json, Other};
use super::super::{Operation, Response};
use super::ok;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        id: "livez_show",
        method: Get,
        path: "/livez",
        tag: "Health and documents",
        summary: "Whether the process should go on running.",
        parameters: &[],
        request: None,
        responses: &[
            ok("Health", "It should."),
            Response {
                status: 503,
                doc: "It should not.",
                body: Json("Health"),
            },
        ],
        problems: &[],
    },
    Operation {
        id: "readyz_show",
        method: Get,
        path: "/readyz",
        tag: "Health and documents",
        summary: "Whether the node can serve requests now.",
        parameters: &[],
        request: None,
        responses: &[
            ok("Health", "It can."),
            Response {
                status: 503,
                doc: "It cannot.",
                body: Json("Health"),
            },
        ],
        problems: &[],
    },
    Operation {
        id: "metrics_show",
        method: Get,
        path: "/metrics",
        tag: "Health and documents",
        summary: "The node's metrics for Prometheus.",
        parameters: &[],
        request: None,
        responses: &[Response {
            status: 200,
            doc: "The metrics.",
            body: Other("text/plain"),
        }],
        problems: &[],
    },
    Operation {
        id: "openapi_show",
        method: Get,
        path: "/openapi.json",
        tag: "Health and documents",
        summary: "This contract as OpenAPI 3.1.",
        parameters: &[],
        request: None,
        responses: &[Response {
            status: 200,
            doc: "The document.",
            body: Other("application/json"),
        }],
        problems: &[],
    },
    Operation {
        id: "docs_show",
        method: Get,
        path: "/docs",
        tag: "Health and documents",
        summary: "This contract as a page.",
        parameters: &[],
        request: None,
        responses: &[Response {
            status: 200,
            doc: "The page.",
            body: Other("text/html"),
        }],
        problems: &[],
    },
];
