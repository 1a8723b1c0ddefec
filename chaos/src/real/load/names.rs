//! What there is to claim, and under which names. All claims of one name ask for the same.

use crate::history::{Op, PoolFact};

/// Kept full: more names want a block of it than it has.
const SMALL: &str = "small";
/// A released block is kept for its name, so that a block that is given to another too early shows.
const GRACE: &str = "grace";
/// Blocks of it are claimed by their address, each by three names.
const EXACT: &str = "exact";
/// Claims with a lease.
pub(in crate::real) const LEASES: &str = "leases";
/// Room for all others.
const LARGE: &str = "large";

/// A set of names that are used alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Contended names, of the small pool and of the one with grace.
    Hot,
    /// Contended blocks: each of these names wants an exact one.
    Exact,
    /// What keeps the small pool full.
    Crowd,
    /// More of the pool with grace.
    Kept,
    /// Names with a lease.
    Lease,
}

/// A name and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) name: String,
    pool: &'static str,
    pub(super) cidr: Option<String>,
    pub(super) ttl_ms: Option<u64>,
}

impl Group {
    /// How many names it has.
    pub(super) fn len(self) -> u64 {
        match self {
            Self::Hot | Self::Kept => 16,
            Self::Exact | Self::Lease => 24,
            Self::Crowd => 40,
        }
    }

    /// One of its names.
    pub(super) fn subject(self, number: u64) -> Subject {
        let (word, pool) = match self {
            Self::Hot if number.is_multiple_of(2) => ("hot", SMALL),
            Self::Hot => ("hot", GRACE),
            Self::Exact => ("exact", EXACT),
            Self::Crowd => ("crowd", SMALL),
            Self::Kept => ("kept", GRACE),
            Self::Lease => ("lease", LEASES),
        };
        Subject {
            name: format!("{word}-{number}"),
            pool,
            cidr: (self == Self::Exact).then(|| exact_block(number % EXACT_BLOCKS)),
            // 2 to 5 s.
            ttl_ms: (self == Self::Lease).then_some(2_000 + number % 4 * 1_000),
        }
    }
}

/// Contended blocks.
const EXACT_BLOCKS: u64 = 8;

fn exact_block(number: u64) -> String {
    format!("10.3.0.{}/29", number * 8)
}

/// A name of one client's own.
pub(super) fn own(client: u64, number: u64) -> Subject {
    Subject {
        name: format!("own-{client}-{number}"),
        pool: LARGE,
        cidr: None,
        ttl_ms: None,
    }
}

/// Whether the leases of these are ever renewed; those of the others are left to end.
pub(super) fn is_renewed(lease: u64) -> bool {
    !lease.is_multiple_of(3)
}

impl Subject {
    /// Its claim.
    pub(super) fn claim(&self) -> Op {
        Op::Claim {
            name: self.name.clone(),
            pool: self.pool.to_owned(),
            cidr: self.cidr.clone(),
            ttl_ms: self.ttl_ms,
        }
    }

    /// One of the blocks that it may get, for a pool of which that can be said.
    pub(super) fn some_block(&self, number: u64) -> Option<String> {
        match self.pool {
            SMALL => Some(format!("10.1.0.{}/32", number % 32)),
            GRACE => Some(format!("10.2.0.{}/32", number % 16)),
            _ => self.cidr.clone(),
        }
    }
}

/// The pools, for the history and for the cluster.
pub(in crate::real) fn pools() -> Vec<PoolFact> {
    let pool = |name: &str, cidr: &str, grace_ms| PoolFact {
        name: name.to_owned(),
        cidrs: vec![cidr.to_owned()],
        prefix_length: 32,
        grace_ms,
    };
    vec![
        pool(SMALL, "10.1.0.0/27", 0),
        pool(GRACE, "10.2.0.0/28", 2_000),
        pool(EXACT, "10.3.0.0/24", 0),
        pool(LEASES, "10.4.0.0/24", 0),
        pool(LARGE, "10.128.0.0/9", 0),
    ]
}

/// Whether it is about one of the contended names or blocks.
pub(in crate::real) fn is_contended(op: &Op) -> bool {
    let name_is = |name: &str| name.starts_with("hot-") || name.starts_with("exact-");
    match op {
        Op::Claim { name, .. }
        | Op::Release { name, .. }
        | Op::Renew { name, .. }
        | Op::Get { name, .. } => name_is(name),
        Op::Lookup { block, .. } => block.ends_with("/29"),
        Op::Batch { operations } => operations.iter().any(is_contended),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn there_are_sixteen_contended_names_and_eight_blocks_that_three_names_want_each() {
        assert_eq!(Group::Hot.len(), 16);
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for number in 0..Group::Exact.len() {
            let subject = Group::Exact.subject(number);
            let block = subject.cidr.expect("an exact block");
            wanted.entry(block).or_default().insert(subject.name);
        }
        assert_eq!(wanted.len(), 8);
        assert!(wanted.values().all(|names| names.len() >= 3), "{wanted:?}");
    }

    #[test]
    fn more_names_want_the_small_pool_and_the_one_with_grace_than_they_have_blocks() {
        let groups = [
            Group::Hot,
            Group::Exact,
            Group::Crowd,
            Group::Kept,
            Group::Lease,
        ];
        let wanting = |pool: &str| {
            let names = groups
                .iter()
                .flat_map(|group| (0..group.len()).map(|number| group.subject(number)));
            names.filter(|subject| subject.pool == pool).count()
        };
        assert!(wanting(SMALL) > 32, "{}", wanting(SMALL));
        assert!(wanting(GRACE) > 16, "{}", wanting(GRACE));
    }
}
