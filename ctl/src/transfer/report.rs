//! What became of the rows: counts, the first that were refused, and a file with all that were not imported.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::rows::unreadable;
use crate::failure::Failure;
use crate::output::{Column, Row, column, printable};
use crate::progress::Progress;

/// How many are told one by one on stderr.
const TOLD_MAX: u64 = 20;

/// Where a row stands, and what it is called.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: u64,
    pub(super) name: String,
    pub(super) cidr: String,
}

/// Counts of rows.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) created: u64,
    pub(super) unchanged: u64,
    pub(super) skipped: u64,
    pub(super) refused: u64,
}

impl Row for Counts {
    const COLUMNS: &'static [Column] = &[
        column("ROWS"),
        column("CREATED"),
        column("UNCHANGED"),
        column("SKIPPED"),
        column("REFUSED"),
    ];

    fn name(&self) -> String {
        self.created.to_string()
    }

    fn cells(&self, _: u64) -> Vec<String> {
        let counts = [
            self.rows,
            self.created,
            self.unchanged,
            self.skipped,
            self.refused,
        ];
        counts.map(|count| count.to_string()).into()
    }
}

/// What became of the rows.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) counts: Counts,
    /// The highest exit code of a row.
    worst: i32,
    told: u64,
    file: Option<csv::Writer<BufWriter<File>>>,
}

impl Report {
    /// Of nothing yet; with a file for what is not imported, where one is wanted.
    pub(super) fn new(path: Option<&Path>) -> Result<Self, Failure> {
        let file = match path {
            None => None,
            Some(path) => {
                let file = File::create(path).map_err(|source| Failure::Local {
                    what: format!("cannot write {}", path.display()),
                    source,
                })?;
                let mut writer = csv::Writer::from_writer(BufWriter::new(file));
                let titles = ["file", "line", "name", "cidr", "outcome", "code", "detail"];
                writer
                    .write_record(titles)
                    .map_err(|error| unwritable(&error))?;
                Some(writer)
            }
        };
        Ok(Self {
            counts: Counts::default(),
            worst: 0,
            told: 0,
            file,
        })
    }

    /// A row that is no claim, which is as it should be.
    pub(super) fn skipped(&mut self, place: &Place, why: &str) -> Result<(), Failure> {
        self.counts.skipped += 1;
        self.write(place, "skipped", "", why)
    }

    /// A row that was refused.
    pub(super) fn refused(
        &mut self,
        place: &Place,
        code: &str,
        detail: &str,
        exit_code: i32,
        progress: &Progress,
    ) -> Result<(), Failure> {
        self.counts.refused += 1;
        self.worst = self.worst.max(exit_code);
        self.told += 1;
        if self.told <= TOLD_MAX {
            progress.note(&printable(&told(place, code, detail)));
        } else if self.told == TOLD_MAX + 1 {
            progress.note("further refusals are only counted; --report FILE has them all");
        }
        self.write(place, "refused", code, detail)
    }

    fn write(
        &mut self,
        place: &Place,
        outcome: &str,
        code: &str,
        detail: &str,
    ) -> Result<(), Failure> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let line = place.line.to_string();
        let record = [
            &place.file,
            line.as_str(),
            &place.name,
            &place.cidr,
            outcome,
            code,
            detail,
        ];
        file.write_record(record)
            .map_err(|error| unwritable(&error))
    }

    /// Ends the file. The failure is that of the rows, where any was refused.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        if let Some(file) = &mut self.file {
            file.flush()
                .map_err(|error| unreadable(Path::new("the report"), error))?;
        }
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        match self.counts.refused {
            0 => Ok(()),
            refused => Err(Failure::Several {
                failed: count(refused),
                total: count(self.counts.rows),
                code: self.worst,
            }),
        }
    }
}

fn told(place: &Place, code: &str, detail: &str) -> String {
    let Place {
        file,
        line,
        name,
        cidr,
        ..
    } = place;
    let at = match line {
        0 => file.to_string(),
        line => format!("{file}, line {line}"),
    };
    format!("error: {at}: {cidr} for {name}: {detail} ({code})")
}

fn unwritable(error: &csv::Error) -> Failure {
    Failure::File(format!("cannot write the report: {error}"))
}
