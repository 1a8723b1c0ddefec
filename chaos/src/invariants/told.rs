//! What a node tells of one change.

use allocator::prefix::Prefix;
use allocator::view::{EventKind, EventView};

/// What a node tells of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its place among all changes: revision, and place in it.
    pub id: (u64, u32),
    /// The change.
    pub change: Change,
    /// When it was done by the log's clock, as far as that was seen.
    pub clock: Between,
}

/// The part of a change that every node must tell alike, whenever it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: EventKind,
    /// Wall time at which it happened, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The pool.
    pub pool: String,
    /// Claim, block and generation, where it concerns a claim.
    pub held: Option<(String, Prefix, u64)>,
    /// Where the command came from that did it.
    pub source: String,
}

/// Bounds of a time by the log's clock, in milliseconds, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Not before.
    pub from_ms: u64,
    /// Not after.
    pub to_ms: u64,
}

impl Told {
    /// What an event says.
    pub fn of(event: EventView, clock: Between) -> Self {
        let held = event
            .claim
            .map(|claim| (claim.spec.name.to_string(), claim.block, claim.generation));
        Self {
            id: (event.id.revision, event.id.ordinal),
            change: Change {
                kind: event.kind,
                at_ms: event.at_ms,
                pool: event.pool.map(|pool| pool.to_string()).unwrap_or_default(),
                held,
                source: event.source.into(),
            },
            clock,
        }
    }
}

#[cfg(test)]
pub(crate) fn told(revision: u64, kind: EventKind, held: (&str, &str, u64), at_ms: u64) -> Told {
    let (name, block, generation) = held;
    let block = block.parse().expect("a CIDR");
    Told {
        id: (revision, 0),
        change: Change {
            kind,
            at_ms: 0,
            pool: "p".to_owned(),
            held: Some((name.to_owned(), block, generation)),
            source: format!("s{revision}"),
        },
        clock: Between {
            from_ms: at_ms,
            to_ms: at_ms,
        },
    }
}
