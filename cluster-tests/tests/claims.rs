//! A name, its block and its generation: what a client may rely on whichever node it asks.

use anyhow::{Result, ensure};
use cluster_tests::TestCluster;
use cluster_tests::tenant::{Held, Tenant};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_from_any_node_has_the_same_block_and_a_stale_release_frees_nothing() -> Result<()>
{
    let cluster = TestCluster::three().await?;
    let mut connection = cluster.connection(1);
    let tenant = Tenant::create(&mut connection, "names").await?;
    tenant
        .pool_create(&mut connection, &json!({ "name": "p", "cidrs": ["10.0.0.0/24"], "maxPrefixLength": 30, "minPrefixLength": 26 }))
        .await?;

    // The same name, the same content, from each node.
    let claim = json!({ "name": "web", "pool": "p", "prefixLength": 28, "owner": "cluster-3" });
    let first = Held::from_claim(&tenant.claim(&mut connection, &claim).await?.expect(201)?)?;
    for id in cluster.ids() {
        let repeat = tenant
            .claim(&mut cluster.connection(id), &claim)
            .await?
            .expect(200)?;
        ensure!(
            Held::from_claim(&repeat)? == first,
            "node {id} answers {repeat}"
        );
    }

    // The same name, other content.
    for (field, other) in [
        (
            "prefixLength",
            json!({ "name": "web", "pool": "p", "prefixLength": 27, "owner": "cluster-3" }),
        ),
        (
            "owner",
            json!({ "name": "web", "pool": "p", "prefixLength": 28, "owner": "cluster-4" }),
        ),
        (
            "cidr",
            json!({ "name": "web", "pool": "p", "cidr": "10.0.0.128/28", "owner": "cluster-3" }),
        ),
    ] {
        for id in cluster.ids() {
            let refused = tenant.claim(&mut cluster.connection(id), &other).await?;
            ensure!(
                refused.status == 409 && refused.code() == "claim_mismatch",
                "{field}: {refused:?}"
            );
        }
    }

    // A generation that is not this holding's.
    let stale = tenant
        .release(&mut connection, "web", first.generation + 1_000)
        .await?;
    ensure!(
        stale.status == 412 && stale.code() == "generation_stale",
        "{stale:?}"
    );
    let still = tenant.claim(&mut connection, &claim).await?.expect(200)?;
    ensure!(
        Held::from_claim(&still)? == first,
        "a refused release changes nothing"
    );

    // Released; the block goes to another; the late repeat of the release touches nobody.
    tenant
        .release(&mut cluster.connection(2), "web", first.generation)
        .await?
        .expect(200)?;
    let next = json!({ "name": "next", "pool": "p", "cidr": first.block });
    let next_held = Held::from_claim(
        &tenant
            .claim(&mut cluster.connection(3), &next)
            .await?
            .expect(201)?,
    )?;
    ensure!(next_held.block == first.block, "the block was free again");
    ensure!(next_held.generation > first.generation, "generations grow");
    for id in cluster.ids() {
        let repeat = tenant
            .release(&mut cluster.connection(id), "web", first.generation)
            .await?;
        ensure!(
            repeat.status == 200,
            "a release that already happened is done: {repeat:?}"
        );
    }
    let listed = tenant.claims(&mut cluster.connection(2)).await?;
    ensure!(
        listed.get("next") == Some(&next_held) && listed.len() == 1,
        "{listed:?}"
    );

    // The name lives on with a new generation; the old one does not end it.
    let again = Held::from_claim(&tenant.claim(&mut connection, &claim).await?.expect(201)?)?;
    let late = tenant
        .release(&mut connection, "web", first.generation)
        .await?;
    ensure!([200, 412].contains(&late.status), "{late:?}");
    let listed = tenant.claims(&mut cluster.connection(3)).await?;
    ensure!(
        listed.get("web") == Some(&again),
        "the newer holding stands: {listed:?}"
    );
    Ok(())
}
