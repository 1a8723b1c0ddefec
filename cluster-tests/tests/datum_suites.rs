//! The end-to-end suites of Datum's IPAM on three nodes, with its data: each request goes to the next
//! node, and what one node answered the next one knows.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use cluster_tests::TestCluster;
use cluster_tests::http::{Connection, Reply};
use futures::future::try_join_all;
use hyper::Method;
use serde_json::{Value, json};

/// One tenant's requests, to each node in turn.
struct Suite<'a> {
    cluster: &'a TestCluster,
    connections: Vec<Connection>,
    next: usize,
    tenant: String,
}

impl<'a> Suite<'a> {
    async fn new(cluster: &'a TestCluster, tenant: &str) -> Result<Self> {
        let mut suite = Self {
            cluster,
            connections: cluster
                .ids()
                .into_iter()
                .map(|id| cluster.connection(id))
                .collect(),
            next: 0,
            tenant: tenant.to_owned(),
        };
        let made = suite
            .send(
                Method::POST,
                "/v1/tenants",
                Some(&json!({ "name": tenant })),
            )
            .await?;
        made.expect(201)?;
        Ok(suite)
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply> {
        let count = self.connections.len();
        self.next = (self.next + 1) % count;
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.connections[self.next].send(method, path, body).await
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/tenants/{}/{rest}", self.tenant)
    }

    async fn post(&mut self, rest: &str, body: Value) -> Result<Reply> {
        let path = self.path(rest);
        self.send(Method::POST, &path, Some(&body)).await
    }

    async fn patch(&mut self, rest: &str, body: Value) -> Result<Reply> {
        let path = self.path(rest);
        self.send(Method::PATCH, &path, Some(&body)).await
    }

    async fn get(&mut self, rest: &str) -> Result<Reply> {
        let path = self.path(&format!("{rest}?consistency=linearizable"));
        self.send(Method::GET, &path, None).await
    }

    async fn delete(&mut self, rest: &str) -> Result<Reply> {
        let path = self.path(rest);
        self.send(Method::DELETE, &path, None).await
    }

    async fn pool(&mut self, name: &str, cidr: &str) -> Result<Value> {
        let body = json!({ "name": name, "cidrs": [cidr] });
        self.post("pools", body).await?.expect(201)
    }

    /// A claim that gets its block.
    async fn claim(&mut self, body: Value) -> Result<String> {
        let claim = self.post("claims", body).await?.expect(201)?;
        let block = claim["status"]["allocatedCIDR"].as_str();
        Ok(block.context("a claim has its block")?.to_owned())
    }

    async fn available(&mut self, pool: &str) -> Result<u64> {
        let pool = self.get(&format!("pools/{pool}")).await?.expect(200)?;
        let available = pool["status"]["capacity"]["available"].as_str();
        Ok(available.context("a count")?.parse()?)
    }
}

fn refused(reply: &Reply, status: u16, code: &str) -> Result<()> {
    ensure!(
        (reply.status, reply.code().as_str()) == (status, code),
        "{status} {code}: {reply:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suites_of_datum_pass_on_three_nodes() -> Result<()> {
    let cluster = TestCluster::three().await?;
    ip_claim(&mut Suite::new(&cluster, "ip-claim").await?)
        .await
        .context("ip-claim")?;
    hierarchy(&mut Suite::new(&cluster, "hierarchy").await?)
        .await
        .context("ippool-hierarchy")?;
    exhaustion(&mut Suite::new(&cluster, "exhaustion").await?)
        .await
        .context("pool-exhaustion")?;
    overlap(&mut Suite::new(&cluster, "overlap").await?)
        .await
        .context("pool-overlap")?;
    selector(&mut Suite::new(&cluster, "selector").await?)
        .await
        .context("pool-selector")?;
    validation(&mut Suite::new(&cluster, "validation").await?)
        .await
        .context("claim-validation")?;
    hosts(&mut Suite::new(&cluster, "hosts").await?)
        .await
        .context("host-address-allocation")?;
    tenants(&cluster)
        .await
        .context("multi-tenant and tenant-isolation")?;
    families(&mut Suite::new(&cluster, "families").await?)
        .await
        .context("claim-family-mismatch")
}

async fn ip_claim(suite: &mut Suite<'_>) -> Result<()> {
    suite.pool("p", "10.128.0.0/20").await?;
    let before = suite.available("p").await?;
    let first = suite
        .claim(json!({ "name": "one", "pool": "p", "prefixLength": 24 }))
        .await?;
    ensure!(first == "10.128.0.0/24", "{first}");
    let allocation = suite
        .get(&format!("allocations/{first}"))
        .await?
        .expect(200)?;
    ensure!(
        (&allocation["claim"], &allocation["purpose"]) == (&json!("one"), &json!("Claim")),
        "{allocation}"
    );
    let second = suite
        .claim(json!({ "name": "two", "pool": "p", "prefixLength": 24 }))
        .await?;
    ensure!(first != second, "{second}");
    ensure!(suite.available("p").await? == before - 512, "two /24 less");
    suite.delete("claims/one").await?.expect(200)?;
    refused(&suite.get("claims/one").await?, 404, "claim_not_found")?;
    refused(
        &suite.get(&format!("allocations/{first}")).await?,
        404,
        "allocation_not_found",
    )?;
    ensure!(
        suite.available("p").await? == before - 256,
        "256 more, exactly"
    );
    suite
        .claim(json!({ "name": "one", "pool": "p", "prefixLength": 24 }))
        .await?;
    Ok(())
}

async fn hierarchy(suite: &mut Suite<'_>) -> Result<()> {
    let env = json!({
        "name": "env", "cidrs": ["10.32.0.0/11"], "minPrefixLength": 12, "maxPrefixLength": 16,
    });
    suite.post("pools", env).await?.expect(201)?;
    let mut blocks = BTreeSet::new();
    for region in ["region-1", "region-2"] {
        let body = json!({ "name": region, "parent": "env", "prefixLength": 12 });
        let child = suite.post("pools", body).await?.expect(201)?;
        blocks.insert(
            child["status"]["allocatedCIDRs"][0]
                .as_str()
                .context("a block")?
                .to_owned(),
        );
    }
    ensure!(
        blocks == BTreeSet::from(["10.32.0.0/12".to_owned(), "10.48.0.0/12".to_owned()]),
        "{blocks:?}"
    );
    let leaf = suite
        .claim(json!({ "name": "leaf", "pool": "region-1", "prefixLength": 24 }))
        .await?;
    ensure!(leaf.starts_with("10.32."), "{leaf}");
    let delete = suite.delete("pools/region-1").await?;
    refused(&delete, 409, "pool_in_use")?;
    ensure!(delete.json()["claims"] == 1, "{delete:?}");
    let wide = json!({ "name": "wide", "parent": "env", "prefixLength": 11 });
    refused(
        &suite.post("pools", wide).await?,
        422,
        "prefix_length_out_of_bounds",
    )
}

async fn exhaustion(suite: &mut Suite<'_>) -> Result<()> {
    suite.pool("p", "192.168.0.0/31").await?;
    for name in ["one", "two"] {
        suite
            .claim(json!({ "name": name, "pool": "p", "prefixLength": 32 }))
            .await?;
    }
    let third = json!({ "name": "three", "pool": "p", "prefixLength": 32 });
    refused(
        &suite.post("claims", third.clone()).await?,
        507,
        "pool_exhausted",
    )?;
    refused(&suite.get("claims/three").await?, 404, "claim_not_found")?;
    suite.delete("claims/one").await?.expect(200)?;
    ensure!(
        suite.claim(third).await? == "192.168.0.0/32",
        "the one that was freed"
    );
    Ok(())
}

async fn overlap(suite: &mut Suite<'_>) -> Result<()> {
    suite.pool("p", "10.64.0.0/16").await?;
    let connections = suite.cluster.ids().into_iter().cycle().take(10);
    let path = suite.path("claims");
    let claims = connections.enumerate().map(|(number, id)| {
        let mut connection = suite.cluster.connection(id);
        let body = json!({ "name": format!("c{number}"), "pool": "p", "prefixLength": 24 });
        let path = path.clone();
        async move {
            let claim = connection.post(&path, &body).await?.expect(201)?;
            anyhow::Ok(
                claim["status"]["allocatedCIDR"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            )
        }
    });
    let blocks: BTreeSet<String> = try_join_all(claims).await?.into_iter().collect();
    ensure!(blocks.len() == 10, "all distinct: {blocks:?}");
    let listed = suite.get("allocations").await?.expect(200)?;
    ensure!(
        listed["items"].as_array().map(Vec::len) == Some(10),
        "{listed}"
    );
    let again = json!({ "name": "q", "cidrs": ["10.64.128.0/17"] });
    refused(&suite.post("pools", again).await?, 409, "cidr_overlap")
}

async fn selector(suite: &mut Suite<'_>) -> Result<()> {
    for (name, cidr, labels) in [
        (
            "selector-pool-consumer-a",
            "10.80.0.0/24",
            json!({ "environment": "consumer", "region": "us-west" }),
        ),
        (
            "selector-pool-consumer-b",
            "10.80.1.0/24",
            json!({ "environment": "consumer", "region": "us-east" }),
        ),
        (
            "selector-pool-provider",
            "10.80.2.0/24",
            json!({ "environment": "provider", "region": "us-east" }),
        ),
    ] {
        let body = json!({ "name": name, "cidrs": [cidr], "labels": labels });
        suite.post("pools", body).await?.expect(201)?;
    }
    let wanted = json!({ "matchLabels": { "environment": "consumer", "region": "us-east" } });
    let body = json!({ "name": "c", "poolSelector": wanted, "prefixLength": 28 });
    let claim = suite.post("claims", body.clone()).await?.expect(201)?;
    ensure!(
        claim["status"]["pool"] == "selector-pool-consumer-b",
        "{claim}"
    );
    ensure!(
        claim["poolSelector"] == wanted && claim["pool"].is_null(),
        "{claim}"
    );
    let repeat = suite.post("claims", body).await?.expect(200)?;
    ensure!(
        repeat["status"]["generation"] == claim["status"]["generation"],
        "{repeat}"
    );
    let none = json!({ "name": "d", "poolSelector": { "matchLabels": { "environment": "none" } } });
    refused(&suite.post("claims", none).await?, 404, "no_pool_matches")?;
    let both = json!({ "name": "d", "pool": "selector-pool-provider", "poolSelector": wanted });
    refused(&suite.post("claims", both).await?, 422, "invalid_field")
}

async fn validation(suite: &mut Suite<'_>) -> Result<()> {
    refused(
        &suite.post("pools", json!({ "name": "p" })).await?,
        422,
        "invalid_field",
    )?;
    for cidr in ["10.0.0.0/33", "10.0.0.300/24", "nonsense", "10.0.0.1/24"] {
        let body = json!({ "name": "p", "cidrs": [cidr] });
        let reply = suite.post("pools", body).await?;
        refused(&reply, 422, "invalid_field")?;
        ensure!(
            reply.json()["fields"][0]["field"] == "cidrs[0]",
            "{reply:?}"
        );
    }
    suite.pool("p", "10.96.0.0/20").await?;
    for length in [16, 0] {
        let body = json!({ "name": "c", "pool": "p", "prefixLength": length });
        refused(
            &suite.post("claims", body).await?,
            422,
            "prefix_length_out_of_bounds",
        )?;
    }
    refused(&suite.get("claims/c").await?, 404, "claim_not_found")?;
    let block = suite
        .claim(json!({ "name": "c", "pool": "p", "prefixLength": 24 }))
        .await?;
    for (path, patch, field) in [
        ("claims/c", json!({ "cidr": "10.96.9.0/24" }), "cidr"),
        ("claims/c", json!({ "prefixLength": 25 }), "prefixLength"),
        ("pools/p", json!({ "family": "IPv6" }), "family"),
        ("pools/p", json!({ "name": "q" }), "name"),
    ] {
        let reply = suite.patch(path, patch).await?;
        refused(&reply, 422, "invalid_field")?;
        ensure!(reply.json()["fields"][0]["field"] == field, "{reply:?}");
    }
    let shown = suite.get("claims/c").await?.expect(200)?;
    ensure!(
        shown["status"]["allocatedCIDR"] == block.as_str(),
        "{shown}"
    );
    let edited = suite
        .patch("pools/p", json!({ "strategy": "BestFit" }))
        .await?
        .expect(200)?;
    ensure!(edited["strategy"] == "BestFit", "{edited}");
    Ok(())
}

async fn hosts(suite: &mut Suite<'_>) -> Result<()> {
    for (pool, cidr, length, count) in [
        ("four", "10.50.1.0/29", 32, 8),
        ("six", "2001:db8::/126", 128, 4),
    ] {
        suite.pool(pool, cidr).await?;
        let mut blocks = BTreeSet::new();
        for number in 0..count {
            let name = format!("{pool}-{number}");
            let body = json!({ "name": name, "pool": pool, "prefixLength": length });
            blocks.insert(suite.claim(body).await?);
        }
        ensure!(blocks.len() == count, "all distinct: {blocks:?}");
        let body = json!({ "name": format!("{pool}-more"), "pool": pool, "prefixLength": length });
        refused(&suite.post("claims", body).await?, 507, "pool_exhausted")?;
    }
    Ok(())
}

async fn tenants(cluster: &TestCluster) -> Result<()> {
    let mut alpha = Suite::new(cluster, "alpha").await?;
    let mut beta = Suite::new(cluster, "beta").await?;
    alpha.pool("own", "10.100.0.0/20").await?;
    beta.pool("own", "10.101.0.0/20").await?;
    let shared = json!({ "name": "shared", "cidrs": ["172.20.0.0/20"], "sharedWith": ["beta"] });
    let shared = alpha.post("pools", shared).await?.expect(201)?;
    ensure!(shared["status"]["visibility"] == "shared", "{shared}");

    let of = |pool: &str, name: &str| json!({ "name": name, "pool": { "tenant": "alpha", "name": pool }, "prefixLength": 28 });
    let taken = beta.claim(of("shared", "from-shared")).await?;
    ensure!(taken.starts_with("172.20."), "{taken}");
    refused(
        &beta.post("claims", of("own", "private")).await?,
        404,
        "pool_not_found",
    )?;
    let back = json!({ "name": "c", "pool": { "tenant": "beta", "name": "own" } });
    refused(&alpha.post("claims", back).await?, 404, "pool_not_found")?;
    for (suite, path) in [
        (&mut alpha, "claims/from-shared"),
        (&mut beta, "pools/shared"),
    ] {
        let reply = suite.get(path).await?;
        ensure!(reply.status == 404, "{path} is another tenant's: {reply:?}");
    }
    // What the pool's tenant sees of the other one: that it holds the block, and not by which name.
    let seen = alpha
        .get(&format!("allocations/{taken}"))
        .await?
        .expect(200)?;
    ensure!(
        seen["tenant"] == "beta" && seen["claim"].is_null(),
        "{seen}"
    );
    let own = beta
        .get(&format!("allocations/{taken}"))
        .await?
        .expect(200)?;
    ensure!(own["claim"] == "from-shared", "{own}");

    // Both at once, from the same pool.
    let claims = (0..4).map(|number| {
        let (tenant, pool) = if number % 2 == 0 {
            ("alpha", json!("shared"))
        } else {
            ("beta", json!({ "tenant": "alpha", "name": "shared" }))
        };
        let mut connection = cluster.connection(number % 3 + 1);
        let body = json!({ "name": format!("at-once-{number}"), "pool": pool, "prefixLength": 28 });
        async move {
            let path = format!("/v1/tenants/{tenant}/claims");
            let claim = connection.post(&path, &body).await?.expect(201)?;
            anyhow::Ok(claim["status"]["allocatedCIDR"].to_string())
        }
    });
    let blocks: BTreeSet<String> = try_join_all(claims).await?.into_iter().collect();
    ensure!(blocks.len() == 4, "disjoint: {blocks:?}");
    // Taken off the list it takes nothing new, and keeps what it has.
    alpha
        .patch("pools/shared", json!({ "sharedWith": [] }))
        .await?
        .expect(200)?;
    refused(
        &beta.post("claims", of("shared", "late")).await?,
        404,
        "pool_not_found",
    )?;
    beta.get("claims/from-shared").await?.expect(200)?;
    beta.delete("claims/from-shared").await?.expect(200)?;
    Ok(())
}

async fn families(suite: &mut Suite<'_>) -> Result<()> {
    suite.pool("four", "10.110.0.0/24").await?;
    suite.pool("six", "2001:db8:110::/64").await?;
    for (pool, family, expected) in [
        ("four", "IPv6", 422),
        ("six", "IPv4", 422),
        ("four", "IPv4", 201),
        ("six", "IPv6", 201),
    ] {
        let name = format!("{pool}-{family}");
        let length = if pool == "four" { 28 } else { 80 };
        let body = json!({ "name": name, "pool": pool, "family": family, "prefixLength": length });
        let reply = suite.post("claims", body).await?;
        ensure!(reply.status == expected, "{name}: {reply:?}");
        if expected == 422 {
            refused(&reply, 422, "family_mismatch")?;
        }
    }
    Ok(())
}
