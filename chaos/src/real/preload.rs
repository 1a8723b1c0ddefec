//! The library that stands between a node and its machine (`preload.c`), and the file by which it is told what to do.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::power_loss::disk::run;

/// Names the file of a node to the library.
const CONTROL: &str = "IPAM_CHAOS_CONTROL";
/// Three numbers of eight bytes: see `struct control`.
const CONTROL_BYTES: u64 = 24;
const CLOCK_OFFSET_S: u64 = 0;
const SYNC_DELAY_MS: u64 = 8;
const SYNC_FAILS: u64 = 16;

/// Compiles the library into `folder`.
pub(super) fn compile(folder: &Path) -> Result<PathBuf> {
    let (source, library) = (folder.join("preload.c"), folder.join("preload.so"));
    std::fs::write(&source, include_str!("preload.c"))?;
    run(Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl"))?;
    Ok(library)
}

/// What one node is told that is not the truth.
#[derive(Debug)]
pub(super) struct Control {
    preloaded: PathBuf,
    path: PathBuf,
    file: File,
}

impl Control {
    /// Says the truth, at first.
    pub(super) fn new(library: &Path, path: PathBuf) -> Result<Self> {
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        file.set_len(CONTROL_BYTES)?;
        Ok(Self {
            preloaded: library.to_owned(),
            path,
            file,
        })
    }

    /// Has a process that is to be started listen to it.
    pub(super) fn preload(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.preloaded)
            .env(CONTROL, &self.path);
    }

    /// The wall clock is so many seconds ahead, or behind.
    pub(super) fn set_clock_offset(&self, seconds: i64) -> Result<()> {
        self.set(CLOCK_OFFSET_S, seconds)
    }

    /// Each sync takes so long.
    pub(super) fn set_sync_delay(&self, delay: Duration) -> Result<()> {
        self.set(SYNC_DELAY_MS, i64::try_from(delay.as_millis())?)
    }

    /// Each sync fails.
    pub(super) fn set_sync_fails(&self) -> Result<()> {
        self.set(SYNC_FAILS, 1)
    }

    /// Nothing but the truth from now on.
    pub(super) fn heal(&self) -> Result<()> {
        [CLOCK_OFFSET_S, SYNC_DELAY_MS, SYNC_FAILS]
            .into_iter()
            .try_for_each(|field| self.set(field, 0))
    }

    fn set(&self, field: u64, value: i64) -> Result<()> {
        self.file
            .write_all_at(&value.to_ne_bytes(), field)
            .with_context(|| self.path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use cluster_tests::requirements::{Requirement, skipped};

    use super::*;

    /// Prints the seconds that a sync took, whether it failed, and three readings of the wall clock less the true one.
    const PROBE: &str = "
import ctypes, os, sys, tempfile, time
true = int(sys.argv[1])
c = ctypes.CDLL(None, use_errno=True)
began = time.monotonic()
results = []
with tempfile.TemporaryFile() as file:
    for sync in (os.fsync, os.fdatasync):
        try:
            sync(file.fileno()); results.append('synced')
        except OSError as error:
            results.append(os.strerror(error.errno))
    results.append(str(c.sync_file_range(file.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), 2)))
took = time.monotonic() - began
stamp = (ctypes.c_int64 * 2)()
c.gettimeofday(stamp, None)
c.time.restype = ctypes.c_int64
clocks = [time.time(), stamp[0], c.time(None)]
print(round(took, 1), *results, *[round((clock - true) / 1000) for clock in clocks], sep=',')
";

    /// The machine's clock, told by a process that is not told otherwise.
    fn seconds_now() -> Result<String> {
        Ok(run(Command::new("date").arg("+%s"))?.trim().to_owned())
    }

    fn probe(control: &Control) -> Result<String> {
        let mut python = Command::new("python3");
        control.preload(python.args(["-c", PROBE]).arg(seconds_now()?));
        Ok(run(&mut python)?.trim().to_owned())
    }

    #[test]
    fn a_process_sees_the_clock_and_the_syncs_that_it_is_told() -> Result<()> {
        if skipped(
            "a_process_sees_the_clock_and_the_syncs_that_it_is_told",
            &[Requirement::Program("cc"), Requirement::Program("python3")],
        ) {
            return Ok(());
        }
        let folder = tempfile::tempdir()?;
        let library = compile(folder.path())?;
        let control = Control::new(&library, folder.path().join("control"))?;
        assert_eq!(probe(&control)?, "0.0,synced,synced,0,0,0,0");
        control.set_clock_offset(-1_000_000)?;
        control.set_sync_delay(Duration::from_millis(200))?;
        assert_eq!(probe(&control)?, "0.6,synced,synced,0,-1000,-1000,-1000");
        control.heal()?;
        control.set_sync_fails()?;
        assert_eq!(
            probe(&control)?,
            "0.0,Input/output error,Input/output error,-1,0,0,0"
        );
        control.heal()?;
        assert_eq!(probe(&control)?, "0.0,synced,synced,0,0,0,0");
        Ok(())
    }
}
