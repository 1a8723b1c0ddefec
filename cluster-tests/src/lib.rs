//! Real nodes on real sockets.
//!
//! [`TestCluster`] starts `ipamd serve` processes on loopback, kills them, wipes them, starts them again and ends
//! whatever it started. Requests go over a plain HTTP/1.1 connection of our own ([`http`]), so that what the tests
//! believe does not pass through any code of the server; what clients were told is kept in a [`ledger`] and judged
//! by lists that are read over HTTP.
//!
//! Invariants:
//! 1. Nothing sleeps in the hope that something has happened: every wait is for a state, and has a deadline.
//! 2. Every process is ended by its own id, when its owner is dropped at the latest.
//! 3. One cluster at a time runs in a test program; two programs never share a port.

pub mod binary;
pub mod cluster;
pub mod crowd;
pub mod delay_line;
pub mod events;
pub mod flood;
pub mod http;
pub mod ledger;
pub mod ports;
pub mod process;
pub mod processor;
pub mod recipe;
pub mod requirements;
pub mod slow_network;
pub mod syscalls;
pub mod tenant;
pub mod wait;

pub use cluster::TestCluster;
