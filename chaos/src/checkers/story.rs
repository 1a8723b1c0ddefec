//! A history as the checkers read it: questions joined to their answers, blocks parsed, batches taken apart.
//!
//! Order in real time is the order of the lines: whoever records an answer and then a question has the answer before
//! the question is sent. Lengths of time are told by `at_us`.

use std::collections::BTreeMap;
use std::fmt;

use allocator::prefix::Prefix;

use super::parse::Parser;
use super::verdict::{Notes, Proof};
use crate::history::{Change, Line};

/// Where something stands in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) us: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Story<'a> {
    pub(super) pools: BTreeMap<&'a str, Pool>,
    /// In the order in which they were invoked.
    pub(super) operations: Vec<Operation<'a>>,
    /// By number of the watch; in the order of the lines.
    pub(super) watches: BTreeMap<u64, Vec<Told<'a>>>,
    pub(super) digests: Vec<DigestShown<'a>>,
    pub(super) lists: Vec<List<'a>>,
}

/// A pool.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) cidrs: Vec<Prefix>,
    pub(super) prefix_length: u8,
    pub(super) grace_us: u64,
}

/// A question, and what became of it.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) id: u64,
    pub(super) invoked: At,
    pub(super) fate: Fate,
    /// One, or the operations of a batch in order.
    pub(super) parts: Vec<Part<'a>>,
    pub(super) is_batch: bool,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The state machine answered; a refusal of what is no batch is an answer to its part.
    Answered {
        /// When.
        at: At,
        /// The state that was shown.
        revision: u64,
    },
    /// The state machine refused the batch: nothing of it was done.
    BatchRefused {
        /// When.
        at: At,
        /// The state that refused it.
        revision: u64,
    },
    /// It was not done.
    Failed,
    /// Nobody knows; it may yet be done.
    Open,
}

/// One thing that was asked for, and what was said to it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) ask: Ask<'a>,
    /// Absent where there is no answer, or that of a batch that was refused.
    pub(super) shown: Option<Shown<'a>>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask<'a> {
    Claim {
        name: &'a str,
        pool: &'a str,
        cidr: Option<Prefix>,
        ttl_us: Option<u64>,
    },
    Release {
        name: &'a str,
        generation: u64,
    },
    Renew {
        name: &'a str,
        generation: u64,
        ttl_us: u64,
    },
    Get {
        name: &'a str,
        /// The least revision, for a local read.
        local: Option<u64>,
    },
    Lookup {
        block: Prefix,
        local: Option<u64>,
    },
}

/// What was said to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    Holds {
        block: Prefix,
        generation: u64,
        new: bool,
    },
    Released {
        generation: u64,
    },
    Renewed {
        generation: u64,
    },
    Found {
        block: Prefix,
        generation: u64,
    },
    HeldBy {
        name: &'a str,
        generation: u64,
    },
    Nothing,
    Refused {
        code: &'a str,
    },
}

/// What a refusal says of who holds what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Implied {
    /// The name (or block) is not held.
    Nothing,
    /// The name holds another generation than the one that was given.
    Another,
    /// The name holds something.
    Something,
    /// Something stands in the way of the block.
    Taken,
    /// Nothing that a history could contradict.
    Unjudged,
}

/// A line of a watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) at: At,
    pub(super) tells: Tells<'a>,
}

/// What it says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tells<'a> {
    /// It begins or goes on behind a revision.
    From(u64),
    /// A change.
    Event {
        revision: u64,
        ordinal: u64,
        change: &'a Change,
        /// Its block, where it can be read.
        block: Option<Prefix>,
    },
    /// Everything up to this revision has been told.
    Bookmark(u64),
}

/// A digest at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct DigestShown<'a> {
    pub(super) at: At,
    pub(super) node: u64,
    pub(super) revision: u64,
    pub(super) index: u64,
    pub(super) digest: &'a str,
}

/// All claims, as a node lists them.
#[derive(Debug)]
pub(super) struct List<'a> {
    pub(super) at: At,
    pub(super) node: u64,
    pub(super) revision: u64,
    /// By name.
    pub(super) held: BTreeMap<&'a str, (Prefix, u64)>,
}

impl<'a> Story<'a> {
    /// Reads a history; what is no history is noted, and left out.
    pub(super) fn read(lines: &'a [Line], notes: &mut Notes) -> Self {
        Parser::new(notes).read(lines)
    }

    /// Each thing that was asked for, with the operation that it belongs to.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&Operation<'a>, &Part<'a>)> {
        self.operations
            .iter()
            .flat_map(|operation| operation.parts.iter().map(move |part| (operation, part)))
    }

    pub(super) fn grace_us(&self, pool: Option<&str>) -> u64 {
        pool.and_then(|pool| self.pools.get(pool))
            .map_or(0, |pool| pool.grace_us)
    }
}

