//! The timeline as a drawing: operations a second by outcome, how long answers took, who led, when nothing was
//! written, and what was broken meanwhile.
//!
//! Everything shares one axis of time. What lies closer together than can be seen is drawn as one.

use std::fmt::Write;

use super::faults::Fault;
use super::figures::{Figures, Outcome};
use super::timeline::Timeline;
use super::units::{count, counted, moment, time};
use crate::checkers::{Finding, Verdict};

/// Lengths in tenths of the drawing's unit, so that whole numbers will do.
const WIDTH: u64 = 12_000;
const LEFT: u64 = 1_500;
const RIGHT: u64 = 200;
const OPERATIONS: u64 = 1_700;
const LATENCY: u64 = 600;
const STRIP: u64 = 200;
const LANE: u64 = 150;
const GAP: u64 = 190;
/// What is shorter is drawn so long.
const SHORTEST: u64 = 15;
/// Findings that are marked.
const MARKS_MAX: usize = 60;

/// A drawing under way.
struct Drawing<'a> {
    figures: &'a Figures,
    timeline: Timeline,
    text: String,
    /// How far down it has come.
    y: u64,
}

/// The whole drawing, an element of its own.
pub(super) fn svg(figures: &Figures, verdict: &Verdict) -> String {
    let mut drawing = Drawing {
        figures,
        timeline: Timeline::of(figures),
        text: String::new(),
        y: 100,
    };
    drawing
        .all(verdict)
        .expect("writing to a string does not fail");
    let height = px(drawing.y);
    format!(
        "<svg viewBox=\"0 0 {} {height}\" role=\"img\" aria-label=\"timeline\">\n{}</svg>",
        px(WIDTH),
        drawing.text
    )
}

/// Something that lasts, on a lane.
struct Bar {
    from: u64,
    to: u64,
    class: String,
    tells: String,
}

