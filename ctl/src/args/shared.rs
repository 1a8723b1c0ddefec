//! Switches and values that several commands share.

use allocator::name::Name;
use allocator::prefix::Prefix;
use api::fields::PoolRef;
use api::pool_selector::PoolSelector;
use api::requests::path;
use clap::{Args, ValueEnum};

/// What an object is for.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// A label, may be repeated
    #[arg(long = "label", value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<(String, String)>,
    /// An annotation, may be repeated
    #[arg(long = "annotation", value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<(String, String)>,
    /// What it is for
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    pub(crate) description: String,
}

/// What a list is narrowed to.
#[derive(Debug, Args)]
pub(crate) struct Narrow {
    /// Requirements on labels: app=web,tier!=db,zone in (a,b),!old
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Of this routing domain
    #[arg(long, value_parser = name, value_name = "NAME")]
    pub(crate) space: Option<Name>,
    /// Of this family
    #[arg(long, value_enum)]
    pub(crate) family: Option<Family>,
    /// With exactly this owner
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// With this owner, or one whose first segments it is
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner_prefix: Option<String>,
    /// Inside this block
    #[arg(long, value_name = "CIDR")]
    pub(crate) within: Option<String>,
    /// With this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) contains: Option<String>,
}

/// How much of a list.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// At most so many items [default: all]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
}

/// Whether to do it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DryRun {
    /// Show the exact answer and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Whether to destroy it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Destroy {
    /// Do not ask for the name or id
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

impl Destroy {
    /// Nothing need be asked: it was said already, or nothing will happen.
    pub(crate) fn is_confirmed(self) -> bool {
        self.yes || self.dry_run.dry_run
    }
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// 32-bit addresses
    #[value(name = "IPv4", alias = "ipv4")]
    IPv4,
    /// 128-bit addresses
    #[value(name = "IPv6", alias = "ipv6")]
    IPv6,
}

/// Which free block a pool hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum Strategy {
    /// The one with the lowest address
    FirstFit,
    /// The one in the smallest hole
    BestFit,
    /// The next one after the last that was handed out
    NextFit,
    /// The lowest one in the CIDR of which the smallest share is held
    LeastUtilized,
}

/// Where a holding is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum Phase {
    /// Given, not confirmed
    Allocated,
    /// Given and confirmed
    InUse,
    /// Given back and kept for its holder
    Released,
}

/// What becomes of a released block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum ReclaimPolicy {
    /// It is free when its grace is over
    #[value(alias = "delete")]
    Delete,
    /// It is kept until an operator reclaims it
    #[value(alias = "retain")]
    Retain,
}

impl From<ReclaimPolicy> for allocator::life::ReclaimPolicy {
    fn from(policy: ReclaimPolicy) -> Self {
        match policy {
            ReclaimPolicy::Delete => Self::Delete,
            ReclaimPolicy::Retain => Self::Retain,
        }
    }
}

/// Which holding is meant, and by whom.
#[derive(Debug, Args)]
pub(crate) struct Holding {
    /// Its owner, where it has one
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Only the holding of this generation
    #[arg(long, value_name = "GENERATION")]
    pub(crate) generation: Option<u64>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// A kind of object that something happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum WatchedKind {
    /// Claims
    #[value(alias = "claim")]
    Claim,
    /// Pools
    #[value(alias = "pool")]
    Pool,
    /// Tenants
    #[value(alias = "tenant")]
    Tenant,
}

/// Why a block is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum Purpose {
    /// By a claim
    Claim,
    /// By a child pool
    Child,
    /// Withheld
    Reservation,
}

pub(super) fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

pub(super) fn block(text: &str) -> Result<Prefix, String> {
    path::block(text).map_err(|problem| problem.detail)
}

pub(super) fn pool_ref(text: &str) -> Result<PoolRef, String> {
    let (tenant, pool) = match text.split_once('/') {
        Some((tenant, pool)) => (Some(name(tenant)?.to_string()), pool),
        None => (None, text),
    };
    Ok(PoolRef {
        tenant,
        name: name(pool)?.to_string(),
    })
}

pub(super) fn pool_selector(text: &str) -> Result<PoolSelector, String> {
    PoolSelector::of_text(text).map_err(|problem| problem.detail)
}

/// A selector for what is destroyed: an empty one lets everything pass, which is what a variable that is
/// not set says.
pub(super) fn some_selector(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty, which would be everything; a label is needed".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("not of the form KEY=VALUE".to_owned()),
    }
}
