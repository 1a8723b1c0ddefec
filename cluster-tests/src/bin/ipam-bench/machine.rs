//! The machine that the figures come from.

use std::fs::File;
use std::io::Write;

use anyhow::Result;
use tokio::time::Instant;

use crate::latency::Latencies;
use crate::report::millis;

/// Appends that are synced to learn what a sync costs.
const SYNCS: usize = 200;

pub(crate) fn describe() -> Result<Vec<(&'static str, String)>> {
    let cores = std::thread::available_parallelism()?.to_string();
    let model = std::fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            Some(
                line.strip_prefix("model name")?
                    .trim_start_matches([' ', '\t', ':'])
                    .to_owned(),
            )
        })
        .unwrap_or_else(|| "unknown".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned();
    let build = if cfg!(debug_assertions) {
        "with debug assertions: not for figures"
    } else {
        "release"
    };
    Ok(vec![
        ("cores", cores),
        ("processor", model),
        ("kernel", kernel),
        ("fdatasync of 512 bytes, p50/p99 ms", sync_cost()?),
        ("build", build.to_owned()),
    ])
}

fn sync_cost() -> Result<String> {
    let mut file: File = tempfile::tempfile()?;
    let mut times = Latencies::default();
    for _ in 0..SYNCS {
        file.write_all(&[7; 512])?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(started.elapsed());
    }
    let [half, most] = times.percentiles([50, 99]);
    Ok(format!("{} / {}", millis(half), millis(most)))
}
