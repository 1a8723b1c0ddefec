//! Switches of commands that read and write files.

use std::path::PathBuf;

use clap::Args;

use super::shared::DryRun;

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
    #[arg(long, short = 'l', requires = "prune", value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
}
