//! The load generator's own HTTP/1.1: one request at a time on one connection, without a task beside it.
//!
//! The generator shares two cores with what it measures, so that what it costs is missing there. The client of the tests
//! (`cluster_tests::http`) is hyper's, with a task for each connection; this one writes a request, reads the answer's head
//! and as much body as it says, and is done.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For an answer; longer than the server's own deadline for a write.
const DEADLINE: Duration = Duration::from_secs(15);
/// Headers of an answer.
const HEADERS_MAX: usize = 32;

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Http {
    stream: TcpStream,
    address: SocketAddr,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// What came back, till the next request.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// An error that shows the answer, unless it has this status.
    pub(crate) fn expect(&self, status: u16) -> Result<()> {
        ensure!(
            self.status == status,
            "{} in place of {status}: {}",
            self.status,
            String::from_utf8_lossy(self.body)
        );
        Ok(())
    }
}

impl Http {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            address,
            request: Vec::with_capacity(1_024),
            answer: Vec::with_capacity(16 * 1_024),
        })
    }

    /// Sends one request and reads its answer.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer<'_>> {
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n",
            self.address
        )?;
        if let Some(body) = body {
            write!(
                self.request,
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            )?;
        }
        self.request.extend_from_slice(b"\r\n");
        self.request.extend_from_slice(body.unwrap_or_default());
        let exchanged = timeout(DEADLINE, self.exchange()).await;
        let (status, body) = exchanged
            .map_err(anyhow::Error::from)
            .and_then(|exchanged| exchanged)
            .with_context(|| format!("{method} {path} at {}", self.address))?;
        Ok(Answer {
            status,
            body: &self.answer[body],
        })
    }

    async fn exchange(&mut self) -> Result<(u16, Range<usize>)> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            let more = self.stream.read_buf(&mut self.answer).await?;
            ensure!(more > 0, "the connection was closed");
            if let Some((status, body)) = head(&self.answer)? {
                while self.answer.len() < body.end {
                    let more = self.stream.read_buf(&mut self.answer).await?;
                    ensure!(more > 0, "the connection was closed within a body");
                }
                ensure!(self.answer.len() == body.end, "more than one answer");
                return Ok((status, body));
            }
        }
    }
}

/// The status, and where the body will stand, once the head is there.
fn head(bytes: &[u8]) -> Result<Option<(u16, Range<usize>)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(bytes)? else {
        return Ok(None);
    };
    let status = response.code.context("a status")?;
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = length else {
        bail!("an answer without Content-Length")
    };
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    Ok(Some((status, start..start + length)))
}
