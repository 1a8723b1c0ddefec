//! The table itself, by what the operations are about.

mod allocations;
mod claims;
mod cluster;
mod events;
mod health;
mod owners;
mod pools;
mod tenants;

use super::ResponseBody::{Json, ListOf};
use super::{Operation, Response};

const fn made(schema: &'static str) -> Response {
    Response {
        status: 201,
        doc: "It was made.",
        body: Json(schema),
    }
}

const fn repeated(schema: &'static str) -> Response {
    Response {
        status: 200,
        doc: "The same was there already: as it is.",
        body: Json(schema),
    }
}

const fn ok(schema: &'static str, doc: &'static str) -> Response {
    Response {
        status: 200,
        doc,
        body: Json(schema),
    }
}

const fn page_of(schema: &'static str) -> Response {
    Response {
        status: 200,
        doc: "A page of the list.",
        body: ListOf(schema),
    }
}

/// Every operation, in the order of the docs.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    let tables = [
        tenants::TABLE,
        pools::TABLE,
        claims::TABLE,
        allocations::TABLE,
        owners::TABLE,
        events::TABLE,
        cluster::TABLE,
        health::TABLE,
    ];
    tables.into_iter().flatten()
}
