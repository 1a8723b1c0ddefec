//! Switches of commands that read and write files.

use std::path::PathBuf;

use allocator::name::Name;
use api::fields::PoolRef;
use clap::{Args, ValueEnum};

use super::shared::{DryRun, Narrow, name, pool_ref, some_selector};

/// `apply`
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) manifests: Manifests,
    /// Do not ask before anything is deleted
    #[arg(long, short, requires = "prune")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// What is to be so: `apply` and `plan`
#[derive(Debug, Args)]
pub(crate) struct Manifests {
    /// A file of YAML or JSON documents, a directory of such files, or - for stdin; may be repeated
    #[arg(long = "filename", short = 'f', required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Delete the pools and claims that the selector finds and that the files do not describe
    #[arg(long, requires = "selector")]
    pub(crate) prune: bool,
    /// What to prune: requirements on labels
    #[arg(long, short = 'l', requires = "prune", value_parser = some_selector, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
}

/// `export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Which list
    #[arg(value_enum)]
    pub(crate) what: Exported,
    /// In which form [default: csv; json with -o json]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ExportFormat>,
    /// From this pool
    #[arg(long, value_parser = name, value_name = "POOL")]
    pub(crate) pool: Option<Name>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
}

/// A list that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exported {
    /// Claims, with the blocks that they have
    Claims,
    /// All that is held: claims, children and reservations
    Allocations,
    /// Pools
    Pools,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A table with titles
    Csv,
    /// The API's documents, one on a line
    Json,
}

/// `import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files of CSV or JSON rows, or - for stdin; a directory of host-local
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What 'kubectl get ... -o json' prints of another system, or its directory
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub(crate) from: Option<Source>,
    /// The node whose directory it is [default: this host's name]
    #[arg(long, requires = "from", value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Take all from this pool: NAME, or TENANT/NAME; else a row's own, else the innermost that has its block
    #[arg(long, value_parser = pool_ref, value_name = "POOL")]
    pub(crate) pool: Option<PoolRef>,
    /// Where the innermost pool is looked for
    #[arg(long, value_parser = name, default_value = "default", conflicts_with = "pool", value_name = "SPACE")]
    pub(crate) space: Name,
    /// Write all that is refused or skipped to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// A system to import from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// kubectl get ipclaims -A -o json
    Milo,
    /// kubectl get sliceipams -A -o json
    Kubeslice,
    /// kubectl get ipamblocks.crd.projectcalico.org -o json
    Calico,
    /// kubectl get ippools.whereabouts.cni.cncf.io -A -o json
    Whereabouts,
    /// /var/lib/cni/networks of a node
    HostLocal,
}
