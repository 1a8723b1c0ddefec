//! What a node counts, and what a scrape of `/metrics` reads (SPEC §9).
//!
//! 1. Counters and histograms count on the node that answered; they are kept by the recorder of
//!    the `metrics` facade, one for the process.
//! 2. Gauges of pools come from the state at the scrape, so a deleted pool leaves none behind. A
//!    scrape holds the state's lock for one page of pools at a time.
//! 3. Series are bounded: 1,000 pools by name, the rest together as `other`.

pub(crate) mod allocations;
pub(crate) mod exhaustion;
mod exposition;
pub(crate) mod http;
pub(crate) mod life;
mod lock;
mod pools;
mod scrape;
pub(crate) mod stages;

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub(crate) use scrape::scrape;

/// Most pools that have series of their own.
const POOLS_MAX: usize = 1_000;
/// The label of the pools beyond.
const OTHER: &str = "other";

/// Upper bounds of durations, in seconds: 1 ms to 10 s, finer at the bottom, and three below for
/// what never leaves the machine.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.001_5, 0.002, 0.003, 0.004, 0.005, 0.007_5, 0.01, 0.015, 0.02,
    0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];
/// Upper bounds of commands in an entry.
const COMMANDS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0,
];

/// How often samples are folded into their histograms, which bounds what waits unfolded.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The process has another recorder of metrics already, or the buckets are wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the recorder of metrics cannot be installed: {reason}")]
pub struct MetricsError {
    reason: String,
}

/// The recorder of this process; the first call installs it.
///
/// # Errors
/// [`MetricsError`] when something else installed another one before.
pub(crate) fn recorder() -> Result<&'static PrometheusHandle, MetricsError> {
    static RECORDER: OnceLock<Result<PrometheusHandle, MetricsError>> = OnceLock::new();
    RECORDER.get_or_init(install).as_ref().map_err(Clone::clone)
}

fn install() -> Result<PrometheusHandle, MetricsError> {
    let wrong = |error: metrics_exporter_prometheus::BuildError| MetricsError {
        reason: error.to_string(),
    };
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), COMMANDS)
        })
        .map_err(wrong)?
        .install_recorder()
        .map_err(wrong)?;
    allocations::describe();
    life::describe();
    http::describe();
    stages::describe();
    Ok(handle)
}

/// Folds samples for as long as it is polled; without it a histogram keeps every sample until the
/// next scrape.
pub(crate) async fn upkeep(handle: &PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}
