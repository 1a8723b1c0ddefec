//! The report as text.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::figures::{Figures, Outcome};
use super::outages::median_and_worst;
use super::units::{count, counted, moment, share, time};
use crate::checkers::{Kind, Verdict};

pub(super) fn text(figures: &Figures, verdict: &Verdict) -> String {
    let mut text = String::new();
    write_all(&mut text, figures, verdict).expect("writing to a string does not fail");
    text
}

fn write_all(text: &mut String, figures: &Figures, verdict: &Verdict) -> std::fmt::Result {
    operations(text, figures)?;
    faults(text, figures)?;
    checkers(text, verdict)?;
    findings(text, verdict)?;
    writeln!(text, "\n{}", summary(verdict))
}

/// What the checkers say, in a line.
pub(super) fn summary(verdict: &Verdict) -> String {
    let (mut wrong, mut undecided) = (0, 0);
    for checker in &verdict.checkers {
        wrong += checker.wrong;
        undecided += checker.undecided;
    }
    match (wrong, undecided) {
        (0, 0) => {
            let idle = verdict.checkers.iter().filter(|one| one.is_idle()).count();
            match idle {
                0 => "OK: every promise was kept.".to_owned(),
                _ => format!(
                    "OK, but {} saw nothing to look at.",
                    counted(idle, "checker")
                ),
            }
        }
        (0, _) => format!("UNDECIDED: {undecided} searches were given up; nothing else is wrong."),
        _ => format!("WRONG: {wrong} findings; {undecided} searches were given up."),
    }
}

fn operations(text: &mut String, figures: &Figures) -> std::fmt::Result {
    let all = figures.operation_count();
    writeln!(
        text,
        "seed {}, {}, {}, {} operations in {}",
        figures.seed,
        counted(figures.nodes.len(), "node"),
        counted(figures.clients, "client"),
        count(all),
        time(figures.end_us)
    )?;
    let unknown = figures.total(&[Outcome::Unknown]);
    writeln!(
        text,
        "unknown outcomes: {} ({}); on names and blocks that several clients want: {} ({})\n",
        count(unknown),
        share(unknown, all),
        count(figures.contended),
        share(figures.contended, all)
    )?;
    writeln!(
        text,
        "{:<15}{:>9}{:>9}{:>9}{:>9}{:>12}{:>12}",
        "operation", "done", "refused", "failed", "unknown", "p50", "p99"
    )?;
    for kind in &figures.kinds {
        write!(text, "{:<15}", kind.kind)?;
        for outcome in Outcome::ALL {
            write!(text, "{:>9}", count(kind.total(&[outcome])))?;
        }
        match kind.latency() {
            Some((half, most)) => writeln!(text, "{:>12}{:>12}", time(half), time(most))?,
            None => writeln!(text, "{:>12}{:>12}", "-", "-")?,
        }
    }
    Ok(())
}

fn faults(text: &mut String, figures: &Figures) -> std::fmt::Result {
    let counts = figures.fault_counts();
    if counts.is_empty() {
        writeln!(text, "\nno faults")?;
    } else {
        writeln!(
            text,
            "\n{:<28}{:>7}{:>12}{:>14}{:>14}",
            "fault", "count", "hit leader", "no writes p50", "worst"
        )?;
    }
    for (kind, number) in counts {
        let hits = figures.outages.iter().filter(|outage| outage.kind == kind);
        write!(text, "{kind:<28}{number:>7}{:>12}", hits.clone().count())?;
        match median_and_worst(hits) {
            Some((median, worst)) => writeln!(text, "{:>14}{:>14}", time(median), time(worst))?,
            None => writeln!(text, "{:>14}{:>14}", "-", "-")?,
        }
    }
    if let Some((median, worst)) = median_and_worst(figures.outages.iter()) {
        writeln!(
            text,
            "without service after a fault of the leader: median {}, worst {}",
            time(median),
            time(worst)
        )?;
    }
    let nodes: BTreeSet<u64> = figures.reigns.iter().map(|reign| reign.node).collect();
    let nodes: Vec<String> = nodes.iter().map(u64::to_string).collect();
    match figures.reigns.len() {
        0 => writeln!(text, "no leader was seen"),
        count => writeln!(
            text,
            "leaders: {}, of nodes {}",
            counted(count, "leadership"),
            nodes.join(", ")
        ),
    }
}

fn checkers(text: &mut String, verdict: &Verdict) -> std::fmt::Result {
    writeln!(text)?;
    for checker in &verdict.checkers {
        let state = match (checker.wrong, checker.undecided) {
            (0, 0) if checker.is_idle() => "saw nothing".to_owned(),
            (0, 0) => "ok".to_owned(),
            (0, undecided) => format!("UNDECIDED {undecided}"),
            (wrong, _) => format!("WRONG {wrong}"),
        };
        writeln!(
            text,
            "{:<12} {:<21} {}",
            state, checker.checker, checker.promise
        )?;
        writeln!(text, "{:<34} {}", "", looked_at(&checker.counts))?;
    }
    Ok(())
}

/// What a checker counted, in a line.
pub(super) fn looked_at(counts: &[(&'static str, u64)]) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, number)| format!("{what} {}", count(*number)))
        .collect();
    counts.join(", ")
}

fn findings(text: &mut String, verdict: &Verdict) -> std::fmt::Result {
    for finding in &verdict.findings {
        let kind = match finding.kind {
            Kind::Wrong => "",
            Kind::Undecided => "undecided: ",
        };
        writeln!(text, "\n{}: {kind}{}", finding.checker, finding.says)?;
        for proof in &finding.proof {
            write!(text, "    line {} at {}", proof.line, moment(proof.at_us))?;
            match proof.id {
                Some(id) => writeln!(text, ", operation {id}")?,
                None => writeln!(text)?,
            }
        }
    }
    Ok(())
}
