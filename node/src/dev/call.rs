//! One HTTP request to a node of ours, over a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens there.
    #[error("no connection")]
    Connect(#[source] std::io::Error),
    /// The exchange broke off.
    #[error("the request failed")]
    Http(#[source] hyper::Error),
    /// Its body broke off or is too long.
    #[error("the answer was not read")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Sends a request and reads a JSON answer; an answer that is not JSON is `null`.
pub(super) async fn call(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Option<&Value>,
    deadline: Duration,
) -> Result<(StatusCode, Value), CallError> {
    tokio::time::timeout(deadline, call_unbounded(address, method, path, body))
        .await
        .unwrap_or(Err(CallError::TimedOut(deadline)))
}

async fn call_unbounded(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), CallError> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(CallError::Connect)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(CallError::Http)?;
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(bytes)))
        .expect("method, path and headers are ours and well-formed");
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(CallError::Http)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(CallError::Answer)?;
        Ok((
            status,
            serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null),
        ))
    };
    // The connection makes progress only while it is polled; it ends after the exchange does.
    tokio::pin!(exchange);
    tokio::pin!(connection);
    tokio::select! {
        answered = &mut exchange => answered,
        ended = &mut connection => match ended {
            Err(error) => Err(CallError::Http(error)),
            Ok(()) => exchange.await,
        },
    }
}
