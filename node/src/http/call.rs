//! A request as a handler sees it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use allocator::name::Name;
use api::headers::MERGE_PATCH;
use api::problem::{Code, Problem};
use api::requests::path;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderName};
use hyper::{HeaderMap, Method};

use super::Limits;

/// The header that carries a request's id in and out.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that a client may give.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// How much of a body over the limit is read and thrown away, in limits: a client that is still
/// sending would not read the answer.
const OVERLONG_BODY_LIMITS: usize = 8;

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) parts: hyper::http::request::Parts,
    /// Never locked: a body may go from thread to thread but not be shared, and the lock makes it
    /// shareable, so that a handler can lend its call across an await.
    body: Mutex<Body>,
    path: Vec<(Box<str>, Box<str>)>,
    /// Its id, the client's or ours.
    pub(super) request_id: String,
    /// When it arrived, on the server's monotonic clock.
    pub(super) arrived: Duration,
}

impl Call {
    /// Takes a request apart.
    ///
    /// # Errors
    /// `invalid_parameter`: the path is not UTF-8 once decoded.
    pub(super) fn new(
        request: Request,
        params: Result<RawPathParams, RawPathParamsRejection>,
        request_id: String,
        arrived: Duration,
    ) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let params = params.map_err(|_| {
            Problem::invalid_parameter(
                "path",
                "is not UTF-8 once decoded",
                "UTF-8, percent-encoded",
            )
        })?;
        let path = params
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Ok(Self {
            parts,
            body: Mutex::new(body),
            path,
            request_id,
            arrived,
        })
    }

    /// A variable part of the path, decoded.
    pub(super) fn path(&self, parameter: &str) -> &str {
        let found = self.path.iter().find(|(name, _)| **name == *parameter);
        found
            .map(|(_, value)| &**value)
            .expect("a handler asks for parameters of its own route")
    }

    /// A name in the path.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub(super) fn path_name(&self, parameter: &str) -> Result<Name, Problem> {
        path::name(parameter, self.path(parameter))
    }

    /// The query as it stands.
    pub(super) fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    /// A header that may stand once, as text.
    ///
    /// # Errors
    /// `invalid_parameter`: it is there twice, or is no printable ASCII.
    pub(super) fn header(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let mut values = self.parts.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Problem::invalid_parameter(
                name,
                "is stated twice",
                "the header once",
            ));
        }
        match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Problem::invalid_parameter(
                name,
                "has other bytes than printable ASCII",
                "printable ASCII",
            )),
        }
    }

    /// A revision in a header.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub(super) fn header_revision(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        self.header(name)?
            .map(|value| api::headers::revision(name, value))
            .transpose()
    }

    /// Where it came from: the peer's address, without the port.
    pub(super) fn source(&self) -> String {
        source_text(source(&self.parts.extensions))
    }

    /// Refuses the body of a DELETE: what it says would be ignored.
    ///
    /// # Errors
    /// `invalid_parameter`; `request_timeout` when it does not come.
    pub(super) async fn require_no_body_to_delete(
        &mut self,
        limits: &Limits,
    ) -> Result<(), Problem> {
        if self.parts.method != Method::DELETE {
            return Ok(());
        }
        let mut body = self.take_body();
        let looking = async {
            while let Some(Ok(frame)) = body.frame().await {
                if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                    discard(body, limits.body_bytes_max).await;
                    let allowed = "no body with DELETE";
                    return Err(Problem::invalid_parameter("body", "is not empty", allowed));
                }
            }
            Ok(())
        };
        tokio::time::timeout(limits.body_timeout, looking)
            .await
            .unwrap_or_else(|_| Err(Problem::request_timeout()))
    }

    fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// The body, whole.
    ///
    /// # Errors
    /// `unsupported_media_type`, `too_large`, `request_timeout`; `invalid_json` when the connection
    /// broke off.
    pub(super) async fn body(&mut self, limits: &Limits) -> Result<Bytes, Problem> {
        require_json(&self.parts.method, &self.parts.headers)?;
        let expects = self.parts.headers.contains_key(EXPECT);
        let body = self.take_body();
        tokio::time::timeout(
            limits.body_timeout,
            read_body(body, limits.body_bytes_max, expects),
        )
        .await
        .unwrap_or_else(|_| Err(Problem::request_timeout()))
    }
}

/// Refuses a request line or headers that are larger than the limit. The connection reads a little
/// more than that, so that the answer can be a problem.
///
/// # Errors
/// `headers_too_large`.
pub(super) fn require_head_within(request: &Request, limits: &Limits) -> Result<(), Problem> {
    let line = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    let headers = request.headers().iter();
    let bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if line + bytes <= limits.head_bytes_max {
        return Ok(());
    }
    let detail = format!(
        "The request line and the headers are larger than {} bytes.",
        limits.head_bytes_max
    );
    Err(Problem::new(Code::HeadersTooLarge, detail).with("limitBytes", limits.head_bytes_max))
}

/// How many bytes the body of a request has as far as it says; where it does not, there is no bound.
pub(super) fn announced_bytes(request: &Request) -> usize {
    let size = request.body().size_hint();
    usize::try_from(size.upper().unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}

/// The id that the client gave, where it is fit for a log line.
pub(super) fn given_request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(&REQUEST_ID)?.to_str().ok()?;
    let fits = !text.is_empty()
        && text.len() <= REQUEST_ID_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// The address of the peer; `None` where there is no connection behind it.
pub(super) fn source(extensions: &hyper::http::Extensions) -> Option<IpAddr> {
    let from = extensions.get::<ConnectInfo<SocketAddr>>();
    from.map(|ConnectInfo(address)| address.ip())
}

/// The same as text, empty where there is none.
pub(super) fn source_text(source: Option<IpAddr>) -> String {
    source
        .map(|address| address.to_string())
        .unwrap_or_default()
}

/// JSON in UTF-8 (RFC 8259 §8.1), as it is; an edit may say that it is a merge patch.
fn require_json(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("not ASCII"));
    let patch = method == Method::PATCH;
    if !given.is_some_and(|given| is_json(given) || (patch && is_of(given, MERGE_PATCH))) {
        return Err(Problem::unsupported_media_type(given));
    }
    for encoding in headers.get_all(CONTENT_ENCODING) {
        let encoding = encoding.to_str().unwrap_or("not ASCII");
        if !encoding.trim().eq_ignore_ascii_case("identity") {
            return Err(Problem::unsupported_content_encoding(encoding));
        }
    }
    Ok(())
}

fn is_json(content_type: &str) -> bool {
    is_of(content_type, "application/json")
}

fn is_of(content_type: &str, media_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case(media_type)
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) | None => true,
        })
}

async fn read_body(mut body: Body, bytes_max: usize, expects: bool) -> Result<Bytes, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        // One that asked first has not begun to send, and is told before it does.
        if !expects {
            discard(body, bytes_max).await;
        }
        return Err(too_large(bytes_max));
    }
    let mut bytes = BytesMut::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Problem::invalid_json("the body broke off"));
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > bytes_max {
            discard(body, bytes_max).await;
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes.freeze())
}

/// Reads on, within bounds, so that a client which sends first and reads then gets to its answer.
async fn discard(mut body: Body, bytes_max: usize) {
    let mut left = bytes_max.saturating_mul(OVERLONG_BODY_LIMITS);
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::too_large(u64::try_from(bytes_max).unwrap_or(u64::MAX))
}
