//! What a node is told before it starts: switches, variables and a file, made into [`Settings`].
//!
//! 1. Every switch of `ipamd serve` is also a key of the TOML file (the switch without its dashes)
//!    and a variable (`IPAMD_` and the switch in capitals). The switch wins over the variable, the
//!    variable over the file.
//! 2. A key that is not known is refused by name, never ignored.
//! 3. A node that would listen elsewhere than on loopback refuses, unless told `insecure`: this
//!    version has neither tokens nor TLS.
//! 4. What leaves this module is complete: nothing else reads a variable or falls back to a default.

mod members;
mod place;
mod service;
mod switches;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use members::{InvalidMembers, Members};
pub use service::{HeadlessService, InvalidService};
pub use switches::ServeSwitches;

use self::place::{Place, host_name};
use crate::http::Limits;
use crate::logging::LogFormat;

/// Our own lines, and of the consensus library only what is wrong.
const LOG_FILTER_DEFAULT: &str = "info,openraft=warn";

/// Most requests or connections at once; a semaphore bounds each, and panics far above this.
const COUNT_MAX: usize = 1_000_000;

/// A node's settings, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Id of this node in the cluster; never 0.
    pub node_id: u64,
    /// Directory that holds all that the node keeps.
    pub data_dir: PathBuf,
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Where the other nodes are heard.
    pub peer_listen: SocketAddr,
    /// The members that form the cluster.
    pub cluster: Members,
    /// URL at which clients reach this node's HTTP.
    pub advertise: String,
    /// Timers for the disk at hand.
    pub profile: Profile,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Which log lines are kept, in the syntax of `tracing`'s filter.
    pub log_filter: String,
    /// Bounds of the HTTP server.
    pub limits: Limits,
    /// Process whose end ends this one: set by `ipamd dev` for its children.
    pub exit_with_parent: Option<u32>,
}

/// Timers of the consensus, by the speed of the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A disk that syncs within a few milliseconds.
    #[default]
    Default,
    /// A disk that may take hundreds of milliseconds: slower heartbeats and elections.
    SlowDisk,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "the configuration file {path} cannot be read; name a file that exists and is readable, or leave --config out"
    )]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has an unknown key, a value of the wrong kind, or is no TOML.
    #[error("the configuration file {path} is not understood: {reason}")]
    FileInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and where.
        reason: String,
    },
    /// Something that has no default was not told.
    #[error(
        "{switch} is missing; give it as --{switch}, as the variable {variable}, or as the key `{switch}` of the configuration file"
    )]
    Missing {
        /// The switch without its dashes.
        switch: &'static str,
        /// Its variable.
        variable: String,
    },
    /// A value is of the right kind but out of bounds.
    #[error("{switch} is {given}; allowed is {allowed}")]
    OutOfBounds {
        /// The switch without its dashes.
        switch: &'static str,
        /// What was given.
        given: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// Two ways to say the same, or one that lacks the other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The host name says nothing about which node this is.
    #[error(
        "the host name `{host_name}` does not end in -ORDINAL, so that --cluster-dns cannot tell which node this is; run it as a pod of a StatefulSet, or give --node-id"
    )]
    NoOrdinal {
        /// The host name.
        host_name: String,
    },
    /// Open to the network without TLS and tokens.
    #[error(
        "{switch} is {address}, which others than this machine can reach, and neither TLS nor tokens protect it; listen on 127.0.0.1 or [::1], or say --insecure if the network itself is trusted"
    )]
    Insecure {
        /// The switch without its dashes.
        switch: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Anyone could end every grace and lease.
    #[error(
        "--test-clock lets every request move the time by which leases and grace end; it is for tests, and taken only beside --insecure"
    )]
    TestClock,
}

