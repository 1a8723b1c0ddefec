//! Around every handler: its place among the requests in flight, its id, its headers, its metrics,
//! and what becomes of a panic.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use api::problem::Problem;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use tokio::sync::SemaphorePermit;

use super::answer::{self, Answered, Failure, Stamp};
use super::call::{self, Call, REQUEST_ID};
use super::server::Server;
use crate::logging::events;
use crate::metrics::http::RouteMetrics;

/// A handler: one operation's three beats.
pub(super) type Handler = for<'a> fn(&'a Server, Call) -> BoxFuture<'a, Answered>;

/// An operation of the API with what serves it.
#[derive(Debug)]
pub(super) struct Route {
    /// The operation's id.
    pub(super) operation: &'static str,
    pub(super) handler: Handler,
    pub(super) metrics: RouteMetrics,
    /// What it takes from a request beyond what every operation takes.
    pub(super) kind: Kind,
    /// It edits or deletes something that has a revision of its own.
    pub(super) takes_if_revision: bool,
}

/// What an operation is, for the rules that do not depend on its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Health and metrics: answered also while everything else is refused as too much.
    Probe,
    /// Changes nothing.
    Read,
    /// Changes something: its refusals are logged.
    Mutation,
    /// Changes something, and takes `Idempotency-Key`.
    NamedByKey,
}

impl Kind {
    /// It changes something.
    pub(super) fn is_mutation(self) -> bool {
        matches!(self, Self::Mutation | Self::NamedByKey)
    }
}

/// Answers one request.
pub(super) async fn serve(
    server: Server,
    route: Arc<Route>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    let arrived = server.now();
    let request_id =
        call::given_request_id(request.headers()).unwrap_or_else(|| server.request_id());
    let told = route.kind.is_mutation().then(|| {
        let source = call::source(request.extensions());
        (request.uri().clone(), source)
    });
    let answered = match begin(&server, &route, params, request, &request_id, arrived) {
        Ok((mut call, _place)) => match call.require_no_body_to_delete(server.limits()).await {
            Ok(()) => {
                let answering = (route.handler)(&server, call);
                guarded(answering, route.operation, &request_id).await
            }
            Err(problem) => Err(problem.into()),
        },
        Err(problem) => Err(problem.into()),
    };
    if let (Err(failure), Some((uri, source))) = (&answered, told)
        && !matches!(failure.problem.status, 429 | 500..=504)
    {
        let Problem { status, code, .. } = &*failure.problem;
        events::refused(
            route.operation,
            uri.path(),
            &call::source_text(source),
            &request_id,
            *status,
            code,
        );
    }
    let response = finish(&server, answered, &request_id);
    route.metrics.answered(
        response.status().as_u16(),
        server.now().saturating_sub(arrived),
    );
    response
}

/// A place among the requests in flight, and the room of its body; free again when it is dropped.
type Place<'a> = (Option<SemaphorePermit<'a>>, SemaphorePermit<'a>);

/// What every operation asks of a request before its handler sees it.
fn begin<'a>(
    server: &'a Server,
    route: &Route,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    request_id: &str,
    arrived: Duration,
) -> Result<(Call, Place<'a>), Problem> {
    let slot = server.slot();
    if slot.is_none() && route.kind != Kind::Probe {
        return Err(Problem::too_busy());
    }
    let room = server.body_room(call::announced_bytes(&request));
    let room = room.ok_or_else(Problem::too_busy)?;
    call::require_head_within(&request, server.limits())?;
    if route.kind != Kind::NamedByKey {
        let key = request.headers().get(api::headers::IDEMPOTENCY_KEY);
        api::headers::refuse_idempotency_key(key.map(HeaderValue::as_bytes))?;
    }
    if !route.takes_if_revision {
        api::headers::refuse_if_revision(
            request.headers().contains_key(api::headers::IF_REVISION),
        )?;
    }
    let call = Call::new(request, params, request_id.to_owned(), arrived)?;
    Ok((call, (slot, room)))
}

/// The handler's answer; a problem where it panicked, so that one request's bug ends one request.
async fn guarded(
    answering: impl Future<Output = Answered>,
    operation: &str,
    request_id: &str,
) -> Answered {
    let caught = AssertUnwindSafe(answering).catch_unwind().await;
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        events::panicked(operation, request_id, text.unwrap_or_default());
        Err(Problem::internal_error().into())
    })
}

/// Answers a request that no operation serves.
pub(super) fn serve_unrouted(
    server: &Server,
    metrics: &RouteMetrics,
    request: &Request,
    problem: Problem,
) -> Response {
    let arrived = server.now();
    let request_id =
        call::given_request_id(request.headers()).unwrap_or_else(|| server.request_id());
    let response = finish(server, Err(problem.into()), &request_id);
    metrics.answered(
        response.status().as_u16(),
        server.now().saturating_sub(arrived),
    );
    response
}

fn finish(server: &Server, answered: Answered, request_id: &str) -> Response {
    let mut response = answered.unwrap_or_else(|mut failure: Failure| {
        let stamp = *failure.stamp.get_or_insert_with(|| server.stamp());
        if failure.problem.revision.is_none() && server.has_state() {
            failure.problem.revision = Some(stamp.revision);
        }
        answer::problem(&failure)
    });
    let headers: &mut HeaderMap = response.headers_mut();
    Stamp::write_if_absent(headers, || server.stamp());
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_as_an_internal_error() {
        for panicking in [true, false] {
            let answering = async move {
                assert!(!panicking, "a planted panic with a secret");
                Err(Problem::no_leader().into())
            };
            let failure = guarded(answering, "test_panic", "r-1").await.unwrap_err();
            let expected = if panicking {
                Problem::internal_error()
            } else {
                Problem::no_leader()
            };
            assert_eq!(*failure.problem, expected);
            assert!(!failure.problem.detail.contains("secret"));
        }
    }
}
