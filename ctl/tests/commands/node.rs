//! A node that answers by a table and notes what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use api::Problem;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Node {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Node {
    /// Answers `METHOD path?query` by the table; what is not in it is `not_found`. A line that stands there
    /// more than once is answered in turn, and then as the last time.
    pub(crate) async fn start<'a>(table: impl IntoIterator<Item = (&'a str, u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut answers: BTreeMap<String, VecDeque<(u16, Value)>> = BTreeMap::new();
        for (line, status, body) in table {
            let of_line = answers.entry(line.to_owned()).or_default();
            of_line.push_back((status, body));
        }
        let (asked, table) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(Mutex::new(answers)),
        );
        let notes = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (notes, table) = (notes.clone(), table.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let line = format!("{} {}", head.method, head.uri);
                let text = if body.is_empty() {
                    String::new()
                } else {
                    format!(" {}", String::from_utf8_lossy(&body))
                };
                notes.lock().unwrap().push(format!("{line}{text}"));
                let missing = || {
                    let problem = Problem::not_found(head.uri.path());
                    (problem.status, serde_json::to_value(problem).unwrap())
                };
                let next = table.lock().unwrap().get_mut(&line).and_then(|answers| {
                    let next = answers.front().cloned();
                    if answers.len() > 1 {
                        answers.pop_front();
                    }
                    next
                });
                let (status, body) = next.unwrap_or_else(missing);
                // A text is sent as it is: a stream of events.
                let (kind, text) = match body {
                    Value::String(text) => ("text/event-stream", text),
                    other => ("application/json", other.to_string()),
                };
                Response::builder()
                    .status(status)
                    .header("content-type", kind)
                    .body(Body::from(text))
                    .unwrap()
            }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, server }
    }

    /// What it was asked, bodies included.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
