//! What a history came to, in figures, and whether it was enough to show anything.

use std::collections::BTreeMap;

use super::diary::seconds;
use super::faults::{Kind, Outage};
use super::load::is_contended;
use crate::history::{Line, Op, Reply, Stage, What};

/// Of a hundred operations, so many may be unknown: fewer than this.
const UNKNOWN_MAX: u64 = 5;
/// Of a hundred operations, so many are about contended names and blocks at least.
const CONTENDED_MIN: u64 = 30;

/// A history in figures.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    operations: u64,
    done: u64,
    refused: u64,
    failed: u64,
    contended: u64,
    by_kind: BTreeMap<&'static str, u64>,
    failures: BTreeMap<String, u64>,
    told: u64,
    faults: BTreeMap<String, u64>,
    terms: u64,
}

impl Figures {
    /// The figures of a history.
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut figures = Self::default();
        for line in lines {
            figures.count(&line.what);
        }
        figures
    }

    fn count(&mut self, what: &What) {
        match what {
            What::Invoke { op, .. } => {
                self.operations += 1;
                self.contended += u64::from(is_contended(op));
                *self.by_kind.entry(word(op)).or_default() += 1;
            }
            What::Ok { reply, .. } => match reply {
                Reply::Refused { .. } => self.refused += 1,
                _ => self.done += 1,
            },
            What::Fail { code, .. } => {
                self.failed += 1;
                *self.failures.entry(short(code)).or_default() += 1;
            }
            What::Unknown { code, .. } => {
                *self
                    .failures
                    .entry(format!("unknown: {}", short(code)))
                    .or_default() += 1;
            }
            What::Watched {
                change: Some(_), ..
            } => self.told += 1,
            What::Fault {
                kind,
                stage: Stage::Begins | Stage::Happens,
                ..
            } => *self.faults.entry(kind.clone()).or_default() += 1,
            What::Leader { .. } => self.terms += 1,
            _ => {}
        }
    }

    /// Those whose outcome nobody was told, as well as those that were never answered.
    fn unknown(&self) -> u64 {
        self.operations - self.done - self.refused - self.failed
    }

    /// Why the run shows less than it should; empty where it does not.
    pub(super) fn shortcomings(&self) -> Vec<String> {
        let mut shortcomings = Vec::new();
        if self.faults.is_empty() {
            shortcomings.push("nothing was broken: there was no time for any fault".to_owned());
        }
        if self.unknown() * 100 >= self.operations * UNKNOWN_MAX {
            shortcomings.push(format!(
                "{} of {} operations are unknown, which is not less than {UNKNOWN_MAX} %",
                self.unknown(),
                self.operations
            ));
        }
        if self.contended * 100 < self.operations * CONTENDED_MIN {
            shortcomings.push(format!(
                "{} of {} operations are contended, which is less than {CONTENDED_MIN} %",
                self.contended, self.operations
            ));
        }
        shortcomings
    }

    /// For people; `asked` are the kinds of faults that could have come.
    pub(super) fn text(&self, asked: &[Kind], outages: &[Outage]) -> String {
        let mut lines = vec![
            format!(
                "{} operations: {} done or seen, {} refused, {} failed, {} unknown ({}); {} contended",
                self.operations,
                self.done,
                self.refused,
                self.failed,
                self.unknown(),
                percent(self.unknown(), self.operations),
                percent(self.contended, self.operations)
            ),
            format!("  asked for: {}", listed(&self.by_kind)),
            format!("  without an answer: {}", listed(&self.failures)),
            format!(
                "{} changes told to watchers; {} leaderships seen",
                self.told, self.terms
            ),
            format!("faults: {}", listed(&self.faults)),
        ];
        let left_out = asked.iter().map(|kind| kind.name());
        let left_out: Vec<String> = left_out
            .filter(|kind| !self.faults.contains_key(kind))
            .collect();
        if !left_out.is_empty() {
            lines.push(format!("  no time for: {}", left_out.join(", ")));
        }
        for kind in [Kind::KillLeader, Kind::PauseLeader, Kind::IsolateLeader] {
            lines.extend(without_service(kind, outages));
        }
        lines.join("\n")
    }
}

