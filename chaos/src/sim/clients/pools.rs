//! The tenant, its pools, and which names want what. Every pool but one is so small that it is full most of the time,
//! so that a wrong answer shows.

use std::time::Duration;

use allocator::command::{
    ClaimSpec, Command, PoolCidr, PoolRef, PoolSource, PoolSpec, Quota, TenantSpec,
};
use allocator::edit::{PoolChange, PoolEdit};
use allocator::name::{Labels, Name};
use allocator::prefix::Prefix;
use anyhow::{Result, anyhow};

use crate::history::PoolFact;
use crate::invariants::Rules;

const TENANT: &str = "sim";

/// A pool: its name, its space, its grace in seconds.
struct Pool {
    name: &'static str,
    cidr: &'static str,
    grace_s: u32,
}

const POOLS: [Pool; 5] = [
    // 16 blocks, wanted by 24 names.
    Pool {
        name: "full",
        cidr: "10.0.0.0/28",
        grace_s: 0,
    },
    // 8 blocks that are kept when they are released, wanted by 12 names.
    Pool {
        name: "grace",
        cidr: "10.0.1.0/29",
        grace_s: 2,
    },
    // Leases, by 12 names; what is over is kept for a while.
    Pool {
        name: "lease",
        cidr: "10.0.2.0/29",
        grace_s: 1,
    },
    // 8 blocks, each wanted by 3 names.
    Pool {
        name: "xact",
        cidr: "10.0.3.0/24",
        grace_s: 0,
    },
    Pool {
        name: "many",
        cidr: "10.1.0.0/16",
        grace_s: 0,
    },
];

/// The kinds of names, by the pool that they want: how many there are.
pub(in crate::sim) const CONTENDED: [(&str, u64); 4] =
    [("full", 24), ("grace", 12), ("lease", 12), ("xact", 24)];

/// What holds for these pools.
pub(in crate::sim) const RULES: Rules = Rules { grace_ms, ttl_ms };

fn grace_ms(pool: &str) -> u64 {
    let pool = POOLS.iter().find(|known| known.name == pool);
    pool.map_or(0, |pool| u64::from(pool.grace_s) * 1_000)
}

/// Each name has one lease, so that all who claim it ask for the same.
fn ttl_ms(name: &str) -> Option<u64> {
    ttl_seconds(name).map(|seconds| u64::from(seconds) * 1_000)
}

pub(in crate::sim) fn ttl_seconds(name: &str) -> Option<u32> {
    let number: u32 = name.strip_prefix("lease-")?.parse().ok()?;
    Some(2 + number % 3)
}

/// The pool that a name wants: its first part.
pub(in crate::sim) fn pool_of(name: &str) -> &str {
    name.split('-').next().unwrap_or_default()
}

/// The block that a name wants, if it wants a certain one.
pub(in crate::sim) fn cidr_of(name: &str) -> Option<String> {
    let number: u32 = name.strip_prefix("xact-")?.parse().ok()?;
    Some(format!("10.0.3.{}/28", number % 8 * 16))
}

/// All pools, as a history tells of them.
pub(in crate::sim) fn facts() -> Vec<PoolFact> {
    POOLS
        .iter()
        .map(|pool| PoolFact {
            name: pool.name.to_owned(),
            cidrs: vec![pool.cidr.to_owned()],
            prefix_length: 32,
            grace_ms: grace_ms(pool.name),
        })
        .collect()
}

/// The names of the pools.
pub(in crate::sim) fn names() -> impl Iterator<Item = &'static str> {
    POOLS.iter().map(|pool| pool.name)
}

/// What makes all of it, in order.
pub(super) fn set_up() -> Result<Vec<Command>> {
    let mut commands = vec![Command::TenantCreate(Box::new(TenantSpec {
        name: tenant(),
        labels: Labels::new(),
        annotations: Labels::new(),
        description: "".into(),
        quota: Quota::default(),
    }))];
    for pool in POOLS {
        let source = PoolSource::Root {
            space: None,
            cidrs: vec![PoolCidr {
                cidr: prefix(pool.cidr)?,
                subnet: None,
                gateway: None,
            }],
        };
        let mut spec = PoolSpec::new(tenant(), name(pool.name)?, source);
        spec.life.grace_seconds = Some(pool.grace_s);
        if pool.name == "xact" {
            spec.min_prefix_length = Some(28);
        }
        if pool.name == "lease" {
            spec.life.max_ttl_seconds = Some(60);
        }
        commands.push(Command::PoolCreate(Box::new(spec)));
    }
    Ok(commands)
}

/// A pool's description is edited, which must touch nobody.
pub(super) fn edit(pool: &str, description: &str) -> Result<Command> {
    Ok(Command::PoolEdit(Box::new(PoolEdit {
        tenant: tenant(),
        pool: name(pool)?,
        if_revision: None,
        changes: vec![PoolChange::Description(description.into())],
    })))
}

/// What a name asks for.
pub(super) fn claim(name_text: &str, ttl: Option<Duration>) -> Result<ClaimSpec> {
    let pool = PoolRef {
        tenant: None,
        name: name(pool_of(name_text))?,
    };
    let mut spec = ClaimSpec::new(tenant(), name(name_text)?, pool);
    spec.cidr = cidr_of(name_text).as_deref().map(prefix).transpose()?;
    spec.life.ttl_seconds = ttl.map(|ttl| u32::try_from(ttl.as_secs())).transpose()?;
    Ok(spec)
}

/// The tenant of all clients.
pub(in crate::sim) fn tenant() -> Name {
    Name::new(TENANT).expect("the constant is a name")
}

pub(in crate::sim) fn name(text: &str) -> Result<Name> {
    Name::new(text).map_err(|_| anyhow!("{text} is not a name"))
}

pub(super) fn prefix(text: &str) -> Result<Prefix> {
    text.parse().map_err(|_| anyhow!("{text} is not a CIDR"))
}