impl Operation<'_> {
    /// When it was answered by the state machine, and at which revision.
    pub(super) fn answered(&self) -> Option<(At, u64)> {
        match self.fate {
            Fate::Answered { at, revision } | Fate::BatchRefused { at, revision } => {
                Some((at, revision))
            }
            Fate::Failed | Fate::Open => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.fate == Fate::Open
    }

    /// The least revision that a local read may show; `None` for what is linearizable.
    pub(super) fn local(&self) -> Option<u64> {
        match self.parts.first().map(|part| part.ask) {
            Some(Ask::Get { local, .. } | Ask::Lookup { local, .. }) => local,
            _ => None,
        }
    }

    /// It asks for the end of this holding.
    pub(super) fn releases(&self, generation: u64) -> bool {
        self.parts.iter().any(
            |part| matches!(part.ask, Ask::Release { generation: one, .. } if one == generation),
        )
    }

    /// It has surely changed something: it was given a new block, or a lease began anew.
    pub(super) fn surely_changed(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(
                part.shown,
                Some(Shown::Holds { new: true, .. } | Shown::Renewed { .. })
            )
        })
    }

    /// The lines of question and answer.
    pub(super) fn proof(&self) -> Vec<Proof> {
        let lines = [Some(self.invoked), self.answered().map(|(at, _)| at)];
        let lines = lines.into_iter().flatten();
        lines.map(|at| at.proof_of(self.id)).collect()
    }

    /// What was asked and answered, for a sentence.
    pub(super) fn words(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::words).collect();
        let what = match (self.is_batch, &parts[..]) {
            (false, [one]) => one.clone(),
            _ => format!("batch [{}]", parts.join("; ")),
        };
        let end = match self.fate {
            Fate::Answered { revision, .. } => format!(" at revision {revision}"),
            Fate::BatchRefused { revision, .. } => format!(" refused at revision {revision}"),
            Fate::Failed => " which failed".to_owned(),
            Fate::Open => " whose outcome is unknown".to_owned(),
        };
        format!("operation {} ({what}{end})", self.id)
    }
}

impl Part<'_> {
    fn words(&self) -> String {
        match self.shown {
            Some(shown) => format!("{} -> {shown}", self.ask),
            None => self.ask.to_string(),
        }
    }

    /// What its refusal says; nothing where it was not refused.
    pub(super) fn implied(&self) -> Option<Implied> {
        let Some(Shown::Refused { code }) = self.shown else {
            return None;
        };
        Some(match (self.ask, code) {
            (Ask::Claim { cidr: Some(_), .. }, "address_taken") => Implied::Taken,
            // A name that holds something is answered with it, before rooms and rules are looked at.
            (Ask::Claim { .. }, "pool_exhausted" | "quota_exceeded" | "pool_draining")
            | (Ask::Release { .. } | Ask::Renew { .. } | Ask::Get { .. }, "claim_not_found")
            | (Ask::Lookup { .. }, "allocation_not_found") => Implied::Nothing,
            (Ask::Claim { .. }, "claim_mismatch") => Implied::Something,
            (Ask::Release { .. } | Ask::Renew { .. }, "generation_stale") => Implied::Another,
            _ => Implied::Unjudged,
        })
    }
}

impl<'a> Ask<'a> {
    /// The claim's name that it is about.
    pub(super) fn name(self) -> Option<&'a str> {
        match self {
            Self::Claim { name, .. }
            | Self::Release { name, .. }
            | Self::Renew { name, .. }
            | Self::Get { name, .. } => Some(name),
            Self::Lookup { .. } => None,
        }
    }
}

impl Pool {
    /// A claim without a CIDR may be given this block.
    pub(super) fn may_give(&self, block: Prefix) -> bool {
        block.length() == self.prefix_length && self.contains(block)
    }

    pub(super) fn contains(&self, block: Prefix) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(block))
    }

    pub(super) fn overlaps(&self, block: Prefix) -> bool {
        self.cidrs.iter().any(|cidr| cidr.overlaps(block))
    }
}

impl At {
    pub(super) fn proof(self) -> Proof {
        Proof {
            line: self.line,
            at_us: self.us,
            id: None,
        }
    }

    pub(super) fn proof_of(self, id: u64) -> Proof {
        Proof {
            id: Some(id),
            ..self.proof()
        }
    }
}

impl fmt::Display for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |local: Option<u64>| match local {
            None => String::new(),
            Some(0) => " (local)".to_owned(),
            Some(least) => format!(" (local, of revision {least} or later)"),
        };
        match *self {
            Self::Claim {
                name, pool, cidr, ..
            } => match cidr {
                Some(cidr) => write!(f, "claim {name} exactly {cidr}"),
                None => write!(f, "claim {name} from {pool}"),
            },
            Self::Release { name, generation } => {
                write!(f, "release {name} generation {generation}")
            }
            Self::Renew {
                name, generation, ..
            } => write!(f, "renew {name} generation {generation}"),
            Self::Get { name, local } => write!(f, "get {name}{}", read(local)),
            Self::Lookup { block, local } => write!(f, "lookup {block}{}", read(local)),
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Holds {
                block,
                generation,
                new,
            } => {
                let new = if new { " new" } else { "" };
                write!(f, "holds {block} generation {generation}{new}")
            }
            Self::Released { generation } => write!(f, "released generation {generation}"),
            Self::Renewed { generation } => write!(f, "renewed generation {generation}"),
            Self::Found { block, generation } => write!(f, "found {block} generation {generation}"),
            Self::HeldBy { name, generation } => {
                write!(f, "held by {name} generation {generation}")
            }
            Self::Nothing => f.write_str("nothing"),
            Self::Refused { code } => write!(f, "refused {code}"),
        }
    }
}
