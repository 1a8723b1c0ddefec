//! What the nodes say of themselves, in their metrics, and the system of them.

use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::TestCluster;

use crate::usage;

/// The metrics of a node.
pub(crate) async fn text(cluster: &TestCluster, id: u64) -> Result<String> {
    let reply = cluster.connection(id).get("/metrics").await?;
    Ok(String::from_utf8(reply.body.to_vec())?)
}

/// One sample, by its name and labels as they stand in the text; 0 where a node has nothing to show yet.
pub(crate) fn sample(text: &str, name: &str) -> Result<f64> {
    let Some(line) = text.lines().find(|line| line.starts_with(name)) else {
        return Ok(0.0);
    };
    let value = line.rsplit(' ').next().context("a value")?;
    value.parse().with_context(|| line.to_owned())
}

/// How often something was timed, and the seconds of all times together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timed {
    pub(crate) count: f64,
    pub(crate) seconds: f64,
}

impl Timed {
    /// Reads a histogram; `labels` are its first ones, as they stand in the text: what differs in further ones is added up.
    pub(crate) fn read(text: &str, name: &str, labels: &str) -> Result<Self> {
        let sum = |part: &str| {
            let start = match labels {
                "" => format!("{name}_{part}"),
                _ => format!("{name}_{part}{{{labels}"),
            };
            let lines = text.lines().filter(|line| line.starts_with(&start));
            let values = lines.map(|line| {
                let value = line.rsplit(' ').next().context("a value")?;
                value.parse::<f64>().with_context(|| line.to_owned())
            });
            values.sum::<Result<f64>>()
        };
        Ok(Self {
            count: sum("count")?,
            seconds: sum("sum")?,
        })
    }

    /// What was added since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            count: self.count - earlier.count,
            seconds: self.seconds - earlier.seconds,
        }
    }

    /// Together with another node's.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            seconds: self.seconds + other.seconds,
        }
    }
}

pub(crate) const MEBIBYTE: f64 = 1_048_576.0;

/// Bytes of a node that are in memory.
pub(crate) fn resident(cluster: &TestCluster, id: u64) -> Result<f64> {
    let process = cluster.process_id(id).context("the node runs")?;
    usage::resident(process)
}

/// What the nodes have proposed since they started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches {
    commands: f64,
    entries: f64,
}

impl Batches {
    /// Commands in an entry since an earlier reading.
    pub(crate) fn an_entry_since(self, earlier: Self) -> f64 {
        let entries = (self.entries - earlier.entries).max(1.0);
        (self.commands - earlier.commands) / entries
    }
}

/// Of all nodes together.
pub(crate) async fn batches(cluster: &TestCluster) -> Result<Batches> {
    let mut all = Batches {
        commands: 0.0,
        entries: 0.0,
    };
    for id in cluster.ids() {
        let text = text(cluster, id).await?;
        all.commands += sample(&text, "ipam_raft_batch_commands_sum")?;
        all.entries += sample(&text, "ipam_raft_batch_commands_count")?;
    }
    Ok(all)
}

/// How long a sync of the log has taken on average, on all nodes.
pub(crate) async fn sync_mean(cluster: &TestCluster) -> Result<Duration> {
    let mut syncs = Timed::default();
    for id in cluster.ids() {
        let text = text(cluster, id).await?;
        syncs = syncs.and(Timed::read(&text, "ipam_raft_fsync_seconds", "")?);
    }
    Ok(Duration::from_secs_f64(
        syncs.seconds / syncs.count.max(1.0),
    ))
}

/// How long the lock of a node's state was held by readers, or waited for to apply: by bucket.
#[derive(Debug, Clone)]
pub(crate) struct LockTimes(Vec<Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Upper bound in seconds.
    bound: f64,
    /// This bucket and all below it.
    count: f64,
}

impl LockTimes {
    /// Reads them for one use of the lock: `read_held`, `apply_held` or `apply_waited`.
    pub(crate) fn read(text: &str, usage: &str) -> Result<Self> {
        let start = format!("ipam_state_lock_seconds_bucket{{use=\"{usage}\",le=\"");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        let buckets = lines.map(|line| {
            let (bound, count) = line.split_once("\"} ").context("a bucket")?;
            Ok(Bucket {
                bound: bound.parse()?,
                count: count.parse()?,
            })
        });
        let buckets = buckets.collect::<Result<Vec<_>>>()?;
        buckets.last().context("the lock's histogram")?;
        Ok(Self(buckets))
    }

    /// What was added since an earlier reading.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        for (bucket, before) in self.0.iter_mut().zip(&earlier.0) {
            bucket.count -= before.count;
        }
        self
    }

    /// Together with another node's or another round's.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (bucket, more) in self.0.iter_mut().zip(&other.0) {
            bucket.count += more.count;
        }
        self
    }

    pub(crate) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |all| all.count)
    }

    /// The bound that so many in a thousand stay at or below; `None` where that is above all bounds.
    pub(crate) fn per_mille(&self, share: f64) -> Option<Duration> {
        let wanted = self.count() * share / 1_000.0;
        let bucket = self.0.iter().find(|bucket| bucket.count >= wanted)?;
        bucket
            .bound
            .is_finite()
            .then(|| Duration::from_secs_f64(bucket.bound))
    }

    /// How many were above a bound.
    pub(crate) fn above(&self, bound: Duration) -> f64 {
        let below = self
            .0
            .iter()
            .rfind(|bucket| bucket.bound <= bound.as_secs_f64());
        self.count() - below.map_or(0.0, |bucket| bucket.count)
    }
}
