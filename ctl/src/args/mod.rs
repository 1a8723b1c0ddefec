//! The command line.

mod cluster;
mod edit;
mod events;
mod files;
mod handout;
mod lists;
mod owner;
mod reconcile;
mod shared;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use allocator::name::Name;
use allocator::prefix::Prefix;
use api::fields::PoolRef;
use api::pool_selector::PoolSelector;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use shared::{block, name, pool_ref, pool_selector, some_selector};

pub(crate) use cluster::ClusterCommand;
pub(crate) use edit::{AboutEdit, ClaimEdit, PoolEdit, PoolResize, TenantEdit};
pub(crate) use events::{ClusterSettings, History, Watch};
pub(crate) use files::{Apply, Export, ExportFormat, Exported, Import, Manifests, Source};
pub(crate) use handout::{Handout, HandoutEdit};
pub(crate) use lists::{AllocationList, ClaimList, ClaimPurpose, PoolList, PoolPhase, TenantList};
pub(crate) use owner::{Cascade, OwnerCommand, OwnerRelease};
pub(crate) use reconcile::Reconcile;
pub(crate) use shared::{
    About, Destroy, DryRun, Family, Holding, Narrow, Paging, Phase, Purpose, ReclaimPolicy,
    Strategy, WatchedKind,
};

/// ipamd from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "ipamctl",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Switches of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Switches of every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Switches of every command")]
pub(crate) struct Global {
    /// Nodes to ask, one after the other.
    #[arg(
        help = "A node; may be repeated [env: IPAMCTL_ENDPOINTS] [default: http://127.0.0.1:7400]",
        long,
        global = true,
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub(crate) endpoint: Vec<String>,
    /// The tenant
    #[arg(help = "The tenant [env: IPAMCTL_TENANT]", long, short, global = true, value_parser = name, value_name = "NAME")]
    pub(crate) tenant: Option<Name>,
    /// File with a bearer token
    #[arg(
        help = "File with a bearer token [env: IPAMCTL_TOKEN_FILE]",
        long,
        global = true,
        value_name = "FILE"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Seconds that a request may take, all attempts together
    #[arg(long, global = true, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    pub(crate) timeout: u64,
    /// How to print data
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// The API's JSON
    Json,
    /// The same as YAML
    Yaml,
    /// Names only, one on a line
    Name,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who owns pools and claims
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Named address space
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Named requests for blocks
    #[command(subcommand)]
    Claim(ClaimCommand),
    /// What is held
    #[command(subcommand)]
    Allocation(AllocationCommand),
    /// Keys of holders
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// Says who is there, and releases what the others hold
    Reconcile(Reconcile),
    /// Who has an address or block
    Lookup {
        /// An address or a CIDR
        #[arg(value_parser = block)]
        cidr: Prefix,
        /// Who had it then: after a revision, or at a time such as 2026-03-01T12:00:00Z
        #[arg(long, value_name = "REVISION|TIME")]
        at: Option<String>,
        /// The routing domain [default: default]
        #[arg(long, value_parser = name, value_name = "NAME")]
        space: Option<Name>,
    },
    /// Lists who held what, from when to when
    History(History),
    /// Follows what happens, as it happens
    Watch(Watch),
    /// Makes it so that all that the files describe is there, as they describe it
    Apply(Apply),
    /// Tells what apply would do, and changes nothing
    Plan(Manifests),
    /// Writes a list to stdout as CSV or JSON, however long it is
    Export(Export),
    /// Claims the exact blocks that files name; again with the same files changes nothing
    Import(Import),
    /// The nodes
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Prints the completion script of a shell
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// `tenant …`
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Makes a tenant
    Create(TenantCreate),
    /// Lists the tenants
    #[command(visible_alias = "ls")]
    List(TenantList),
    /// Shows a tenant
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Edits a tenant
    Edit {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        #[command(flatten)]
        edit: TenantEdit,
    },
    /// Removes a tenant that is empty
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        #[command(flatten)]
        destroy: Destroy,
    },
}

