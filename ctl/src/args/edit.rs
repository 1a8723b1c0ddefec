//! Switches of edits: what is not stated stays as it is, and an empty value is none.

use allocator::name::Name;
use clap::Args;

use super::handout::HandoutEdit;
use super::shared::{DryRun, ReclaimPolicy, Strategy, name, pair};

/// What an object says of itself.
#[derive(Debug, Args)]
pub(crate) struct AboutEdit {
    /// A label to set, may be repeated
    #[arg(long = "label", value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<(String, String)>,
    /// A label to remove, may be repeated
    #[arg(long = "remove-label", value_name = "KEY")]
    pub(crate) labels_removed: Vec<String>,
    /// An annotation to set, may be repeated
    #[arg(long = "annotation", value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<(String, String)>,
    /// An annotation to remove, may be repeated
    #[arg(long = "remove-annotation", value_name = "KEY")]
    pub(crate) annotations_removed: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Edit it as a document, in the editor that VISUAL or EDITOR names
    #[arg(long)]
    pub(crate) editor: bool,
}

/// `tenant edit`
#[derive(Debug, Args)]
pub(crate) struct TenantEdit {
    /// Most pools; none is without bound
    #[arg(long, value_parser = bound, value_name = "COUNT|none")]
    pub(crate) quota_pools: Option<Bound>,
    /// Most claims
    #[arg(long, value_parser = bound, value_name = "COUNT|none")]
    pub(crate) quota_claims: Option<Bound>,
    /// Most IPv4 addresses in claims
    #[arg(long, value_parser = bound, value_name = "COUNT|none")]
    pub(crate) quota_ipv4_addresses: Option<Bound>,
    /// Most IPv6 claims, in units of a /64
    #[arg(long = "quota-ipv6-prefixes64", value_parser = bound, value_name = "COUNT|none")]
    pub(crate) quota_ipv6_prefixes_64: Option<Bound>,
    #[command(flatten)]
    pub(crate) about: AboutEdit,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// `pool edit`
#[derive(Debug, Args)]
pub(crate) struct PoolEdit {
    /// Its name
    #[arg(value_parser = name)]
    pub(crate) name: Name,
    /// Only if the pool has this revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) if_revision: Option<u64>,
    /// Smallest number (largest block) that may be claimed; none is that of its largest CIDR
    #[arg(long, value_parser = bound, value_name = "LENGTH|none")]
    pub(crate) min_length: Option<Bound>,
    /// Largest number (smallest block) that may be claimed; none is a single address
    #[arg(long, value_parser = bound, value_name = "LENGTH|none")]
    pub(crate) max_length: Option<Bound>,
    /// What a claim that names no length gets
    #[arg(long, value_parser = bound, value_name = "LENGTH|none")]
    pub(crate) default_length: Option<Bound>,
    /// Which free block is handed out
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<Strategy>,
    /// Withhold the addresses that no holder can use
    #[arg(long, value_name = "BOOL")]
    pub(crate) usable_only: Option<bool>,
    /// Refuse CIDRs that are not private
    #[arg(long, value_name = "BOOL")]
    pub(crate) private_only: Option<bool>,
    /// A tenant that may take from it, or *; may be repeated, and replaces those that may now
    #[arg(long, conflicts_with = "share_with_nobody", value_name = "TENANT")]
    pub(crate) share_with: Vec<String>,
    /// No other tenant may take from it any more
    #[arg(long)]
    pub(crate) share_with_nobody: bool,
    /// Place among the candidates of a selector, the lowest first
    #[arg(long, value_parser = bound, value_name = "0..1000|none")]
    pub(crate) priority: Option<Bound>,
    /// All that is withheld: a CIDR, an address or a range FIRST-LAST; may be repeated
    #[arg(long, conflicts_with = "exclude_nothing", value_name = "ADDRESSES")]
    pub(crate) exclude: Vec<String>,
    /// Withhold nothing any more
    #[arg(long)]
    pub(crate) exclude_nothing: bool,
    /// The on-link prefix that holders configure; none is the CIDR itself
    #[arg(long, value_name = "CIDR|none")]
    pub(crate) subnet: Option<String>,
    /// first, last, an address or none
    #[arg(long, value_name = "GATEWAY|none")]
    pub(crate) gateway: Option<String>,
    #[command(flatten)]
    pub(crate) handout: HandoutEdit,
    /// For how long blocks that are released from now on are kept for their holders
    #[arg(long, value_parser = bound, value_name = "SECONDS|none")]
    pub(crate) grace: Option<Bound>,
    /// What becomes of them then
    #[arg(long, value_enum)]
    pub(crate) reclaim_policy: Option<ReclaimPolicy>,
    /// Longest grace that a claim may state; none is the pool's own
    #[arg(long, value_parser = bound, value_name = "SECONDS|none")]
    pub(crate) max_grace: Option<Bound>,
    /// Whether a claim may state Retain
    #[arg(long, value_name = "BOOL")]
    pub(crate) allow_retain: Option<bool>,
    /// Longest lease; none is without bound
    #[arg(long, value_parser = bound, value_name = "SECONDS|none")]
    pub(crate) max_ttl: Option<Bound>,
    #[command(flatten)]
    pub(crate) about: AboutEdit,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// `claim edit`
#[derive(Debug, Args)]
pub(crate) struct ClaimEdit {
    /// Its name
    #[arg(value_parser = name)]
    pub(crate) name: Name,
    /// Length of its lease, which begins now; none ends the lease
    #[arg(long, value_parser = bound, value_name = "SECONDS|none")]
    pub(crate) ttl: Option<Bound>,
    /// For how long its block is kept once it is released; none is as the pool says
    #[arg(long, value_parser = bound, value_name = "SECONDS|none")]
    pub(crate) grace: Option<Bound>,
    /// What becomes of its block then
    #[arg(long, value_enum)]
    pub(crate) reclaim_policy: Option<ReclaimPolicy>,
    #[command(flatten)]
    pub(crate) about: AboutEdit,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// `pool resize`
#[derive(Debug, Args)]
#[group(id = "resize", required = true, multiple = true, args = ["add", "remove"])]
pub(crate) struct PoolResize {
    /// Its name
    #[arg(value_parser = name)]
    pub(crate) name: Name,
    /// A CIDR to add, may be repeated
    #[arg(long, value_name = "CIDR")]
    pub(crate) add: Vec<String>,
    /// A CIDR to remove, may be repeated
    #[arg(long, value_name = "CIDR")]
    pub(crate) remove: Vec<String>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// A number, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound(pub(crate) Option<u64>);

fn bound(text: &str) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound(None)),
        text => text
            .parse()
            .map(|number| Bound(Some(number)))
            .map_err(|_| "neither a number nor none".to_owned()),
    }
}
