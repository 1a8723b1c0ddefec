//! Members as asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::{Check, shown};
use crate::json;
use crate::problem::Problem;

/// Longest address or URL of a member, in bytes.
const ADDRESS_BYTES_MAX: usize = 512;

/// A node to add to the cluster, as a learner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemberAdd {
    /// Where the other nodes reach its peer port: `host:port`.
    #[schema(example = "10.0.0.4:7401")]
    pub address: String,
    /// Where clients reach it; the node's own word for it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "http://10.0.0.4:7400")]
    pub http_url: Option<String>,
}

impl MemberAdd {
    /// The member that a body describes, checked.
    ///
    /// # Errors
    /// `invalid_json`, `invalid_field`.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let document: Self = json::decode(body)?;
        let mut check = Check::default();
        if !is_host_and_port(&document.address) {
            check.note(
                "address",
                format_args!("is {}", shown(&document.address)),
                "host:port",
            );
        }
        if let Some(url) = &document.http_url
            && !is_http_url(url)
        {
            check.note(
                "httpUrl",
                format_args!("is {}", shown(url)),
                "http://host:port or https://host:port",
            );
        }
        check.finish(Ok(document))
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.len() <= ADDRESS_BYTES_MAX
        && text.rsplit_once(':').is_some_and(|(host, port)| {
            let host_fits = !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'/');
            host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}

fn is_http_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    text.len() <= ADDRESS_BYTES_MAX
        && rest.is_some_and(|rest| {
            let host = rest.strip_suffix('/').unwrap_or(rest);
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b'/')
        })
}
