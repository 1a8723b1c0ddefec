//! The text of `/metrics`: what was counted, then what the state says of its pools.

use allocator::count::Count;
use allocator::prefix::Family;
use allocator::view::PoolView;
use metrics_exporter_prometheus::PrometheusHandle;
use raft_store::AppliedState;

use super::allocations::family_label;
use super::exposition::Exposition;
use super::lock;
use super::pools::{each, gauge};
use super::{OTHER, POOLS_MAX};
use crate::logging::DroppedLines;

/// The gauges of one pool, or of all that have none of their own.
#[derive(Debug)]
struct PoolGauges {
    tenant: String,
    pool: String,
    family: Family,
    total_blocks: Option<f64>,
    available_blocks: Option<f64>,
    allocated_blocks: f64,
    released_blocks: f64,
    largest_free_prefix_length: Option<u8>,
    fragmentation: f64,
    utilization: f64,
}

/// One metric of the table below: its name, its help, and where its value stands.
type Gauge = (&'static str, &'static str, fn(&PoolGauges) -> Option<f64>);

const GAUGES: &[Gauge] = &[
    (
        "ipam_total_blocks",
        "Blocks of the pool's default length, held and free.",
        |pool| pool.total_blocks,
    ),
    (
        "ipam_available_blocks",
        "How many more claims of the default length succeed now.",
        |pool| pool.available_blocks,
    ),
    (
        "ipam_allocated_blocks",
        "Blocks of any length that claims and child pools hold.",
        |pool| Some(pool.allocated_blocks),
    ),
    (
        "ipam_released_blocks",
        "Blocks that were given back and are within their grace.",
        |pool| Some(pool.released_blocks),
    ),
    (
        "ipam_largest_free_prefix_length",
        "Length of the largest free block; no sample where nothing is free.",
        |pool| pool.largest_free_prefix_length.map(f64::from),
    ),
    (
        "ipam_fragmentation_ratio",
        "1 - largest free block / free space.",
        |pool| Some(pool.fragmentation),
    ),
    (
        "ipam_utilization_ratio",
        "(allocated + released) / (total - reserved), 0 to 1.",
        |pool| Some(pool.utilization),
    ),
];

/// Renders everything.
pub(crate) fn scrape(
    recorded: &PrometheusHandle,
    applied: &AppliedState,
    (watches, watch_lag): (usize, u64),
    dropped: Option<&DroppedLines>,
) -> String {
    let pools = read_pools(applied);
    let mut out = Exposition::after(recorded.render());
    if let Some(dropped) = dropped {
        out.metric(
            "ipam_log_lines_dropped_total",
            "counter",
            "Log lines dropped because stderr is read too slowly.",
        );
        #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
        out.sample("ipam_log_lines_dropped_total", &[], dropped.count() as f64);
    }
    #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
    for (name, help, value) in [
        (
            "ipam_watches",
            "Watches that are open here.",
            watches as f64,
        ),
        (
            "ipam_watch_lag_revisions",
            "Revisions that the slowest watch here has yet to be told.",
            watch_lag as f64,
        ),
    ] {
        out.metric(name, "gauge", help);
        out.sample(name, &[], value);
    }
    lock::write(&mut out, applied);
    for (name, help, value) in GAUGES {
        out.metric(name, "gauge", help);
        for pool in &pools {
            if let Some(value) = value(pool) {
                let labels = [
                    ("tenant", pool.tenant.as_str()),
                    ("pool", pool.pool.as_str()),
                    ("family", family_label(pool.family)),
                ];
                out.sample(name, &labels, value);
            }
        }
    }
    out.into_text()
}

/// The gauges of the first [`POOLS_MAX`] pools, and of the others together, by family.
fn read_pools(applied: &AppliedState) -> Vec<PoolGauges> {
    let mut gathered = Gathered::new();
    each(applied, |pool| gathered.add(pool, POOLS_MAX));
    gathered.finish()
}

/// Gauges while a walk over the pools is under way.
#[derive(Debug)]
struct Gathered {
    named: Vec<PoolGauges>,
    ipv4: Others,
    ipv6: Others,
}

impl Gathered {
    fn new() -> Self {
        Self {
            named: Vec::new(),
            ipv4: Others::new(Family::IPv4),
            ipv6: Others::new(Family::IPv6),
        }
    }

    /// `named_max` pools have gauges of their own.
    fn add(&mut self, pool: &PoolView, named_max: usize) {
        if self.named.len() < named_max {
            self.named.push(PoolGauges::of(pool));
        } else {
            match pool.family {
                Family::IPv4 => self.ipv4.add(pool),
                Family::IPv6 => self.ipv6.add(pool),
            }
        }
    }

    fn finish(self) -> Vec<PoolGauges> {
        let others = [self.ipv4, self.ipv6]
            .into_iter()
            .filter_map(Others::gauges);
        self.named.into_iter().chain(others).collect()
    }
}

impl PoolGauges {
    fn of(pool: &PoolView) -> Self {
        Self {
            tenant: pool.spec.tenant.to_string(),
            pool: pool.spec.name.to_string(),
            family: pool.family,
            total_blocks: pool.blocks.map(|blocks| gauge(blocks.total)),
            available_blocks: pool.blocks.map(|blocks| gauge(blocks.available)),
            allocated_blocks: gauge(Count::from(pool.claims.allocated))
                + gauge(Count::from(pool.children)),
            released_blocks: gauge(Count::from(pool.claims.released)),
            largest_free_prefix_length: pool.largest_free_prefix_length,
            fragmentation: f64::from(pool.fragmentation_e4) / 10_000.0,
            utilization: f64::from(pool.utilization_e4) / 10_000.0,
        }
    }
}

