//! A bare handler of axum that answers with bytes that are there already: what the packages below ipamd's HTTP do at best.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The server, on a runtime of its own, as long as this lives.
#[derive(Debug)]
pub(crate) struct BareAxum {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl BareAxum {
    /// Answers a GET of `path` with `body`.
    pub(crate) async fn start(path: &str, body: Bytes) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism()?.get())
            .enable_all()
            .build()?;
        let answer = move || {
            let body = body.clone();
            async move { ([(CONTENT_TYPE, "application/json")], body) }
        };
        let router: Router = Router::new().route(path, get(answer));
        let listening = runtime.spawn(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            tokio::spawn(async move { drop(axum::serve(listener, router).await) });
            anyhow::Ok(address)
        });
        Ok(Self {
            address: listening.await??,
            runtime: Some(runtime),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for BareAxum {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
