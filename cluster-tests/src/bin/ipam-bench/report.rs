//! Tables, for people and for programs.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::plot::Plot;

/// All that one run found.
pub(crate) struct Report {
    machine: Vec<(&'static str, String)>,
    pub(crate) tables: Vec<Table>,
}

impl Report {
    pub(crate) fn new(machine: Vec<(&'static str, String)>) -> Self {
        Self {
            machine,
            tables: Vec::new(),
        }
    }

    pub(crate) fn print_machine(&self) {
        for (what, value) in &self.machine {
            line(&format!("{what}: {value}"));
        }
    }

    pub(crate) fn json(&self) -> String {
        let machine: Map<String, Value> = self
            .machine
            .iter()
            .map(|(what, value)| ((*what).to_owned(), json!(value)))
            .collect();
        let tables: Map<String, Value> = self
            .tables
            .iter()
            .map(|table| (table.name.to_owned(), table.json()))
            .collect();
        format!("{:#}\n", json!({ "machine": machine, "results": tables }))
    }
}

/// What one benchmark has found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) tables: Vec<Table>,
    pub(crate) plots: Vec<Plot>,
}

impl From<Table> for Found {
    fn from(table: Table) -> Self {
        Self {
            tables: vec![table],
            plots: Vec::new(),
        }
    }
}

/// One benchmark's figures.
pub(crate) struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self {
            name,
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert!(N == self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells.into());
    }

    pub(crate) fn print(&self) {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells
                .chain([self.columns[column].chars().count()])
                .max()
                .unwrap_or(0)
        };
        let print_row = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .enumerate()
                .map(|(column, cell)| format!("{cell:>width$}", width = width(column)))
                .collect();
            line(&format!("| {} |", padded.join(" | ")));
        };
        line(&format!("\n{}", self.name));
        print_row(&mut self.columns.iter().copied());
        let rules: Vec<String> = (0..self.columns.len())
            .map(|column| "-".repeat(width(column)))
            .collect();
        print_row(&mut rules.iter().map(String::as_str));
        for row in &self.rows {
            print_row(&mut row.iter().map(String::as_str));
        }
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cells = self
                .columns
                .iter()
                .zip(row)
                .map(|(column, cell)| ((*column).to_owned(), value(cell)));
            Value::Object(cells.collect())
        });
        rows.collect()
    }
}

/// A number where the cell is one.
fn value(cell: &str) -> Value {
    cell.parse()
        .map_or_else(|_| json!(cell), |number: f64| json!(number))
}

/// How often in a second.
pub(crate) fn per_second(count: u64, time: Duration) -> String {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    format!("{:.0}", count / time.as_secs_f64())
}

/// A number with so many digits behind the point.
pub(crate) fn decimal(number: f64, digits: usize) -> String {
    format!("{number:.digits$}")
}

/// How much less something is than something else, or more.
pub(crate) fn less_or_more(less: f64) -> String {
    let word = if less < 0.0 { "more" } else { "less" };
    format!("{} % {word}", decimal(less.abs() * 100.0, 1))
}

/// Milliseconds with two digits behind the point.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

pub(crate) fn line(text: &str) {
    // Nobody reads it: then nobody misses it.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}
