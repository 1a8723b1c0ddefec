//! `reconcile`

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::shared::{Destroy, pair};

/// `reconcile`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["live", "apply"]))]
#[command(group = ArgGroup::new("scope").args(["prefix", "labels"]))]
pub(crate) struct Reconcile {
    /// File of the owners that are there, one on a line; - is stdin
    #[arg(long, short = 'f', value_name = "FILE", requires = "scope")]
    pub(crate) live: Option<PathBuf>,
    /// The file lists claims, not owners
    #[arg(long, requires = "live")]
    pub(crate) claims: bool,
    /// Of this owner and of all whose first segments it is
    #[arg(long, value_name = "OWNER")]
    pub(crate) prefix: Option<String>,
    /// Of claims with this label, may be repeated: all of them are required
    #[arg(long = "label", value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<(String, String)>,
    /// Grows from call to call of one scope [default: milliseconds of this machine's clock]
    #[arg(long, value_name = "EPOCH", requires = "live")]
    pub(crate) epoch: Option<u64>,
    /// For how long a holder has to be a suspect before it is released
    #[arg(
        long,
        default_value_t = 0,
        value_name = "SECONDS",
        conflicts_with = "apply"
    )]
    pub(crate) grace: u32,
    /// In how many calls [default: 2, with --dry-run 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2), value_name = "COUNT", requires = "live")]
    pub(crate) sightings: Option<u8>,
    /// Rather nothing than more blocks than this
    #[arg(long, value_name = "COUNT", requires = "live")]
    pub(crate) release_at_most: Option<u64>,
    /// Who was given something or did something after this revision is no suspect
    #[arg(long, value_name = "REVISION", requires = "live")]
    pub(crate) as_of: Option<u64>,
    /// Write what was (or with --dry-run would be) released to this file, for --apply
    #[arg(long, value_name = "FILE", requires = "live")]
    pub(crate) report: Option<PathBuf>,
    /// Release what a report of --dry-run lists, just those holdings; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "scope")]
    pub(crate) apply: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) destroy: Destroy,
}
