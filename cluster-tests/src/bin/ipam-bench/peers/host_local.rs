//! The CNI plugin host-local: a process for each address, and a file for each that is held.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

const NETWORK: &str = "bench";

/// What host-local holds.
#[derive(Debug)]
pub(crate) struct HostLocal {
    program: PathBuf,
    folder: TempDir,
    held: u32,
}

impl HostLocal {
    pub(crate) fn new(program: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("ipam-bench-host-local-")?;
        std::fs::create_dir(folder.path().join(NETWORK))?;
        Ok(Self {
            program: program.to_owned(),
            folder,
            held: 0,
        })
    }

    /// Makes so many addresses held, from the pool's first on, by the files that the plugin would have written.
    pub(crate) fn hold(&mut self, count: u32) -> Result<()> {
        let folder = self.folder.path().join(NETWORK);
        let mut last = None;
        while self.held < count {
            // 10.0.0.0 is the network, 10.0.0.1 its gateway.
            let address = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 2).to_bits() + self.held);
            std::fs::write(
                folder.join(address.to_string()),
                format!("held-{}\r\neth0", self.held),
            )?;
            last = Some(address);
            self.held += 1;
        }
        if let Some(last) = last {
            std::fs::write(folder.join("last_reserved_ip.0"), last.to_string())?;
        }
        Ok(())
    }

    /// Adds one container; how long that took.
    pub(crate) fn add(&mut self) -> Result<Duration> {
        let config = json!({
            "cniVersion": "0.4.0",
            "name": NETWORK,
            "type": "bridge",
            "ipam": {
                "type": "host-local",
                "dataDir": self.folder.path(),
                "ranges": [[{ "subnet": "10.0.0.0/8" }]],
            },
        });
        let mut command = Command::new(&self.program);
        command
            .env("CNI_COMMAND", "ADD")
            .env("CNI_CONTAINERID", format!("added-{}", self.held))
            .env("CNI_NETNS", "/proc/self/ns/net")
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", self.program.parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("its input")?;
        stdin.write_all(config.to_string().as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let took = started.elapsed();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        ensure!(
            output.status.success() && answer["ips"][0]["address"].is_string(),
            "host-local: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        self.held += 1;
        Ok(took)
    }
}
