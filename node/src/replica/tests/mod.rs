//! Replicas in one process on loopback, with real logs in temporary directories.

mod cluster;
mod formation;
mod leaving;
mod membership;
mod proposing;
mod reading;
mod replication;
