//! The report as one page of HTML, legible in a light and in a dark scheme.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::figures::{Figures, KindFigures, Outcome};
use super::outages::median_and_worst;
use super::svg::{escape, svg};
use super::text::{looked_at, summary};
use super::units::{count, counted, moment, share, time};
use crate::checkers::{Kind, Verdict};

const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn page(title: &str, figures: &Figures, verdict: &Verdict) -> String {
    let mut body = String::new();
    write_body(&mut body, title, figures, verdict).expect("writing to a string does not fail");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

fn write_body(
    body: &mut String,
    title: &str,
    figures: &Figures,
    verdict: &Verdict,
) -> std::fmt::Result {
    let class = if verdict.is_ok() { "ok" } else { "wrong" };
    writeln!(body, "<h1>{}</h1>", escape(title))?;
    writeln!(
        body,
        "<p class=\"verdict {class}\">{}</p>",
        summary(verdict)
    )?;
    cards(body, figures)?;
    legend(body, figures)?;
    writeln!(body, "<figure>{}</figure>", svg(figures, verdict))?;
    findings(body, verdict)?;
    writeln!(body, "<div class=\"columns\">")?;
    operations(body, figures)?;
    faults(body, figures)?;
    writeln!(body, "</div>")?;
    checkers(body, verdict)
}

fn cards(body: &mut String, figures: &Figures) -> std::fmt::Result {
    let all = figures.operation_count();
    let unknown = figures.total(&[Outcome::Unknown]);
    let service = median_and_worst(figures.outages.iter());
    let cards = [
        (
            count(all),
            format!("operations in {}", time(figures.end_us)),
        ),
        (share(unknown, all), "of unknown outcome".to_owned()),
        (
            share(figures.contended, all),
            "on names and blocks that several clients want".to_owned(),
        ),
        (
            figures.faults.len().to_string(),
            format!(
                "faults on {}, seed {}",
                counted(figures.nodes.len(), "node"),
                figures.seed
            ),
        ),
        (figures.reigns.len().to_string(), "leaderships".to_owned()),
        match service {
            Some((median, worst)) => (
                time(median),
                format!(
                    "without service after a fault of the leader (median; worst {})",
                    time(worst)
                ),
            ),
            None => ("-".to_owned(), "no fault hit a leader".to_owned()),
        },
    ];
    writeln!(body, "<ul class=\"cards\">")?;
    for (value, what) in cards {
        writeln!(body, "<li><strong>{value}</strong> {what}</li>")?;
    }
    writeln!(body, "</ul>")
}

fn legend(body: &mut String, figures: &Figures) -> std::fmt::Result {
    write!(body, "<p class=\"legend\">")?;
    for outcome in Outcome::ALL {
        write!(
            body,
            "<span><i class=\"{0}\"></i>{0}</span> ",
            outcome.name()
        )?;
    }
    let leaders: BTreeSet<u64> = figures.reigns.iter().map(|reign| reign.node).collect();
    for node in leaders {
        write!(
            body,
            "<span><i class=\"n{}\"></i>node {node} leads</span> ",
            node % 6
        )?;
    }
    writeln!(body, "</p>")
}

fn operations(body: &mut String, figures: &Figures) -> std::fmt::Result {
    writeln!(
        body,
        "<section><h2>Operations</h2><table><thead><tr><th>kind</th><th>done</th><th>refused</th>\
         <th>failed</th><th>unknown</th><th>p50</th><th>p99</th></tr></thead><tbody>"
    )?;
    for kind in &figures.kinds {
        operation(body, kind)?;
    }
    writeln!(body, "</tbody></table></section>")
}

fn operation(body: &mut String, kind: &KindFigures) -> std::fmt::Result {
    write!(body, "<tr><th>{}</th>", kind.kind)?;
    for outcome in Outcome::ALL {
        write!(body, "<td>{}</td>", count(kind.total(&[outcome])))?;
    }
    match kind.latency() {
        Some((half, most)) => writeln!(body, "<td>{}</td><td>{}</td></tr>", time(half), time(most)),
        None => writeln!(body, "<td>-</td><td>-</td></tr>"),
    }
}

fn faults(body: &mut String, figures: &Figures) -> std::fmt::Result {
    writeln!(
        body,
        "<section><h2>Faults</h2><table><thead><tr><th>kind</th><th>count</th><th>hit the leader</th>\
         <th>no writes, median</th><th>worst</th></tr></thead><tbody>"
    )?;
    for (kind, number) in figures.fault_counts() {
        let hits = figures.outages.iter().filter(|outage| outage.kind == kind);
        let (median, worst) = match median_and_worst(hits.clone()) {
            Some((median, worst)) => (time(median), time(worst)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        writeln!(
            body,
            "<tr><th>{}</th><td>{number}</td><td>{}</td><td>{median}</td><td>{worst}</td></tr>",
            escape(kind),
            hits.count()
        )?;
    }
    writeln!(body, "</tbody></table></section>")
}

fn findings(body: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if verdict.findings.is_empty() {
        return Ok(());
    }
    writeln!(body, "<section><h2>Findings</h2><ol class=\"findings\">")?;
    for finding in &verdict.findings {
        let kind = match finding.kind {
            Kind::Wrong => "",
            Kind::Undecided => "undecided: ",
        };
        let proof: Vec<String> = finding
            .proof
            .iter()
            .map(|proof| format!("line {} ({})", proof.line, moment(proof.at_us)))
            .collect();
        writeln!(
            body,
            "<li><code>{}</code> {kind}{} <small>{}</small></li>",
            finding.checker,
            escape(&finding.says),
            proof.join(", ")
        )?;
    }
    writeln!(body, "</ol></section>")
}

fn checkers(body: &mut String, verdict: &Verdict) -> std::fmt::Result {
    writeln!(
        body,
        "<section><h2>Checkers</h2><table class=\"checkers\"><thead><tr><th>checker</th><th></th>\
         <th>what it promises, and what it looked at</th></tr></thead><tbody>"
    )?;
    for checker in &verdict.checkers {
        let (class, state) = match (checker.wrong, checker.undecided) {
            (0, 0) if checker.is_idle() => ("", "saw nothing".to_owned()),
            (0, 0) => ("ok", "ok".to_owned()),
            (0, undecided) => ("wrong", format!("undecided {undecided}")),
            (wrong, _) => ("wrong", format!("wrong {wrong}")),
        };
        writeln!(
            body,
            "<tr><th><code>{}</code></th><td class=\"{class}\">{state}</td><td>{}<br><small>{}</small></td></tr>",
            checker.checker,
            checker.promise,
            looked_at(&checker.counts)
        )?;
    }
    writeln!(body, "</tbody></table></section>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_whole_and_takes_nothing_from_elsewhere() {
        let page = page("run <7>", &Figures::default(), &Verdict::default());
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert!(page.contains("<title>run &lt;7&gt;</title>"));
        for outside in ["http://", "https://", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("OK: every promise was kept."));
    }
}
