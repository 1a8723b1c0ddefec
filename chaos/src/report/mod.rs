//! What was done in a run and what held: a report as text, and as one page of HTML with a timeline.
//!
//! The page needs nothing but itself: no script, no style and no image from elsewhere. What it draws is added up in
//! intervals first, so that its size is bounded whatever the length of the run.

mod faults;
mod figures;
mod outages;
mod page;
mod svg;
mod text;
mod timeline;
mod units;

use crate::checkers::Verdict;
use crate::history::Line;

/// The figures of a run and what the checkers say of it, as text.
pub fn text(lines: &[Line], verdict: &Verdict) -> String {
    text::text(&figures::Figures::of(lines), verdict)
}

/// The same as a page, with a timeline of operations, faults and leaders.
pub fn html(title: &str, lines: &[Line], verdict: &Verdict) -> String {
    page::page(title, &figures::Figures::of(lines), verdict)
}

/// A line of a result, for whoever called the program. What tells how far it has come goes to standard error instead.
pub fn print(line: &str) {
    use std::io::Write;
    // Nobody reads it: then nobody misses it.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}
