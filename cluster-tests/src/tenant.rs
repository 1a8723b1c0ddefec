//! What a tenant's client asks for, as plain requests.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{Connection, Reply};

/// A holding, as a client was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The block, as `status.allocatedCIDR` shows it.
    pub block: String,
    /// The number that fences this holding.
    pub generation: u64,
}

impl Held {
    /// Reads it from a claim's view.
    pub fn from_claim(claim: &Value) -> Result<Self> {
        let status = &claim["status"];
        let block = status["allocatedCIDR"]
            .as_str()
            .with_context(|| format!("a claim with its block: {claim}"))?;
        let generation = status["generation"]
            .as_u64()
            .with_context(|| format!("a claim's generation: {claim}"))?;
        Ok(Self {
            block: block.to_owned(),
            generation,
        })
    }
}

/// One tenant's corner of the interface.
#[derive(Debug, Clone)]
pub struct Tenant {
    name: String,
}

impl Tenant {
    /// Creates the tenant.
    pub async fn create(connection: &mut Connection, name: &str) -> Result<Self> {
        let reply = connection
            .post("/v1/tenants", &json!({ "name": name }))
            .await?;
        reply.expect(201)?;
        Ok(Self {
            name: name.to_owned(),
        })
    }

    /// The path of something of the tenant's.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/tenants/{}/{rest}", self.name)
    }

    /// Creates a pool; anything but 201 is an error.
    pub async fn pool_create(&self, connection: &mut Connection, pool: &Value) -> Result<Value> {
        connection
            .post(&self.path("pools"), pool)
            .await?
            .expect(201)
    }

    /// One pool's view.
    pub async fn pool(&self, connection: &mut Connection, name: &str) -> Result<Value> {
        connection
            .get(&self.path(&format!("pools/{name}?consistency=linearizable")))
            .await?
            .expect(200)
    }

    /// Claims a block by name.
    pub async fn claim(&self, connection: &mut Connection, claim: &Value) -> Result<Reply> {
        connection.post(&self.path("claims"), claim).await
    }

    /// Releases a holding by its generation.
    pub async fn release(
        &self,
        connection: &mut Connection,
        name: &str,
        generation: u64,
    ) -> Result<Reply> {
        connection
            .delete(&self.path(&format!("claims/{name}?generation={generation}")))
            .await
    }

    /// All claims, page after page, by name. A name on two pages is an error.
    pub async fn claims(&self, connection: &mut Connection) -> Result<BTreeMap<String, Held>> {
        let mut claims = BTreeMap::new();
        let mut token = String::new();
        loop {
            let path = format!("claims?limit=1000&consistency=linearizable{token}");
            let page = connection.get(&self.path(&path)).await?.expect(200)?;
            for claim in page["items"].as_array().context("a list")? {
                let name = claim["name"].as_str().context("a claim with its name")?;
                let twice = claims.insert(name.to_owned(), Held::from_claim(claim)?);
                anyhow::ensure!(twice.is_none(), "{name} is listed twice");
            }
            match page["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={next}"),
                None => return Ok(claims),
            }
        }
    }
}
