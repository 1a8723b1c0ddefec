//! A node of a script: it notes what it was asked and answers what it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use api::Problem;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An answer of the script.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// A status and a body, at revision 9.
    Answer(u16, Value),
    /// A problem.
    Problem(Problem),
    /// A problem with its `Retry-After`.
    After(u32, Problem),
    /// Something that is not JSON.
    Foreign(u16),
    /// A stream of events that ends.
    Events(String),
    /// No answer: the connection is closed.
    Close,
}

/// What the node was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) min_revision: Option<String>,
    pub(crate) if_revision: Option<String>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

pub(crate) struct Node {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Node {
    /// Answers by the script; its last line again and again.
    pub(crate) async fn start(script: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let notes = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (notes, script) = (notes.clone(), script.clone());
            async move {
                let asked = asked_of(request).await;
                notes.lock().unwrap().push(asked);
                let mut script = script.lock().unwrap();
                let next = if script.len() > 1 {
                    script.pop_front()
                } else {
                    script.front().cloned()
                };
                answer(next.unwrap())
            }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, server }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

/// The URL of a port where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn asked_of(request: Request) -> Asked {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| Some(head.headers.get(name)?.to_str().unwrap().to_owned());
    Asked {
        line: format!("{} {}", head.method, head.uri),
        min_revision: header("if-min-revision"),
        if_revision: header("if-revision"),
        last_event_id: header("last-event-id"),
        authorization: header("authorization"),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

fn answer(script: Script) -> Response<Body> {
    let response = Response::builder();
    match script {
        Script::Answer(status, body) => response
            .status(status)
            .header("ipam-revision", 9)
            .body(Body::from(body.to_string())),
        Script::Problem(problem) => response
            .status(problem.status)
            .body(Body::from(serde_json::to_vec(&problem).unwrap())),
        Script::After(seconds, problem) => response
            .status(problem.status)
            .header("retry-after", seconds)
            .body(Body::from(serde_json::to_vec(&problem).unwrap())),
        Script::Events(text) => response
            .status(200)
            .header("content-type", "text/event-stream")
            .body(Body::from(text)),
        Script::Foreign(status) => response.status(status).body(Body::from("<html>")),
        Script::Close => {
            // Fewer bytes than announced, then an error: the server closes the connection.
            let broken = Body::from_stream(futures::stream::iter([
                Ok(axum::body::Bytes::from_static(b"{")),
                Err(std::io::Error::other("closed by the script")),
            ]));
            response
                .status(200)
                .header("content-length", 100)
                .body(broken)
        }
    }
    .unwrap()
}

/// A claim as a node shows it.
pub(crate) fn claim(name: &str, generation: u64) -> Value {
    json!({
        "name": name, "pool": "p", "labels": {},
        "status": {
            "phase": "Allocated", "allocatedCIDR": "10.0.0.7/32", "address": "10.0.0.7/24", "subnet": "10.0.0.0/24",
            "pool": "p", "generation": generation, "returned": false, "allocatedAt": "2026-03-01T12:00:00.000Z", "firstAllocatedAt": "2026-03-01T12:00:00.000Z",
            "revision": 9, "conditions": [], "aMemberOfALaterVersion": 1,
        },
    })
}

/// A tenant as a node shows it.
pub(crate) fn tenant(name: &str) -> Value {
    json!({
        "name": name, "labels": {}, "quota": {},
        "status": {
            "usage": { "pools": 0, "claims": 0, "ipv4Addresses": 0, "ipv6Prefixes64": 0 }, "revision": 3,
            "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z",
        },
    })
}
