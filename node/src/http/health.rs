//! Whether the node works, and what it counts.

use api::requests::query::none;
use api::views::Health;
use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::answer::{self, Answered};
use super::call::Call;
use super::server::Server;

/// The media type of Prometheus' text format.
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(super) fn livez_show(server: &Server, call: &Call) -> Answered {
    none(call.query())?;
    Ok(answered(server, server.replica().health().not_live))
}

pub(super) fn readyz_show(server: &Server, call: &Call) -> Answered {
    none(call.query())?;
    let health = server.replica().health();
    Ok(answered(
        server,
        health
            .not_live
            .into_iter()
            .chain(health.not_ready)
            .collect(),
    ))
}

pub(super) fn metrics_show(server: &Server, call: &Call) -> Answered {
    none(call.query())?;
    Ok(answer::plain(StatusCode::OK, PROMETHEUS, server.metrics()))
}

fn answered(server: &Server, reasons: Vec<String>) -> axum::response::Response {
    let health = Health::of(reasons);
    let status = if health.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer::json(status, &health, server.stamp())
}
