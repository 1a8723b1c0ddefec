//! One HTTP/1.1 connection to one node, as plain as can be: it adds nothing, follows nothing and retries nothing.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// For an answer, unless told otherwise; longer than the server's own deadline for a write.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A connection that opens itself when it is used, and again after it broke.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    deadline: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as sent.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; `null` where it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The `code` of a problem, else the empty string.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header as a number.
    pub fn header_number(&self, name: &str) -> Option<u64> {
        self.headers.get(name)?.to_str().ok()?.parse().ok()
    }

    /// The JSON of an answer with that status; any other is an error that shows the answer.
    pub fn expect(self, status: u16) -> Result<Value> {
        ensure!(
            self.status == status,
            "{} in place of {status}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(self.json())
    }
}

impl Connection {
    /// To the node at `address`; nothing is opened yet.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            deadline: DEADLINE,
            open: None,
        }
    }

    /// The same with another deadline.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Where it leads.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects, unless it is connected: what fails here was not sent.
    ///
    /// # Errors
    /// No connection within the deadline.
    pub async fn open(&mut self) -> Result<()> {
        let opened = timeout(self.deadline, self.connect()).await;
        opened
            .map_err(anyhow::Error::from)
            .and_then(|opened| opened)
            .with_context(|| self.address.to_string())
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// No connection, a broken one, or no answer within the deadline: the outcome is unknown, and the connection is closed.
    pub async fn send(&mut self, method: Method, path: &str, body: Option<Bytes>) -> Result<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body.unwrap_or_default()))?;
        self.request(request).await
    }

    /// As [`Connection::send`], with a request made by the caller.
    pub async fn request(&mut self, request: Request<Full<Bytes>>) -> Result<Reply> {
        let sent = timeout(self.deadline, self.exchange(request)).await;
        let reply = sent.map_err(anyhow::Error::from).and_then(|reply| reply);
        if reply.is_err() {
            self.open = None;
        }
        reply.with_context(|| self.address.to_string())
    }

    /// A GET.
    pub async fn get(&mut self, path: &str) -> Result<Reply> {
        self.send(Method::GET, path, None).await
    }

    /// A GET with a header more.
    pub async fn get_with(&mut self, path: &str, header: &str, value: &str) -> Result<Reply> {
        let request = Request::get(path)
            .header(HOST, self.address.to_string())
            .header(header, value)
            .body(Full::default())?;
        self.request(request).await
    }

    /// A POST of a JSON document.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Reply> {
        self.send(Method::POST, path, Some(Bytes::from(body.to_string())))
            .await
    }

    /// A DELETE.
    pub async fn delete(&mut self, path: &str) -> Result<Reply> {
        self.send(Method::DELETE, path, None).await
    }

    async fn connect(&mut self) -> Result<()> {
        let is_open = |open: &Open| !open.sender.is_closed();
        if self.open.as_ref().is_some_and(is_open) {
            return Ok(());
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How the connection ended shows in the request that it ended under.
        let driver = tokio::spawn(async move { drop(connection.await) });
        self.open = Some(Open { sender, driver });
        Ok(())
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply> {
        self.connect().await?;
        let open = self.open.as_mut().context("an open connection")?;
        open.sender.ready().await?;
        let (head, body) = open.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}
