//! ipamd, the daemon, as a library: one node of a cluster.
//!
//! `replica` is the middle: HTTP proposes and reads through it, consensus and peers are below it.
//! What the packages above this one may see is public; the rest is not.

pub mod batcher;
mod clock;
pub mod config;
mod consensus;
pub mod dev;
mod formation;
pub mod http;
pub mod logging;
mod members;
mod metrics;
mod own_runtime;
pub mod peers;
pub mod replica;
pub mod serve;
