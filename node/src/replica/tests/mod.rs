//! Replicas in one process on loopback, with real logs in temporary directories.

mod cluster;
mod dry_runs;
mod formation;
mod giving_up;
mod leaving;
mod membership;
mod membership_uncommitted;
mod names;
mod proposing;
mod reading;
mod replication;
mod wall_clocks;
