//! Figures beside what they may be at most.

use std::time::Duration;

use crate::report::{Table, millis};

/// A table of figures, each with its budget where it has one.
pub(crate) struct Verdicts(Table);

impl Verdicts {
    pub(crate) fn new(name: &'static str) -> Self {
        Self(Table::new(name, &["what", "measured", "budget", "verdict"]))
    }

    /// A figure without a budget.
    pub(crate) fn tell(&mut self, what: &str, measured: impl Into<String>) {
        self.0.row([
            what.to_owned(),
            measured.into(),
            String::new(),
            String::new(),
        ]);
    }

    /// A time that is to be at most `budget`.
    pub(crate) fn at_most(&mut self, what: &str, measured: Duration, budget: Duration) {
        self.judge(
            what,
            format!("{} ms", millis(measured)),
            format!("{} ms", millis(budget)),
            measured <= budget,
        );
    }

    /// A figure that whoever measured it has compared.
    pub(crate) fn judge(&mut self, what: &str, measured: String, budget: String, met: bool) {
        self.0
            .row([what.to_owned(), measured, budget, word(met).to_owned()]);
    }

    pub(crate) fn table(self) -> Table {
        self.0
    }
}

/// What is said of a figure that was compared.
pub(crate) fn word(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
