//! The store from outside: certification, damage, crashes, refusals.

mod applied;
mod checkpoints;
mod codec;
mod crash_matrix;
mod crashes;
mod damage;
mod failures;
mod handouts;
mod log;
mod receiving;
mod recovery;
mod refusals;
mod snapshots;
mod suite;
mod world;