impl Settings {
    /// Completes what switches and variables say with the file and the defaults.
    ///
    /// # Errors
    /// [`ConfigError`]: the file, a missing or wrong value, or a listener that others can reach.
    pub fn resolve(switches: ServeSwitches) -> Result<Self, ConfigError> {
        let told = match &switches.config {
            None => switches,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| {
                    ConfigError::FileUnreadable {
                        path: path.clone(),
                        source,
                    }
                })?;
                let file =
                    ServeSwitches::from_toml(&text).map_err(|reason| ConfigError::FileInvalid {
                        path: path.clone(),
                        reason,
                    })?;
                switches.or(file)
            }
        };
        Self::complete(told, &host_name())
    }

    fn complete(told: ServeSwitches, host_name: &str) -> Result<Self, ConfigError> {
        let Place {
            node_id,
            cluster,
            host,
        } = Place::find(&told, host_name)?;
        let listen = required(told.listen, "listen")?;
        let peer_listen = required(told.peer_listen, "peer-listen")?;
        let test_clock = told.test_clock.unwrap_or(false);
        if !told.insecure.unwrap_or(false) {
            if test_clock {
                return Err(ConfigError::TestClock);
            }
            for (switch, address) in [("listen", listen), ("peer-listen", peer_listen)] {
                if !address.ip().is_loopback() {
                    return Err(ConfigError::Insecure { switch, address });
                }
            }
        }
        let advertise = match told.advertise {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                url.trim_end_matches('/').to_owned()
            }
            Some(url) => {
                return Err(out_of_bounds(
                    "advertise",
                    &url,
                    "a URL that starts with http:// or https://",
                ));
            }
            None => advertise_default(listen, host.as_deref()),
        };
        let bounds = limits(
            told.request_timeout_ms,
            told.requests_in_flight_max,
            told.connections_max,
            told.watches_max,
        )?;
        Ok(Self {
            node_id,
            data_dir: required(told.data_dir, "data-dir")?,
            listen,
            peer_listen,
            cluster,
            advertise,
            profile: told.profile.unwrap_or_default(),
            log_format: told.log_format.unwrap_or_default(),
            log_filter: told
                .log_filter
                .unwrap_or_else(|| LOG_FILTER_DEFAULT.to_owned()),
            limits: Limits {
                test_clock,
                ..bounds
            },
            exit_with_parent: told.exit_with_parent,
        })
    }
}

fn limits(
    request_timeout_ms: Option<u64>,
    requests_in_flight_max: Option<usize>,
    connections_max: Option<usize>,
    watches_max: Option<usize>,
) -> Result<Limits, ConfigError> {
    let mut limits = Limits::default();
    if let Some(ms) = request_timeout_ms {
        if !(10..=600_000).contains(&ms) {
            return Err(out_of_bounds("request-timeout-ms", &ms, "10 to 600000"));
        }
        limits.request_deadline = Duration::from_millis(ms);
    }
    if let Some(count) = requests_in_flight_max {
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(out_of_bounds(
                "requests-in-flight-max",
                &count,
                "1 to 1000000",
            ));
        }
        limits.requests_in_flight_max = count;
    }
    if let Some(count) = connections_max {
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(out_of_bounds("connections-max", &count, "1 to 1000000"));
        }
        limits.connections_max = count;
    }
    if let Some(count) = watches_max {
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(out_of_bounds("watches-max", &count, "1 to 1000000"));
        }
        limits.watches_max = count;
    }
    Ok(limits)
}

/// The listener's own address where it is one; behind `0.0.0.0` and `[::]`, the host that the other
/// members use for this node.
fn advertise_default(listen: SocketAddr, host: Option<&str>) -> String {
    if listen.ip().is_unspecified()
        && let Some(host) = host
    {
        return format!("http://{host}:{}", listen.port());
    }
    format!("http://{listen}")
}

fn required<T>(value: Option<T>, switch: &'static str) -> Result<T, ConfigError> {
    value.ok_or_else(|| ConfigError::Missing {
        switch,
        variable: variable(switch),
    })
}

fn out_of_bounds(
    switch: &'static str,
    given: &impl ToString,
    allowed: &'static str,
) -> ConfigError {
    ConfigError::OutOfBounds {
        switch,
        given: given.to_string(),
        allowed,
    }
}

/// The variable of a switch: `node-id` is `IPAMD_NODE_ID`.
fn variable(switch: &str) -> String {
    format!("IPAMD_{}", switch.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests;