/// Sums over the pools that have no gauges of their own.
#[derive(Debug)]
struct Others {
    sum: PoolGauges,
    pools: u64,
    free: f64,
    largest_free: f64,
    held: f64,
    holdable: f64,
}

impl Others {
    fn new(family: Family) -> Self {
        let sum = PoolGauges {
            tenant: OTHER.to_owned(),
            pool: OTHER.to_owned(),
            family,
            total_blocks: Some(0.0),
            available_blocks: Some(0.0),
            allocated_blocks: 0.0,
            released_blocks: 0.0,
            largest_free_prefix_length: None,
            fragmentation: 0.0,
            utilization: 0.0,
        };
        Self {
            sum,
            pools: 0,
            free: 0.0,
            largest_free: 0.0,
            held: 0.0,
            holdable: 0.0,
        }
    }

    fn add(&mut self, view: &PoolView) {
        let one = PoolGauges::of(view);
        let add =
            |sum: Option<f64>, value: Option<f64>| Some(sum.unwrap_or(0.0) + value.unwrap_or(0.0));
        self.pools += 1;
        self.sum.total_blocks = add(self.sum.total_blocks, one.total_blocks);
        self.sum.available_blocks = add(self.sum.available_blocks, one.available_blocks);
        self.sum.allocated_blocks += one.allocated_blocks;
        self.sum.released_blocks += one.released_blocks;
        if let Some(length) = one.largest_free_prefix_length {
            let largest = self
                .sum
                .largest_free_prefix_length
                .map_or(length, |so_far| so_far.min(length));
            self.sum.largest_free_prefix_length = Some(largest);
            self.largest_free = self
                .largest_free
                .max(2_f64.powi(i32::from(view.family.bits() - length)));
        }
        let capacity = &view.capacity;
        self.free += gauge(capacity.available);
        self.held += gauge(capacity.allocated) + gauge(capacity.released);
        self.holdable += gauge(capacity.total) - gauge(capacity.reserved);
    }

    /// `None` where every pool has gauges of its own.
    fn gauges(self) -> Option<PoolGauges> {
        if self.pools == 0 {
            return None;
        }
        let mut sum = self.sum;
        if self.free > 0.0 {
            sum.fragmentation = (1.0 - self.largest_free / self.free).clamp(0.0, 1.0);
        }
        if self.holdable > 0.0 {
            sum.utilization = (self.held / self.holdable).clamp(0.0, 1.0);
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use allocator::State;
    use allocator::command::{
        Command, Entry, Envelope, PoolCidr, PoolSource, PoolSpec, Position, Stamp, TenantSpec,
    };
    use allocator::filter::PoolFilter;
    use allocator::name::{Labels, Name};

    use super::*;

    /// Pools of a /24 each, with addresses as their blocks; of the last one nothing is free.
    fn pools(count: u8) -> Vec<PoolView> {
        let tenant = Name::new("t").unwrap();
        let mut commands = vec![Command::TenantCreate(Box::new(TenantSpec {
            name: tenant.clone(),
            labels: Labels::new(),
            annotations: Labels::new(),
            description: "".into(),
            quota: allocator::command::Quota::default(),
        }))];
        for index in 0..count {
            let cidr = format!("10.0.{index}.0/24").parse().unwrap();
            commands.push(Command::PoolCreate(Box::new(PoolSpec {
                min_prefix_length: Some(24),
                max_prefix_length: Some(32),
                default_prefix_length: Some(32),
                ..PoolSpec::new(
                    tenant.clone(),
                    Name::new(&format!("p{index}")).unwrap(),
                    PoolSource::Root {
                        space: None,
                        cidrs: vec![PoolCidr {
                            cidr,
                            subnet: None,
                            gateway: None,
                        }],
                    },
                )
            })));
        }
        let last = Name::new(&format!("p{}", count - 1)).unwrap();
        commands.push(Command::ClaimCreate(Box::new(
            allocator::command::ClaimSpec {
                prefix_length: Some(24),
                ..allocator::command::ClaimSpec::new(
                    tenant.clone(),
                    Name::new("c").unwrap(),
                    allocator::command::PoolRef {
                        tenant: None,
                        name: last,
                    },
                )
            },
        )));
        let envelope = |command| Envelope {
            actor: "".into(),
            source: "".into(),
            command,
        };
        let entry = Entry {
            stamp: Stamp::default(),
            commands: commands.into_iter().map(envelope).collect(),
        };
        let mut state = State::new();
        for answer in state.apply(
            Position {
                term: 1,
                node: 1,
                index: 1,
            },
            &entry,
        ) {
            answer.result.unwrap();
        }
        state
            .pools_everywhere(&PoolFilter::default(), None, 100)
            .items
    }

    #[test]
    fn pools_beyond_the_bound_are_summed_as_other() {
        let mut gathered = Gathered::new();
        for pool in &pools(5) {
            gathered.add(pool, 2);
        }
        let gauges = gathered.finish();
        let names: Vec<_> = gauges.iter().map(|pool| pool.pool.as_str()).collect();
        assert_eq!(names, ["p0", "p1", "other"]);
        let other = &gauges[2];
        assert_eq!(other.total_blocks, Some(768.0));
        assert_eq!(other.available_blocks, Some(512.0));
        assert_eq!(other.allocated_blocks.to_string(), "1");
        assert_eq!(other.largest_free_prefix_length, Some(24));
        assert_eq!(
            format!("{:.4} {:.4}", other.utilization, other.fragmentation),
            "0.3333 0.5000"
        );
    }
}
