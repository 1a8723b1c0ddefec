//! The HTTP API: what the `api` crate describes, served from one replica.
//!
//! 1. A handler has three beats: decode (`api::requests`), ask the replica, encode (`api::views`).
//!    It decides nothing itself.
//! 2. Every operation of `api::routes` is served, and nothing else.
//! 3. Whatever fails is a problem of the catalogue, also where no handler was reached: an unknown
//!    path, a wrong method, a panic.
//! 4. Every wait has a bound, and no lock is held across one. A request beyond the bound on those
//!    in flight is answered at once.
//! 5. Dropping a handler at any point is harmless: what was proposed happens or does not, and its
//!    name tells which.

mod all_tenants;
mod allocations;
mod answer;
mod batch;
mod call;
mod claims;
mod cluster;
mod documents;
mod edge;
mod health;
mod history;
mod limits;
mod listener;
mod lookup;
mod owners;
mod pools;
mod read;
mod router;
mod server;
mod settings;
mod tenants;
mod watch;
mod write;

pub use crate::metrics::MetricsError;
pub use limits::Limits;
pub use server::{Server, run};
