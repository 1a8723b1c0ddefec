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

/// The crates that the daemon is made of.
const SOURCES: &[&str] = &["allocator", "raft-store", "api", "node"];

/// The daemon, built if need be.
pub fn ipamd() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND
        .get_or_init(|| find().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(IPAMD) {
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
    let binary = profile.join("ipamd");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace")?;
    if root.join("Cargo.toml").is_file() && is_stale(&binary, root)? {
        build(root, profile)?;
    }
    ensure!(binary.is_file(), "{} does not exist", binary.display());
    Ok(binary)
}

fn is_stale(binary: &Path, root: &Path) -> Result<bool> {
    let Ok(built) = binary.metadata().and_then(|metadata| metadata.modified()) else {
        return Ok(true);
    };
    for name in SOURCES {
        if newest(&root.join(name))?.is_some_and(|changed| changed > built) {
            return Ok(true);
        }
    }
    Ok(false)
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

fn build(root: &Path, profile: &Path) -> Result<()> {
    let target = profile.parent().context("the target folder")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args(["build", "--workspace", "--bin", "ipamd", "--target-dir"])
        .arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cargo build --bin ipamd")?;
    if !output.status.success() {
        bail!(
            "cargo build --bin ipamd: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
