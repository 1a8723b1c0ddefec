//! A progress bar on stderr; where that is no terminal there is none. It has no colours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// A bar, or none.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
}

impl Progress {
    /// Nothing is shown.
    pub(crate) fn none() -> Self {
        Self::with(ProgressBar::hidden())
    }

    /// How much there is to do is not known.
    pub(crate) fn of_unknown_length() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(style("{spinner} {msg} {per_sec} {elapsed}"));
        Self::with(bar)
    }

    /// There are so many bytes to read.
    pub(crate) fn of_bytes(bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        bar.set_style(style("{bar:30} {percent}% {msg}, {eta} to go"));
        bar.set_message("0 rows");
        Self::with(bar)
    }

    /// There are so many things to do, one after the other.
    pub(crate) fn of_things(count: usize) -> Self {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        // One is done before a bar of it could be read.
        if count < 2 {
            return Self::none();
        }
        let bar = ProgressBar::new(count);
        bar.set_style(style("{bar:30} {pos} of {len}, {eta} to go"));
        Self::with(bar)
    }

    fn with(bar: ProgressBar) -> Self {
        Self {
            bar,
            read: Arc::default(),
        }
    }

    /// Counts the bytes read, from any thread.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    /// Where it is.
    pub(crate) fn tell(&self, message: String) {
        self.bar.set_position(self.read.load(Ordering::Relaxed));
        self.bar.set_message(message);
    }

    /// So many of the things are done.
    pub(crate) fn done(&self, count: usize) {
        self.bar
            .set_position(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A line beside the bar.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| output::note(text));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is one")
}
