//! A disk of its own for one node: ext4 in a file, on a loop device.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Room for a few log segments; the file is sparse.
const SIZE: &str = "2G";

/// An ext4 file system that can lose its power. Unmounted and detached when dropped.
#[derive(Debug)]
pub(super) struct Disk {
    device: String,
    mount_point: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes `folder/name.img` and mounts it at `folder/name`.
    pub(super) fn make(folder: &Path, name: &str) -> Result<Self> {
        let image = folder.join(format!("{name}.img"));
        let mount_point = folder.join(name);
        std::fs::create_dir(&mount_point)?;
        run(Command::new("truncate").args(["-s", SIZE]).arg(&image))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let device = run(Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&image))?;
        let mut disk = Self {
            device: device.trim().to_owned(),
            mount_point,
            mounted: false,
        };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(super) fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// Mounts it; the file system replays its journal, as after a power loss.
    pub(super) fn mount(&mut self) -> Result<()> {
        run(Command::new("mount")
            .args(["-t", "ext4", &self.device])
            .arg(&self.mount_point))?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts it; nobody may have a file of it open.
    pub(super) fn unmount(&mut self) -> Result<()> {
        run(Command::new("umount").arg(&self.mount_point))?;
        self.mounted = false;
        Ok(())
    }

    /// Takes the power from all disks at one instant.
    pub(super) fn power_off(disks: &[Self]) -> Result<()> {
        power_off(disks.iter().map(Self::mount_point))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // On the way out of a failure too; what does not work any more has nobody to tell.
        if self.mounted {
            drop(run(Command::new("umount")
                .arg("--lazy")
                .arg(&self.mount_point)));
        }
        drop(run(Command::new("losetup").args(["--detach", &self.device])));
    }
}

/// Shuts the file systems that are mounted there down at one instant, without a flush of their journals.
pub(crate) fn power_off<'a>(mount_points: impl Iterator<Item = &'a Path>) -> Result<()> {
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("shutdown.py")]);
    python.args(mount_points);
    run(&mut python).map(drop)
}

/// Runs a program of the system; what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    // The tools of file systems lie in directories that a user's path may lack.
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output()
        .with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
