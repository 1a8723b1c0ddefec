//! What is durable: the codec, the write-ahead log, the applied state with its checkpoints and
//! snapshots, and the data directory's identity.
//!
//! [`open`] makes a [`Store`] of a data directory. Its `log` and `machine` are openraft's
//! `RaftLogStorage` and `RaftStateMachine`; its `applied` serves reads from memory.
//!
//! Invariants, by absence:
//! 1. No other crate names sled or bincode.
//! 2. Nothing here knows the network, HTTP, or what a command means.
//! 3. No clock, thread, file or random number is used except through [`mod@env`], and through sled.

mod applied;
mod background;
pub mod checkpoint;
pub mod codec;
mod durable;
pub mod env;
mod failure;
pub mod identity;
mod machine;
mod observer;
mod open;
mod runtime;
mod snapshot;
mod store;
mod threads;
pub mod types;
mod wal;

pub use self::applied::{
    AppliedAt, AppliedState, DigestAnswer, DigestMark, LOCK_BOUNDS, LockCounts, LockUse,
};
pub use self::background::BackgroundOptions;
pub use self::failure::StoreFailure;
pub use self::identity::{Directory, Identity, IdentityError};
pub use self::machine::{Machine, SnapshotBuilder};
pub use self::observer::{SilentObserver, StoreObserver};
pub use self::open::{OpenError, StoreOptions, open};
pub use self::runtime::{Runtime, RuntimeRng};
pub use self::snapshot::{SnapshotError, SnapshotFile};
pub use self::store::{Store, StoreControl, StoreStats, StoreTasks};
pub use self::wal::{LogReader, LogStore, Position, WalError, WalOptions};
