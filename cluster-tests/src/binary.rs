//! Where the programs under test are.
//!
//! `cargo test --workspace` builds them beside the test programs. Where only some crates were built, a program may be
//! missing or older than its sources; then cargo builds it once, so that no test runs against yesterday's daemon.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};

/// Names the daemon to test in place of the one that was built here.
pub const IPAMD: &str = "IPAMD_BIN";

/// Names the command line in place of the one that was built here.
pub const IPAMCTL: &str = "IPAMCTL_BIN";

/// A program of the workspace.
struct Program {
    name: &'static str,
    /// The variable that names another one.
    variable: &'static str,
    /// The crates that it is made of.
    sources: &'static [&'static str],
}

/// The daemon, built if need be.
pub fn ipamd() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    const PROGRAM: Program = Program {
        name: "ipamd",
        variable: IPAMD,
        sources: &["allocator", "raft-store", "api", "node"],
    };
    FOUND
        .get_or_init(|| PROGRAM.find().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

/// The command line, built if need be.
pub fn ipamctl() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    const PROGRAM: Program = Program {
        name: "ipamctl",
        variable: IPAMCTL,
        sources: &["allocator", "api", "client", "ctl"],
    };
    FOUND
        .get_or_init(|| PROGRAM.find().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

impl Program {
    fn find(&self) -> Result<PathBuf> {
        if let Some(named) = std::env::var_os(self.variable) {
            return Ok(PathBuf::from(named));
        }
        let own = std::env::current_exe().context("the path of this program")?;
        let folder = own.parent().context("the folder of this program")?;
        // Test programs lie in target/<profile>/deps, programs in target/<profile>.
        let profile = if folder.ends_with("deps") {
            folder.parent().context("the folder of the profile")?
        } else {
            folder
        };
        let binary = profile.join(self.name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the workspace")?;
        if root.join("Cargo.toml").is_file() && self.is_stale(&binary, root)? {
            self.build(root, profile)?;
        }
        ensure!(binary.is_file(), "{} does not exist", binary.display());
        Ok(binary)
    }

    fn is_stale(&self, binary: &Path, root: &Path) -> Result<bool> {
        let Ok(built) = binary.metadata().and_then(|metadata| metadata.modified()) else {
            return Ok(true);
        };
        for name in self.sources {
            if newest(&root.join(name))?.is_some_and(|changed| changed > built) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn build(&self, root: &Path, profile: &Path) -> Result<()> {
        let target = profile.parent().context("the target folder")?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(root)
            .args(["build", "--workspace", "--bin", self.name, "--target-dir"])
            .arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let output = cargo
            .output()
            .with_context(|| format!("cargo build --bin {}", self.name))?;
        if !output.status.success() {
            bail!(
                "cargo build --bin {}: {}",
                self.name,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }
}

/// The time of the latest change of a Rust file under `folder`.
fn newest(folder: &Path) -> Result<Option<SystemTime>> {
    let mut latest = None;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let changed = if path.is_dir() {
            newest(&path)?
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            Some(path.metadata()?.modified()?)
        } else {
            None
        };
        latest = latest.max(changed);
    }
    Ok(latest)
}
