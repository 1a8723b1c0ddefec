//! The tenant `demo`, and the text that says what to do with it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::{CallError, call};
use super::children::Place;

/// How long one request may take; the first ones may meet a cluster that is still electing.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The tenant.
const TENANT: &str = "demo";

/// Why the tenant could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A request had no answer.
    #[error("POST {path} had no answer")]
    Call {
        /// Of the request.
        path: String,
        /// What went wrong.
        source: CallError,
    },
    /// A request was refused.
    #[error("POST {path} was refused ({status}): {detail}")]
    Refused {
        /// Of the request.
        path: String,
        /// Of the answer.
        status: StatusCode,
        /// The problem's.
        detail: String,
    },
}

/// Makes the tenant, its pools and a few claims; what is there already is left as it is. Answers
/// one line for each.
pub(super) async fn fill(address: SocketAddr) -> Result<Vec<String>, DemoError> {
    let tenant = json!({"name": TENANT, "description": "made by ipamd dev"});
    post(address, "/v1/tenants".to_owned(), tenant).await?;
    let mut lines = Vec::new();
    for pool in pools() {
        let made = post(address, format!("/v1/tenants/{TENANT}/pools"), pool).await?;
        let blocks = made["status"]["allocatedCIDRs"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let blocks = blocks.iter().map(text).collect::<Vec<_>>().join(", ");
        let indent = if made["parent"].is_null() {
            "  "
        } else {
            "    "
        };
        lines.push(format!("{indent}{:<10} {blocks}", text(&made["name"])));
    }
    for claim in claims() {
        let made = post(address, format!("/v1/tenants/{TENANT}/claims"), claim).await?;
        let status = &made["status"];
        lines.push(format!(
            "    claim {} of {}: {}",
            text(&made["name"]),
            text(&made["pool"]),
            text(&status["allocatedCIDR"])
        ));
    }
    Ok(lines)
}

fn pools() -> Vec<Value> {
    vec![
        json!({"name": "site", "cidrs": ["10.20.0.0/16"], "minPrefixLength": 18, "maxPrefixLength": 28,
               "labels": {"site": "demo"}}),
        json!({"name": "servers", "parent": "site", "prefixLength": 20,
               "minPrefixLength": 24, "maxPrefixLength": 32, "defaultPrefixLength": 28}),
        json!({"name": "pods", "parent": "site", "prefixLength": 18, "minPrefixLength": 32,
               "maxPrefixLength": 32, "defaultPrefixLength": 32, "gateway": "first"}),
        json!({"name": "site6", "cidrs": ["2001:db8::/40"], "minPrefixLength": 48, "maxPrefixLength": 64}),
        json!({"name": "lab6", "parent": "site6", "prefixLength": 48,
               "minPrefixLength": 56, "maxPrefixLength": 64, "defaultPrefixLength": 64}),
    ]
}

fn claims() -> Vec<Value> {
    vec![
        json!({"name": "web", "pool": "servers"}),
        json!({"name": "database", "pool": "servers", "prefixLength": 26, "labels": {"team": "storage"}}),
        json!({"name": "pod-1", "pool": "pods", "owner": "node-1/pod-1"}),
        json!({"name": "bench", "pool": "lab6"}),
    ]
}

async fn post(address: SocketAddr, path: String, body: Value) -> Result<Value, DemoError> {
    match call(address, Method::POST, &path, Some(&body), CALL_TIMEOUT).await {
        Ok((status, answer)) if status.is_success() => Ok(answer),
        Ok((status, answer)) => Err(DemoError::Refused {
            path,
            status,
            detail: text(&answer["detail"]),
        }),
        Err(source) => Err(DemoError::Call { path, source }),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// What is printed once the cluster is up: where it is, what is in it, and commands that work as
/// they stand.
pub(super) fn guide(
    places: &[(Place, Option<u32>)],
    shown: &[String],
    directory: &Path,
    kept: bool,
) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text)
            .expect("writing to a String cannot fail");
        out.push('\n');
    };
    line(format_args!(
        "{} up:",
        if places.len() == 1 {
            "One node is"
        } else {
            "The nodes are"
        }
    ));
    for (place, process) in places {
        let process = process.map_or_else(String::new, |id| {
            format!("  (process {id}, log {})", place.log.display())
        });
        line(format_args!(
            "  node {}  http://{}{process}",
            place.id, place.http
        ));
    }
    line(format_args!("\nTenant {TENANT}:"));
    for text in shown {
        line(format_args!("{text}"));
    }
    let first = &places.first().expect("there is at least one node").0;
    let last = &places.last().expect("there is at least one node").0;
    line(format_args!("\nTry, in another terminal:"));
    line(format_args!(
        "  curl -s http://{}/v1/tenants/{TENANT}/claims -H 'content-type: application/json' \
         -d '{{\"name\": \"hello\", \"pool\": \"servers\"}}'",
        first.http
    ));
    line(format_args!(
        "  curl -s http://{}/v1/tenants/{TENANT}/claims/hello",
        last.http
    ));
    line(format_args!(
        "  curl -s http://{}/v1/tenants/{TENANT}/pools/site/tree",
        last.http
    ));
    let endpoint = if first.http.to_string() == "127.0.0.1:7400" {
        String::new()
    } else {
        format!(" --endpoint http://{}", first.http)
    };
    line(format_args!(
        "  ipamctl{endpoint} --tenant {TENANT} claim create again --pool pods"
    ));
    line(format_args!(
        "  ipamctl{endpoint} --tenant {TENANT} pool list"
    ));
    line(format_args!("  ipamctl{endpoint} cluster status"));
    line(format_args!(
        "The API is described at http://{}/docs",
        first.http
    ));
    line(format_args!(
        "\nThe data is in {}{}.",
        directory.display(),
        if kept {
            " and stays there"
        } else {
            " and is removed at the end"
        }
    ));
    line(format_args!("Ctrl-C stops the nodes."));
    out
}
