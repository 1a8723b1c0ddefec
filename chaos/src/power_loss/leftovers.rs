//! What a run that was killed could not put away: mounted disks and their devices.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::disk;

/// How the folder of the run of a process begins.
pub(super) fn prefix(process: u32) -> String {
    format!("ipam-power-loss-{process}-")
}

/// Unmounts and detaches the disks of runs whose process is gone.
pub(super) fn remove() -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("the list of mounts")?;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(mount_point)) = (words.next(), words.next()) else {
            continue;
        };
        if owner(mount_point)
            .is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
        {
            disk::run(Command::new("umount").args(["--lazy", mount_point]))?;
            disk::run(Command::new("losetup").args(["--detach", device]))?;
            if let Some(folder) = Path::new(mount_point).parent() {
                std::fs::remove_dir_all(folder)?;
            }
        }
    }
    Ok(())
}

/// The process of the run that mounted a disk there, if one did.
fn owner(mount_point: &str) -> Option<u32> {
    let folder = Path::new(mount_point).parent()?.file_name()?.to_str()?;
    let (process, _) = folder.strip_prefix("ipam-power-loss-")?.split_once('-')?;
    process.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_tells_whose_it_is() {
        let of_a_run = format!("/tmp/{}Ab3/disk-1", prefix(77));
        for (mount_point, process) in [
            (of_a_run.as_str(), Some(77)),
            ("/tmp/ipam-power-loss-Ab3/disk-1", None),
            ("/", None),
            ("/home/ipam-power-loss", None),
        ] {
            assert_eq!(owner(mount_point), process, "{mount_point}");
        }
    }
}
