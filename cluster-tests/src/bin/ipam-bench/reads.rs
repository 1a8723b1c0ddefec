//! Reads of one claim: what this node has, beside a handler that does nothing; and what the cluster has, beside etcd.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::latency::{median, median_of};
use crate::load::{Closed, Fixed, Target, closed};
use crate::peers::axum::BareAxum;
use crate::peers::etcd::{Etcd, Reads};
use crate::report::{Table, decimal, millis};
use crate::rounds::Rounds;
use crate::verdict::Verdicts;

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_secs(1);

/// Of what a bare handler does ipamd does so much at least.
const LOCAL_SHARE: f64 = 0.7;
/// So many times etcd's linearizable reads.
const LINEARIZABLE_TIMES: f64 = 5.0;

/// What the rounds of one kind of read have shown.
#[derive(Debug, Default)]
struct Kind {
    rates: Vec<f64>,
    half: Vec<Duration>,
    nearly_all: Vec<Duration>,
}

impl Kind {
    async fn round<T: Target>(&mut self, target: T, lasts: Duration) -> Result<()> {
        let load = Closed {
            connections: CONNECTIONS,
            warm_up: WARM_UP,
            lasts,
        };
        let seen = closed(&Arc::new(target), load).await?;
        self.rates.push(seen.rate());
        let [half, nearly_all] = seen.latencies().percentiles([50, 99]);
        self.half.push(half);
        self.nearly_all.push(nearly_all);
        Ok(())
    }

    fn rate(&self) -> f64 {
        median_of(&self.rates)
    }

    fn tells(&self) -> String {
        format!(
            "{}/s, p50 {}, p99 {} ms",
            decimal(self.rate(), 0),
            millis(median(self.half.clone())),
            millis(median(self.nearly_all.clone()))
        )
    }
}

pub(crate) async fn measure(rounds: Rounds, etcd: Option<&Path>) -> Result<Table> {
    let (mut bare, mut local) = (Kind::default(), Kind::default());
    let (mut linearizable, mut of_etcd) = (Kind::default(), Kind::default());
    for _ in 0..rounds.count {
        let cluster = TestCluster::three().await?;
        let mut connection = cluster.connection(1);
        let tenant = Tenant::create(&mut connection, "bench").await?;
        let pool = json!({ "name": "p", "cidrs": ["10.0.0.0/8"] });
        tenant.pool_create(&mut connection, &pool).await?;
        let claim = json!({ "name": "claim-000000000000000001", "pool": "p" });
        tenant.claim(&mut connection, &claim).await?.expect(201)?;
        let path = tenant.path("claims/claim-000000000000000001");
        let body = connection.get(&path).await?.body;

        let get = |addresses, path| Fixed {
            addresses,
            method: "GET",
            path,
            body: None,
            status: 200,
        };
        let server = BareAxum::start(&path, body.clone()).await?;
        let of_bare = get(vec![server.address()], path.clone());
        bare.round(of_bare, rounds.lasts).await?;
        drop(server);
        let of_one = get(vec![cluster.address(1)], path.clone());
        local.round(of_one, rounds.lasts).await?;
        let path = format!("{path}?consistency=linearizable");
        let of_all = get(cluster.addresses(), path);
        linearizable.round(of_all, rounds.lasts).await?;
        drop(cluster);
        if let Some(program) = etcd {
            of_etcd
                .round(reads_of_etcd(program, &body).await?, rounds.lasts)
                .await?;
        }
    }
    let mut verdicts = Verdicts::new("reads");
    verdicts.tell("a bare axum handler, with the same body", bare.tells());
    verdicts.judge(
        "local reads of a claim",
        format!(
            "{}: {} of that",
            local.tells(),
            decimal(local.rate() / bare.rate(), 2)
        ),
        format!("{LOCAL_SHARE} of that"),
        local.rate() >= bare.rate() * LOCAL_SHARE,
    );
    if etcd.is_some() {
        verdicts.tell("etcd, linearizable reads of as many bytes", of_etcd.tells());
        let times = linearizable.rate() / of_etcd.rate();
        verdicts.judge(
            "linearizable reads of a claim",
            format!("{}: {} times", linearizable.tells(), decimal(times, 1)),
            format!("{LINEARIZABLE_TIMES} times"),
            times >= LINEARIZABLE_TIMES,
        );
    } else {
        verdicts.tell("linearizable reads of a claim", linearizable.tells());
    }
    Ok(verdicts.table())
}

async fn reads_of_etcd(program: &Path, body: &Bytes) -> Result<Reads> {
    let etcd = Arc::new(Etcd::start(program).await?);
    Reads::new(&etcd, body.len()).await
}
