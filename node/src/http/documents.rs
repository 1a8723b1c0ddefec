//! The contract, for programs and for people.

use std::sync::LazyLock;

use api::requests::query::none;
use axum::body::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::answer::{self, Answered};
use super::call::Call;

/// Nothing is loaded, from here or elsewhere, but the page's own style.
const NOTHING_LOADED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");

pub(super) fn openapi_show(call: &Call) -> Answered {
    none(call.query())?;
    let json = HeaderValue::from_static("application/json");
    Ok(answer::plain(
        StatusCode::OK,
        json,
        Bytes::from_static(api::openapi::DOCUMENT.as_bytes()),
    ))
}

pub(super) fn docs_show(call: &Call) -> Answered {
    static PAGE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(api::docs::page()));
    none(call.query())?;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = answer::plain(StatusCode::OK, html, PAGE.clone());
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, NOTHING_LOADED);
    Ok(response)
}