/// `tenant create`
#[derive(Debug, Args)]
pub(crate) struct TenantCreate {
    /// Its name
    pub(crate) name: String,
    /// Most pools
    #[arg(long, value_name = "COUNT")]
    pub(crate) quota_pools: Option<u64>,
    /// Most claims
    #[arg(long, value_name = "COUNT")]
    pub(crate) quota_claims: Option<u64>,
    /// Most IPv4 addresses in claims
    #[arg(long, value_name = "COUNT")]
    pub(crate) quota_ipv4_addresses: Option<u64>,
    /// Most IPv6 claims, in units of a /64
    #[arg(long = "quota-ipv6-prefixes64", value_name = "COUNT")]
    pub(crate) quota_ipv6_prefixes_64: Option<u64>,
    #[command(flatten)]
    pub(crate) about: About,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// `pool …`
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Makes a root pool of CIDRs, or carves a child from its parent
    Create(Box<PoolCreate>),
    /// Lists the pools of the tenant
    #[command(visible_alias = "ls")]
    List(PoolList),
    /// Shows a pool
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Shows a pool and all below it
    Tree {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Shows its layout by address: what is free, held, kept and withheld
    Map {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Length of a cell: what is smaller is not told apart [default: 256 cells]
        #[arg(long, value_name = "LENGTH")]
        length: Option<u8>,
    },
    /// Lists its free blocks, largest first or of one length
    Free {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Blocks of this length
        #[arg(long, value_name = "LENGTH")]
        length: Option<u8>,
        /// At most so many
        #[arg(long, value_name = "COUNT")]
        limit: Option<u64>,
        /// Only how many there are
        #[arg(long)]
        count: bool,
    },
    /// Edits a pool; nobody is renumbered
    Edit(Box<PoolEdit>),
    /// Adds and removes CIDRs of a root pool; one that holds something stays
    Resize(PoolResize),
    /// Stops a pool from handing out anything new
    Drain {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Let it hand out again
        #[arg(long)]
        end: bool,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Removes a pool that holds nothing
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Only if the pool has this revision
        #[arg(long, value_name = "REVISION")]
        if_revision: Option<u64>,
        #[command(flatten)]
        cascade: Cascade,
        #[command(flatten)]
        destroy: Destroy,
    },
}

/// `pool create`
#[derive(Debug, Args)]
pub(crate) struct PoolCreate {
    /// Its name
    pub(crate) name: String,
    /// A block of a root pool (may be repeated), or the exact block of a child
    #[arg(long, value_name = "CIDR")]
    pub(crate) cidr: Vec<String>,
    /// Carve it from this pool: NAME, or TENANT/NAME
    #[arg(long, value_parser = pool_ref, value_name = "POOL")]
    pub(crate) parent: Option<PoolRef>,
    /// Length of the block to carve: the next free one
    #[arg(
        long,
        requires = "parent",
        conflicts_with = "cidr",
        value_name = "LENGTH"
    )]
    pub(crate) length: Option<u8>,
    /// The routing domain of a root pool [default: default]
    #[arg(long, conflicts_with = "parent", value_name = "NAME")]
    pub(crate) space: Option<String>,
    /// The family, as a check
    #[arg(long, value_enum)]
    pub(crate) family: Option<Family>,
    /// Key of a child's holder
    #[arg(long, requires = "parent", value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Smallest number (largest block) that may be claimed
    #[arg(long, value_name = "LENGTH")]
    pub(crate) min_length: Option<u8>,
    /// Largest number (smallest block) that may be claimed
    #[arg(long, value_name = "LENGTH")]
    pub(crate) max_length: Option<u8>,
    /// What a claim that names no length gets
    #[arg(long, value_name = "LENGTH")]
    pub(crate) default_length: Option<u8>,
    /// Which free block is handed out; the lowest one where absent
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<Strategy>,
    /// Withhold the addresses that no holder can use
    #[arg(long)]
    pub(crate) usable_only: bool,
    /// Refuse CIDRs that are not private
    #[arg(long)]
    pub(crate) private_only: bool,
    /// Hand out nothing yet
    #[arg(long)]
    pub(crate) drain: bool,
    /// A tenant that may take from it, or *; may be repeated
    #[arg(long, value_name = "TENANT")]
    pub(crate) share_with: Vec<String>,
    /// Place among the candidates of a selector, 0 to 1000, the lowest first
    #[arg(long)]
    pub(crate) priority: Option<u16>,
    /// A CIDR, an address or a range FIRST-LAST to withhold; may be repeated
    #[arg(long, value_name = "ADDRESSES")]
    pub(crate) exclude: Vec<String>,
    /// The on-link prefix that holders configure
    #[arg(long, value_name = "CIDR")]
    pub(crate) subnet: Option<String>,
    /// first, last or an address
    #[arg(long, value_name = "GATEWAY")]
    pub(crate) gateway: Option<String>,
    #[command(flatten)]
    pub(crate) handout: Handout,
    /// For how long a released block is kept for its holder
    #[arg(long, value_name = "SECONDS")]
    pub(crate) grace: Option<u32>,
    /// What becomes of a released block
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) reclaim_policy: Option<ReclaimPolicy>,
    /// Longest grace that a claim may state
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_grace: Option<u32>,
    /// Claims may state that their blocks are retained
    #[arg(long, value_name = "BOOL")]
    pub(crate) allow_retain: Option<bool>,
    /// Longest lease; every claim has one then
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_ttl: Option<u32>,
    #[command(flatten)]
    pub(crate) about: About,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// `claim …`
