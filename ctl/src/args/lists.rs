//! Switches of lists: what each may be narrowed to.

use allocator::name::Name;
use clap::{Args, ValueEnum};

use super::shared::{Narrow, Paging, Phase, Purpose, name};

/// `tenant list`
#[derive(Debug, Args)]
pub(crate) struct TenantList {
    /// Requirements on labels: app=web,tier!=db,zone in (a,b),!old
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `pool list`
#[derive(Debug, Args)]
pub(crate) struct PoolList {
    /// Of all tenants
    #[arg(long, short = 'A')]
    pub(crate) all_tenants: bool,
    /// Children of this pool
    #[arg(long, value_parser = name, value_name = "POOL")]
    pub(crate) parent: Option<Name>,
    /// In this phase
    #[arg(long, value_enum)]
    pub(crate) phase: Option<PoolPhase>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `claim list`
#[derive(Debug, Args)]
pub(crate) struct ClaimList {
    /// Of all tenants
    #[arg(long, short = 'A')]
    pub(crate) all_tenants: bool,
    /// From this pool
    #[arg(long, value_parser = name, value_name = "POOL")]
    pub(crate) pool: Option<Name>,
    /// For this purpose
    #[arg(long, value_enum)]
    pub(crate) purpose: Option<ClaimPurpose>,
    /// In this phase
    #[arg(long, value_enum)]
    pub(crate) phase: Option<Phase>,
    /// Given before this time, such as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) allocated_before: Option<String>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `allocation list`
#[derive(Debug, Args)]
pub(crate) struct AllocationList {
    /// Of all tenants
    #[arg(long, short = 'A')]
    pub(crate) all_tenants: bool,
    /// From this pool
    #[arg(long, value_parser = name, value_name = "POOL")]
    pub(crate) pool: Option<Name>,
    /// For this purpose
    #[arg(long, value_enum)]
    pub(crate) purpose: Option<Purpose>,
    /// In this phase
    #[arg(long, value_enum)]
    pub(crate) phase: Option<Phase>,
    /// Given before this time, such as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) allocated_before: Option<String>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// Whether a pool can serve claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum PoolPhase {
    /// It can
    Ready,
    /// It hands out nothing new
    Draining,
    /// Nothing that a claim gets by default is free
    Exhausted,
}

/// What a claim is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum ClaimPurpose {
    /// To use its block
    Claim,
    /// To withhold it
    Reservation,
}
