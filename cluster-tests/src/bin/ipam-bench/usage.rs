//! What processes take of memory, and folders of the disk.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Bytes of a process that are in memory.
pub(crate) fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes.context("VmRSS in kB")?.parse()?;
    Ok(kibibytes * 1_024.0)
}

/// Bytes that the files under a folder take on the disk. What vanishes meanwhile takes none.
pub(crate) fn size(path: &Path) -> f64 {
    files(path).into_iter().sum()
}

/// The bytes on the disk of the largest file under a folder.
pub(crate) fn largest(path: &Path) -> f64 {
    files(path).into_iter().fold(0.0, f64::max)
}

fn files(path: &Path) -> Vec<f64> {
    use std::os::unix::fs::MetadataExt;

    let mut sizes = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => sizes.extend(files(&entry.path())),
            Ok(metadata) => {
                #[expect(clippy::cast_precision_loss, reason = "sizes of files")]
                sizes.push(metadata.blocks() as f64 * 512.0);
            }
            Err(_) => {}
        }
    }
    sizes
}
