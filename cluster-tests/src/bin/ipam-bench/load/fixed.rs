//! The same request again and again.

use std::net::SocketAddr;

use anyhow::Result;

use super::http::Http;
use super::{Client, Target};

/// A request and the status that every answer to it has.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    /// Over which the connections are spread.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// What is sent; each `{}` is the connection's number.
    pub(crate) body: Option<String>,
    pub(crate) status: u16,
}

impl Target for Fixed {
    type Client = Asker;

    async fn connect(&self, number: usize) -> Result<Asker> {
        let body = self.body.as_ref();
        Ok(Asker {
            http: Http::open(self.addresses[number % self.addresses.len()]).await?,
            method: self.method,
            path: self.path.clone(),
            body: body.map(|body| body.replace("{}", &number.to_string())),
            status: self.status,
        })
    }
}

/// One connection that asks.
#[derive(Debug)]
pub(crate) struct Asker {
    http: Http,
    method: &'static str,
    path: String,
    body: Option<String>,
    status: u16,
}

impl Client for Asker {
    type Told = ();

    async fn turn(&mut self) -> Result<()> {
        let body = self.body.as_ref().map(String::as_bytes);
        let answer = self.http.send(self.method, &self.path, body).await?;
        answer.expect(self.status)
    }
}
