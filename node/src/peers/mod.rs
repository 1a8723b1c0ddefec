//! Other nodes: framed connections, who may talk to whom, questions and answers.
//!
//! Invariants:
//! 1. Nothing of openraft's is encoded here: what travels are our own, versioned structs.
//! 2. Between two nodes each purpose has its own connection, in each direction, so that a snapshot
//!    or a flood of forwarded commands cannot delay a heartbeat.
//! 3. Every call has a deadline, and its caller learns whether the peer may have acted on it.

mod connection;
mod directory;
mod frame;
pub(crate) mod hello;
mod link;
mod net;
pub mod reading;
mod server;
pub(crate) mod snapshot;
mod tap;
pub(crate) mod wire;

pub use net::{BoxStream, Listener, Net, NetFuture, Stream, TokioListener, TokioNet};
pub use tap::Seen;

pub(crate) use connection::{DialError, Local, Target, probe};
pub(crate) use directory::Directory;
pub(crate) use link::{CallError, Link};
pub(crate) use server::{Server, Service, ServiceFuture, SnapshotSink};

#[cfg(test)]
mod tests;
