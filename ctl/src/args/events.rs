//! Switches of what tells of the past and of the present as it goes on.

use allocator::name::Name;
use allocator::prefix::Prefix;
use clap::Args;

use super::shared::{Destroy, Paging, WatchedKind, block, name};

/// `history`
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Of all tenants
    #[arg(long, short = 'A')]
    pub(crate) all_tenants: bool,
    /// Of blocks that overlap this address or CIDR
    #[arg(value_parser = block, value_name = "CIDR")]
    pub(crate) cidr: Option<Prefix>,
    /// In this routing domain
    #[arg(long, value_parser = name, value_name = "NAME")]
    pub(crate) space: Option<Name>,
    /// By the claims of this name
    #[arg(long, value_parser = name, value_name = "CLAIM")]
    pub(crate) claim: Option<Name>,
    /// From the pools of this name
    #[arg(long, value_parser = name, value_name = "POOL")]
    pub(crate) pool: Option<Name>,
    /// By this owner
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `watch`
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Of all tenants
    #[arg(long, short = 'A')]
    pub(crate) all_tenants: bool,
    /// What came after this revision, too; without it only what comes from now on
    #[arg(long, value_name = "REVISION")]
    pub(crate) from_revision: Option<u64>,
    /// Of objects of this kind
    #[arg(long, value_enum)]
    pub(crate) kind: Option<WatchedKind>,
    /// Of this pool and of the claims from it
    #[arg(long, value_parser = name, value_name = "POOL")]
    pub(crate) pool: Option<Name>,
    /// Of what this owner holds
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Of what has these labels: app=web,tier!=db,zone in (a,b),!old
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// End after so many events
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "COUNT")]
    pub(crate) count: Option<u64>,
}

/// `cluster settings`
#[derive(Debug, Args)]
pub(crate) struct ClusterSettings {
    /// For how long events are kept at most
    #[arg(long, value_name = "SECONDS")]
    pub(crate) events_max_age: Option<u64>,
    /// Most events that are kept
    #[arg(long, value_name = "COUNT")]
    pub(crate) events_max_count: Option<u64>,
    /// Most bytes of events and of what they refer to
    #[arg(long, value_name = "BYTES")]
    pub(crate) events_max_bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) destroy: Destroy,
}