impl Drawing<'_> {
    fn all(&mut self, verdict: &Verdict) -> std::fmt::Result {
        self.findings(&verdict.findings)?;
        self.operations()?;
        self.latencies()?;
        self.leaders()?;
        self.outages()?;
        let kinds: Vec<String> = self
            .figures
            .fault_counts()
            .into_keys()
            .map(str::to_owned)
            .collect();
        for kind in kinds {
            self.fault_lane(&kind)?;
        }
        self.axis()
    }

    fn findings(&mut self, findings: &[Finding]) -> std::fmt::Result {
        let marked: Vec<(u64, &Finding)> = findings
            .iter()
            .filter_map(|finding| Some((finding.proof.last()?.at_us, finding)))
            .take(MARKS_MAX)
            .collect();
        if marked.is_empty() {
            return Ok(());
        }
        self.label("findings", STRIP)?;
        let bottom = self.y + STRIP;
        for (us, finding) in marked {
            let (x, top) = (self.x(us), self.y);
            writeln!(
                self.text,
                "<path class=\"mark\" d=\"M{} {}L{} {}H{}Z\"><title>{}: {}</title></path>",
                px(x),
                px(bottom),
                px(x - 60),
                px(top + 40),
                px(x + 60),
                escape(finding.checker),
                escape(&finding.says)
            )?;
        }
        self.y = bottom + GAP;
        Ok(())
    }

    fn operations(&mut self) -> std::fmt::Result {
        let most = self.timeline.count_max();
        let per_second = |count: u64| {
            let rate = count * 1_000_000 / self.timeline.width_us;
            if rate > 0 {
                super::units::count(rate)
            } else {
                "< 1".to_owned()
            }
        };
        let labels = [per_second(most), per_second(most / 2)];
        self.grid("operations / s", OPERATIONS, &labels)?;
        let bottom = self.y + OPERATIONS;
        let (mut from_us, width_us) = (0, self.timeline.width_us);
        for bucket in self.timeline.buckets.clone() {
            let (left, right) = (self.x(from_us), self.x(from_us + width_us));
            let mut title = format!("{} to {}:", moment(from_us), moment(from_us + width_us));
            let mut rects = String::new();
            let mut below = 0;
            for outcome in Outcome::ALL {
                let number = bucket.of(outcome);
                if number == 0 {
                    continue;
                }
                write!(title, " {} {},", count(number), outcome.name())?;
                let (low, high) = (
                    below * OPERATIONS / most,
                    (below + number) * OPERATIONS / most,
                );
                below += number;
                write!(
                    rects,
                    "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                    outcome.name(),
                    px(left),
                    px(bottom - high),
                    px((right - left).saturating_sub(5).max(5)),
                    px((high - low).max(3))
                )?;
            }
            if below > 0 {
                let title = title.trim_end_matches(',');
                writeln!(self.text, "<g>{rects}<title>{title}</title></g>")?;
            }
            from_us += width_us;
        }
        self.y = bottom + GAP;
        Ok(())
    }

    fn latencies(&mut self) -> std::fmt::Result {
        let buckets = self.timeline.buckets.clone();
        let most = buckets.iter().filter_map(|bucket| bucket.latency_us).max();
        let most = most.unwrap_or(0).max(1);
        self.grid("p99 of answers", LATENCY, &[time(most), time(most / 2)])?;
        let bottom = self.y + LATENCY;
        let (mut from_us, width_us) = (0, self.timeline.width_us);
        for bucket in buckets {
            let (left, right) = (self.x(from_us), self.x(from_us + width_us));
            if let Some(latency_us) = bucket.latency_us {
                let high = (latency_us * LATENCY / most).max(5);
                writeln!(
                    self.text,
                    "<rect class=\"latency\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}: {}</title></rect>",
                    px(left),
                    px(bottom - high),
                    px((right - left).saturating_sub(5).max(5)),
                    px(high),
                    moment(from_us),
                    time(latency_us)
                )?;
            }
            from_us += width_us;
        }
        self.y = bottom + GAP;
        Ok(())
    }

    fn leaders(&mut self) -> std::fmt::Result {
        let bars: Vec<Bar> = self
            .figures
            .reigns
            .iter()
            .map(|reign| Bar {
                from: self.x(reign.from_us),
                to: self.x(reign.to_us),
                class: format!("node n{}", reign.node % 6),
                tells: format!(
                    "node {} leads in term {} from {} to {}",
                    reign.node,
                    reign.term,
                    moment(reign.from_us),
                    moment(reign.to_us)
                ),
            })
            .collect();
        self.lane("leader", STRIP, bars)
    }

    fn outages(&mut self) -> std::fmt::Result {
        let bars: Vec<Bar> = self
            .figures
            .outages
            .iter()
            .map(|outage| Bar {
                from: self.x(outage.from_us),
                to: self.x(outage.to_us),
                class: "outage".to_owned(),
                tells: format!(
                    "no write was acknowledged for {} from {} on, after {}",
                    time(outage.length_us()),
                    moment(outage.from_us),
                    outage.kind
                ),
            })
            .collect();
        if bars.is_empty() {
            return Ok(());
        }
        self.lane("no writes", LANE, bars)
    }

    fn fault_lane(&mut self, kind: &str) -> std::fmt::Result {
        let faults = self
            .figures
            .faults
            .iter()
            .filter(|fault| fault.kind == kind);
        let bars: Vec<Bar> = faults
            .map(|fault| Bar {
                from: self.x(fault.from_us),
                to: self.x(fault.to_us),
                class: "fault".to_owned(),
                tells: tells(fault),
            })
            .collect();
        self.lane(kind, LANE, bars)
    }

    fn lane(&mut self, name: &str, height: u64, bars: Vec<Bar>) -> std::fmt::Result {
        self.label(name, height)?;
        writeln!(
            self.text,
            "<rect class=\"lane\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            px(LEFT),
            px(self.y),
            px(WIDTH - LEFT - RIGHT),
            px(height)
        )?;
        for (bar, number) in merged(bars) {
            let more = if number > 1 {
                format!(" ({} here)", counted(number, "time"))
            } else {
                String::new()
            };
            writeln!(
                self.text,
                "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}{more}</title></rect>",
                bar.class,
                px(bar.from),
                px(self.y),
                px(bar.to - bar.from),
                px(height),
                escape(&bar.tells)
            )?;
        }
        self.y += height + 40;
        Ok(())
    }

    /// The frame of a diagram: its name, its greatest value and the half of it.
    fn grid(&mut self, name: &str, height: u64, labels: &[String; 2]) -> std::fmt::Result {
        for (label, y) in labels.iter().zip([self.y, self.y + height / 2]) {
            writeln!(
                self.text,
                "<path class=\"grid\" d=\"M{} {}H{}\"/><text class=\"value\" x=\"{}\" y=\"{}\">{label}</text>",
                px(LEFT),
                px(y),
                px(WIDTH - RIGHT),
                px(LEFT - 50),
                px(y + 35)
            )?;
        }
        writeln!(
            self.text,
            "<path class=\"base\" d=\"M{} {}H{}\"/><text class=\"name\" x=\"0\" y=\"{}\">{name}</text>",
            px(LEFT),
            px(self.y + height),
            px(WIDTH - RIGHT),
            px(self.y + height)
        )
    }

    fn label(&mut self, name: &str, height: u64) -> std::fmt::Result {
        // What does not fit beside the lane is told by the table of faults.
        let short: String = name.chars().take(22).collect();
        let short = if short == name {
            short
        } else {
            format!("{short}…")
        };
        writeln!(
            self.text,
            "<text class=\"name\" x=\"0\" y=\"{}\">{}</text>",
            px(self.y + height / 2 + 40),
            escape(&short)
        )
    }

    fn axis(&mut self) -> std::fmt::Result {
        let step_us = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 36_000]
            .map(|seconds: u64| seconds * 1_000_000)
            .into_iter()
            .find(|step| self.timeline.length_us / step <= 12)
            .unwrap_or(self.timeline.length_us / 12 + 1);
        let mut us = 0;
        while us <= self.timeline.length_us {
            let x = self.x(us);
            writeln!(
                self.text,
                "<path class=\"base\" d=\"M{0} {1}V{2}\"/><text class=\"tick\" x=\"{0}\" y=\"{3}\">{4} s</text>",
                px(x),
                px(self.y),
                px(self.y + 50),
                px(self.y + 160),
                us / 1_000_000
            )?;
            us += step_us;
        }
        self.y += 220;
        Ok(())
    }

    fn x(&self, us: u64) -> u64 {
        let plot = WIDTH - LEFT - RIGHT;
        LEFT + us.min(self.timeline.length_us) * plot / self.timeline.length_us
    }
}

