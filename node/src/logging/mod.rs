//! The log of a node: structured lines on stderr, as text or JSON.
//!
//! 1. Each event is logged once, where it is answered or handled: an accepted claim or release by
//!    `events`, a refused mutation under the target [`AUDIT`].
//! 2. No line holds a secret: bodies and headers are never logged, names and blocks are.
//! 3. Logging never waits for whoever reads stderr: a thread writes, and what does not fit before it
//!    is dropped and counted.

pub(crate) mod events;
mod lines;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::lines::Lines;

/// Target of the lines about work that was done.
pub const TARGET: &str = "ipamd";
/// Target of the lines about refused mutations: the node's audit log.
pub const AUDIT: &str = "ipamd::audit";

/// Form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter has another syntax.
    #[error(
        "log-filter is `{filter}`, which is not a filter; allowed are levels and targets such as `info` or `warn,node=debug`"
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is one already in this process.
    #[error("logging is started twice in one process")]
    StartedTwice(#[source] tracing_subscriber::util::TryInitError),
    /// There is no thread to write it.
    #[error("the system refused a thread for the log")]
    Thread(#[source] std::io::Error),
}

/// Writes what is left when it is dropped; kept until the process ends.
#[derive(Debug)]
pub struct Log(Lines);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Log {
    /// Starts the process's log.
    ///
    /// # Errors
    /// [`LogError`]: the filter is not understood, or the process has a log.
    pub fn start(format: LogFormat, filter: &str) -> Result<Self, LogError> {
        let filter = EnvFilter::try_new(filter).map_err(|source| LogError::Filter {
            filter: filter.to_owned(),
            source,
        })?;
        let writer = Lines::start(std::io::stderr()).map_err(LogError::Thread)?;
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(writer.clone())
            .with_ansi(false);
        let registry = tracing_subscriber::registry().with(filter);
        match format {
            LogFormat::Text => registry.with(lines).try_init(),
            LogFormat::Json => registry
                .with(lines.json().flatten_event(true).with_current_span(false))
                .try_init(),
        }
        .map_err(LogError::StartedTwice)?;
        Ok(Self(writer))
    }

    /// Counts the lines that were dropped because stderr was read too slowly.
    pub fn dropped_lines(&self) -> DroppedLines {
        DroppedLines(self.0.clone())
    }
}

/// How many lines the log has dropped.
#[derive(Debug, Clone)]
pub struct DroppedLines(Lines);

impl DroppedLines {
    /// Lines since the start.
    pub fn count(&self) -> u64 {
        self.0.dropped()
    }
}
