//! Lists to files and files to claims, a million rows at a time.
//!
//! 1. Neither holds more than a page or a few batches in memory, however long the file is.
//! 2. What is imported is asked for by exact block and by a name that the file gives or that follows from the
//!    row alone, so that an import that broke off is run again as it was: what is there already is unchanged.
//! 3. Every row is created, unchanged, skipped for a reason, or refused with its line and why.

mod columns;
mod export;
mod from;
mod import;
mod json;
mod pools;
mod report;
mod rows;

pub(crate) use export::run as export;
pub(crate) use import::run as import;
