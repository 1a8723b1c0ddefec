//! The switches of `ipamd serve`, which are the keys of its file and its variables too.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;

use super::{HeadlessService, Members, Profile};
use crate::logging::LogFormat;

/// What the operator said; `None` where nothing was.
///
/// One struct for all three sources, so that none can have a switch that the others lack.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServeSwitches {
    /// TOML file with the same keys as these switches
    #[arg(long, env = "IPAMD_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Id of this node, from 1 [default with --cluster-dns: the ordinal in the host name, plus 1]
    #[arg(long, env = "IPAMD_NODE_ID", value_name = "N")]
    pub node_id: Option<u64>,
    /// Directory for all that the node keeps; made if it is not there
    #[arg(long, env = "IPAMD_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port of the HTTP API
    #[arg(long, env = "IPAMD_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Address and port for the other nodes
    #[arg(long, env = "IPAMD_PEER_LISTEN", value_name = "ADDR")]
    pub peer_listen: Option<SocketAddr>,
    /// The members that form the cluster: 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT (peer addresses)
    #[arg(long, env = "IPAMD_CLUSTER", value_name = "MEMBERS")]
    pub cluster: Option<Members>,
    /// In place of --cluster: the headless service of the pods that form it, and their port for each other
    #[arg(long, env = "IPAMD_CLUSTER_DNS", value_name = "NAME:PORT")]
    pub cluster_dns: Option<HeadlessService>,
    /// With --cluster-dns: how many pods, from ordinal 0, form the cluster; those beyond wait to be added
    #[arg(long, env = "IPAMD_REPLICAS", value_name = "N")]
    pub replicas: Option<u64>,
    /// URL at which clients reach this node [default: http:// and the address of --listen]
    #[arg(long, env = "IPAMD_ADVERTISE", value_name = "URL")]
    pub advertise: Option<String>,
    /// Listen elsewhere than on loopback although nothing protects the API
    #[arg(long, env = "IPAMD_INSECURE", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub insecure: Option<bool>,
    /// Let requests move the log's clock, for tests: grace and leases end when they say. Needs
    /// --insecure; the cluster shows it for ever
    #[arg(long, env = "IPAMD_TEST_CLOCK", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub test_clock: Option<bool>,
    /// Timers: for a disk that syncs quickly, or for a slow one
    #[arg(long, env = "IPAMD_PROFILE", value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// Form of the log on stderr
    #[arg(long, env = "IPAMD_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which log lines are kept, such as info or warn,node=debug [default: info,openraft=warn]
    #[arg(long, env = "IPAMD_LOG_FILTER", value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// Time after which a request that waits is given up [default: 5000]
    #[arg(long, env = "IPAMD_REQUEST_TIMEOUT_MS", value_name = "MS")]
    pub request_timeout_ms: Option<u64>,
    /// Requests worked on at once; more are answered 429 [default: 1024]
    #[arg(long, env = "IPAMD_REQUESTS_IN_FLIGHT_MAX", value_name = "COUNT")]
    pub requests_in_flight_max: Option<usize>,
    /// HTTP connections open at once; more wait to be accepted [default: 16384]
    #[arg(long, env = "IPAMD_CONNECTIONS_MAX", value_name = "COUNT")]
    pub connections_max: Option<usize>,
    /// Watches open at once; more are answered 429 [default: 10000]
    #[arg(long, env = "IPAMD_WATCHES_MAX", value_name = "COUNT")]
    pub watches_max: Option<usize>,
    /// Stop when the process with this id, the parent, ends
    #[arg(long, hide = true, value_name = "PID")]
    #[serde(skip)]
    pub exit_with_parent: Option<u32>,
}

impl ServeSwitches {
    /// Reads a configuration file's text; the error names the key and the line.
    pub(super) fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// What these say, and `other` where these say nothing.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        // Without `..`, so that a new switch which is not merged does not compile.
        let Self {
            config,
            node_id,
            data_dir,
            listen,
            peer_listen,
            cluster,
            cluster_dns,
            replicas,
            advertise,
            insecure,
            test_clock,
            profile,
            log_format,
            log_filter,
            request_timeout_ms,
            requests_in_flight_max,
            connections_max,
            watches_max,
            exit_with_parent,
        } = other;
        Self {
            config: self.config.or(config),
            node_id: self.node_id.or(node_id),
            data_dir: self.data_dir.or(data_dir),
            listen: self.listen.or(listen),
            peer_listen: self.peer_listen.or(peer_listen),
            cluster: self.cluster.or(cluster),
            cluster_dns: self.cluster_dns.or(cluster_dns),
            replicas: self.replicas.or(replicas),
            advertise: self.advertise.or(advertise),
            insecure: self.insecure.or(insecure),
            test_clock: self.test_clock.or(test_clock),
            profile: self.profile.or(profile),
            log_format: self.log_format.or(log_format),
            log_filter: self.log_filter.or(log_filter),
            request_timeout_ms: self.request_timeout_ms.or(request_timeout_ms),
            requests_in_flight_max: self.requests_in_flight_max.or(requests_in_flight_max),
            connections_max: self.connections_max.or(connections_max),
            watches_max: self.watches_max.or(watches_max),
            exit_with_parent: self.exit_with_parent.or(exit_with_parent),
        }
    }
}
