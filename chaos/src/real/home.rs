//! Where a node keeps its data: a disk that can lose its power, or a small file system in memory that can be full.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::wait;
use rustix::fs::FallocateFlags;

use crate::power_loss::disk::run;

/// Of the file that is the disk; it is sparse, and stays so: what is deleted on the disk is given back.
const DISK_SIZE: &str = "1G";
const DISK_OPTIONS: &str = "loop,discard";
/// Room for a few log segments of 64 MiB, and for what is needed while a snapshot replaces them.
const MEMORY_SIZE: &str = "size=768m";
/// For whoever has just ended to let go of its files.
const UNMOUNT_WITHIN: Duration = Duration::from_secs(5);
/// What fills a full disk.
const BALLAST: &str = "ballast";

/// One node's file system.
#[derive(Debug)]
pub(super) struct Home {
    /// The file that is the disk; none for a file system in memory.
    image: Option<PathBuf>,
    mount_point: PathBuf,
    mounted: bool,
}

impl Home {
    /// An ext4 on a loop device.
    pub(super) fn on_disk(folder: &Path, name: &str) -> Result<Self> {
        let image = folder.join(format!("{name}.img"));
        run(Command::new("truncate").args(["-s", DISK_SIZE]).arg(&image))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        Self::mounted(folder, name, Some(image))
    }

    /// A file system in memory: it survives its node, and has no power to lose.
    pub(super) fn in_memory(folder: &Path, name: &str) -> Result<Self> {
        Self::mounted(folder, name, None)
    }

    fn mounted(folder: &Path, name: &str, image: Option<PathBuf>) -> Result<Self> {
        let mount_point = folder.join(name);
        std::fs::create_dir(&mount_point)?;
        let mut home = Self {
            image,
            mount_point,
            mounted: false,
        };
        home.mount()?;
        Ok(home)
    }

    /// Where it is mounted.
    pub(super) fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// Whether it is a disk.
    pub(super) fn has_power(&self) -> bool {
        self.image.is_some()
    }

    /// Mounts it, unless it is mounted. The loop device detaches itself when it is unmounted, by whatever.
    pub(super) fn mount(&mut self) -> Result<()> {
        if self.mounted {
            return Ok(());
        }
        let mut mount = Command::new("mount");
        match &self.image {
            Some(image) => mount.args(["-t", "ext4", "-o", DISK_OPTIONS]).arg(image),
            None => mount.args(["-t", "tmpfs", "-o", MEMORY_SIZE, "ipam-chaos"]),
        };
        run(mount.arg(&self.mount_point))?;
        self.mounted = true;
        Ok(())
    }

    /// Unmounts a disk whose power was lost and mounts it again, as a machine that boots does. Its node must not run.
    pub(super) async fn boot(&mut self) -> Result<()> {
        if self.image.is_none() {
            return Ok(());
        }
        if self.mounted {
            let mount_point = &self.mount_point;
            wait::until("the disk is unmounted", UNMOUNT_WITHIN, || async move {
                run(Command::new("umount").arg(mount_point)).ok()
            })
            .await?;
            self.mounted = false;
        }
        self.mount()
    }

    /// Leaves no room on it; how many bytes that took.
    pub(super) fn fill(&self) -> Result<u64> {
        let ballast = self.mount_point.join(BALLAST);
        let file = File::create(&ballast).with_context(|| ballast.display().to_string())?;
        let free = rustix::fs::statvfs(&self.mount_point)?;
        let (mut filled, mut step) = (0, free.f_bavail * free.f_frsize);
        // Somebody else may take a part of it meanwhile, or give some back.
        while step >= free.f_frsize {
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), filled, step) {
                Ok(()) => filled += step,
                Err(rustix::io::Errno::NOSPC) => step /= 2,
                Err(error) => return Err(error).context("the ballast"),
            }
        }
        Ok(filled)
    }

    /// Gives the room back that [`Home::fill`] took, if it did.
    pub(super) fn free(&self) -> Result<()> {
        match std::fs::remove_file(self.mount_point.join(BALLAST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
