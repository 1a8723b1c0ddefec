//! Atomic batches of a thousand claims, the most that one may have.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use serde_json::json;

use crate::fill;
use crate::load::http::Http;
use crate::load::{Client, Target, closed};
use crate::report::{Table, decimal, millis};
use crate::rounds::{Rounds, Series};
use crate::verdict::Verdicts;

/// Claims in a batch.
const CLAIMS: u32 = 1_000;
/// One for each node, and one more, so that none waits for the next batch to come.
const CONNECTIONS: usize = 4;
/// Blocks a second.
const BUDGET: f64 = 200_000.0;

pub(crate) async fn measure(rounds: Rounds) -> Result<Table> {
    let mut series = Series::default();
    for _ in 0..rounds.count {
        let cluster = TestCluster::three().await?;
        let tenant = fill::tenant_with_pool(&cluster, &json!({})).await?;
        let batches = Batches {
            addresses: cluster.addresses(),
            path: tenant.path("batch"),
        };
        series.add(&closed(&Arc::new(batches), rounds.closed(CONNECTIONS)).await?);
    }
    let medians = series.medians();
    let [half, _, nearly_all] = medians.times;
    let mut verdicts = Verdicts::new("batches");
    let rate = medians.rate * f64::from(CLAIMS);
    verdicts.judge(
        &format!("blocks/s in batches of {CLAIMS} from {CONNECTIONS} connections"),
        decimal(rate, 0),
        decimal(BUDGET, 0),
        rate >= BUDGET,
    );
    verdicts.tell(
        "a batch: p50, p99",
        format!("{}, {} ms", millis(half), millis(nearly_all)),
    );
    Ok(verdicts.table())
}

#[derive(Debug)]
struct Batches {
    addresses: Vec<SocketAddr>,
    path: String,
}

impl Target for Batches {
    type Client = Batcher;

    async fn connect(&self, number: usize) -> Result<Batcher> {
        Ok(Batcher {
            http: Http::open(self.addresses[number % self.addresses.len()]).await?,
            path: self.path.clone(),
            number,
            claims: 0,
            body: String::new(),
        })
    }
}

#[derive(Debug)]
struct Batcher {
    http: Http,
    path: String,
    number: usize,
    claims: u64,
    body: String,
}

impl Client for Batcher {
    type Told = ();

    async fn turn(&mut self) -> Result<()> {
        self.body.clear();
        self.body.push_str(r#"{"atomic":true,"operations":["#);
        for place in 0..CLAIMS {
            let comma = if place > 0 { "," } else { "" };
            self.claims += 1;
            write!(
                self.body,
                r#"{comma}{{"createClaim":{{"name":"batch-{:02}-{:015}","pool":"p"}}}}"#,
                self.number, self.claims
            )?;
        }
        self.body.push_str("]}");
        let answer = self
            .http
            .send("POST", &self.path, Some(self.body.as_bytes()))
            .await?;
        answer.expect(200)?;
        ensure!(answer.body.len() > CLAIMS as usize, "an answer for each");
        Ok(())
    }
}
