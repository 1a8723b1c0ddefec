//! `cluster …`

use clap::Subcommand;

use super::events::ClusterSettings;
use super::shared::{Destroy, DryRun};

/// `cluster …`
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Shows the members, the leader and how far each has come
    Status,
    /// Shows the settings that all nodes share, or edits those that are stated
    Settings(ClusterSettings),
    /// Adds a node as a learner
    Add {
        /// Its id
        id: u64,
        /// Where the other nodes reach its peer port
        #[arg(long, value_name = "HOST:PORT")]
        address: String,
        /// Where clients reach it
        #[arg(long, value_name = "URL")]
        http_url: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Makes a voter of a learner that has caught up
    Promote {
        /// Its id
        id: u64,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Removes a member
    Remove {
        /// Its id
        id: u64,
        #[command(flatten)]
        destroy: Destroy,
    },
    /// Compares the state of the nodes at one revision, one row for each endpoint; where only one is
    /// given, for each member
    Digest {
        /// The revision; that of the first endpoint where absent
        #[arg(long, value_name = "REVISION")]
        revision: Option<u64>,
    },
}
