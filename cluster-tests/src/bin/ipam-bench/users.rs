//! Datum's load test of its IPAM: ten users that claim a /28 and release it, nine times in ten from a pool of their own,
//! else from one that all share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::load::http::Http;
use crate::load::{Client, Target, closed};
use crate::report::{Table, decimal, millis};
use crate::rounds::{Rounds, Series};
use crate::verdict::Verdicts;

const USERS: usize = 10;
/// Of ten claims of a user, this one is from the shared pool.
const SHARED: u64 = 7;
/// Theirs was 8 ms.
const BUDGET: Duration = Duration::from_millis(2);

pub(crate) async fn measure(rounds: Rounds) -> Result<Table> {
    let mut series = Series::default();
    for _ in 0..rounds.count {
        let cluster = TestCluster::three().await?;
        let mut connection = cluster.connection(1);
        let tenant = Tenant::create(&mut connection, "bench").await?;
        let own = (0..USERS).map(|user| (format!("own-{user}"), format!("10.{user}.0.0/16")));
        for (name, cidr) in own.chain([("shared".to_owned(), "10.100.0.0/16".to_owned())]) {
            let pool = json!({ "name": name, "cidrs": [cidr], "maxPrefixLength": 28 });
            tenant.pool_create(&mut connection, &pool).await?;
        }
        let users = Users {
            addresses: cluster.addresses(),
            path: tenant.path("claims"),
        };
        // Whatever is not done as asked ends the load: so no request has failed.
        series.add(&closed(&Arc::new(users), rounds.closed(USERS)).await?);
    }
    let medians = series.medians();
    let [half, most, nearly_all] = medians.times;
    let mut verdicts = Verdicts::new("users");
    verdicts.tell(
        &format!("{USERS} users, claims and releases: requests/s, all of them done"),
        decimal(medians.rate, 0),
    );
    verdicts.at_most("p95 of a request", most, BUDGET);
    verdicts.tell(
        "p50, p99",
        format!("{}, {} ms", millis(half), millis(nearly_all)),
    );
    Ok(verdicts.table())
}

#[derive(Debug)]
struct Users {
    addresses: Vec<SocketAddr>,
    path: String,
}

impl Target for Users {
    type Client = User;

    async fn connect(&self, number: usize) -> Result<User> {
        Ok(User {
            http: Http::open(self.addresses[number % self.addresses.len()]).await?,
            path: self.path.clone(),
            number,
            claims: 0,
            held: None,
        })
    }
}

#[derive(Debug)]
struct User {
    http: Http,
    path: String,
    number: usize,
    claims: u64,
    /// What is released next: its name and generation.
    held: Option<(String, u64)>,
}

impl Client for User {
    type Told = ();

    async fn turn(&mut self) -> Result<()> {
        if let Some((name, generation)) = self.held.take() {
            let path = format!("{}/{name}?generation={generation}", self.path);
            return self.http.send("DELETE", &path, None).await?.expect(200);
        }
        self.claims += 1;
        let pool = if self.claims % 10 == SHARED {
            "shared".to_owned()
        } else {
            format!("own-{}", self.number)
        };
        let name = format!("user-{}-{:015}", self.number, self.claims);
        let body = format!(r#"{{"name":"{name}","pool":"{pool}","prefixLength":28}}"#);
        let answer = self
            .http
            .send("POST", &self.path, Some(body.as_bytes()))
            .await?;
        answer.expect(201)?;
        let view: serde_json::Value = serde_json::from_slice(answer.body)?;
        let generation = view["status"]["generation"].as_u64();
        self.held = Some((name, generation.context("a claim's generation")?));
        Ok(())
    }
}
