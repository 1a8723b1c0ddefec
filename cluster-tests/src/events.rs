//! A watch as its reader sees it: events one by one.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait for the next event.
const PATIENCE: Duration = Duration::from_secs(20);
/// What ends an event.
const END: &[u8] = b"\n\n";

/// A stream of events, cut off when it is dropped.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    /// What came of events that were not read yet.
    buffer: Vec<u8>,
    driver: JoinHandle<()>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Events {
    /// Opens a watch behind an event that was seen, or behind all that has happened.
    ///
    /// # Errors
    /// No connection, or another answer than 200.
    pub async fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How the connection ended shows in the stream.
        let driver = tokio::spawn(async move { drop(connection.await) });
        let mut request = Request::get(path).header("host", address.to_string());
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let answer = timeout(PATIENCE, sender.send_request(request)).await??;
        ensure!(answer.status() == 200, "{}", answer.status());
        Ok(Self {
            body: answer.into_body(),
            buffer: Vec::new(),
            driver,
        })
    }

    /// The id and the data of the next event that is no bookmark.
    ///
    /// # Errors
    /// The stream ended, or said nothing for 20 s.
    pub async fn next(&mut self) -> Result<(String, Value)> {
        loop {
            let (id, data) = self.told().await?;
            if data["type"] != "bookmark" {
                return Ok((id, data));
            }
        }
    }

    /// The id and the data of the next event, be it a bookmark. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`Events::next`].
    pub async fn told(&mut self) -> Result<(String, Value)> {
        loop {
            while let Some(end) = self.buffer.windows(END.len()).position(|pair| pair == END) {
                let text: Vec<u8> = self.buffer.drain(..end + END.len()).collect();
                let text = String::from_utf8(text)?;
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
                let Some((id, data)) = field("id: ").zip(field("data: ")) else {
                    continue;
                };
                return Ok((id.to_owned(), serde_json::from_str(data)?));
            }
            let data = self.frame().await?;
            self.buffer.extend(data);
        }
    }

    async fn frame(&mut self) -> Result<Bytes> {
        let frame = timeout(PATIENCE, self.body.frame()).await;
        match frame.context("the next event")? {
            Some(Ok(frame)) => Ok(frame.into_data().unwrap_or_default()),
            Some(Err(_)) | None => bail!("the stream has ended"),
        }
    }
}
