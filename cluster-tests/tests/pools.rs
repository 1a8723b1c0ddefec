//! Blocks carved from blocks, and given back.

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::{Held, Tenant};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_children_halve_their_parent_and_give_it_back() -> Result<()> {
    let cluster = TestCluster::three().await?;
    let (mut one, mut two, mut three) = (
        cluster.connection(1),
        cluster.connection(2),
        cluster.connection(3),
    );
    let tenant = Tenant::create(&mut one, "carving").await?;
    tenant
        .pool_create(
            &mut one,
            &json!({ "name": "root", "cidrs": ["10.32.0.0/11"] }),
        )
        .await?;

    let a = tenant
        .pool_create(
            &mut two,
            &json!({ "name": "a", "parent": "root", "prefixLength": 12 }),
        )
        .await?;
    let b = tenant
        .pool_create(
            &mut three,
            &json!({ "name": "b", "parent": "root", "prefixLength": 12 }),
        )
        .await?;
    let mut blocks = [block(&a), block(&b)];
    blocks.sort();
    ensure!(
        blocks == ["10.32.0.0/12", "10.48.0.0/12"],
        "disjoint, and the whole of the parent: {blocks:?}"
    );
    let root = tenant.pool(&mut two, "root").await?;
    ensure!(root["status"]["capacity"]["available"] == "0", "{root}");
    let full = one
        .post(
            &tenant.path("pools"),
            &json!({ "name": "c", "parent": "root", "prefixLength": 12 }),
        )
        .await?;
    ensure!(full.status == 507, "{full:?}");

    let claim = json!({ "name": "holder", "pool": "a", "prefixLength": 24 });
    let held = Held::from_claim(&tenant.claim(&mut three, &claim).await?.expect(201)?)?;
    let refused = one.delete(&tenant.path("pools/a")).await?;
    ensure!(
        refused.status == 409 && refused.code() == "pool_in_use",
        "{refused:?}"
    );
    let problem = refused.json();
    ensure!(
        problem.to_string().contains("holder"),
        "the holder is named: {problem}"
    );

    tenant
        .release(&mut two, "holder", held.generation)
        .await?
        .expect(200)?;
    let deleted = one.delete(&tenant.path("pools/a")).await?;
    ensure!(
        deleted.status == 200 || deleted.status == 204,
        "{deleted:?}"
    );

    // The answer is the proof: its revision is one more than the one before, and the parent has the block at it.
    let revision = deleted.header_number("ipam-revision");
    let root = tenant.pool(&mut three, "root").await?;
    ensure!(
        root["status"]["capacity"]["available"] == "1048576",
        "the block is the parent's again: {root}"
    );
    let again = one
        .post(
            &tenant.path("pools"),
            &json!({ "name": "a", "parent": "root", "cidr": block(&a) }),
        )
        .await?;
    let created = again.header_number("ipam-revision");
    again.expect(201)?;
    ensure!(
        revision
            .zip(created)
            .is_some_and(|(deleted, created)| created == deleted + 1),
        "{revision:?} {created:?}"
    );
    Ok(())
}

fn block(pool: &Value) -> String {
    let first = pool["status"]["allocatedCIDRs"][0].as_str();
    first
        .or_else(|| pool["status"]["allocatedCIDRs"][0]["cidr"].as_str())
        .unwrap_or_default()
        .to_owned()
}
