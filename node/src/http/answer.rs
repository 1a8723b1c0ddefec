//! Answers: JSON with the headers that tell at which state they were made.

use api::headers::{IPAM_LEADER, IPAM_REVISION, IPAM_STALENESS_MS};
use api::problem::{self, Problem};
use api::views::{ListOf, Shown};
use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

const REVISION: HeaderName = HeaderName::from_static(IPAM_REVISION);
const LEADER: HeaderName = HeaderName::from_static(IPAM_LEADER);
const STALENESS: HeaderName = HeaderName::from_static(IPAM_STALENESS_MS);

/// Room for the JSON of one object without growing.
const OBJECT_BYTES: usize = 1_024;
/// The same of an object in a list of many.
const ITEM_BYTES: usize = 640;

/// The state that an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Its revision.
    pub(super) revision: u64,
    /// The leader, where one is known.
    pub(super) leader: Option<u64>,
    /// How old it may be at most, for a local read.
    pub(super) staleness_ms: Option<u64>,
}

/// A problem, and the state that it was decided on where one was.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: Box<Problem>,
    pub(super) stamp: Option<Stamp>,
}

impl Failure {
    /// Decided on the state that the stamp tells of.
    pub(super) fn at(problem: Problem, stamp: Stamp) -> Self {
        Self {
            problem: Box::new(problem),
            stamp: Some(stamp),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            stamp: None,
        }
    }
}

/// What a handler gives back.
pub(super) type Answered = Result<Response, Failure>;

/// A JSON document.
pub(super) fn json(status: StatusCode, document: &impl Serialize, stamp: Stamp) -> Response {
    sized_json(status, document, OBJECT_BYTES, stamp)
}

/// A page of a list, its items as `shown`.
pub(super) fn list<V, T: Serialize>(
    items: &[V],
    shown: impl Fn(&V) -> T,
    next_page_token: Option<String>,
    stamp: Stamp,
) -> Response {
    let document = ListOf {
        items: Shown(items, shown),
        next_page_token,
        revision: stamp.revision,
    };
    let bytes = OBJECT_BYTES + items.len() * ITEM_BYTES;
    sized_json(StatusCode::OK, &document, bytes, stamp)
}

fn sized_json(
    status: StatusCode,
    document: &impl Serialize,
    bytes: usize,
    stamp: Stamp,
) -> Response {
    let mut response = plain(
        status,
        HeaderValue::from_static("application/json"),
        encode(document, bytes),
    );
    stamp.write(response.headers_mut());
    response
}

/// A problem.
pub(super) fn problem(failure: &Failure) -> Response {
    let problem = &*failure.problem;
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(
        status,
        HeaderValue::from_static(problem::MEDIA_TYPE),
        encode(problem, OBJECT_BYTES),
    );
    if let Some(seconds) = problem.retry_after_seconds() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = allow(problem) {
        response.headers_mut().insert(ALLOW, allow);
    }
    if let Some(stamp) = failure.stamp {
        stamp.write(response.headers_mut());
    }
    response
}

/// The methods of the path, which RFC 9110 (§15.5.6) wants beside every 405.
fn allow(problem: &Problem) -> Option<HeaderValue> {
    let methods = problem.facts.get("allowed")?.as_array()?;
    let methods: Vec<&str> = methods
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let value = HeaderValue::from_str(&methods.join(", ")).ok()?;
    (problem.status == 405).then_some(value)
}

/// A body of some type.
pub(super) fn plain(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

impl Stamp {
    pub(super) fn write(self, headers: &mut HeaderMap) {
        headers.insert(REVISION, HeaderValue::from(self.revision));
        if let Some(leader) = self.leader {
            headers.insert(LEADER, HeaderValue::from(leader));
        }
        if let Some(staleness_ms) = self.staleness_ms {
            headers.insert(STALENESS, HeaderValue::from(staleness_ms));
        }
    }

    /// Writes the headers where the handler has not come so far as to write its own.
    pub(super) fn write_if_absent(headers: &mut HeaderMap, stamp: impl FnOnce() -> Self) {
        if !headers.contains_key(&REVISION) {
            stamp().write(headers);
        }
    }
}

fn encode(document: &impl Serialize, bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut bytes, document)
        .expect("documents have string keys and no fallible parts");
    bytes
}
