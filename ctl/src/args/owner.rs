//! `owner …`, and what else ends many holdings at once.

use api::fields::PoolRef;
use clap::{Args, Subcommand};

use super::shared::{Destroy, pool_ref};

/// `owner …`
#[derive(Debug, Subcommand)]
pub(crate) enum OwnerCommand {
    /// Gives back all that an owner holds
    Release(OwnerRelease),
}

/// `owner release`
#[derive(Debug, Args)]
pub(crate) struct OwnerRelease {
    /// The owner
    pub(crate) owner: String,
    /// And all owners whose first segments it is: node-1 covers node-1/eth0, never node-10
    #[arg(long)]
    pub(crate) prefix: bool,
    /// Only what was given at or before this revision [default: the present one]
    #[arg(long, value_name = "REVISION")]
    pub(crate) as_of: Option<u64>,
    /// At most so many blocks, the first by address [default: all, in steps]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "COUNT")]
    pub(crate) limit: Option<u32>,
    /// Only from this pool, may be repeated
    #[arg(long = "pool", value_parser = pool_ref, value_name = "[TENANT/]POOL")]
    pub(crate) pools: Vec<PoolRef>,
    #[command(flatten)]
    pub(crate) destroy: Destroy,
}

/// Whether what is under a pool goes with it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Cascade {
    /// Release what is under it first, grace or not, and remove the pools there
    #[arg(long = "cascade", id = "cascade")]
    pub(crate) wanted: bool,
    /// With --cascade: only what was given at or before this revision [default: the present one]
    #[arg(long, value_name = "REVISION", requires = "cascade")]
    pub(crate) as_of: Option<u64>,
    /// With --cascade: at most so many blocks, the first by address [default: all, in steps]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "COUNT", requires = "cascade")]
    pub(crate) limit: Option<u32>,
}