/// Median and worst time without service after faults of a kind, if there were any.
fn without_service(kind: Kind, outages: &[Outage]) -> Option<String> {
    let of_kind = outages.iter().filter(|outage| outage.kind == kind);
    let mut times: Vec<u64> = of_kind.map(|outage| outage.us).collect();
    times.sort_unstable();
    let worst = times.last()?;
    let median = times[(times.len() - 1) / 2];
    Some(format!(
        "{}, {} times: the next write was acknowledged after {} s (median), {} s (worst)",
        kind.name(),
        times.len(),
        seconds(median),
        seconds(*worst)
    ))
}

fn word(op: &Op) -> &'static str {
    match op {
        Op::Claim { cidr: Some(_), .. } => "exact claims",
        Op::Claim { .. } => "claims",
        Op::Release { .. } => "releases",
        Op::Renew { .. } => "renewals",
        Op::Batch { .. } => "batches",
        Op::Get { .. } => "reads",
        Op::Lookup { .. } => "lookups",
    }
}

/// What a connection says, without the address.
fn short(code: &str) -> String {
    let words = code.split_once(": ").map_or(code, |(_, words)| words);
    words.chars().take(40).collect()
}

fn listed<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let each = counts.iter().map(|(what, count)| format!("{count} {what}"));
    each.collect::<Vec<_>>().join(", ")
}

fn percent(part: u64, whole: u64) -> String {
    let tenths = (part * 1_000).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Consistency;

    fn line(what: What) -> Line {
        Line { at_us: 0, what }
    }

    /// A fault, and so many reads, of which so many are about a contended name, and so many are answered.
    fn history(reads: u64, contended: u64, answered: u64) -> Vec<Line> {
        let invoke = |id| {
            let name = if id < contended { "hot-1" } else { "own-1-1" };
            line(What::Invoke {
                id,
                client: 1,
                node: 1,
                op: Op::Get {
                    name: name.to_owned(),
                    consistency: Consistency::Linearizable,
                },
            })
        };
        let ok = |id| {
            let reply = Reply::Nothing { revision: 1 };
            line(What::Ok { id, reply })
        };
        let fault = line(What::Fault {
            kind: "kill-all".to_owned(),
            nodes: vec![1],
            stage: Stage::Begins,
        });
        std::iter::once(fault)
            .chain((0..reads).map(invoke))
            .chain((0..answered).map(ok))
            .collect()
    }

    #[test]
    fn a_run_with_many_unknown_outcomes_or_little_contention_or_no_fault_shows_too_little() {
        for (lines, shortcomings) in [
            (history(100, 30, 96), 0),
            (history(100, 30, 95), 1),
            (history(100, 29, 96), 1),
            (history(100, 0, 0), 2),
            (history(0, 0, 0), 1),
        ] {
            let figures = Figures::of(&lines);
            assert_eq!(figures.shortcomings().len(), shortcomings, "{figures:?}");
            let calm = Figures::of(&lines[1..]);
            assert_eq!(calm.shortcomings().len(), shortcomings + 1, "{calm:?}");
        }
    }

    #[test]
    fn the_time_without_service_is_told_as_median_and_worst() {
        let outage = |kind, us| Outage { kind, us };
        let outages = [
            outage(Kind::KillLeader, 900_000),
            outage(Kind::KillLeader, 500_000),
            outage(Kind::PauseLeader, 5_000_000),
            outage(Kind::KillLeader, 700_000),
        ];
        let text = without_service(Kind::KillLeader, &outages);
        assert_eq!(
            text.as_deref(),
            Some(
                "kill-leader, 3 times: the next write was acknowledged after 0.70 s (median), 0.90 s (worst)"
            )
        );
        assert_eq!(without_service(Kind::IsolateLeader, &outages), None);
    }
}
