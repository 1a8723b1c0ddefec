//! The systems that ipamd is compared with, started here from Debian's packages where they are installed.
//!
//! Each is asked with what it offers for this, in as few round trips as it can be.

pub(crate) mod axum;
pub(crate) mod etcd;
pub(crate) mod host_local;
pub(crate) mod postgres;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// A system to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Three nodes of etcd; Debian's `etcd-server`
    Etcd,
    /// One server of PostgreSQL; Debian's `postgresql`
    Postgres,
    /// The CNI plugin host-local; Debian's `containernetworking-plugins`
    HostLocal,
}

impl Peer {
    /// Where its program is, or what has to be installed for it.
    pub(crate) fn program(self) -> Result<PathBuf, String> {
        let (found, package) = match self {
            Self::Etcd => (on_path("etcd"), "etcd-server"),
            Self::Postgres => (postgres::folder(), "postgresql"),
            Self::HostLocal => (
                existing("/usr/lib/cni/host-local"),
                "containernetworking-plugins",
            ),
        };
        found.ok_or_else(|| format!("not installed; Debian has it in {package}"))
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| existing(folder.join(name)))
}

fn existing(path: impl AsRef<Path>) -> Option<PathBuf> {
    path.as_ref().exists().then(|| path.as_ref().to_owned())
}