#[derive(Debug, Subcommand)]
pub(crate) enum ClaimCommand {
    /// Claims a block; again with the same name is the same claim
    Create(Box<ClaimCreate>),
    /// Lists the claims of the tenant
    #[command(visible_alias = "ls")]
    List(ClaimList),
    /// Shows a claim
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Edits what a claim says of itself
    Edit(Box<ClaimEdit>),
    /// Tells that the holder uses its block
    Confirm {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        #[command(flatten)]
        holding: Holding,
    },
    /// Begins its lease anew, from now
    Renew {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Length of the lease from now on; the one that it has where absent
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u32>,
        #[command(flatten)]
        holding: Holding,
    },
    /// Releases claims and their blocks
    #[command(visible_alias = "rm")]
    Release(ClaimRelease),
}

/// `claim create`
#[derive(Debug, Args)]
pub(crate) struct ClaimCreate {
    /// Its name; made up where absent
    pub(crate) name: Option<String>,
    /// The pool to take from: NAME, or TENANT/NAME
    #[arg(long, value_parser = pool_ref, value_name = "POOL", required_unless_present = "pool_selector")]
    pub(crate) pool: Option<PoolRef>,
    /// Take it from the first pool that can serve it, of those whose labels match
    #[arg(long, value_parser = pool_selector, value_name = "SELECTOR", conflicts_with = "pool")]
    pub(crate) pool_selector: Option<PoolSelector>,
    /// The tenant whose shared pools are meant by --pool-selector
    #[arg(long, value_parser = name, value_name = "TENANT", requires = "pool_selector")]
    pub(crate) pool_tenant: Option<Name>,
    /// Withhold the block instead of using it
    #[arg(long)]
    pub(crate) reservation: bool,
    /// The length wanted; the pool's default where absent
    #[arg(long, conflicts_with = "cidr", value_name = "LENGTH")]
    pub(crate) length: Option<u8>,
    /// Exactly this block
    #[arg(long, value_name = "CIDR")]
    pub(crate) cidr: Option<String>,
    /// A CIDR, an address or a range FIRST-LAST in which to take it; may be repeated
    #[arg(long, value_name = "ADDRESSES")]
    pub(crate) within: Vec<String>,
    /// The family, as a check
    #[arg(long, value_enum)]
    pub(crate) family: Option<Family>,
    /// Key of the holder
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Length of its lease; the pool's longest where absent
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ttl: Option<u32>,
    /// For how long its block is kept once it is released; as the pool says where absent
    #[arg(long, value_name = "SECONDS")]
    pub(crate) grace: Option<u32>,
    /// What becomes of its block then
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) reclaim_policy: Option<ReclaimPolicy>,
    #[command(flatten)]
    pub(crate) about: About,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// `claim release`
#[derive(Debug, Args)]
pub(crate) struct ClaimRelease {
    /// Their names
    #[arg(value_parser = name, required_unless_present = "selector", conflicts_with = "selector")]
    pub(crate) names: Vec<Name>,
    /// All whose labels match
    #[arg(long, short = 'l', value_parser = some_selector, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Only this holding of the one claim named
    #[arg(long, conflicts_with = "selector", value_name = "GENERATION")]
    pub(crate) generation: Option<u64>,
    #[command(flatten)]
    pub(crate) destroy: Destroy,
}

/// `allocation …`
#[derive(Debug, Subcommand)]
pub(crate) enum AllocationCommand {
    /// Lists what is held from the tenant's pools
    #[command(visible_alias = "ls")]
    List(AllocationList),
    /// Frees a released block before its grace is over
    Reclaim {
        /// The block
        #[arg(value_parser = block, value_name = "CIDR")]
        cidr: Prefix,
        /// The routing domain [default: default]
        #[arg(long, value_parser = name, value_name = "NAME")]
        space: Option<Name>,
        /// The holding that was released; the one that is kept there now where absent
        #[arg(long, value_name = "GENERATION")]
        generation: Option<u64>,
        #[command(flatten)]
        destroy: Destroy,
    },
    /// Shows the allocation of exactly that block
    Show {
        /// The block
        #[arg(value_parser = block)]
        cidr: Prefix,
        /// The routing domain [default: default]
        #[arg(long, value_parser = name, value_name = "NAME")]
        space: Option<Name>,
    },
}
