//! What was done in a run: operations, faults, leaders, times without service.

use std::collections::{BTreeMap, BTreeSet};

use super::faults::{Fault, faults};
use super::outages::{Outage, outages};
use super::units::percentile;
use crate::history::{Consistency, Line, Op, Reply, What};

/// Kinds of operations, in the order in which they are reported.
const KINDS: [&str; 9] = [
    "claim",
    "claim, exact",
    "release",
    "renew",
    "batch",
    "get",
    "get, local",
    "lookup",
    "lookup, local",
];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) seed: u64,
    pub(super) nodes: Vec<u64>,
    /// The last moment of the history.
    pub(super) end_us: u64,
    /// Each kind that was asked for.
    pub(super) kinds: Vec<KindFigures>,
    pub(super) clients: usize,
    /// Operations on names and exact blocks that more than one client asked for.
    pub(super) contended: u64,
    pub(super) done: Vec<Done>,
    pub(super) faults: Vec<Fault>,
    pub(super) reigns: Vec<Reign>,
    pub(super) outages: Vec<Outage>,
}

/// One kind of operation.
#[derive(Debug, Clone, Default)]
pub(super) struct KindFigures {
    pub(super) kind: &'static str,
    /// By [`Outcome`].
    pub(super) outcomes: [u64; 4],
    /// Of those that were answered, in order.
    pub(super) latencies_us: Vec<u64>,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Refused,
    Failed,
    Unknown,
}

/// One operation, for the timeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// When its outcome was known; of one that nothing was ever said to, when it was asked.
    pub(super) at_us: u64,
    pub(super) outcome: Outcome,
    /// Of what was answered.
    pub(super) latency_us: Option<u64>,
    /// It was a write, and the state machine answered it.
    pub(super) is_write: bool,
}

/// A leader, until the next one is seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reign {
    pub(super) node: u64,
    pub(super) term: u64,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
}

impl Outcome {
    pub(super) const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Failed, Self::Unknown];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn place(self) -> usize {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Failed => 2,
            Self::Unknown => 3,
        }
    }
}

impl Figures {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut figures = Self {
            end_us: lines.iter().map(|line| line.at_us).max().unwrap_or(0),
            ..Self::default()
        };
        if let Some(What::Run { seed, nodes, .. }) = lines.first().map(|line| &line.what) {
            figures.seed = *seed;
            nodes.clone_into(&mut figures.nodes);
        }
        figures.operations(lines);
        figures.reigns = reigns(lines, figures.end_us);
        figures.faults = faults(lines, figures.end_us);
        let mut writes: Vec<u64> = figures
            .done
            .iter()
            .filter(|done| done.is_write)
            .map(|done| done.at_us)
            .collect();
        writes.sort_unstable();
        let last_us = figures.done.iter().map(|done| done.at_us).max();
        figures.outages = outages(&figures.faults, &writes, last_us.unwrap_or(0));
        figures
    }

    pub(super) fn operation_count(&self) -> u64 {
        self.total(&Outcome::ALL)
    }

    /// How many operations had one of these outcomes.
    pub(super) fn total(&self, outcomes: &[Outcome]) -> u64 {
        let kinds = self.kinds.iter();
        kinds.map(|kind| kind.total(outcomes)).sum()
    }

    /// How many faults there were of each kind.
    pub(super) fn fault_counts(&self) -> BTreeMap<&str, usize> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for fault in &self.faults {
            *counts.entry(&fault.kind).or_default() += 1;
        }
        counts
    }

    fn operations(&mut self, lines: &[Line]) {
        let mut kinds: Vec<KindFigures> = KINDS
            .iter()
            .map(|kind| KindFigures {
                kind,
                ..KindFigures::default()
            })
            .collect();
        let mut open: BTreeMap<u64, (u64, &Op)> = BTreeMap::new();
        let mut clients_of: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let mut clients = BTreeSet::new();
        for line in lines {
            let at_us = line.at_us;
            let (id, outcome) = match &line.what {
                What::Invoke { id, client, op, .. } => {
                    open.insert(*id, (at_us, op));
                    clients.insert(*client);
                    for what in wanted(op) {
                        clients_of.entry(what).or_default().insert(*client);
                    }
                    continue;
                }
                What::Ok { id, reply } => match reply {
                    Reply::Refused { .. } => (*id, Outcome::Refused),
                    _ => (*id, Outcome::Done),
                },
                What::Fail { id, .. } => (*id, Outcome::Failed),
                What::Unknown { id, .. } => (*id, Outcome::Unknown),
                _ => continue,
            };
            if let Some((asked_us, op)) = open.remove(&id) {
                let kind = &mut kinds[kind_of(op)];
                self.done.push(kind.ended(op, (asked_us, at_us), outcome));
            }
        }
        for (asked_us, op) in open.into_values() {
            let kind = &mut kinds[kind_of(op)];
            self.done
                .push(kind.ended(op, (asked_us, asked_us), Outcome::Unknown));
        }
        for kind in &mut kinds {
            kind.latencies_us.sort_unstable();
        }
        kinds.retain(|kind| kind.total(&Outcome::ALL) > 0);
        self.kinds = kinds;
        self.clients = clients.len();
        let is_contended = |op: &Op| wanted(op).iter().any(|what| clients_of[what].len() > 1);
        let contended = lines.iter().filter(|line| match &line.what {
            What::Invoke { op, .. } => is_contended(op),
            _ => false,
        });
        self.contended = u64::try_from(contended.count()).unwrap_or(u64::MAX);
    }
}

