//! The network as a trait, so that the simulation can stand in for TCP.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// A future that owns nothing but borrows.
pub type NetFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A connection: bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of whatever kind.
pub type BoxStream = Box<dyn Stream>;

/// A way to reach other nodes and to be reached.
pub trait Net: fmt::Debug + Send + Sync {
    /// Connects to `HOST:PORT`. The caller bounds the time.
    fn connect<'a>(&'a self, address: &'a str) -> NetFuture<'a, BoxStream>;

    /// Binds `HOST:PORT`.
    fn listen<'a>(&'a self, address: &'a str) -> NetFuture<'a, Box<dyn Listener>>;
}

/// A bound address at which connections arrive.
pub trait Listener: fmt::Debug + Send + Sync {
    /// The next connection, and where it comes from. Dropping the future loses nothing.
    fn accept(&mut self) -> NetFuture<'_, (BoxStream, String)>;

    /// The address that was bound.
    fn local_address(&self) -> io::Result<String>;
}

/// TCP by tokio, without Nagle's delay.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioNet;

impl Net for TokioNet {
    fn connect<'a>(&'a self, address: &'a str) -> NetFuture<'a, BoxStream> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> NetFuture<'a, Box<dyn Listener>> {
        Box::pin(async move {
            let listener = tokio::net::TcpListener::bind(address).await?;
            Ok(Box::new(TokioListener(listener)) as Box<dyn Listener>)
        })
    }
}

/// A TCP listener of tokio's.
#[derive(Debug)]
pub struct TokioListener(tokio::net::TcpListener);

impl TokioListener {
    /// Takes a listener that the standard library bound. It is registered with the runtime in
    /// whose context this is called.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TokioListener> {
        listener.set_nonblocking(true)?;
        Ok(TokioListener(tokio::net::TcpListener::from_std(listener)?))
    }

    /// The address that was bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Listener for TokioListener {
    fn accept(&mut self) -> NetFuture<'_, (BoxStream, String)> {
        Box::pin(async move {
            let (stream, from) = self.0.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as BoxStream, from.to_string()))
        })
    }

    fn local_address(&self) -> io::Result<String> {
        Ok(self.0.local_addr()?.to_string())
    }
}
