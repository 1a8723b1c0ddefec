//! Reads of one claim: what this node has, beside a handler that does nothing; and what the cluster has, beside etcd.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use cluster_tests::TestCluster;
use cluster_tests::tenant::Tenant;
use serde_json::json;

use crate::load::{Fixed, Target, closed};
use crate::peers::axum::BareAxum;
use crate::peers::etcd::{Etcd, Reads};
use crate::report::{Table, decimal, millis};
use crate::rounds::{Medians, Rounds, Series};
use crate::verdict::Verdicts;

const CONNECTIONS: usize = 64;

/// Of what a bare handler does ipamd does so much at least.
const LOCAL_SHARE: f64 = 0.7;
/// So many times etcd's linearizable reads.
const LINEARIZABLE_TIMES: f64 = 5.0;

pub(crate) async fn measure(rounds: Rounds, etcd: Option<&Path>) -> Result<Table> {
    let (mut bare, mut local) = (Series::default(), Series::default());
    let (mut linearizable, mut of_etcd) = (Series::default(), Series::default());
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
        round(&mut bare, of_bare, rounds).await?;
        drop(server);
        let of_one = get(vec![cluster.address(1)], path.clone());
        round(&mut local, of_one, rounds).await?;
        let path = format!("{path}?consistency=linearizable");
        let of_all = get(cluster.addresses(), path);
        round(&mut linearizable, of_all, rounds).await?;
        drop(cluster);
        if let Some(program) = etcd {
            let reads = reads_of_etcd(program, &body).await?;
            round(&mut of_etcd, reads, rounds).await?;
        }
    }
    let [bare, local] = [bare, local].map(|series| series.medians());
    let mut verdicts = Verdicts::new("reads");
    verdicts.tell("a bare axum handler, with the same body", told(bare));
    verdicts.judge(
        "local reads of a claim",
        format!(
            "{}: {} of that",
            told(local),
            decimal(local.rate / bare.rate, 2)
        ),
        format!("{LOCAL_SHARE} of that"),
        local.rate >= bare.rate * LOCAL_SHARE,
    );
    let linearizable = linearizable.medians();
    if etcd.is_some() {
        let of_etcd = of_etcd.medians();
        verdicts.tell("etcd, linearizable reads of as many bytes", told(of_etcd));
        let times = linearizable.rate / of_etcd.rate;
        verdicts.judge(
            "linearizable reads of a claim",
            format!("{}: {} times", told(linearizable), decimal(times, 1)),
            format!("{LINEARIZABLE_TIMES} times"),
            times >= LINEARIZABLE_TIMES,
        );
    } else {
        verdicts.tell("linearizable reads of a claim", told(linearizable));
    }
    Ok(verdicts.table())
}

async fn round<T: Target>(series: &mut Series, target: T, rounds: Rounds) -> Result<()> {
    series.add(&closed(&Arc::new(target), rounds.closed(CONNECTIONS)).await?);
    Ok(())
}

fn told(medians: Medians) -> String {
    let [half, _, nearly_all] = medians.times.map(millis);
    format!(
        "{}/s, p50 {half}, p99 {nearly_all} ms; the generator took {} of a core",
        decimal(medians.rate, 0),
        decimal(medians.generator, 2)
    )
}

async fn reads_of_etcd(program: &Path, body: &Bytes) -> Result<Reads> {
    let etcd = Arc::new(Etcd::start(program).await?);
    Reads::new(&etcd, body.len()).await
}