impl KindFigures {
    pub(super) fn total(&self, outcomes: &[Outcome]) -> u64 {
        let counts = outcomes
            .iter()
            .map(|outcome| self.outcomes[outcome.place()]);
        counts.sum()
    }

    /// Half of the answers came within this time, and ninety-nine of a hundred within that.
    pub(super) fn latency(&self) -> Option<(u64, u64)> {
        let half = percentile(&self.latencies_us, 50)?;
        Some((half, percentile(&self.latencies_us, 99)?))
    }

    fn ended(&mut self, op: &Op, (asked_us, at_us): (u64, u64), outcome: Outcome) -> Done {
        self.outcomes[outcome.place()] += 1;
        let is_answered = matches!(outcome, Outcome::Done | Outcome::Refused);
        let latency_us = is_answered.then(|| at_us.saturating_sub(asked_us));
        self.latencies_us.extend(latency_us);
        Done {
            at_us,
            outcome,
            latency_us,
            is_write: is_answered && !matches!(op, Op::Get { .. } | Op::Lookup { .. }),
        }
    }
}

fn kind_of(op: &Op) -> usize {
    let is_local = |consistency: &Consistency| matches!(consistency, Consistency::Local { .. });
    match op {
        Op::Claim { cidr, .. } => usize::from(cidr.is_some()),
        Op::Release { .. } => 2,
        Op::Renew { .. } => 3,
        Op::Batch { .. } => 4,
        Op::Get { consistency, .. } => 5 + usize::from(is_local(consistency)),
        Op::Lookup { consistency, .. } => 7 + usize::from(is_local(consistency)),
    }
}

/// Names and exact blocks that an operation is about.
fn wanted(op: &Op) -> Vec<&str> {
    match op {
        Op::Claim { name, cidr, .. } => [Some(name.as_str()), cidr.as_deref()]
            .into_iter()
            .flatten()
            .collect(),
        Op::Release { name, .. } | Op::Renew { name, .. } | Op::Get { name, .. } => vec![name],
        Op::Lookup { block, .. } => vec![block],
        Op::Batch { operations } => operations.iter().flat_map(wanted).collect(),
    }
}

/// A leader that is seen again in the same term goes on.
fn reigns(lines: &[Line], end_us: u64) -> Vec<Reign> {
    let mut reigns: Vec<Reign> = Vec::new();
    for line in lines {
        let What::Leader { node, term } = line.what else {
            continue;
        };
        if reigns
            .last()
            .is_some_and(|last| (last.node, last.term) == (node, term))
        {
            continue;
        }
        if let Some(last) = reigns.last_mut() {
            last.to_us = line.at_us;
        }
        reigns.push(Reign {
            node,
            term,
            from_us: line.at_us,
            to_us: end_us,
        });
    }
    reigns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Line> {
        crate::history::read(text.as_bytes()).expect("the constant is a history")
    }

    #[test]
    fn operations_are_counted_by_kind_and_outcome() {
        let figures = Figures::of(&read(
            r#"{"at_us":0,"event":"run","format":1,"seed":5,"nodes":[1],"pools":[]}
{"at_us":1000,"event":"invoke","id":0,"client":1,"node":1,"op":{"do":"claim","name":"a","pool":"p"}}
{"at_us":1000,"event":"invoke","id":1,"client":2,"node":1,"op":{"do":"get","name":"a","consistency":{"read":"local","min_revision":0}}}
{"at_us":2000,"event":"invoke","id":2,"client":3,"node":1,"op":{"do":"claim","name":"b","pool":"p","cidr":"10.0.0.1/32"}}
{"at_us":4000,"event":"ok","id":0,"reply":{"was":"holds","block":"10.0.0.1/32","generation":1,"new":true,"revision":1}}
{"at_us":5000,"event":"ok","id":2,"reply":{"was":"refused","code":"address_taken","revision":1}}
{"at_us":6000,"event":"fail","id":1,"code":"stale"}
{"at_us":7000,"event":"invoke","id":3,"client":3,"node":1,"op":{"do":"release","name":"b","generation":1}}
"#,
        ));
        let kinds: Vec<(&str, [u64; 4])> = figures
            .kinds
            .iter()
            .map(|kind| (kind.kind, kind.outcomes))
            .collect();
        assert_eq!(
            kinds,
            [
                ("claim", [1, 0, 0, 0]),
                ("claim, exact", [0, 1, 0, 0]),
                ("release", [0, 0, 0, 1]),
                ("get, local", [0, 0, 1, 0]),
            ]
        );
        assert_eq!(figures.kinds[0].latency(), Some((3_000, 3_000)));
        assert_eq!(figures.kinds[2].latency(), None);
        assert_eq!(
            (figures.clients, figures.contended),
            (3, 2),
            "two ask for a"
        );
        assert_eq!((figures.seed, figures.end_us), (5, 7_000));
    }

    #[test]
    fn a_leader_reigns_until_another_one_is_seen() {
        let figures = Figures::of(&read(
            r#"{"at_us":1,"event":"leader","node":1,"term":1}
{"at_us":5,"event":"leader","node":1,"term":1}
{"at_us":9,"event":"leader","node":2,"term":3}
{"at_us":20,"event":"digest","node":2,"revision":3,"index":1,"digest":""}
"#,
        ));
        let reigns: Vec<(u64, u64, u64)> = figures
            .reigns
            .iter()
            .map(|reign| (reign.node, reign.from_us, reign.to_us))
            .collect();
        assert_eq!(reigns, [(1, 1, 9), (2, 9, 20)]);
    }
}
