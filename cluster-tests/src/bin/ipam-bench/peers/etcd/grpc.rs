//! Unary calls of gRPC over a connection of HTTP/2: a frame of five bytes before each message, and a status behind the
//! answer. That is all there is to it; a client with load balancing and retries would cost more than it measures.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Whether the message is compressed, and its length.
const FRAME: usize = 5;

/// A connection.
#[derive(Debug)]
pub(super) struct Grpc {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Grpc {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Grpc {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // How the connection ended shows in the call that it ended under.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            address,
            sender,
            driver,
        })
    }

    pub(super) async fn call<A: Message + Default>(
        &mut self,
        path: &str,
        message: &impl Message,
    ) -> Result<A> {
        let length = message.encoded_len();
        let mut body = BytesMut::with_capacity(FRAME + length);
        body.put_u8(0);
        body.put_u32(u32::try_from(length)?);
        message.encode(&mut body)?;
        let request = Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(body.freeze()))?;
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        ensure!(head.status == 200, "{} for {path}", head.status);
        let body = body.collect().await?;
        let trailers = body.trailers().unwrap_or(&head.headers);
        let status = trailers.get("grpc-status").context("a status of gRPC")?;
        if status != "0" {
            bail!("{path}: {trailers:?}");
        }
        let body = body.to_bytes();
        Ok(A::decode(body.get(FRAME..).context("a message")?)?)
    }
}