/// Bars of one kind that touch are one; each is long enough to be seen.
fn merged(mut bars: Vec<Bar>) -> Vec<(Bar, usize)> {
    bars.sort_by_key(|bar| bar.from);
    let mut merged: Vec<(Bar, usize)> = Vec::new();
    for mut bar in bars {
        bar.to = bar.to.max(bar.from + SHORTEST);
        match merged.last_mut() {
            Some((last, number)) if bar.from < last.to && bar.class == last.class => {
                last.to = last.to.max(bar.to);
                *number += 1;
            }
            _ => merged.push((bar, 1)),
        }
    }
    merged
}

fn tells(fault: &Fault) -> String {
    let nodes: Vec<String> = fault.nodes.iter().map(u64::to_string).collect();
    let when = if fault.from_us == fault.to_us {
        format!("at {}", moment(fault.from_us))
    } else {
        format!("from {} to {}", moment(fault.from_us), moment(fault.to_us))
    };
    let leader = if fault.hits_leader {
        ", the leader among them"
    } else {
        ""
    };
    format!("{} of {}{leader}, {when}", fault.kind, nodes.join(", "))
}

/// Tenths as a number with one digit behind the point.
fn px(tenths: u64) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        rest => format!("{}.{rest}", tenths / 10),
    }
}

/// A text as it stands in HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::{Done, Reign};

    #[test]
    fn a_drawing_does_not_grow_with_the_run() {
        let draw = |operations: u64, seconds: u64| {
            let end_us = seconds * 1_000_000;
            let done = (0..operations).map(|number| Done {
                at_us: number * end_us / operations,
                outcome: Outcome::ALL[usize::try_from(number % 4).unwrap_or(0)],
                latency_us: Some(number % 1_000),
                is_write: true,
            });
            let fault = |number: u64| Fault {
                kind: format!("kind {}", number % 5),
                nodes: vec![1, 2],
                from_us: number * 10_000,
                to_us: number * 10_000 + 5_000,
                hits_leader: true,
            };
            let reign = |number: u64| Reign {
                node: number % 3,
                term: number,
                from_us: number * 20_000,
                to_us: (number + 1) * 20_000,
            };
            svg(
                &Figures {
                    end_us,
                    done: done.collect(),
                    faults: (0..operations / 10).map(fault).collect(),
                    reigns: (0..operations / 20).map(reign).collect(),
                    ..Figures::default()
                },
                &Verdict::default(),
            )
        };
        let (short, long) = (draw(2_000, 120), draw(60_000, 600));
        assert!(short.len() < 400_000, "{}", short.len());
        assert!(long.len() < 900_000, "{}", long.len());
    }

    #[test]
    fn bars_that_touch_are_one() {
        let bar = |from, to, class: &str| Bar {
            from,
            to,
            class: class.to_owned(),
            tells: String::new(),
        };
        let bars = merged(vec![
            bar(500, 500, "a"),
            bar(10, 20, "a"),
            bar(22, 90, "a"),
            bar(80, 85, "b"),
        ]);
        let spans: Vec<(u64, u64, usize)> = bars
            .iter()
            .map(|(bar, number)| (bar.from, bar.to, *number))
            .collect();
        assert_eq!(spans, [(10, 90, 2), (80, 95, 1), (500, 515, 1)]);
        assert_eq!(escape("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
