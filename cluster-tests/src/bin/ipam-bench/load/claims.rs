//! Claims of one address each from pools of a tenant of ipamd's, spread over its nodes.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;

use super::http::{Answer, Http};
use super::{Client, Target};

/// Where claims go.
#[derive(Debug)]
pub(crate) struct Claims {
    /// The nodes, over which the connections are spread.
    addresses: Vec<SocketAddr>,
    path: String,
    /// The pools, over which the connections are spread.
    pools: Vec<String>,
}

/// Loads so far: the names of each begin with another number, so that none repeats a claim of an earlier one.
static LOADS: AtomicU32 = AtomicU32::new(0);

/// What the answer to a claim told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed {
    pub(crate) address: Ipv4Addr,
    /// The revision that it made.
    pub(crate) revision: u64,
}

impl Claims {
    pub(crate) fn new(cluster: &TestCluster, tenant: &Tenant, pools: &[&str]) -> Self {
        Self {
            addresses: cluster.addresses(),
            path: tenant.path("claims"),
            pools: pools.iter().map(|pool| (*pool).to_owned()).collect(),
        }
    }

    /// The same, over connections to these nodes alone.
    pub(crate) fn at(self, addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..self }
    }
}

impl Target for Claims {
    type Client = Claimant;

    async fn connect(&self, number: usize) -> Result<Claimant> {
        if number == 0 {
            LOADS.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Claimant {
            http: Http::open(self.addresses[number % self.addresses.len()]).await?,
            path: self.path.clone(),
            pool: self.pools[number % self.pools.len()].clone(),
            prefix: format!("l{:03}-{number:04}", LOADS.load(Ordering::Relaxed)),
            claims: 0,
            body: Vec::with_capacity(128),
        })
    }
}

/// One connection that claims.
#[derive(Debug)]
pub(crate) struct Claimant {
    http: Http,
    path: String,
    pool: String,
    prefix: String,
    claims: u64,
    body: Vec<u8>,
}

impl Claimant {
    /// Asks for an address, for another name than the last.
    pub(super) async fn claim(&mut self) -> Result<Answer<'_>> {
        self.claims += 1;
        self.body.clear();
        // A name of 24 bytes.
        write!(
            self.body,
            r#"{{"name":"{}-{:014}","pool":"{}"}}"#,
            self.prefix, self.claims, self.pool
        )?;
        self.http.send("POST", &self.path, Some(&self.body)).await
    }

    /// Asks for the release of what was claimed last.
    pub(super) async fn release(&mut self) -> Result<Answer<'_>> {
        let path = format!("{}/{}-{:014}", self.path, self.prefix, self.claims);
        self.http.send("DELETE", &path, None).await
    }
}

impl Client for Claimant {
    type Told = Claimed;

    async fn turn(&mut self) -> Result<Claimed> {
        let answer = self.claim().await?;
        answer.expect(201)?;
        Claimed::read(answer.body)
            .with_context(|| String::from_utf8_lossy(answer.body).into_owned())
    }
}

impl Claimed {
    /// From the view of a claim. Looked for in the text: a tree of it would cost more than all else in the generator.
    fn read(view: &[u8]) -> Option<Self> {
        let view = std::str::from_utf8(view).ok()?;
        let after = |mark: &str| view.split_once(mark).map(|(_, rest)| rest);
        let (address, _) = after(r#""allocatedCIDR":""#)?.split_once('/')?;
        let revision = after(r#""revision":"#)?;
        let digits = revision.bytes().take_while(u8::is_ascii_digit).count();
        Some(Self {
            address: address.parse().ok()?,
            revision: revision[..digits].parse().ok()?,
        })
    }
}
