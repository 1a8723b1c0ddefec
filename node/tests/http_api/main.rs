//! The HTTP API of one node, over real sockets and a real replica of one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod all_tenants;
mod bad_input;
mod contract;
mod dry_runs;
mod edge;
mod edits;
mod handouts;
mod harness;
mod headers;
mod history;
mod life;
mod limits;
mod members;
mod metrics;
mod operations;
mod owners;
mod pages;
mod pools;
mod watch;
