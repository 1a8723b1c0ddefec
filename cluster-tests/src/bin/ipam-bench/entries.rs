//! A state in this process, and entries as the log has them: how long applying takes, apart from all else.

use std::time::Duration;

use allocator::State;
use allocator::answer::Answer;
use allocator::command::{
    ClaimSpec, Command, Entry, Envelope, PoolCidr, PoolRef, PoolSource, PoolSpec, Position, Quota,
    Stamp, TenantSpec,
};
use allocator::name::{Labels, Name};
use allocator::prefix::Prefix;
use anyhow::{Context, Result};
use tokio::time::Instant;

/// Of whom all in-process benchmarks are.
pub(crate) const TENANT: &str = "t";

/// A state with what it has applied.
#[derive(Debug, Default)]
pub(crate) struct Applying {
    pub(crate) state: State,
    index: u64,
}

impl Applying {
    /// Applies one entry; its answers, and how long applying it took.
    pub(crate) fn apply(&mut self, commands: Vec<Command>) -> (Vec<Answer>, Duration) {
        let entry = entry(self.index, commands);
        self.index += 1;
        let at = Position {
            term: 1,
            node: 1,
            index: self.index,
        };
        let started = Instant::now();
        let answers = self.state.apply(at, &entry);
        (answers, started.elapsed())
    }
}

/// An entry of these commands, stamped with that many milliseconds.
pub(crate) fn entry(ms: u64, commands: Vec<Command>) -> Entry {
    let envelopes = commands.into_iter().map(|command| Envelope {
        actor: "".into(),
        source: "".into(),
        command,
    });
    Entry {
        stamp: Stamp {
            clock_term: 1,
            clock_node: 1,
            mono_ms: ms,
            wall_ms: Some(ms),
        },
        commands: envelopes.collect(),
    }
}

pub(crate) fn name(text: &str) -> Result<Name> {
    Name::new(text)
        .ok()
        .with_context(|| format!("a name: {text}"))
}

pub(crate) fn tenant() -> Result<Command> {
    Ok(Command::TenantCreate(Box::new(TenantSpec {
        name: name(TENANT)?,
        labels: Labels::new(),
        annotations: Labels::new(),
        description: "".into(),
        quota: Quota::default(),
    })))
}

/// A claim of one of a pool's blocks that states nothing else.
pub(crate) fn claim(pool: &str, claim: &str) -> Result<ClaimSpec> {
    let pool = PoolRef {
        tenant: None,
        name: name(pool)?,
    };
    Ok(ClaimSpec::new(name(TENANT)?, name(claim)?, pool))
}

/// A pool of one CIDR, of which nothing else is stated.
pub(crate) fn root_pool(pool: &str, cidr: Prefix) -> Result<PoolSpec> {
    let cidr = PoolCidr {
        cidr,
        subnet: None,
        gateway: None,
    };
    let source = PoolSource::Root {
        space: None,
        cidrs: vec![cidr],
    };
    Ok(PoolSpec::new(name(TENANT)?, name(pool)?, source))
}
